"""The command palette: the commands that can be used now."""

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

from screens.keys import Command, Commanded, commands_of


def usable(focused: DOMNode) -> Iterator[tuple[DOMNode, Command]]:
    """Yield each command of a node and of what it is in, with the node that declares it, where it can be used now."""
    seen = set[str]()
    for node in focused.ancestors_with_self:
        if not isinstance(node, Commanded):
            continue
        for each in commands_of(node):
            if each.keys not in seen and (each.when is None or each.when(node)):
                seen.add(each.keys)
                yield node, each


class CommandProvider(Provider):
    """Gives the palette what was declared."""

    def _commands(self) -> list[tuple[DOMNode, Command]]:
        node = self.focused or self.screen
        return [(where, each) for where, each in usable(node) if each.is_in_palette]

    async def discover(self) -> Hits:
        """Yield everything that can be done."""
        for node, each in self._commands():
            yield DiscoveryHit(
                _shown(each), partial(self.app.run_action, each.action, node), help=each.about or None
            )

    async def search(self, query: str) -> Hits:
        """Yield what can be done of which somebody typed a part."""
        matcher = self.matcher(query)
        for node, each in self._commands():
            score = matcher.match(_shown(each))
            if score > 0:
                act = partial(self.app.run_action, each.action, node)
                yield Hit(score, matcher.highlight(_shown(each)), act, help=each.about or None)


def _shown(command: Command) -> str:
    return f"{command.name} ({command.shown_key(is_ascii=True)})"

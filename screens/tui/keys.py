"""What a key does, declared once: key, footer, palette, help and when it can be used come from one place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, ClassVar

from textual.actions import parse
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

KEY_NAMES = {
    "question_mark": "?", "slash": "/", "escape": "esc", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "pageup": "page up", "pagedown": "page down", "ctrl+p": "ctrl+p", "space": "space",
}  # fmt: skip
ASCII_KEY_NAMES = {**KEY_NAMES, "up": "up", "down": "down", "left": "left", "right": "right"}

PAUSE_S = 0.4
"""Keys closer together than this were held down, pasted, or typed before the question: they do not count."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something that an operator can do with a key or from the palette."""

    action: str
    """Textual's action on the screen or widget that declares it, such as `open('journal')`."""
    keys: str
    """Textual's names of its keys, separated by commas; the first one is shown."""
    name: str
    """What it does, in a few words: in the palette and in the help."""
    footer: str = ""
    """A word or two for the last line of the screen; not there without."""
    about: str = ""
    """A sentence more for the help."""
    when: Callable[[Any], bool] | None = None
    """Returns whether it can be used now on the screen or widget that declares it; else its key does nothing, and it is
    neither in the footer nor in the palette."""
    is_in_palette: bool = True
    """Moving about has no place there."""

    @property
    def binding(self) -> Binding:
        """Return it as a binding of Textual."""
        return Binding(
            self.keys, self.action, self.footer or self.name, show=bool(self.footer), id=self.action
        )

    def key_name(self, *, is_ascii: bool) -> str:
        """Return its first key as an operator reads it."""
        names = ASCII_KEY_NAMES if is_ascii else KEY_NAMES
        first = self.keys.split(",")[0].strip()
        return names.get(first, first)


def bindings(commands: Sequence[Command]) -> list[BindingType]:
    """Return commands as a screen's or widget's `BINDINGS`."""
    return [command.binding for command in commands]


class CommandMixin(DOMNode):
    """Mixed into a screen, a widget or the app that has commands: `KEYS` declares them, `BINDINGS = bindings(KEYS)`."""

    KEYS: ClassVar[tuple[Command, ...]] = ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a command can be used now, by its `when`."""
        command = _conditional_commands(type(self)).get((action, parameters))
        if command is not None and command.when is not None:
            return command.when(self)
        return super().check_action(action, parameters)


@cache
def _conditional_commands(kind: type[DOMNode]) -> Mapping[tuple[str, tuple[object, ...]], Command]:
    """Return the commands of a class that cannot always be used, by their actions and parameters.

    Textual asks for every key after every key.
    """
    conditional = [
        (parse(command.action), command) for command in _commands(kind) if command.when is not None
    ]
    # Of two with the same action, the first one decides.
    return {(name, parameters): command for (_, name, parameters), command in reversed(conditional)}


def commands_of(node: DOMNode) -> Iterator[Command]:
    """Yield the commands that a screen, a widget or the app declares, those of its base classes last."""
    return _commands(type(node))


def _commands(node_type: type[DOMNode]) -> Iterator[Command]:
    actions = set[str]()
    for kind in node_type.__mro__:
        for command in kind.__dict__.get("KEYS", ()):
            if command.action not in actions:
                actions.add(command.action)
                yield command


def usable(focused: DOMNode) -> Iterator[tuple[DOMNode, Command]]:
    """Yield each command of a node and of what it is in, with the node that declares it, where it can be used now."""
    keys = set[str]()
    for node in focused.ancestors_with_self:
        if not isinstance(node, CommandMixin):
            continue
        for command in commands_of(node):
            if command.keys not in keys and (command.when is None or command.when(node)):
                keys.add(command.keys)
                yield node, command


class CommandProvider(Provider):
    """Gives the palette the commands that the screens and widgets declare."""

    def _commands(self) -> list[tuple[DOMNode, Command]]:
        node = self.focused or self.screen
        return [(where, command) for where, command in usable(node) if command.is_in_palette]

    async def discover(self) -> Hits:
        """Yield all commands that can be used now, before anything is typed."""
        for node, command in self._commands():
            yield DiscoveryHit(
                _palette_entry(command),
                partial(self.app.run_action, command.action, node),
                help=command.about or None,
            )

    async def search(self, query: str) -> Hits:
        """Yield the commands that match what the operator typed."""
        matcher = self.matcher(query)
        for node, command in self._commands():
            score = matcher.match(_palette_entry(command))
            if score > 0:
                act = partial(self.app.run_action, command.action, node)
                yield Hit(score, matcher.highlight(_palette_entry(command)), act, help=command.about or None)


def _palette_entry(command: Command) -> str:
    return f"{command.name} ({command.key_name(is_ascii=True)})"

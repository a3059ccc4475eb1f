"""What a key does, declared once: key, footer, palette, help and when it can be used come from one place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, ClassVar

from textual.actions import parse
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.style import Style

from console.frozen import frozen
from screens.present.matching import TextMatch, match

KEY_NAMES = {
    "question_mark": "?", "slash": "/", "colon": ":", "escape": "esc", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "pageup": "pgup", "pagedown": "pgdn", "ctrl+p": "ctrl+p", "space": "space",
}  # fmt: skip
ASCII_KEY_NAMES = {**KEY_NAMES, "up": "up", "down": "down", "left": "left", "right": "right"}

PAUSE_S = 0.4
"""Keys closer together than this were held down, pasted, or typed before the question: they do not count."""


@frozen
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
    also: str = ""
    """Other words by which the palette finds it."""
    brief: str = ""
    """What it does, for the help, where that has to be shorter. Commands with the same words, such as a key and its opposite,
    share a line there."""

    @property
    def binding(self) -> Binding:
        """Return it as a binding of Textual."""
        return Binding(
            self.keys, self.action, self.footer or self.name, show=bool(self.footer), id=self.action
        )

    @property
    def pane_number(self) -> str | None:
        """The number of the pane that it goes to."""
        return self.keys if self.action.startswith("pane(") else None

    def key_names(self, *, is_ascii: bool) -> tuple[str, ...]:
        """Return its keys as an operator reads them."""
        names = ASCII_KEY_NAMES if is_ascii else KEY_NAMES
        return tuple(names.get(key.strip(), key.strip()) for key in self.keys.split(","))


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
        for node, command in self._commands():
            entry = _palette_entry(command)
            own, other = match(query, entry), match(query, command.also)
            best = max((own, other), key=lambda each: -1.0 if each is None else each.score)
            if best is None:
                continue
            act = partial(self.app.run_action, command.action, node)
            display = highlighted(entry, own if best is own else None, self.match_style)
            yield Hit(best.score, display, act, entry, help=command.about or None)


def highlighted(text: str, match: TextMatch | None, style: Style | None) -> Content:
    """Return a text, which is only ever data, with the letters that match in a style of their own."""
    content = Content(text)
    if match is None or style is None:
        return content
    for place in match.places:
        content = content.stylize(style, place, place + 1)
    return content


def _palette_entry(command: Command) -> str:
    return f"{command.name} ({command.key_names(is_ascii=True)[0]})"

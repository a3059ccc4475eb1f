"""The help of a page: its marks, its columns and its keys, on one screen."""

from collections.abc import Iterable, Iterator, Sequence

from textual.dom import DOMNode
from textual.screen import Screen

from console.frozen import frozen
from screens.present.help import Entry
from screens.present.text import DIM, PLAIN, STRONG, Paragraph, Spans
from screens.tui.dialogs import TextDialog
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, CommandMixin, commands_of
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.line_view import length, wrap
from screens.tui.widgets.pane import TextView

LABEL_WIDTH = 8
TWO_COLUMNS = 74
"""Columns from which the help has two."""
MOST_WIDE = 132
BETWEEN = 2
FRAME_LINES = 2
"""Lines of the dialog that are no help: its title and its keys."""


@frozen
class HelpSection:
    """Entries under a title."""

    title: str
    entries: tuple[Entry, ...]


class HelpDialog(TextDialog):
    """The help over a page. It takes the whole screen where that is small."""

    def __init__(self, sections: Sequence[HelpSection], environment: ConsoleEnvironment) -> None:
        super().__init__("Help", (), environment)
        self._sections = sections

    def lay_out(self) -> None:
        """Show the help for the present size of the screen."""
        width, height = min(MOST_WIDE, self.size.width), self.size.height - FRAME_LINES
        # The frame has a column on either side, and a scroll bar its own.
        lines = help_lines(self._sections, width - 3, height)
        text_view = self.query_one(TextView)
        text_view.styles.height = max(1, min(len(lines), height))
        text_view.show(lines)


def sections_of(
    screen: Screen[object], everywhere: CommandMixin, environment: ConsoleEnvironment
) -> list[HelpSection]:
    """Return the help of a page: what it shows, the keys of what has the focus and of the page, and those of the app."""
    is_ascii = environment.is_ascii
    node: DOMNode = screen.focused or screen
    here = [
        command
        for owner in node.ancestors_with_self
        if isinstance(owner, CommandMixin) and owner is not everywhere
        for command in commands_of(owner)
        if command.pane_number is None or command.when is None or command.when(owner)
    ]
    own = list(_distinct(here))
    taken = {(command.keys, _plain(command)) for command in own}
    rest = [command for command in commands_of(everywhere) if (command.keys, _plain(command)) not in taken]
    sections = [
        HelpSection("Keys here", tuple(_entries(own, is_ascii=is_ascii))),
        HelpSection("Keys everywhere", tuple(_entries(rest, is_ascii=is_ascii))),
    ]
    if isinstance(screen, ConsoleScreen):
        sections.insert(0, HelpSection("What stands here", screen.marks))
    return sections


def _plain(command: Command) -> str:
    return command.action.removeprefix("app.")


def _distinct(commands: Iterable[Command]) -> Iterator[Command]:
    """Yield commands without those that another one hides: one of the same keys that can always be used."""
    actions, keys = set[str](), set[str]()
    for command in commands:
        if _plain(command) in actions or command.keys in keys:
            continue
        actions.add(_plain(command))
        if command.when is None:
            keys.add(command.keys)
        yield command


def _entries(commands: Sequence[Command], *, is_ascii: bool) -> Iterator[Entry]:
    """Yield a line for each command; those that share their words share a line."""
    panes = [command for command in commands if command.pane_number is not None]
    shared: dict[str, list[Command]] = {}
    for command in commands:
        if command.pane_number is None:
            shared.setdefault(command.brief or command.name, []).append(command)
        elif command is panes[0]:
            shared["Pane by its number"] = [command]
    for words, group in shared.items():
        keys = " ".join(name for command in group for name in command.key_names(is_ascii=is_ascii))
        if group[0].pane_number is not None:
            keys = f"1 ... {panes[-1].keys}"
        yield keys, words


def help_lines(sections: Sequence[HelpSection], width: int, height: int) -> list[Paragraph]:
    """Return the lines of the help, none wider than `width`; in two columns where that has room.

    Where `height` is short, no line is empty between the sections.
    """
    if width < TWO_COLUMNS:
        return [Paragraph(line) for block in _blocks(sections, width) for line in block]
    left_width = (width - BETWEEN) // 2
    blocks = list(_blocks(sections, left_width))
    if sum(map(len, blocks)) > 2 * height:
        blocks = [[line for line in block if line] for block in blocks]
    half, left, right = -(-sum(map(len, blocks)) // 2), list[Spans](), list[Spans]()
    for block in blocks:
        (right if right or len(left) >= half else left).extend(block)
    while right and not right[0]:
        right.pop(0)
    rows = max(len(left), len(right))
    left += [()] * (rows - len(left))
    right += [()] * (rows - len(right))
    return [
        Paragraph((*start, (" " * (left_width + BETWEEN - length(start)), PLAIN), *end))
        for start, end in zip(left, right, strict=True)
    ]


def _blocks(sections: Sequence[HelpSection], width: int) -> Iterator[list[Spans]]:
    """Yield the lines of each entry; a title belongs to the first one below it."""
    for place, section in enumerate(sections):
        head: list[Spans] = [()] * bool(place) + [((section.title, DIM),)]
        for label, meaning in section.entries:
            gap = " " * (LABEL_WIDTH - len(label) if len(label) < LABEL_WIDTH else BETWEEN)
            entry = Paragraph(((f"{label}{gap}", STRONG), (meaning, PLAIN)), LABEL_WIDTH)
            yield [*head, *wrap(entry, width)]
            head = []

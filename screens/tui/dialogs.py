"""Dialogs: something to read, something to answer, a word to type; and the text of the help."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from screens.present.text import ASCII, DIM, EMPTY, PLAIN, STRONG, Glyphs, Paragraph, says
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import ASCII_KEY_NAMES, KEY_NAMES, Command, Commanded, bindings
from screens.tui.widgets.bars import KeyLine
from screens.tui.widgets.line_view import wrapped
from screens.tui.widgets.pane import Title, Words

KEY_WIDTH = 14
FIRST_PANE = "pane(1)"


def help_says(groups: Iterable[tuple[str, Iterable[Command]]], glyphs: Glyphs) -> tuple[Paragraph, ...]:
    """Return the keys of each group of commands, and what the marks mean."""
    told: list[Paragraph] = []
    names = ASCII_KEY_NAMES if glyphs is ASCII else KEY_NAMES
    for title, commands in groups:
        told.append(says(title, STRONG))
        told += [_command(command, names) for command in commands if not _is_later_pane(command)]
        told.append(EMPTY)
    return (*told, *_marks(glyphs))


def _is_later_pane(command: Command) -> bool:
    return command.action.startswith("pane(") and command.action != FIRST_PANE


def _command(command: Command, names: dict[str, str]) -> Paragraph:
    keys = " ".join(names.get(each.strip(), each.strip()) for each in command.keys.split(","))
    if command.action == FIRST_PANE:
        keys, command = "1 2 3 ...", replace(command, name="Go to a pane by its number")
    return Paragraph(
        (
            (f"  {keys:{KEY_WIDTH}} ", STRONG),
            (f"{command.name}.", PLAIN),
            (f" {command.about}" if command.about else "", DIM),
        ),
        KEY_WIDTH + 3,
    )


def _marks(glyphs: Glyphs) -> tuple[Paragraph, ...]:
    meanings = (
        ("!  *  ?  -", "critical, warning, unknown, note"),
        ("IN USE", "addresses that are not free, of all usable ones"),
        ("VIP TASK LB", "held by services; tasks and containers; load balancers of nodes"),
        ("LEAK", "taken in the allocator, without a holder"),
        ("?", "unknown; never shown as 0"),
        (f"{glyphs.at_least} 4", "at least 4: the leaks that were seen"),
        ("11*", "exact when it was counted; the findings say when"),
        (f"FREE {glyphs.at_most} 103", "at most 103: leaked ones are included"),
        (f"{glyphs.above} 28 (3 !)", "28 rows hidden above, 3 of them critical"),
        ("STALE", "the engine does not answer; the age of the data stands behind it"),
    )
    return (
        says("What the marks mean", STRONG),
        *(
            Paragraph(((f"  {mark:{KEY_WIDTH}} ", STRONG), (meaning, PLAIN)), KEY_WIDTH + 3)
            for mark, meaning in meanings
        ),
    )


MOST_WIDE = 100
AROUND = 5
"""Lines that a dialog takes besides its sentences, at most: its title, what is blank, a field of two lines or the keys."""
READ_KEYS: tuple[Command, ...] = (
    Command("dismiss", "escape,q,enter,question_mark", "Close it", footer="close", is_in_palette=False),
)
LEAVE_KEYS: tuple[Command, ...] = (
    Command("leave(True)", "q,y,ctrl+c", "Quit", footer="quit", is_in_palette=False),
    Command("leave(False)", "escape,n,enter", "Stay", footer="stay", is_in_palette=False),
)


def fit(words: Words, paragraphs: Iterable[Paragraph], screen: Screen[Any]) -> None:
    """Say it in as many lines as it takes, as far as the screen has them."""
    width = min(MOST_WIDE, screen.size.width * 9 // 10) - 2
    lines = sum(1 for paragraph in paragraphs for _ in wrapped(paragraph, max(1, width - 1)))
    # A dialog takes nine tenths of the screen at most: what is typed, and the keys that close it, stay in sight.
    words.styles.height = max(1, min(lines, screen.size.height * 9 // 10 - AROUND))
    words.say(paragraphs)


class TextDialog(Commanded, ModalScreen[None], inherit_bindings=False):
    """Sentences over a screen, until they are closed."""

    KEYS = READ_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    CSS_PATH = "dialogs.tcss"

    def __init__(self, title: str, paragraphs: Iterable[Paragraph], around: ConsoleEnvironment) -> None:
        super().__init__()
        self._title = Title(0, title, around.glyphs)
        self._paragraphs = tuple(paragraphs)
        self._around = around

    def compose(self) -> ComposeResult:
        """Lay out the sentences over the keys."""
        with Vertical():
            yield self._title
            yield Words()
            yield KeyLine(is_ascii=self._around.is_ascii)

    def on_mount(self) -> None:
        """Let keys scroll it."""
        self.query_one(Words).focus()

    def on_resize(self) -> None:
        """Use the room there is."""
        fit(self.query_one(Words), self._paragraphs, self)


class QuitDialog(Commanded, ModalScreen[bool], inherit_bindings=False):
    """Asks before quitting. Enter stays."""

    KEYS = LEAVE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    CSS_PATH = "dialogs.tcss"

    def __init__(self, paragraphs: Iterable[Paragraph], around: ConsoleEnvironment) -> None:
        super().__init__()
        self._paragraphs = tuple(paragraphs)
        self._around = around

    def compose(self) -> ComposeResult:
        """Lay out the question over the keys."""
        with Vertical():
            yield Title(0, "Quit?", self._around.glyphs)
            yield Words()
            yield KeyLine(is_ascii=self._around.is_ascii)

    def on_resize(self) -> None:
        """Use the room there is."""
        fit(self.query_one(Words), self._paragraphs, self)

    def action_leave(self, is_meant: bool) -> None:  # noqa: FBT001 - an action's parameter
        """Take the answer."""
        self.dismiss(is_meant)

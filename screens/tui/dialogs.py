"""Dialogs: something to read, something to answer, a word to type; and the text of the help."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from screens.present.text import ASCII, DIM, EMPTY, PLAIN, STRONG, Glyphs, Paragraph, paragraph
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import ASCII_KEY_NAMES, KEY_NAMES, Command, CommandMixin, bindings
from screens.tui.screen import KeyLine
from screens.tui.widgets.line_view import wrap
from screens.tui.widgets.pane import TextView, Title

KEY_WIDTH = 14
FIRST_PANE = "pane(1)"
MOST_WIDE = 100
FRAME_LINES = 5
"""Lines that a dialog takes besides its sentences, at most: its title, what is blank, a field of two lines or the keys."""
READ_KEYS: tuple[Command, ...] = (
    Command("dismiss", "escape,q,enter,question_mark", "Close it", footer="close", is_in_palette=False),
)
QUIT_KEYS: tuple[Command, ...] = (
    Command("answer(True)", "q,y,ctrl+c", "Quit", footer="quit", is_in_palette=False),
    Command("answer(False)", "escape,n,enter", "Stay", footer="stay", is_in_palette=False),
)


def help_paragraphs(groups: Iterable[tuple[str, Iterable[Command]]], glyphs: Glyphs) -> tuple[Paragraph, ...]:
    """Return the keys of each group of commands, and what the marks mean."""
    paragraphs: list[Paragraph] = []
    names = ASCII_KEY_NAMES if glyphs is ASCII else KEY_NAMES
    for title, commands in groups:
        paragraphs.append(paragraph(title, STRONG))
        paragraphs += [_command(command, names) for command in commands if not _is_later_pane(command)]
        paragraphs.append(EMPTY)
    return (*paragraphs, *_marks(glyphs))


def _is_later_pane(command: Command) -> bool:
    return command.action.startswith("pane(") and command.action != FIRST_PANE


def _command(command: Command, names: dict[str, str]) -> Paragraph:
    keys = " ".join(names.get(key.strip(), key.strip()) for key in command.keys.split(","))
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
        paragraph("What the marks mean", STRONG),
        *(
            Paragraph(((f"  {mark:{KEY_WIDTH}} ", STRONG), (meaning, PLAIN)), KEY_WIDTH + 3)
            for mark, meaning in meanings
        ),
    )


def fit(text_view: TextView, paragraphs: Iterable[Paragraph], screen: Screen[Any]) -> None:
    """Show paragraphs in as many lines as they need, as far as the screen has them."""
    width = min(MOST_WIDE, screen.size.width * 9 // 10) - 2
    lines = sum(1 for entry in paragraphs for _ in wrap(entry, max(1, width - 1)))
    # A dialog takes nine tenths of the screen at most: what is typed, and the keys that close it, stay visible.
    text_view.styles.height = max(1, min(lines, screen.size.height * 9 // 10 - FRAME_LINES))
    text_view.show(paragraphs)


class TextDialog(CommandMixin, ModalScreen[None], inherit_bindings=False):
    """Sentences over a screen, until they are closed."""

    KEYS = READ_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    CSS_PATH = "dialogs.tcss"

    def __init__(self, title: str, paragraphs: Iterable[Paragraph], environment: ConsoleEnvironment) -> None:
        super().__init__()
        self._title = Title(0, title, environment.glyphs)
        self._paragraphs = tuple(paragraphs)
        self._environment = environment

    def compose(self) -> ComposeResult:
        """Lay out the sentences over the keys."""
        with Vertical():
            yield self._title
            yield TextView()
            yield KeyLine(is_ascii=self._environment.is_ascii)

    def on_mount(self) -> None:
        """Focus the text, so that keys scroll it."""
        self.query_one(TextView).focus()

    def on_resize(self) -> None:
        """Fit the dialog to the new size of the screen."""
        fit(self.query_one(TextView), self._paragraphs, self)


class QuitDialog(CommandMixin, ModalScreen[bool], inherit_bindings=False):
    """Asks before quitting. Enter stays."""

    KEYS = QUIT_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    CSS_PATH = "dialogs.tcss"

    def __init__(self, paragraphs: Iterable[Paragraph], environment: ConsoleEnvironment) -> None:
        super().__init__()
        self._paragraphs = tuple(paragraphs)
        self._environment = environment

    def compose(self) -> ComposeResult:
        """Lay out the question over the keys."""
        with Vertical():
            yield Title(0, "Quit?", self._environment.glyphs)
            yield TextView()
            yield KeyLine(is_ascii=self._environment.is_ascii)

    def on_resize(self) -> None:
        """Fit the dialog to the new size of the screen."""
        fit(self.query_one(TextView), self._paragraphs, self)

    def action_answer(self, is_meant: bool) -> None:  # noqa: FBT001 - an action's parameter
        """Close the dialog with the answer."""
        self.dismiss(is_meant)

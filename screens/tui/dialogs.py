"""Dialogs: something to read, something to answer, a word to type."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from screens.present.text import Paragraph
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.screen import KeyLine
from screens.tui.widgets.line_view import wrap
from screens.tui.widgets.pane import TextView, Title

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
        self.lay_out()

    def lay_out(self) -> None:
        """Show the sentences for the present size of the screen."""
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

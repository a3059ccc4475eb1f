"""The line in which somebody types what to find."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from screens.keys import Command, Commanded, bindings

FIND_KEYS: tuple[Command, ...] = (
    Command("close(False)", "enter", "Keep what was typed", footer="keep it", is_in_palette=False),
    Command("close(True)", "escape", "Forget what was typed", footer="forget it", is_in_palette=False),
)


class FindLine(Horizontal, Commanded):
    """Not to be seen until it is opened. What is typed counts at once; enter keeps it, escape forgets it."""

    DEFAULT_CSS = """
    FindLine {
        height: 1;
        display: none;
        &.-open { display: block; }
        Static { width: 3; }
        Input, Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: transparent; }
    }
    """
    KEYS = FIND_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(FIND_KEYS)

    @dataclass
    class Wanted(Message):
        """Something else is to be found now; nothing where the text is empty."""

        text: str

    class Closed(Message):
        """It was closed; keys are to go where they went before."""

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """Lay out the sign and the text."""
        yield Static(" /", markup=False)
        yield Input(placeholder=self._placeholder, select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("-open")

    def open(self) -> None:
        """Let somebody type."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Forget what was typed."""
        self.query_one(Input).value = ""

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is wanted now."""
        event.stop()
        self.post_message(self.Wanted(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it."""
        event.stop()
        self.action_close(forget=False)

    def action_close(self, forget: bool) -> None:  # noqa: FBT001 - an action's parameter
        """Close the line."""
        if forget:
            self.clear()
        self.remove_class("-open")
        self.post_message(self.Closed())

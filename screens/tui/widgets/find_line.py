"""The line in which a filter is typed."""

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from screens.tui.keys import Command, CommandMixin, bindings

FIND_KEYS: tuple[Command, ...] = (
    Command("close(False)", "enter", "Keep what was typed", footer="keep it", is_in_palette=False),
    Command("close(True)", "escape", "Discard what was typed", footer="discard", is_in_palette=False),
)


class FindLine(Horizontal, CommandMixin):
    """Hidden until it is opened. What is typed counts at once; enter keeps it, escape discards it."""

    DEFAULT_CSS = """
    FindLine {
        height: 1;
        display: none;
        &.-open { display: block; }
        Static { width: 3; }
        Input, Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: ansi_default; }
    }
    """
    KEYS = FIND_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(FIND_KEYS)

    @dataclass
    class Changed(Message):
        """The text of the filter has changed; empty for no filter."""

        text: str

    class Closed(Message):
        """The line was closed; the screen takes the keys back."""

    def __init__(self, placeholder: str, text: str = "") -> None:
        super().__init__()
        self._placeholder = placeholder
        self._text = text

    def compose(self) -> ComposeResult:
        """Lay out the sign and the text."""
        yield Static(" /", markup=False)
        yield Input(self._text, placeholder=self._placeholder, select_on_focus=False)

    def open(self) -> None:
        """Let the operator type."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Empty the line; this posts the change."""
        self.query_one(Input).value = ""

    def on_input_changed(self, event: Input.Changed) -> None:
        """Post each change as it is typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close the line and keep the filter."""
        event.stop()
        self.action_close(forget=False)

    def action_close(self, forget: bool) -> None:  # noqa: FBT001 - an action's parameter
        """Close the line, and with `forget` empty it first."""
        if forget:
            self.clear()
        self.remove_class("-open")
        self.post_message(self.Closed())

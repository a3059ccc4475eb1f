"""Sentences in a pane: wrapped to its width, scrolled where they are more than it holds."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.geometry import Size

from screens.keys import Command, Commanded, bindings
from screens.views.parts import Paragraph, Parts, wrapped
from screens.widgets.painted import Painted
from screens.widgets.rows import move

MOVES: tuple[Command, ...] = (
    move("scroll_by(1)", "down,j", "Down"),
    move("scroll_by(-1)", "up,k", "Up"),
    move("scroll_by(10)", "pagedown,ctrl+f", "Down by a page"),
    move("scroll_by(-10)", "pageup,ctrl+b", "Up by a page"),
    move("scroll_home", "g,home", "To the top"),
    move("scroll_end", "G,end", "To the bottom"),
)


class Words(Painted, Commanded, can_focus=True):
    """A pane of paragraphs."""

    # Lines are as wide with a scrollbar as without one.
    DEFAULT_CSS = "Words { scrollbar-gutter: stable; }"
    KEYS = MOVES
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVES)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes=classes)
        self._paragraphs: Sequence[Paragraph] = ()
        self._lines: list[Parts] = []

    @property
    def text(self) -> str:
        """All that it says, a paragraph a line."""
        return "\n".join("".join(text for text, _ in each.parts).rstrip() for each in self._paragraphs)

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is in sight."""
        return self.scroll_offset.y + self.scrollable_content_region.height >= len(self._lines)

    def to_end(self) -> None:
        """Bring the last line into sight."""
        self.scroll_to(y=max(0, len(self._lines) - self.scrollable_content_region.height), animate=False)

    def say(self, paragraphs: Iterable[Paragraph]) -> None:
        """Say this from now on; where it is the same as before, nothing happens."""
        told = tuple(paragraphs)
        if told == self._paragraphs:
            return
        self._paragraphs = told
        self._wrap()
        self.renew()

    def parts_at(self, y: int) -> Parts:
        """Return a visible line."""
        place = self.scroll_offset.y + y
        return self._lines[place] if place < len(self._lines) else ()

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._wrap()
        self.refresh()

    def action_scroll_by(self, lines: int) -> None:
        """Scroll by so many lines."""
        self.scroll_relative(y=lines, animate=False)

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        self._lines = [line for each in self._paragraphs for line in wrapped(each, width)]
        self.virtual_size = Size(width, len(self._lines))

"""A pane: a title with its number over what it shows, and sentences wrapped to its width."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from console.diagnosis.values import Severity
from screens.present.text import BAD, DIM, ENTERED, MARKS, PLAIN, STRONG, Glyphs, Paragraph, Span, Spans
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView, length, truncate, wrap
from screens.tui.widgets.row_view import Hidden, RowView, move

SCROLL_KEYS: tuple[Command, ...] = (
    move("scroll_by(1)", "down,j", "Down", "Down, up"),
    move("scroll_by(-1)", "up,k", "Up", "Down, up"),
    move("scroll_by(10)", "pagedown,ctrl+f", "Down by a page", "By a page"),
    move("scroll_by(-10)", "pageup,ctrl+b", "Up by a page", "By a page"),
    move("scroll_home", "g,home", "To the top", "Top, bottom"),
    move("scroll_end", "G,end", "To the bottom", "Top, bottom"),
)


class TextView(LineView, CommandMixin, can_focus=True):
    """Paragraphs that are wrapped to the width and scroll."""

    # Lines are as wide with a scrollbar as without one.
    DEFAULT_CSS = "TextView { scrollbar-gutter: stable; }"
    KEYS = SCROLL_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(SCROLL_KEYS)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes=classes)
        self._paragraphs: Sequence[Paragraph] = ()
        self._lines: list[Spans] = []

    @property
    def text(self) -> str:
        """The whole text, a paragraph a line."""
        return "\n".join(
            "".join(text for text, _ in paragraph.parts).rstrip() for paragraph in self._paragraphs
        )

    @property
    def is_at_end(self) -> bool:
        """Whether the last line is visible."""
        return self.scroll_offset.y + self.scrollable_content_region.height >= len(self._lines)

    def to_end(self) -> None:
        """Scroll to the last line."""
        self.scroll_to(y=max(0, len(self._lines) - self.scrollable_content_region.height), animate=False)

    def show(self, paragraphs: Iterable[Paragraph]) -> None:
        """Replace the text; where it is the same as before, nothing happens."""
        paragraphs = tuple(paragraphs)
        if paragraphs == self._paragraphs:
            return
        self._paragraphs = paragraphs
        self._wrap()
        self.renew()

    def parts_at(self, y: int) -> Spans:
        """Return a visible line."""
        place = self.scroll_offset.y + y
        return self._lines[place] if place < len(self._lines) else ()

    def wanted_lines(self, width: int) -> int:
        """Return how many lines of so many columns the text takes."""
        text_width = max(1, width - self.scrollbar_size_vertical)
        return sum(1 for paragraph in self._paragraphs for _ in wrap(paragraph, text_width))

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
        self._lines = [line for paragraph in self._paragraphs for line in wrap(paragraph, width)]
        self.virtual_size = Size(width, len(self._lines))


TITLE_EDGES = 9
"""Columns of a title besides its words: rules and blanks."""


class Title(LineView):
    """A rule with the pane's number, its name, and a note on the whole pane."""

    DEFAULT_CSS = "Title { height: 1; }"

    @dataclass
    class Clicked(Message):
        """The operator clicked on the title of a numbered pane."""

        number: int
        is_next: bool
        """Whether the click was on the words that lead to the next pane."""

    def __init__(self, number: int, name: str, glyphs: Glyphs) -> None:
        super().__init__()
        self._number = number
        self._name = name
        self._glyphs = glyphs
        self._note: Spans = ()
        self._is_entered = False
        self._above = self._below = Hidden()
        self._is_position_minor = False
        self._subject = ""

    def show(self, note: Spans, name: str = "") -> None:
        """Replace the note behind the name, and the name if one is given."""
        self._note, self._name = note, name or self._name
        self.renew()

    def has_room_for(self, note: Spans, width: int) -> bool:
        """Return whether a note is whole in a title of so many columns."""
        others = length(self._others(DIM))
        return len(f"{self._number}{self._name}") + length(note) + others + TITLE_EDGES <= width

    def name_subject(self, subject: str) -> None:
        """Say before the name what the pane is about, where it may stand alone; on a wide terminal another title tells."""
        self._subject = subject
        self.renew()

    def mark(self, above: Hidden, below: Hidden, *, is_minor: bool) -> None:
        """Show how many rows are hidden from now on; where that is minor, after all other notes."""
        self._above, self._below, self._is_position_minor = above, below, is_minor
        self.renew()

    def enter(self, is_entered: bool) -> None:  # noqa: FBT001 - a watcher's value
        """Show whether keys go to this pane."""
        self._is_entered = is_entered
        self.renew()

    def parts_at(self, y: int) -> Spans:
        """Return the rule."""
        del y
        width = self.size.width
        rule = self._glyphs.rule
        # The pane that keys go to is underlined, and its rule is not dimmed.
        tone = STRONG if self._is_entered else DIM
        number = f"{self._number} " if self._number else ""
        subject = f"{self._subject}: " if self._subject and not self.screen.has_class("-wide") else ""
        name: Span = (f" {number}{subject}{self._name} ", ENTERED if self._is_entered else STRONG)
        note: Spans = ((rule, tone), (" ", PLAIN), *self._note, (" ", PLAIN)) if self._note else ()
        others: Spans = self._others(tone)
        room = width - length((*others, (rule, tone), name))
        marks = self._marks(tone, room - length(note) if self._is_position_minor else room)
        others = (*marks, *others)
        head = truncate(((rule, tone), name, *note), width - length(others), self._glyphs.more)
        return (*head, (rule * (width - length(head) - length(others)), tone), *others)

    def _marks(self, tone: str, room: int) -> Spans:
        """Return how many rows are hidden, as long as there is room for.

        How many of them are critical stands behind the number, after the mark that such rows have.
        """
        if not self._above.rows and not self._below.rows:
            return ()
        glyphs, critical = self._glyphs, MARKS[Severity.CRITICAL]
        sides = [
            (hidden, arrow, word)
            for hidden, arrow, word in (
                (self._above, glyphs.above, " above"),
                (self._below, glyphs.below, " below"),
            )
            if hidden.rows
        ]

        def shapes() -> Iterator[Spans]:
            for is_counted, is_worded in ((True, True), (False, True), (False, False)):
                marks: list[Span] = []
                for hidden, arrow, word in sides:
                    count = f" ({hidden.critical} {critical})" if is_counted else critical
                    marks += [
                        (" ", PLAIN),
                        (
                            f"{arrow} {hidden.rows}{word if is_worded else ''}{count if hidden.critical else ''}",
                            BAD if hidden.critical else PLAIN,
                        ),
                    ]
                yield (*marks, (" ", PLAIN), (self._glyphs.rule, tone))

        return next((shape for shape in shapes() if length(shape) <= room), ())

    def _others(self, tone: str) -> Spans:
        """Return, where one pane is shown at a time, which of how many it is."""
        if not self._number or not (self.screen.has_class("-narrow") or self.screen.has_class("-low")):
            return ()
        several = len(self.screen.query(Pane))
        return ((f" {self._number} of {several} (tab) ", DIM), (self._glyphs.rule, tone))

    def on_click(self, event: events.Click) -> None:
        """Report which pane to go to."""
        if self._number:
            others = length(self._others(DIM))
            self.post_message(
                self.Clicked(self._number, bool(others) and event.x >= self.size.width - others)
            )


class Pane(Vertical):
    """A numbered pane. It is entered by its number; the keys go to the first widget in it that takes them."""

    DEFAULT_CSS = "Pane { height: 1fr; }"

    def __init__(
        self,
        number: int,
        name: str,
        *content: Widget,
        glyphs: Glyphs,
        id: str | None = None,  # noqa: A002 - Textual's own word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.number = number
        self.title = Title(number, name, glyphs)
        self._content = content

    def compose(self) -> ComposeResult:
        """Lay out the title over the content."""
        yield self.title
        yield from self._content

    def wanted_height(self, width: int) -> int:
        """Return in how many lines of so many columns everything is whole, the title included."""
        return 1 + sum(widget.wanted_lines(width) for widget in self._content if isinstance(widget, LineView))

    def enter(self) -> None:
        """Bring it into view and let keys go to it."""
        for pane in self.screen.query(Pane):
            pane.set_class(pane is self, "-entered")
        # Where one pane is shown at a time it is there only after that.
        self.call_after_refresh(self._take_keys)

    def _take_keys(self) -> None:
        if self.has_class("-entered"):
            self.screen.set_focus(next((widget for widget in self.query(Widget) if widget.focusable), None))

    def on_row_view_hidden_changed(self, event: RowView.HiddenChanged) -> None:
        """Show in the title how many rows are hidden."""
        event.stop()
        self.title.mark(event.above, event.below, is_minor=event.rows.IS_POSITION_MINOR)

    def on_descendant_focus(self) -> None:
        """Mark the pane as the one that has the keys."""
        self.title.enter(is_entered=True)
        for pane in self.screen.query(Pane):
            pane.set_class(pane is self, "-entered")

    def on_descendant_blur(self) -> None:
        """Remove the mark from the title."""
        self.title.enter(is_entered=False)

"""What the overview's panes have in common."""

from typing import ClassVar, TypeVar

from textual import events
from textual.binding import BindingType
from textual.reactive import var

from console.monitor.values import Feed, MonitorState
from screens.present.text import PLAIN, UNKNOWN, Paragraph, Row, Spans
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, bindings
from screens.tui.widgets.line_view import fitted, wrapped
from screens.tui.widgets.pane import Pane
from screens.tui.widgets.rows import Rows

T = TypeVar("T")

HANG = 2
"""Behind the mark in front of a row."""


class PaneRows(Rows):
    """The rows of a pane, worst first, of which each can be opened.

    Keys go to one of several panes: the others show their top, and the cursor is in sight again when keys go there.
    """

    KEYS = (
        Command(
            "choose",
            "enter",
            "Open the row under the cursor",
            footer="open",
            when=lambda rows: rows.count > 0,
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self) -> None:
        super().__init__(is_worst_first=True)

    @property
    def stays_at_top(self) -> bool:
        """Whether the first row stays in sight when the rows change."""
        return not self.has_focus or super().stays_at_top

    def on_resize(self) -> None:
        """Use the room there is."""
        if not self.has_focus:
            self.show_top()

    def on_focus(self) -> None:
        """Show where the cursor is; where the mouse brought keys here, it puts the cursor somewhere first."""
        self.call_later(self._show_cursor)

    def _show_cursor(self) -> None:
        if self.has_focus:
            self.scroll_to_cursor()
            self.renew()

    def on_blur(self) -> None:
        """Show the worst again."""
        self.show_top()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Put the cursor where the mouse is."""
        index = self.scroll_offset.y + event.y
        if 0 <= index < self.count:
            self.go(index)

    def on_mouse_scroll_down(self) -> None:
        """Let keys go to the pane that is scrolled."""
        self.focus(scroll_visible=False)

    def on_mouse_scroll_up(self) -> None:
        """Let keys go to the pane that is scrolled."""
        self.focus(scroll_visible=False)


class MonitorPane(Pane):
    """A pane of rows over the newest scene; it shows those that match the filter."""

    NUMBER: ClassVar[int]
    NAME: ClassVar[str]

    monitor_state: var[MonitorState] = var(MonitorState())
    sought: var[str] = var("")
    """The filter, in lower case; empty for all rows."""

    def __init__(self, around: ConsoleEnvironment) -> None:
        self.around = around
        self.rows = PaneRows()
        self._folded: list[Row] = []
        self._empty = ""
        super().__init__(
            self.NUMBER, self.NAME, self.rows, glyphs=around.glyphs, id=type(self).__name__.lower()
        )

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """Return the parts of a scene that the pane depends on: it is renewed only when one of them changes."""
        raise NotImplementedError

    def renew(self) -> None:
        """Show the scene with the filter as they are now."""
        raise NotImplementedError

    def watch_monitor_state(self, before: MonitorState, now: MonitorState) -> None:
        """Show a scene, where it differs in what matters here."""
        if any(a is not b for a, b in zip(self.basis(before), self.basis(now), strict=True)):
            self.renew()

    def watch_sought(self) -> None:
        """Show the rows that match, from the top."""
        self.rows.select_others()
        self.renew()

    def on_mount(self) -> None:
        """Show what there is."""
        self.renew()

    def show(self, rows: list[Row], said: Spans, empty: str) -> None:
        """Show rows under a title that says something, or a sentence where there is none."""
        self.title.say(said)
        self._folded, self._empty = rows, "No row matches." if self.sought else empty
        self._unfold()

    def on_resize(self) -> None:
        """Use the room there is."""
        self._unfold()

    def _unfold(self) -> None:
        """Show a line of each row, and as many rows whole as there is room for, the first ones first."""
        width, height = self.rows.scrollable_content_region.size
        room = height - len(self._folded)
        shown: list[Row] = []
        for row in self._folded:
            whole = list(wrapped(Paragraph(row.parts, HANG), max(1, width)))
            if len(whole) - 1 > max(0, room):
                whole = [fitted(row.parts, max(1, width), self.around.glyphs.more)]
            room -= len(whole) - 1
            shown += [
                Row((row.key, place), parts, row.value, row.severity) for place, parts in enumerate(whole)
            ]
        self.rows.show(shown, self._empty)
        # What can be done may be something else now.
        self.refresh_bindings()

    def show_awaited(self, feed: Feed[T]) -> None:
        """Show why nothing is there yet."""
        if feed.failure is None:
            self.show([], (), "Not read yet.")
        else:
            self.show([], (("unknown", UNKNOWN),), f"{feed.failure.reason} {feed.failure.hint}".rstrip())


def said_of(feed: Feed[T], *parts: tuple[str, str]) -> Spans:
    """Return the text of a title, with a note if the feed's newest attempt failed."""
    if feed.failure is None:
        return parts
    gap = ((", ", PLAIN),) if parts else ()
    return (*parts, *gap, (f"not read: {feed.failure.reason}", UNKNOWN))

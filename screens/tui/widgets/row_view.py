"""A view of rows with a cursor, of any length: only the visible rows are made."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive

from console.frozen import frozen
from screens.present.text import ACCENT, Spans
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView

MARGIN = 1
"""Columns in front of every row, in which the one that keys act on is marked."""


def move(action: str, keys: str, name: str, brief: str = "") -> Command:
    """Return a command that only moves about: it is in the help, and neither in the footer nor in the palette."""
    return Command(action, keys, name, is_in_palette=False, brief=brief)


MOVE_KEYS: tuple[Command, ...] = (
    move("move(1)", "down,j", "Down", "Down, up"),
    move("move(-1)", "up,k", "Up", "Down, up"),
    move("page(1)", "pagedown,ctrl+f", "Down by a page", "By a page"),
    move("page(-1)", "pageup,ctrl+b", "Up by a page", "By a page"),
    move("go_first", "g,home", "To the first", "First, last"),
    move("go_last", "G,end", "To the last", "First, last"),
    move("choose", "enter", "Open"),
)


@frozen
class Hidden:
    """The rows that are hidden on one side."""

    rows: int = 0
    critical: int = 0
    """How many of them are critical."""


class RowView(LineView, CommandMixin, can_focus=True):
    """A list whose rows are made when they become visible.

    When its rows change, the cursor stays on the row that it was on, by its key, and that row stays where it was on the
    screen.
    """

    DEFAULT_CSS = "RowView { scrollbar-gutter: stable; }"
    KEYS = MOVE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(MOVE_KEYS)
    IS_POSITION_MINOR: ClassVar[bool] = False
    """Whether a title without room for everything shows its note first, and the count of hidden rows in fewer words."""
    _is_arranging = False
    _is_cursor_hidden = False
    """Whether the view went to the top without the cursor."""
    _has_risen = False
    """Whether the severity rose since the operator moved the cursor."""
    _hidden = (Hidden(), Hidden())
    cursor: reactive[int] = reactive(0, repaint=False)
    """The row that it is on, from 0; 0 where there is none."""

    @dataclass
    class Highlighted(Message):
        """The cursor came onto another row, or its row shows something else now."""

        rows: "RowView"
        index: int

        @property
        def control(self) -> "RowView":
            """The list."""
            return self.rows

    @dataclass
    class Selected(Message):
        """The operator opened a row."""

        rows: "RowView"
        index: int

        @property
        def control(self) -> "RowView":
            """The list."""
            return self.rows

    @dataclass
    class HiddenChanged(Message):
        """Other rows than before are hidden."""

        rows: "RowView"
        above: Hidden
        below: Hidden

        @property
        def control(self) -> "RowView":
            """The list."""
            return self.rows

    @property
    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row(self, index: int) -> Spans:
        """Return what a row shows."""
        raise NotImplementedError

    def key(self, index: int) -> Hashable:
        """Return what makes a row the same one after a change."""
        raise NotImplementedError

    def critical_among(self, places: Iterable[int]) -> int:
        """Return how many of these rows are critical."""
        del places
        return 0

    def parts_at(self, y: int) -> Spans:
        """Return what stands in a visible line, behind the margin."""
        index = self.scroll_offset.y + y
        if not 0 <= index < self.count:
            return ()
        is_selected = self.has_focus and index == self.cursor
        return ((self.glyphs.selected if is_selected else " " * MARGIN, ACCENT), *self.row(index))

    @property
    def row_width(self) -> int:
        """How many columns a row has, without the margin."""
        return max(0, self.scrollable_content_region.width - MARGIN)

    @property
    def cursor_line(self) -> int | None:
        """The visible line of the cursor's row."""
        return self.cursor - self.scroll_offset.y if self.count else None

    @property
    def is_cursor_visible(self) -> bool:
        """Whether the row under the cursor is visible, as far as any row is."""
        height = self.scrollable_content_region.height
        return height <= 0 or self.scroll_offset.y <= self.cursor < self.scroll_offset.y + height

    def refresh_rows(self, cursor: int, *, keeps_position: bool = True, to_top: bool = False) -> None:
        """Show the rows after a change, with the cursor on the row `cursor`.

        It stays where it was on the screen, unless it only needs to be visible. With `to_top` the view shows the first row,
        even if that hides the cursor.
        """
        top = self.scroll_offset.y + (cursor - self.cursor if keeps_position else 0)
        self.set_reactive(RowView.cursor, cursor)
        with self._arranging():
            self.virtual_size = Size(self.scrollable_content_region.width, self.count)
            if not to_top and round(top) != self.scroll_offset.y:
                self.scroll_to(y=max(0, top), animate=False, force=True)
        if to_top:
            self.show_top()
        else:
            self.scroll_to_cursor()
        self.renew()
        self.post_message(self.Highlighted(self, cursor))

    def scroll_to_cursor(self) -> None:
        """Scroll as little as needed to see the cursor."""
        self._is_cursor_hidden = False
        height = self.scrollable_content_region.height
        top = min(max(self.scroll_offset.y, self.cursor - height + 1), self.cursor)
        if height > 0 and top != self.scroll_offset.y:
            with self._arranging():
                self.scroll_to(y=top, animate=False, force=True)
        self._post_hidden()

    def show_top(self) -> None:
        """Show the first row. The cursor stays on its row, and a key that moves it shows it again."""
        if self.scroll_offset.y:
            with self._arranging():
                self.scroll_to(y=0, animate=False, force=True)
        self._is_cursor_hidden = not self.is_cursor_visible
        self._post_hidden()

    def _post_hidden(self) -> None:
        height, top = self.scrollable_content_region.height, self.scroll_offset.y
        above, below = range(0), range(0)
        if height > 0 and self.display:
            above, below = range(min(top, self.count)), range(top + height, self.count)
        hidden = (
            Hidden(len(above), self.critical_among(above)),
            Hidden(len(below), self.critical_among(below)),
        )
        if hidden != self._hidden:
            self._hidden = hidden
            self.post_message(self.HiddenChanged(self, *hidden))

    @contextmanager
    def _arranging(self) -> Iterator[None]:
        self._is_arranging = True
        try:
            yield
        finally:
            self._is_arranging = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Take the cursor along when the list is scrolled under it, by a mouse or otherwise."""
        super().watch_scroll_y(old_value, new_value)
        height = self.scrollable_content_region.height
        if self._is_arranging or height <= 0 or not self.count:
            return
        self._post_hidden()
        visible = min(max(self.cursor, round(new_value)), round(new_value) + height - 1)
        if visible != self.cursor:
            self.go(visible)

    def go(self, index: int) -> None:
        """Put the cursor on a row, or on the nearest one."""
        self.cursor = index

    def validate_cursor(self, index: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(index, self.count - 1))

    def watch_cursor(self) -> None:
        """Scroll to the cursor, repaint, and report the row."""
        self.scroll_to_cursor()
        self.renew()
        self.post_message(self.Highlighted(self, self.cursor))

    def on_resize(self) -> None:
        """Keep the cursor visible in the new size, if it was before; a rise in severity stays visible first of all."""
        if self._has_risen:
            self.show_top()
        elif not self._is_cursor_hidden:
            self.scroll_to_cursor()
        self._post_hidden()

    def on_hide(self) -> None:
        """Remove the marks of rows that are not shown at all."""
        self._post_hidden()

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self.renew()

    def on_blur(self) -> None:
        """Show the cursor as one that rests."""
        self.renew()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click there opens."""
        index = self.scroll_offset.y + event.y
        if not 0 <= index < self.count:
            return
        if event.chain > 1:
            self.action_choose()
        self.go(index)

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self.go(self.cursor + by)

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        self.go(self.cursor + pages * max(1, self.scrollable_content_region.height - 1))

    def action_go_first(self) -> None:
        """Move the cursor to the first row."""
        self.go(0)

    def action_go_last(self) -> None:
        """Move the cursor to the last row."""
        self.go(self.count - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor; if that is hidden, show it first."""
        if not self.is_cursor_visible:
            self.scroll_to_cursor()
            self.renew()
        elif self.count:
            self.post_message(self.Selected(self, self.cursor))

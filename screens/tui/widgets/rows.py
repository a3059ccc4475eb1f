"""A list of rows that is short enough to be made as a whole, with a cursor that stays on its row."""

from collections.abc import Hashable, Iterable, Sequence

from console.diagnosis.values import Severity
from screens.present.text import DIM, PLAIN, Paragraph, Row, Spans, text_of
from screens.tui.widgets.line_view import wrap
from screens.tui.widgets.row_view import MARGIN, RowView


class Rows(RowView):
    """A list that is short enough to be made as a whole.

    Where its rows stand worst first, a view at the top stays there, and a rise in severity brings the
    view back there. The cursor stays on its row all the same.
    """

    def __init__(
        self,
        *,
        empty: str = "",
        is_worst_first: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's own word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._rows: Sequence[Row] = ()
        self._has_worst_first = self._is_worst_first = is_worst_first
        """Whether its own order has the worst first, and whether the present one has."""
        self._is_other_selection = self._is_other_order = False
        self._own: Hashable = None
        """The row on which the operator put the cursor last."""
        self.empty = empty
        """The text of an empty list."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    @property
    def rows(self) -> Sequence[Row]:
        """All rows, in their order."""
        return self._rows

    @property
    def text(self) -> str:
        """The text of all rows, a row a line."""
        return "\n".join(text_of(row.parts).rstrip() for row in self._rows)

    @property
    def stays_at_top(self) -> bool:
        """Whether the first row stays visible when the rows change."""
        return self._has_worst_first and self.scroll_offset.y == 0

    def row(self, index: int) -> Spans:
        """Return what a row shows."""
        return self._rows[index].parts

    def key(self, index: int) -> Hashable:
        """Return the row's key."""
        return self._rows[index].key

    def critical_among(self, places: Iterable[int]) -> int:
        """Return how many of these rows are critical."""
        return sum(self._rows[place].severity is Severity.CRITICAL for place in places)

    def parts_at(self, y: int) -> Spans:
        """Return what stands in a visible line."""
        if self._rows or not self.empty:
            return super().parts_at(y)
        lines = self._empty_lines(self.row_width)
        return ((" " * MARGIN, PLAIN), *lines[y]) if y < len(lines) else ()

    def wanted_lines(self, width: int) -> int:
        """Return a line for each row, else the lines of the text of an empty list."""
        return len(self._rows) or len(self._empty_lines(width - MARGIN - self.scrollbar_size_vertical))

    def _empty_lines(self, width: int) -> list[Spans]:
        return list(wrap(Paragraph(((self.empty, DIM),)), max(1, width))) if self.empty else []

    def go(self, index: int) -> None:
        """Put the cursor on a row, or on the nearest one."""
        super().go(index)
        self._has_risen = False
        self._own = self._rows[self.cursor].key if self._rows else None
        if not self.is_cursor_visible:
            self.scroll_to_cursor()
            self.renew()

    def reset_selection(self) -> None:
        """Treat the next rows as another selection, such as a filter's, and show it from the top.

        The cursor is on the row where the operator put it last, if that row is among them, else on the first one.
        """
        self._is_other_selection = True

    def sort_changed(self, *, is_worst_first: bool) -> None:
        """Treat the next rows as the same ones in another order, and show them from the top; the cursor stays on its row."""
        self._is_worst_first = self._has_worst_first and is_worst_first
        self._is_other_order = True

    def show(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Replace the rows; `empty` is shown where there is none."""
        empty = self.empty if empty is None else empty
        is_other, self._is_other_selection = self._is_other_selection, False
        is_sorted, self._is_other_order = self._is_other_order, False
        if rows == self._rows and empty == self.empty and not (is_other or is_sorted):
            return
        before = self.current
        is_rise = self._is_worst_first and has_risen(self._rows, rows)
        self._has_risen = self._has_risen or is_rise
        self._rows, self.empty = rows, empty
        places = {row.key: place for place, row in enumerate(rows)}
        if is_other:
            cursor = places.get(self._own, 0)
        else:
            cursor = places.get(before.key, self.cursor) if before else 0
        to_top = is_other or is_sorted or is_rise or self.stays_at_top
        self.refresh_rows(max(0, min(cursor, len(rows) - 1)), to_top=to_top)


def has_risen(before: Sequence[Row], after: Sequence[Row]) -> bool:
    """Return whether the worst row is worse than before, or another row than before is critical."""
    critical = {row.key for row in before if row.severity is Severity.CRITICAL}
    return _worst(after) > _worst(before) or any(
        row.severity is Severity.CRITICAL and row.key not in critical for row in after
    )


def _worst(rows: Sequence[Row]) -> int:
    return max((row.severity.rank for row in rows), default=0)

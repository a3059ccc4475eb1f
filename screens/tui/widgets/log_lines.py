"""Lines of a log of any length and speed: only the visible ones are made, and the line under the cursor stays in place."""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from datetime import tzinfo
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from console.durations import TimeFormat, clock_time
from console.monitor.values import Line
from screens.present.journal import LinePredicate, mark_of, short
from screens.present.text import DIM, MATCH, PLAIN, Spans
from screens.tui.keys import Command, bindings
from screens.tui.widgets.row_view import RowView, move

SHIFT = 20
"""Columns by which a key moves sideways."""


SIDEWAYS: tuple[Command, ...] = (
    move(f"shift(-{SHIFT})", "left,h", "To the left", "Left, right"),
    move(f"shift({SHIFT})", "right,l", "To the right", "Left, right"),
)


class LogLines(RowView):
    """A log with a cursor.

    On the last line it follows new lines. Anywhere else it stays on the line that is read. If that line was dropped for
    newer ones, it still shows what was there until the operator moves.
    """

    # A log nearly always has hidden rows; newer and dropped lines matter more.
    IS_POSITION_MINOR = True
    KEYS = SIDEWAYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(SIDEWAYS)
    shift: reactive[int] = reactive(0, repaint=False)
    """Columns that are hidden on the left."""

    class FollowChanged(Message):
        """The log began or ceased to follow, or newer lines are not shown yet."""

    def __init__(self, zone: tzinfo, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._zone = zone
        self._newest: Sequence[Line] = ()
        self._all_lines: Sequence[Line] = ()
        self._lines: Sequence[Line] = ()
        self._keep: LinePredicate | None = None
        self._highlighted: LinePredicate | None = None
        self.is_following = True

    @property
    def count(self) -> int:
        """How many lines pass the filter."""
        return len(self._lines)

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        return self._lines[self.cursor] if self._lines else None

    @property
    def lines(self) -> Sequence[Line]:
        """The lines that are shown, oldest first."""
        return self._lines

    @property
    def newer_count(self) -> int:
        """How many lines came that are not among those shown, whether they pass the filter or not."""
        if not self._newest or not self._all_lines:
            return 0
        return max(0, self._newest[-1].number - self._all_lines[-1].number)

    def show(self, newest: Sequence[Line]) -> None:
        """Take the log as it is now."""
        if newest is self._newest:
            return
        self._newest = newest
        reading = self.current
        if self.is_following or reading is None or (newest and newest[0].number <= reading.number):
            self._set_lines(newest, None if self.is_following else reading)
        self.post_message(self.FollowChanged())

    def filter(self, keep: LinePredicate | None) -> None:
        """Show only lines that pass; all of them with None."""
        self._keep = keep
        self._set_lines(self._all_lines if not self.is_following else self._newest, self.current)

    def highlight(self, predicate: LinePredicate | None) -> None:
        """Let the lines that match stand out."""
        self._highlighted = predicate
        self.renew()

    def row(self, index: int) -> Spans:
        """Return a line as it is shown: time, severity, and dockerd's message without its fixed fields."""
        line = self._lines[index]
        mark, tone = mark_of(line)
        text = short(line)[self.shift :]
        stands_out = self._highlighted is not None and self._highlighted(line)
        at = clock_time(line.at, TimeFormat.SECOND, self._zone)
        return (
            (at, DIM),
            (f" {mark} ", tone),
            (text, MATCH if stands_out else PLAIN if mark.strip() else DIM),
        )

    def key(self, index: int) -> Hashable:
        """Return the number of a line."""
        return self._lines[index].number

    def go(self, index: int) -> None:
        """Put the cursor on a line; past the last one it goes on with the newer lines."""
        if index >= self.count and self.newer_count and self._all_lines:
            last = self._all_lines[-1].number
            self._set_lines(self._newest, None)
            index = self._place_of(last + 1)
        self.is_following = False
        self.cursor = index
        self.is_following = self.cursor >= self.count - 1 and not self.newer_count
        self.post_message(self.FollowChanged())

    def go_to(self, number: int) -> None:
        """Put the cursor on the line of this number, or the one after it."""
        if self._newest is not self._all_lines and self._all_lines and number > self._all_lines[-1].number:
            self._set_lines(self._newest, None)
        self.go(self._place_of(number))

    def go_next(self, predicate: LinePredicate, direction: int) -> bool:
        """Put the cursor on the next line that matches, or the one before; return whether there is one."""
        places = range(self.cursor + 1, self.count) if direction > 0 else range(self.cursor - 1, -1, -1)
        next_place = next((place for place in places if predicate(self._lines[place])), None)
        if next_place is not None:
            self.go(next_place)
        return next_place is not None

    def action_go_last(self) -> None:
        """Show the newest lines and follow them."""
        self._set_lines(self._newest, None)
        self.go(self.count - 1)

    def action_shift(self, by: int) -> None:
        """Move sideways by so many columns."""
        self.shift = max(0, self.shift + by)

    def watch_shift(self) -> None:
        """Repaint the lines from the new column on."""
        self.renew()

    def _set_lines(self, lines: Sequence[Line], reading: Line | None) -> None:
        self._all_lines = lines
        self._lines = lines if self._keep is None else [line for line in lines if self._keep(line)]
        last = len(self._lines) - 1
        place = last if reading is None else min(self._place_of(reading.number), last)
        # While following, the end stays visible; while reading, the line under the cursor does.
        self.refresh_rows(max(0, place), keeps_position=not self.is_following)

    def _place_of(self, number: int) -> int:
        return bisect_left(self._lines, number, key=lambda line: line.number)

"""Keeps what a window lets in, and knows when it is enough. Pure but for the clock it is given."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from console.clock import Clock
from console.durations import stamp
from console.journal.parsing import entry_from, realtime_of
from console.journal.values import Batch, JournalEntry, JournalGap, Window

_ENTRY_OVERHEAD_BYTES = 600
"""What an entry takes besides its message, roughly."""


class NewestFirst:
    """Takes entries from the newest to the oldest, until the window is full or its beginning is reached."""

    def __init__(self, window: Window, unit: str, clock: Clock) -> None:
        self._window, self._unit, self._clock = window, unit, clock
        self._deadline = clock.monotonic() + window.deadline_s
        self._entries: list[JournalEntry] = []
        self._bytes = self._unreadable = 0
        self._is_partial = self._has_met_cursor = False

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, 0 when it has passed."""
        return max(0.0, self._deadline - self._clock.monotonic())

    def stop(self) -> None:
        """Mark the batch as partial: reading ended before the beginning of the window."""
        self._is_partial = True

    def skip(self) -> None:
        """Count an entry that is malformed."""
        self._unreadable += 1

    def take(self, fields: Mapping[str, object]) -> bool:
        """Take an entry; return whether older ones are wanted."""
        if self._window.after is not None and fields.get("__CURSOR") == self._window.after:
            self._has_met_cursor = True
            return False
        try:
            entry = entry_from(fields, self._unit)
        except ValueError:
            self.skip()
            return True
        if entry is not None:
            if self._window.after is None and is_before(entry, self._window.since):
                return False
            self._bytes += len(entry.message) + _ENTRY_OVERHEAD_BYTES
            if len(self._entries) >= self._window.entries or self._bytes > self._window.bytes:
                self._is_partial = True
                return False
            self._entries.append(entry)
        if self.remaining_s == 0:
            self._is_partial = True
            return False
        return True

    def batch(self, first: Mapping[str, object] | None) -> Batch:
        """Return what was taken, in the order of the journal; `first` is the oldest entry there is, of any unit."""
        is_lost = self._window.after is not None and not (self._has_met_cursor or self._is_partial)
        gaps: tuple[JournalGap, ...] = ()
        if is_lost:
            gaps = (vacuum_gap(self._window.after or ""),)
        elif first is not None or not self._is_partial:
            # When time ran out before the oldest entry was read, no gap is reported.
            gaps = start_gap(self._window, first)
        return Batch(tuple(reversed(self._entries)), gaps, self._is_partial, self._unreadable)


class OldestFirst:
    """Takes entries in the order of the journal, and keeps the newest that the window has room for."""

    def __init__(self, window: Window, unit: str, clock: Clock) -> None:
        self._window, self._unit, self._clock = window, unit, clock
        self._deadline = clock.monotonic() + window.deadline_s
        self._entries: deque[JournalEntry] = deque()
        self._bytes = self._unreadable = 0
        self._is_partial = self._has_met_cursor = False
        self._first: Mapping[str, object] | None = None

    def skip(self) -> None:
        """Count an entry that is malformed."""
        self._unreadable += 1

    def take(self, fields: Mapping[str, object]) -> bool:
        """Take an entry; return whether newer ones are wanted."""
        self._first = self._first or fields
        if self._clock.monotonic() >= self._deadline:
            self._is_partial = True
            return False
        if self._window.after is not None and fields.get("__CURSOR") == self._window.after:
            # Only what comes after it was asked for.
            self._has_met_cursor, self._is_partial = True, False
            self._entries.clear()
            self._bytes = 0
            return True
        try:
            entry = entry_from(fields, self._unit)
        except ValueError:
            self.skip()
            return True
        if entry is None or (self._window.after is None and is_before(entry, self._window.since)):
            return True
        self._entries.append(entry)
        self._bytes += len(entry.message) + _ENTRY_OVERHEAD_BYTES
        while self._entries and (
            len(self._entries) > self._window.entries or self._bytes > self._window.bytes
        ):
            self._bytes -= len(self._entries.popleft().message) + _ENTRY_OVERHEAD_BYTES
            self._is_partial = True
        return True

    def batch(self) -> Batch:
        """Return what was kept, in the order of the journal."""
        is_lost = self._window.after is not None and not self._has_met_cursor
        gaps = (vacuum_gap(self._window.after or ""),) if is_lost else start_gap(self._window, self._first)
        return Batch(tuple(self._entries), gaps, self._is_partial, self._unreadable)


def is_before(entry: JournalEntry, since: datetime | None) -> bool:
    """Whether the entry is older than the time."""
    return since is not None and entry.realtime < since


def start_gap(window: Window, first: Mapping[str, object] | None) -> tuple[JournalGap, ...]:
    """Return the gap between the beginning of a window and that of the journal, if there is one."""
    if window.since is None or window.after is not None:
        return ()
    begin = None if first is None else realtime_of(first)
    if begin is None:
        return (JournalGap("The journal is empty, so nothing is known about the requested time."),)
    if begin <= window.since:
        return ()
    return (JournalGap(f"The journal begins at {stamp(begin)}, later than requested."),)


def vacuum_gap(after: str) -> JournalGap:
    """Return the gap that is there when the place last read is no longer in the journal."""
    return JournalGap(
        "The place where reading stopped is no longer in the journal: older entries were removed.", after
    )

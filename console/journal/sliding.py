"""The summary of what was logged lately, while time goes on. Pure but for the memory that it keeps."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from console.journal.matching import Event, Recogniser, Unexplained
from console.journal.summary import Summary, summary_of
from console.journal.tallies import Tallies
from console.journal.values import Batch, DaemonLine, Entry

STRETCH = timedelta(minutes=1)
"""What was logged is forgotten in pieces of this length."""


class SlidingSummariser:
    """Adds up batches, in the order of the journal, and forgets what is older than the window; without one, nothing."""

    def __init__(self, window_s: float | None) -> None:
        self._window_s = window_s
        self._recogniser = Recogniser()
        self._stretches: deque[tuple[datetime, Tallies]] = deque()
        self._rebuilt_at: datetime | None = None

    def add(self, batch: Batch, now: datetime) -> list[tuple[Entry, DaemonLine, Event | Unexplained | None]]:
        """Take a batch in, and return each entry with its parsed line and what it says."""
        read = []
        if batch.gaps or batch.is_partial or batch.unreadable:
            self._stretch(now if not batch.entries else batch.entries[0].realtime, now).note(batch)
        for entry in batch.entries:
            line, found = self._recogniser.read(entry)
            self._stretch(entry.realtime, now).count(found)
            if isinstance(found, Event) and found.signature.is_rebuild:
                self._rebuilt_at = found.at
            read.append((entry, line, found))
        return read

    def summary(self, names: Mapping[str, str], now: datetime) -> Summary:
        """Return the sum of the window. When the allocator began anew is told however long ago it was."""
        if self._window_s is not None:
            begin = now - timedelta(seconds=self._window_s)
            while self._stretches and self._stretches[0][0] + STRETCH <= begin:
                self._stretches.popleft()
        whole = Tallies()
        for _, tallies in self._stretches:
            whole.add(tallies)
        whole.rebuilt_at = self._rebuilt_at
        return summary_of(whole, names, self._window_s)

    def _stretch(self, at: datetime, now: datetime) -> Tallies:
        """Return where something logged at a time is counted: never before what was counted already."""
        # The wall clock may have been set back, or forward and back.
        at = min(at, now)
        is_due = self._window_s is not None and self._stretches and at - self._stretches[-1][0] >= STRETCH
        if not self._stretches or is_due:
            self._stretches.append((at, Tallies()))
        return self._stretches[-1][1]

"""Counts of what was recognised, which can be added up. Pure; the memory it takes is bounded, whatever comes."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from console.journal.matching import LogEvent, UnexplainedError
from console.journal.signatures import SUPPRESSION
from console.journal.values import Batch, JournalGap

MAX_OBJECTS = 64
"""How many objects of one kind a finding names at most; the rest is counted as `unnamed_count`."""
MAX_PATTERNS = 50
"""How many kinds of unexplained errors are told apart at most."""
MAX_GAPS = 16


@dataclass(slots=True)
class MessageCount:
    """How often something was logged; `text` and `cursor` are of the last time."""

    count: int
    first: datetime
    last: datetime
    text: str
    cursor: str
    objects: dict[str, dict[str, None]] = field(default_factory=dict)
    unnamed_count: int = 0
    dropped: int = 0

    def advance(self, event: LogEvent | UnexplainedError) -> None:
        """Count another event, and keep its text and its place."""
        self.count += 1
        # The wall clock may have been set back in between; the order of the journal is not its order.
        self.first, self.last = min(self.first, event.at), max(self.last, event.at)
        self.text, self.cursor = event.text, event.cursor

    def name(self, kind: str, value: str) -> None:
        """Add an object, or count it where the finding names enough."""
        names = self.objects.setdefault(kind, {})
        if value in names or len(names) < MAX_OBJECTS:
            names[value] = None
        else:
            self.unnamed_count += 1

    def add(self, later: "MessageCount") -> None:
        """Add the counts of a later stretch; its text and place are the newer ones."""
        self.count += later.count
        self.first, self.last = min(self.first, later.first), max(self.last, later.last)
        self.text, self.cursor = later.text, later.cursor
        self.unnamed_count += later.unnamed_count
        self.dropped += later.dropped
        for kind, values in later.objects.items():
            for value in values:
                self.name(kind, value)


@dataclass(slots=True)
class MessageCounts:
    """All counts of some stretch of a journal."""

    by_signature: dict[str, MessageCount] = field(default_factory=dict)
    patterns: OrderedDict[str, MessageCount] = field(default_factory=OrderedDict)
    unexplained_count: int = 0
    entries: int = 0
    lost_addresses: int = 0
    """Addresses proven to have leaked since the allocator was rebuilt, or in total."""
    rebuilt_at: datetime | None = None
    gaps: tuple[JournalGap, ...] = ()
    is_complete: bool = True

    def note(self, batch: Batch) -> None:
        """Add the gaps of a batch, and whether it is complete."""
        self.gaps = (*self.gaps, *batch.gaps)[-MAX_GAPS:]
        if batch.gaps or batch.is_partial or batch.unreadable:
            self.is_complete = False

    def count(self, event: LogEvent | UnexplainedError | None) -> None:
        """Count an entry: an event by its signature, an unexplained error by its pattern."""
        self.entries += 1
        if isinstance(event, LogEvent):
            self._count_event(event)
        elif event is not None:
            self.unexplained_count += 1
            tally = self.patterns.get(event.pattern) or MessageCount(0, event.at, event.at, "", "")
            tally.advance(event)
            _name_all(tally, event.ids)
            self._keep(event.pattern, tally)

    def add(self, later: "MessageCounts") -> None:
        """Count what was counted of a later stretch."""
        for key, tally in later.by_signature.items():
            self.by_signature.setdefault(key, MessageCount(0, tally.first, tally.last, "", "")).add(tally)
        for pattern, tally in later.patterns.items():
            sum_of = self.patterns.get(pattern) or MessageCount(0, tally.first, tally.last, "", "")
            sum_of.add(tally)
            self._keep(pattern, sum_of)
        self.unexplained_count += later.unexplained_count
        self.entries += later.entries
        self.lost_addresses = (
            later.lost_addresses
            if later.rebuilt_at is not None
            else self.lost_addresses + later.lost_addresses
        )
        self.rebuilt_at = later.rebuilt_at or self.rebuilt_at
        self.gaps = (*self.gaps, *later.gaps)[-MAX_GAPS:]
        self.is_complete = self.is_complete and later.is_complete

    def _count_event(self, event: LogEvent) -> None:
        signature = event.signature
        if signature is SUPPRESSION:
            self.is_complete = False
        if signature.is_rebuild:
            self.lost_addresses, self.rebuilt_at = 0, event.at
        self.lost_addresses += signature.lost_addresses
        tally = self.by_signature.setdefault(signature.id, MessageCount(0, event.at, event.at, "", ""))
        tally.advance(event)
        tally.dropped += event.dropped
        _name_all(tally, event.ids)

    def _keep(self, pattern: str, tally: MessageCount) -> None:
        self.patterns[pattern] = tally
        self.patterns.move_to_end(pattern)
        if len(self.patterns) > MAX_PATTERNS:
            # The one not seen for longest goes, never the newest.
            self.patterns.popitem(last=False)


def _name_all(tally: MessageCount, ids: Mapping[str, str]) -> None:
    for kind, value in ids.items():
        tally.name(kind, value)

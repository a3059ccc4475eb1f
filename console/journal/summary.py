"""Summaries of many events in few lines, also over a sliding window. Pure but for its bounded memory."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType

from console.durations import LOCAL, TimeFormat, clock_time, duration, stamp
from console.frozen import frozen
from console.journal.failures import ALL_SIGNATURES
from console.journal.matching import LogEvent, LogMatcher, UnexplainedError
from console.journal.signatures import AGENT_MESSAGE, Confidence, LogSeverity, Signature
from console.journal.tallies import MessageCount, MessageCounts
from console.journal.values import Batch, DaemonLine, JournalEntry, JournalGap
from console.text import NAME_LIMIT, clean, listed, plural

_DAY_S = 86_400
_ORDER = {LogSeverity.CRITICAL: 0, LogSeverity.WARNING: 1, LogSeverity.NOTE: 2}
_PLURALS = {
    "service": "services", "task": "tasks", "network": "networks", "removed": "removed networks", "node": "nodes",
    "peer": "peers", "address": "addresses",
}  # fmt: skip


NO_OBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_BY_ID: Mapping[str, Signature] = {signature.id: signature for signature in ALL_SIGNATURES}
STRETCH = timedelta(minutes=1)
"""What was logged is forgotten in pieces of this length."""


@frozen
class LogFinding:
    """All events of one signature. `objects` maps a kind to names, or identifiers where no name is known.

    `unnamed_count` counts events whose objects were left out because `MAX_OBJECTS` others were kept (an object may be
    counted more than once). `dropped` is the number of messages lost, for suppressions. `text` is the last line,
    clean, and `cursor` its place.
    """

    signature: Signature
    count: int
    first: datetime
    last: datetime
    objects: Mapping[str, tuple[str, ...]]
    unnamed_count: int
    dropped: int
    text: str
    cursor: str

    @property
    def lost_addresses(self) -> int:
        """How many addresses these lines prove to be lost, at the time that they were written."""
        return self.count * self.signature.lost_addresses


@frozen
class ErrorPattern:
    """Errors of dockerd's without a signature that are alike. `text` is the last of them, clean.

    `objects` maps kinds to names, as those of a `LogFinding`: what the fields beside the message name.
    """

    pattern: str
    count: int
    first: datetime
    last: datetime
    text: str
    objects: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_OBJECTS)


@frozen
class Summary:
    """What was read. The worst comes first, and the latest first among equals.

    `unexplained_count` counts every unexplained error, also those of patterns that were not kept.
    `lost_addresses` counts those proven lost since `rebuilt_at`, the last time that the allocator was rebuilt as
    far as was read. `is_complete` is false when lines may be missing: then the absence of a finding proves
    nothing, and every count is "at least".
    """

    findings: tuple[LogFinding, ...]
    error_patterns: tuple[ErrorPattern, ...]
    unexplained_count: int
    entries: int
    lost_addresses: int
    rebuilt_at: datetime | None
    gaps: tuple[JournalGap, ...]
    is_complete: bool
    window_s: float | None = None
    """How far back was read; None for a whole recording."""

    @property
    def worst(self) -> LogSeverity | None:
        """The severity of the worst finding, or None without findings."""
        return self.findings[0].signature.severity if self.findings else None


class Summariser:
    """Adds up batches, one after the other in the order of the journal."""

    def __init__(self) -> None:
        self._recogniser = LogMatcher()
        self._tallies = MessageCounts()

    def add(self, batch: Batch) -> tuple[LogEvent | UnexplainedError, ...]:
        """Take a batch in, and return what was recognised in it, in order."""
        self._tallies.note(batch)
        events: list[LogEvent | UnexplainedError] = []
        for entry in batch.entries:
            event = self._recogniser.recognise(entry)
            self._tallies.count(event)
            if event is not None:
                events.append(event)
        return tuple(events)

    def summary(self, names: Mapping[str, str], window_s: float | None = None) -> Summary:
        """Return the sum so far; `names` maps identifiers of objects to their names, `window_s` is what was read."""
        return summary_of(self._tallies, names, window_s)


def summary_of(tallies: MessageCounts, names: Mapping[str, str], window_s: float | None = None) -> Summary:
    """Return what was counted, with names for identifiers; `window_s` is what was read."""
    findings = [_finding(_BY_ID[key], tally, names) for key, tally in tallies.by_signature.items()]
    findings.sort(
        key=lambda finding: (
            _ORDER[finding.signature.severity],
            -finding.last.timestamp(),
            finding.signature.id,
        )
    )
    error_patterns = [
        ErrorPattern(pattern, tally.count, tally.first, tally.last, tally.text, _object_names(tally, names))
        for pattern, tally in tallies.patterns.items()
    ]
    error_patterns.sort(key=lambda error_pattern: (-error_pattern.count, error_pattern.pattern))
    return Summary(
        findings=tuple(findings),
        error_patterns=tuple(error_patterns),
        unexplained_count=tallies.unexplained_count,
        entries=tallies.entries,
        lost_addresses=tallies.lost_addresses,
        rebuilt_at=tallies.rebuilt_at,
        gaps=tallies.gaps,
        is_complete=tallies.is_complete,
        window_s=window_s,
    )


def summarise(batches: Iterable[Batch], names: Mapping[str, str], window_s: float | None = None) -> Summary:
    """Return what the batches say, in the order of the journal."""
    summariser = Summariser()
    for batch in batches:
        summariser.add(batch)
    return summariser.summary(names, window_s)


def rename(summary: Summary, names: Mapping[str, str]) -> Summary:
    """Return a summary in which objects that had no name yet have one."""
    return replace(
        summary,
        findings=tuple(
            replace(
                finding,
                objects={
                    kind: tuple(names.get(name, name) for name in found)
                    for kind, found in finding.objects.items()
                },
            )
            for finding in summary.findings
        ),
    )


def describe(finding: LogFinding, window_s: float | None = None, zone: tzinfo = LOCAL) -> str:
    """Return one clean line: how often, within which time, first and last, which services and networks.

    Such as `13 in 1 h, first 03:12, last 04:40 CEST, services ghost_app, discourse_app`, after a multiplication sign.
    """
    parts = [
        f"\N{MULTIPLICATION SIGN}{finding.count}"
        + (f" in {duration(window_s)}" if window_s is not None else "")
    ]
    first, last = finding.first, finding.last
    # A time alone is of today; in a recording, or further back, the day belongs to it.
    is_lately = (
        window_s is not None
        and window_s <= _DAY_S
        and first.astimezone(zone).date() == last.astimezone(zone).date()
    )
    shape = TimeFormat.MINUTE if is_lately else TimeFormat.DAY_MINUTE
    if finding.count == 1:
        parts.append(f"at {stamp(last, shape, zone)}")
    else:
        parts += [f"first {clock_time(first, shape, zone)}", f"last {stamp(last, shape, zone)}"]
    if finding.dropped:
        parts.append(plural(finding.dropped, "message") + " dropped")
    if finding.lost_addresses:
        parts.append(plural(finding.lost_addresses, "address", "addresses") + " lost")
    parts += objects_at_fault(finding.objects, signature=finding.signature)
    if finding.signature.certainty is not Confidence.CERTAIN:
        parts.append(finding.signature.certainty.value)
    return ", ".join(parts)


def kinds_at_fault(kinds: Iterable[str], signature: Signature | None = None) -> tuple[str, ...]:
    """Return which of the kinds of objects that a line names are at fault, in the order in which they are shown.

    The node is, where the line is about a node: a manager names itself in every line. A task is shown where there is no service.
    """
    named_kinds = frozenset(kinds)
    shown_kinds = ["service"] if "service" in named_kinds else ["task"] if _shows_tasks(signature) else []
    shown_kinds += ["network", "removed"]
    if (
        signature is None
        or signature.shows_line
        or signature.message == AGENT_MESSAGE
        or "<node>" in signature.message
    ):
        shown_kinds.append("node")
    shown_kinds += ["peer", "address"]
    return tuple(kind for kind in shown_kinds if kind in named_kinds)


def objects_at_fault(
    objects: Mapping[str, tuple[str, ...]], signature: Signature | None = None
) -> tuple[str, ...]:
    """Return the objects at fault in words: `services ghost_app, shop_app`, `network proxy`, `node ci-host`."""
    return tuple(
        f"{kind if len(objects[kind]) == 1 else _PLURALS[kind]} {listed(objects[kind])}"
        for kind in kinds_at_fault(objects, signature)
        if objects[kind]
    )


def _shows_tasks(signature: Signature | None) -> bool:
    return signature is None or signature.shows_line


def _finding(signature: Signature, tally: MessageCount, names: Mapping[str, str]) -> LogFinding:
    return LogFinding(
        signature=signature,
        count=tally.count,
        first=tally.first,
        last=tally.last,
        objects=_object_names(tally, names),
        unnamed_count=tally.unnamed_count,
        dropped=tally.dropped,
        text=tally.text,
        cursor=tally.cursor,
    )


def _object_names(tally: MessageCount, names: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return {
        kind: tuple(dict.fromkeys(clean(names.get(id_, id_), NAME_LIMIT) for id_ in ids))
        for kind, ids in tally.objects.items()
    }


class SlidingSummariser:
    """Adds up batches in the order of the journal, and forgets events that are older than the window, if there is one."""

    def __init__(self, window_s: float | None) -> None:
        self._window_s = window_s
        self._recogniser = LogMatcher()
        self._stretches: deque[tuple[datetime, MessageCounts]] = deque()
        self._rebuilt_at: datetime | None = None

    def add(
        self, batch: Batch, now: datetime
    ) -> list[tuple[JournalEntry, DaemonLine, LogEvent | UnexplainedError | None]]:
        """Take a batch in, and return each entry with its parsed line and what it says."""
        rows = []
        if batch.gaps or batch.is_partial or batch.unreadable:
            self._stretch(now if not batch.entries else batch.entries[0].realtime, now).note(batch)
        for entry in batch.entries:
            line, event = self._recogniser.read(entry)
            self._stretch(entry.realtime, now).count(event)
            if isinstance(event, LogEvent) and event.signature.is_rebuild:
                self._rebuilt_at = event.at
            rows.append((entry, line, event))
        return rows

    def summary(self, names: Mapping[str, str], now: datetime) -> Summary:
        """Return the sum of the window. The allocator's rebuild is included, however long ago it was."""
        if self._window_s is not None:
            begin = now - timedelta(seconds=self._window_s)
            while self._stretches and self._stretches[0][0] + STRETCH <= begin:
                self._stretches.popleft()
        whole = MessageCounts()
        for _, tallies in self._stretches:
            whole.add(tallies)
        whole.rebuilt_at = self._rebuilt_at
        return summary_of(whole, names, self._window_s)

    def _stretch(self, at: datetime, now: datetime) -> MessageCounts:
        """Return where something logged at a time is counted: never before what was counted already."""
        # The wall clock may have been set back, or forward and back.
        at = min(at, now)
        is_due = self._window_s is not None and self._stretches and at - self._stretches[-1][0] >= STRETCH
        if not self._stretches or is_due:
            self._stretches.append((at, MessageCounts()))
        return self._stretches[-1][1]

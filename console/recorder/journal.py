"""What dockerd logged between two states: counts by the hour, and the beginnings. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from console.diagnosis.values import Severity
from console.journal.matching import LogEvent
from console.journal.signatures import LogSeverity
from console.monitor.values import Line, MonitorState
from console.recorder.baseline import Baseline
from console.recorder.values import EventKind, RecordedEvent

_SEVERITIES = {
    LogSeverity.CRITICAL: Severity.CRITICAL,
    LogSeverity.WARNING: Severity.WARNING,
    LogSeverity.NOTE: Severity.OK,
}


def journal_events(
    state: MonitorState, baseline: Baseline
) -> tuple[Mapping[datetime, Mapping[str, int]], list[RecordedEvent], dict[str, object]]:
    """Return counts by hour and signature (ID), the first lines of an hour as events, and the changes of the baseline."""
    log = state.log.value
    if log is None or not log.lines or log.lines[-1].number == baseline.line_number:
        return {}, [], {}
    # Lines have numbers of this session: of what an earlier one has counted only the time is known.
    begin = baseline.line_number if log.lines[-1].number > baseline.line_number else 0
    first = max(0, len(log.lines) - (log.lines[-1].number - begin))
    counts: dict[datetime, dict[str, int]] = {}
    events: list[RecordedEvent] = []
    hours = dict(baseline.logged_hours)
    for line in log.lines[first:]:
        if not isinstance(line.meaning, LogEvent) or (
            begin == 0 and baseline.logged_at is not None and line.at <= baseline.logged_at
        ):
            continue
        hour = line.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        signature = line.meaning.signature
        of_hour = counts.setdefault(hour, {})
        of_hour[signature.id] = of_hour.get(signature.id, 0) + 1
        is_news = signature.id not in hours or hour > hours[signature.id]
        if is_news and signature.severity is not LogSeverity.NOTE:
            hours[signature.id] = hour
            events.append(_logged(line, line.meaning))
    changes: dict[str, object] = {"line_number": log.lines[-1].number, "logged_hours": hours}
    if counts:
        newest = max(line.at for line in log.lines[first:])
        changes["logged_at"] = newest if baseline.logged_at is None else max(newest, baseline.logged_at)
    return counts, events, changes


def _logged(line: Line, event: LogEvent) -> RecordedEvent:
    signature = event.signature
    return RecordedEvent(
        line.at,
        EventKind.JOURNAL,
        signature.id,
        f"dockerd logged: {signature.title}. {signature.meaning}",
        severity=_SEVERITIES[signature.severity],
    )

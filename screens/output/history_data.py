"""The use of networks over time for programs: one JSON document, or lines of CSV. docs/history.md has their shapes."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from console.addresses.accounting import NetworkAccount
from console.addresses.outlook import Outlook
from console.addresses.use_history import UseSource, all_points, build_history
from console.diagnosis.values import Assessment, Snapshot
from console.frozen import frozen
from console.recorder.leaks import LeakRecord, leaks_by_stack
from screens.output.plain import json_text
from screens.output.snapshot_json import document_head

SCHEMA = "vipconsole.history/1"
CSV_HEAD = ("at", "network", "network_id", "used", "capacity", "leaked")


@frozen
class UseRecord:
    """A network, how it was used, and how that goes on."""

    account: NetworkAccount
    source: UseSource
    outlook: Outlook
    leaks: tuple[LeakRecord, ...] = ()
    """What leaked on it in the time that is shown, newest first: what consoles saw and what was recorded."""


def as_json(snapshot: Snapshot, assessment: Assessment, records: Sequence[UseRecord], span: timedelta) -> str:
    """Return everything as one JSON document, ASCII only, with a newline at its end."""
    document = {
        **document_head(SCHEMA, snapshot, assessment),
        "since": _utc(snapshot.now - span),
        "until": _utc(snapshot.now),
        "networks": [_network(record, span) for record in records],
    }
    return json_text(document)


def _network(record: UseRecord, span: timedelta) -> Mapping[str, Any]:
    account, source, outlook = record.account, record.source, record.outlook
    since = source.now - span
    # Its columns are no matter here.
    history = build_history(source, span, 1)
    is_coming = isfinite(outlook.full_in_hours)
    full_at = source.now + timedelta(hours=outlook.full_in_hours) if is_coming else None
    return {
        "name": account.network.name,
        "id": account.network.id,
        "capacity": account.capacity,
        "used": account.used_at_least,
        "free": account.free_at_most,
        "free_is_exact": account.free_is_exact,
        "watched_since": None if history.watched_since is None else _utc(history.watched_since),
        "unwatched_s": round(history.unwatched.total_seconds()),
        "forecast": {
            "text": outlook.sentence,
            "is_known": outlook.is_known,
            "per_day": _rounded(None if source.trend is None else source.trend.per_hour, 24),
            "full_at": None if full_at is None else _utc(full_at),
            "leaking_removals_left": None if source.trend is None else source.trend.remaining_removals,
        },
        "samples": [
            {"at": _utc(point.at), "used": point.used}
            for point in all_points(source.trend)
            if point.at >= since
        ],
        "leaks": [
            {
                "at": _utc(entry.ended_at),
                "addresses": [str(address) for address in entry.addresses],
                "task": entry.task_name,
                "service": entry.service_name,
                "stack": entry.stack or None,
                "removed_network": entry.removed_network or None,
            }
            for entry in source.entries
            if entry.ended_at >= since
        ],
        "leaking_stacks": [
            {
                "stack": stack.name if stack.is_stack else None,
                "service": None if stack.is_stack else stack.name,
                "addresses": stack.addresses,
                "times": stack.times,
                "last": _utc(stack.last.at),
                "after": stack.last.after or None,
            }
            for stack in leaks_by_stack(record.leaks)
        ],
    }


def as_csv(records: Sequence[UseRecord], span: timedelta) -> str:
    """Return a header and a line for each sample, oldest first, network after network. Times are UTC."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for record in records:
        writer.writerows(_rows(record, record.source.now - span))
    return out.getvalue()


def _rows(record: UseRecord, since: datetime) -> Iterator[tuple[object, ...]]:
    """Yield the samples of a network; each counts what was seen leaking since the one before it."""
    network, before = record.account.network, since
    for point in all_points(record.source.trend):
        if point.at < since:
            continue
        leaked = sum(
            len(entry.addresses) for entry in record.source.entries if before < entry.ended_at <= point.at
        )
        yield _utc(point.at), network.name, network.id, point.used, record.account.capacity, leaked
        before = point.at


def _rounded(per_hour: float | None, factor: int) -> float | None:
    return None if per_hour is None else round(per_hour * factor, 2)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")

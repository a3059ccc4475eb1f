"""What happened to a swarm for programs: one JSON document. docs/history.md and docs/json-and-metrics.md have its shape."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from console.recorder.timeline import Timeline, TimelineEvent
from screens.output.plain import json_text

SCHEMA = "vipconsole.events/1"


def as_json(timeline: Timeline, network: str) -> str:
    """Return everything as one JSON document, ASCII only, with a newline at its end."""
    document = {
        "schema": SCHEMA,
        "exit_code": 0,
        "since": _utc(timeline.since),
        "until": _utc(timeline.until),
        "watched_since": None if timeline.watched_since is None else _utc(timeline.watched_since),
        "network": network or None,
        "events": [_event(item) for item in timeline.events],
        "gaps": [
            {"since": _utc(gap.since), "until": None if gap.is_open else _utc(gap.until)}
            for gap in timeline.gaps
        ],
    }
    return json_text(document)


def _event(item: TimelineEvent) -> Mapping[str, Any]:
    event = item.event
    return {
        "at": _utc(event.at),
        "kind": event.kind,
        "subject": event.subject,
        "sentence": event.sentence,
        "network": event.network or None,
        "stack": event.stack or None,
        "severity": event.severity,
        "is_end": event.is_end,
        "addresses": event.addresses or None,
        "after": item.after or None,
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")

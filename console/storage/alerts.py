"""Keeps in the state directory what alerts have told, what is not delivered yet, and how their sending goes: one file.

The recorder writes it, whole; everybody else reads it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.diagnosis.values import FailingAlert, Severity
from console.durations import parse_time
from console.errors import DAMAGE, HostError, Result, unknown_from
from console.storage.state import OWNER_HINT, make_private, write_atomically
from console.text import SENTENCE_LIMIT, clean

if TYPE_CHECKING:
    from console.alerts.values import AlertState, Notification

FILE = "alerts.json"
SCHEMA = "vipconsole.alerts/1"
SIZE_LIMIT_BYTES = 16 * 1024 * 1024


def write_alerts(state: Path, alerts: "Mapping[str, AlertState]") -> None:
    """Write what is kept of all alerts, by what they are called. Raises HostError; then the old file is as it was."""
    make_private(state)
    document = {"schema": SCHEMA, "alerts": {name: _as_json(alert) for name, alert in alerts.items()}}
    write_atomically(state / FILE, json.dumps(document, indent=1) + "\n", 0o600)


def read_alerts(state: Path) -> "dict[str, AlertState]":
    """Return what is kept of alerts; nothing where nothing ever was. Raises HostError for a file that cannot be used."""
    path = state / FILE
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(SIZE_LIMIT_BYTES))
        return _alerts(document)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise HostError(
            f"What alerts have told, in {clean(str(path), 300)}, cannot be read: {error.strerror}.",
            OWNER_HINT,
        ) from error
    except DAMAGE as error:
        raise HostError(
            f"What alerts have told, in {clean(str(path), 300)}, cannot be used ({type(error).__name__}).",
            "`vipconsole record` makes a new file when it starts. It may tell again what goes on.",
        ) from error


def read_failing_alerts(state: Path, now: datetime) -> Result[tuple[FailingAlert, ...]]:
    """Return the alerts that do not get through, by name; unknown where the file cannot be used."""
    try:
        alerts = read_alerts(state)
    except HostError as error:
        return unknown_from(error)
    return tuple(
        FailingAlert(name, alert.failing_since, alert.reason, len(alert.pending), alert.lost)
        for name, alert in sorted(alerts.items())
        if alert.is_in_trouble(now)
    )


def _as_json(alert: "AlertState") -> Mapping[str, Any]:
    return {
        "memories": [
            {
                "code": code,
                "subject": subject,
                "severity": memory.severity.value,
                "short": memory.short,
                "since": _text(memory.since),
                "rise_at": _text(memory.rise_at),
                "is_told": memory.is_told,
                "gone_at": _text(memory.gone_at),
            }
            for (code, subject), memory in alert.memories.items()
        ],
        "pending": [
            {
                "occasion": notification.occasion.value,
                "at": notification.at.isoformat(),
                "host": notification.host,
                "code": notification.code,
                "subject": notification.subject,
                "severity": notification.severity.value,
                "short": notification.short,
                "sentence": notification.sentence,
                "hint": notification.hint,
                "since": notification.since.isoformat(),
            }
            for notification in alert.pending
        ],
        "failing_since": _text(alert.failing_since),
        "reason": alert.reason,
        "failures": alert.failures,
        "delivered": alert.delivered,
        "delivered_at": _text(alert.delivered_at),
        "lost": alert.lost,
        "lost_at": _text(alert.lost_at),
    }


def _alerts(document: Mapping[str, Any]) -> "dict[str, AlertState]":
    if document["schema"] != SCHEMA:
        raise ValueError("another version wrote it")
    return {clean(name): _alert(data) for name, data in document["alerts"].items()}


def _alert(data: Mapping[str, Any]) -> "AlertState":
    from console.alerts.values import AlertState, Memory  # noqa: PLC0415 - most hosts have no alerts

    return AlertState(
        {
            (clean(memory["code"]), clean(memory["subject"])): Memory(
                Severity(memory["severity"]),
                clean(memory["short"], SENTENCE_LIMIT),
                _moment(memory["since"]),
                _moment(memory["rise_at"]),
                bool(memory["is_told"]),
                _moment(memory["gone_at"]),
            )
            for memory in data["memories"]
        },
        tuple(_notification(notification) for notification in data["pending"]),
        _moment(data["failing_since"]),
        clean(data["reason"], SENTENCE_LIMIT),
        int(data["failures"]),
        int(data["delivered"]),
        _moment(data["delivered_at"]),
        int(data["lost"]),
        _moment(data["lost_at"]),
    )


def _notification(data: Mapping[str, Any]) -> "Notification":
    from console.alerts.values import Notification, Occasion  # noqa: PLC0415 - most hosts have no alerts

    return Notification(
        Occasion(data["occasion"]),
        parse_time(data["at"]),
        clean(data["host"]),
        clean(data["code"]),
        clean(data["subject"]),
        Severity(data["severity"]),
        clean(data["short"], SENTENCE_LIMIT),
        clean(data["sentence"], SENTENCE_LIMIT),
        clean(data["hint"], SENTENCE_LIMIT),
        parse_time(data["since"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)

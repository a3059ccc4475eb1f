"""What the simulated engine tells when something changes, as its stream of events."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from console.simulator.objects import Json
from console.simulator.refusal import Refusal

KEPT = 256
"""Events that are kept for whoever asks for earlier ones (the engine's own number)."""

Listener = Callable[["SimEvent"], None]


@dataclass(frozen=True, slots=True)
class SimEvent:
    """A change of an object of the swarm."""

    kind: str
    action: str
    id: str
    at: datetime
    attributes: Mapping[str, str]

    @property
    def nanoseconds(self) -> int:
        """Its moment as the engine writes it."""
        return round(self.at.timestamp() * 1_000_000) * 1000


class EventLog:
    """The latest events, and who is told of new ones."""

    def __init__(self) -> None:
        self._events: list[SimEvent] = []
        self._listeners: list[Listener] = []

    def publish(self, event: SimEvent) -> None:
        """Keep an event and tell it to all who listen."""
        self._events = [*self._events[1 - KEPT :], event]
        for tell in tuple(self._listeners):
            tell(event)

    def listen(self, listener: Listener) -> None:
        """Call a function with every event from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Call a function no longer."""
        self._listeners.remove(listener)

    def replayed(self, query: Mapping[str, str]) -> list[SimEvent]:
        """Return the kept events from `since` to `until`; none where neither was asked for."""
        since, until = _nanoseconds(query, "since"), _nanoseconds(query, "until")
        if since is None and until is None:
            return []
        return [
            each
            for each in self._events
            if (since is None or each.nanoseconds >= since) and (until is None or each.nanoseconds <= until)
        ]


def event_passes(event: SimEvent, wanted: Mapping[str, list[str]]) -> bool:
    """Whether an event passes the filters `type`, `event`, `scope`, and those of a kind by ID or name."""
    reference = wanted.get(event.kind)
    return (
        event.kind in wanted.get("type", [event.kind])
        and event.action in wanted.get("event", [event.action])
        and "swarm" in wanted.get("scope", ["swarm"])
        and (reference is None or event.id in reference or event.attributes.get("name") in reference)
    )


def event_json(event: SimEvent) -> Json:
    """Return an event as the engine tells it."""
    return {
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.id, "Attributes": dict(event.attributes)},
        "scope": "swarm",
        "time": event.nanoseconds // 1_000_000_000,
        "timeNano": event.nanoseconds,
    }


def event_line(event: SimEvent) -> str:
    """Return an event as a line of the stream."""
    return json.dumps(event_json(event)) + "\n"


def _nanoseconds(query: Mapping[str, str], name: str) -> int | None:
    sent = query.get(name)
    if not sent:
        return None
    try:
        return int(Decimal(sent) * 1_000_000_000)
    except InvalidOperation as error:
        raise Refusal(f'strconv.ParseInt: parsing "{sent}": invalid syntax', 400) from error

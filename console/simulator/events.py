"""The simulated time, and what the engine tells when something changes, as its stream of events."""

import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from console.simulator.filters import Refusal
from console.simulator.objects import Json


class Timeline:
    """Things to come, in order. `start` is an aware date; `elapsed_s` counts from it."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.elapsed_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def now(self) -> datetime:
        """The simulated time of day."""
        return self.start + timedelta(seconds=self.elapsed_s)

    @property
    def next_due_s(self) -> float | None:
        """When the next thing happens, counted like `elapsed_s`; None if nothing is to come."""
        return self._due[0][0] if self._due else None

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Let something happen after so many seconds; of two at the same time, the first that was asked."""
        self._count += 1
        heapq.heappush(self._due, (self.elapsed_s + delay_s, self._count, act))

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that falls into it, each at its own time."""
        target = self.elapsed_s + max(0.0, seconds)
        while self._due and self._due[0][0] <= target:
            self.step()
        self.elapsed_s = target

    def step(self) -> None:
        """Jump to the next thing to come and let it happen."""
        due, _, act = heapq.heappop(self._due)
        self.elapsed_s = max(self.elapsed_s, due)
        act()


KEPT = 256
"""Events that are kept for later requests (the engine's own number)."""

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
            event
            for event in self._events
            if (since is None or event.nanoseconds >= since) and (until is None or event.nanoseconds <= until)
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

"""The engine's events while the monitor runs: whom each concerns, and which networks were removed."""

from collections.abc import Callable
from datetime import datetime, timedelta

from console.clock import Clock
from console.diagnosis.quiescence.waiter import QuiescenceTracker
from console.swarm.events import EventGap, EventSource, Listening, StreamItem
from console.swarm.model import Event

MEMORY_S = 600.0
"""A removal is remembered for so long; after that every list of networks shows it."""
REMOVAL_ACTION = "remove"
SWARM = "swarm"


class EventListener:
    """Listens to one engine. `wake(is_urgent)` is called for whatever a snapshot would show."""

    def __init__(
        self, source: EventSource, clock: Clock, quiescence: QuiescenceTracker, wake: Callable[[bool], None]
    ) -> None:
        self._source = source
        self._clock = clock
        self._quiescence = quiescence
        self._wake = wake
        self._removals: dict[str, float] = {}
        self._removal_s: float | None = None

    async def run(self, since: datetime) -> None:
        """Listen, from a moment of the engine's clock on, until cancelled."""
        async with self._source.listening(since - timedelta(seconds=1)) as stream:
            async for item in stream:
                self._quiescence.receive(item)
                self._take(item)

    def removed_networks(self) -> frozenset[str]:
        """Return the networks (IDs) that events lately reported as removed from the swarm."""
        now_s = self._clock.monotonic()
        self._removals = {key: at_s for key, at_s in self._removals.items() if now_s - at_s < MEMORY_S}
        return frozenset(self._removals)

    def since_removal_s(self) -> float:
        """Return how long ago the last removal of a service or network was received; infinite before the first."""
        return float("inf") if self._removal_s is None else self._clock.monotonic() - self._removal_s

    def _take(self, item: StreamItem) -> None:
        if isinstance(item, EventGap):
            return
        if isinstance(item, Listening):
            # It is opened again when the engine has come back.
            self._wake(False)
            return
        is_removal = _is_removal(item)
        if is_removal:
            self._removal_s = self._clock.monotonic()
            if item.kind == "network":
                self._removals[item.id] = self._removal_s
        self._wake(is_removal)


def _is_removal(event: Event) -> bool:
    return event.kind in ("service", "network") and event.action == REMOVAL_ACTION and event.scope == SWARM

"""Which networks a snapshot inspects, how long to pause before the next, and the events that cut a pause short.

An inspection costs a call for each network, and there may be hundreds. One is worth it where the holders of addresses
changed, once more when nothing has changed for the settling time (only then can a leak be told from what is just
changing hands), for networks that are on the screen, and for each other one now and then.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from console.addresses.removal_order import EventTimes
from console.clock import Clock
from console.errors import Unknown, VipconsoleError, known
from console.monitor.event_memory import EventMemory, is_removal
from console.swarm.events import EventGap, EventSource, Listening, StreamItem
from console.swarm.model import Network, Service, SwarmState, Task

if TYPE_CHECKING:
    from console.diagnosis.quiescence.waiter import QuiescenceTracker

ENDING_INTERVAL_S = 0.5
"""From the beginning of one snapshot to that of the next while tasks are ending."""
MIN_PAUSE_S = 0.25
"""The least from the end of one snapshot to the beginning of the next, however urgent."""
SLOWNESS = 4.0
"""A pause is at least so many times as long as the snapshot took: a slow engine is not asked without end."""
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 10.0
ATTENTION_INTERVAL_S = 10.0
"""Networks that are on the screen are inspected that often, though nothing changed."""
IDLE_INTERVAL_S = 60.0
MAX_DUE_INSPECTIONS = 8
"""So many are inspected in one snapshot only because it is time."""


def pause_s(poll_s: float, took_s: float, *, is_close: bool) -> float:
    """Return the pause after a snapshot that took `took_s`; `is_close` while tasks are ending."""
    if is_close:
        return max(ENDING_INTERVAL_S - took_s, MIN_PAUSE_S, took_s - 1)
    return max(poll_s, SLOWNESS * took_s)


def retry_s(failures: int, took_s: float) -> float:
    """Return the pause after this many snapshots in a row that showed nothing, at least 1."""
    return max(min(FIRST_RETRY_S * 2.0 ** min(failures - 1, 10), LONGEST_RETRY_S), took_s)


def urgent_pause_s(took_s: float, *, is_urgent: bool) -> float:
    """Return how long after the end of a snapshot the next may begin after an event.

    A removal is urgent: what leaks by it shows only for a few seconds. Anything else waits a little, so that many
    changes in a row make few snapshots.
    """
    return MIN_PAUSE_S if is_urgent else max(2 * MIN_PAUSE_S, SLOWNESS * took_s)


@dataclass(slots=True)
class _Record:
    network: Network
    since_s: float
    """Since when nothing has changed."""
    inspected_s: float


class InspectionSchedule:
    """Remembers the last snapshot. `settle_s` is how long nothing must have changed."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._records: dict[str, _Record] = {}
        self._tasks: tuple[Task, ...] = ()
        self._services: tuple[Service, ...] = ()
        self._inspected_ids: set[str] = set()
        self._changed_ids: set[str] = set()

    def choose(self, swarm: SwarmState, attended_networks: Collection[str], now_s: float) -> set[str]:
        """Return which networks to inspect, by ID; `attended_networks` are IDs or names."""
        self._changed_ids = set(self._find_changes(swarm))
        overlays = [network for network in known(swarm.networks, ()) if network.is_overlay]
        self._inspected_ids, due = set[str](), list[tuple[float, str]]()
        for overlay in overlays:
            record = self._records.get(overlay.id)
            if record is None or overlay.id in self._changed_ids or isinstance(overlay.detail, Unknown):
                self._inspected_ids.add(overlay.id)
                continue
            is_unsettled = record.inspected_s - record.since_s < self._settle_s
            is_attended = (
                overlay.ingress or overlay.id in attended_networks or overlay.name in attended_networks
            )
            if is_unsettled and now_s - record.since_s >= self._settle_s:
                self._inspected_ids.add(overlay.id)
            elif now_s - record.inspected_s >= (ATTENTION_INTERVAL_S if is_attended else IDLE_INTERVAL_S):
                due.append((record.inspected_s, overlay.id))
        self._inspected_ids |= {key for _, key in sorted(due)[:MAX_DUE_INSPECTIONS]}
        return self._inspected_ids

    def note(self, swarm: SwarmState, now_s: float) -> None:
        """Record the snapshot that `choose` was called for, when it is over."""
        overlays = {network.id: network for network in known(swarm.networks, ()) if network.is_overlay}
        if not isinstance(swarm.networks, Unknown):
            self._records = {key: old_record for key, old_record in self._records.items() if key in overlays}
        for key, network in overlays.items():
            record = self._records.get(key)
            is_other = record is None or key in self._changed_ids or record.network is not network
            if record is None or is_other:
                self._records[key] = _Record(network, now_s, now_s)
            elif key in self._inspected_ids:
                record.inspected_s = now_s
        # What could not be read is compared with when it can be again.
        self._tasks, self._services = known(swarm.tasks, self._tasks), known(swarm.services, self._services)

    def settled_networks(self) -> frozenset[str]:
        """Return the networks (IDs) that two inspections, at least the settling time apart, found unchanged."""
        return frozenset(
            key
            for key, record in self._records.items()
            if record.inspected_s - record.since_s >= self._settle_s
            and not isinstance(record.network.detail, Unknown)
        )

    def _find_changes(self, swarm: SwarmState) -> Iterator[str]:
        """Yield the networks on which tasks or services came, went or changed."""
        tasks, services = known(swarm.tasks, self._tasks), known(swarm.services, self._services)
        if tasks is not self._tasks:
            for task in _differing(self._tasks, tasks):
                yield from (attachment.network_id for attachment in task.attachments)
        if services is not self._services:
            for service in _differing(self._services, services):
                yield from service.network_ids
                yield from (virtual_ip.network_id for virtual_ip in service.virtual_ips)


def _differing(before: Collection[Task | Service], now: Collection[Task | Service]) -> Iterator[Any]:
    """Yield what is in one only; what did not change is the very same object in both."""
    old, new = {id(holder) for holder in before}, {id(holder) for holder in now}
    yield from (holder for holder in before if id(holder) not in new)
    yield from (holder for holder in now if id(holder) not in old)


MEMORY_S = 600.0
"""A removal is remembered for so long; after that every list of networks shows it."""


class EventListener:
    """Listens to one engine. `wake(is_urgent)` is called for whatever a snapshot would show."""

    def __init__(
        self,
        source: EventSource,
        clock: Clock,
        wake: Callable[[bool], None],
    ) -> None:
        self._source = source
        self._clock = clock
        self._wake = wake
        self._memory = EventMemory()
        self._recalled_gaps = -1
        self._removals: dict[str, float] = {}
        self._removal_s: float | None = None
        self.quiescence: QuiescenceTracker | None = None
        """Hears the events too, where it is there before the first one."""
        self.is_open = False
        """Whether every event arrives now."""
        self.gaps = 0
        """How often the stream broke."""
        self.last_event_s = float("-inf")
        """When the last event came, by the monotonic clock."""

    async def run(self, since: datetime) -> None:
        """Listen, from a moment of the engine's clock on, until cancelled."""
        begin = since - timedelta(seconds=1)
        self._memory.begin(begin)
        async with self._source.listening(begin) as stream:
            async for item in stream:
                if self.quiescence is not None:
                    self.quiescence.receive(item)
                self._take(item)

    def removed_networks(self) -> frozenset[str]:
        """Return the networks (IDs) that events lately reported as removed from the swarm."""
        now_s = self._clock.monotonic()
        self._removals = {key: at_s for key, at_s in self._removals.items() if now_s - at_s < MEMORY_S}
        return frozenset(self._removals)

    async def event_times(self, since: datetime | None, until: datetime) -> EventTimes:
        """Return when things went, by the events that have arrived.

        Where not all since a moment have, the engine is asked for those that it remembers, once after each break: those until
        `until`, which lies in the past of its clock. What it does not answer is not known.
        """
        times = self._memory.times()
        is_whole = self.is_open or not self.gaps
        if since is None or times.cover(since) or not is_whole or self._recalled_gaps == self.gaps:
            return times
        self._recalled_gaps = self.gaps
        with suppress(VipconsoleError):
            self._memory.recall(await self._source.stored(until))
        return self._memory.times()

    def since_removal_s(self) -> float:
        """Return how long ago the last removal of a service or network was received; infinite before the first."""
        return float("inf") if self._removal_s is None else self._clock.monotonic() - self._removal_s

    def _take(self, item: StreamItem) -> None:
        if isinstance(item, EventGap):
            self.is_open = False
            self.gaps += 1
            self._memory.lose()
            return
        self.last_event_s = self._clock.monotonic()
        if isinstance(item, Listening):
            self.is_open = True
            # It is opened again when the engine has come back.
            self._wake(False)
            return
        self._memory.take(item)
        is_removed = is_removal(item)
        if is_removed:
            self._removal_s = self._clock.monotonic()
            if item.kind == "network":
                self._removals[item.id] = self._removal_s
        self._wake(is_removed)

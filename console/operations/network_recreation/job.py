"""A recreation under way: what it works with, what it has come to know, and how long services were down."""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from console.clock import Clock
from console.errors import VipconsoleError
from console.frozen import frozen
from console.operations.changes import Change, RetryingChanger
from console.operations.network_recreation.plan import RecreationOwner, own_parked_services
from console.operations.network_recreation.record import ParkedService, Record, ServiceRecord, record_to_json
from console.operations.network_recreation.verify import task_progress
from console.operations.outage import OutageReporter, ReportOutage, report_no_outage
from console.swarm.changer import SwarmChanger
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import WholeSwarm

POLL_S = 0.2
"""Pause between two snapshots while there is nothing to do but wait; services are down meanwhile."""

START_S = 0.4
"""So long one processor is busy with the start of a task; measured on dockerd 20.10.24 with tasks on two networks."""

RECORD = "record"
"""The name of the change record that holds everything as it was."""

PARK, STOP, REMOVE, CREATE, RETURN, SETTLE = (
    "services parked",
    "tasks ended",
    "network removed",
    "network created",
    "services brought back",
    "settled",
)
"""The phases of a recreation: what is so once each is over."""
_AT_ONCE = "A failure brings everything back at once."
_LATER = "A failure asks; `undo` puts everything back on the old subnet."
_WAYS_BACK = {
    PARK: _AT_ONCE,
    STOP: _AT_ONCE,
    REMOVE: _AT_ONCE,
    CREATE: _LATER,
    RETURN: _LATER,
    SETTLE: _LATER,
}

Say = Callable[[str], Awaitable[object]]
WaitsFor = Callable[[Sequence[str]], Awaitable[object]]
StoreWayBack = Callable[[Record], Awaitable[object]]
"""Stores the way back that follows from a record where the operator finds it, before any change."""


async def report_nothing(_: Sequence[str]) -> None:
    """Do not report what is waited for."""


class RecreationError(VipconsoleError):
    """It could not be brought to its end. The sentence gives the state, the hint what to do."""


class RecreationRollback(RecreationError):
    """It was given up before the network was removed, and everything is on it again."""


class NetworkMissing(VipconsoleError):
    """The network that was to be used again does not exist: it had been removed after all."""


def start_interval_s() -> float:
    """Return how long this machine is busy with the start of one task, in seconds, if that is about all that it does."""
    return START_S / (os.cpu_count() or 1)


@frozen
class RecreationDependencies:
    """What a recreation works with."""

    reader: SwarmReader
    changer: SwarmChanger
    retrying: RetryingChanger
    owner: RecreationOwner
    store_way_back: StoreWayBack
    say: Say
    interval_s: float = 0.0
    """For each task that is brought back, how long the next service waits: tasks that start all at once slow each other
    down, and the reverse proxy with them."""
    waits_for: WaitsFor = report_nothing
    """Receives at each snapshot of a wait what is waited for, by name, with its state in brackets; nothing
    when it is over."""
    report_outage: ReportOutage = report_no_outage
    """Receives how far the outage is, and who is down."""

    @property
    def clock(self) -> Clock:
        return self.retrying.clock

    async def snapshot(self) -> WholeSwarm:
        """Return a snapshot, with retries."""
        return await self.retrying.ask(self.reader.snapshot)


@frozen
class Outage:
    """How long one service was down."""

    name: str
    total_s: float
    """From its parking until as many of its tasks ran as before."""
    stop_s: float | None
    """Until its last container had ended: its stop grace, at most, and what the engine needs besides. None where that was
    not seen, as after an interruption."""
    start_s: float | None
    """From its restoring until its tasks ran; None where that was not seen."""
    began_at: datetime
    """When it was parked."""
    ended_at: datetime
    """When as many of its tasks ran as before."""

    @property
    def floor_s(self) -> float | None:
        """What stopping and starting take by themselves, with any program."""
        return None if self.stop_s is None or self.start_s is None else self.stop_s + self.start_s


@dataclass(slots=True)
class _Span:
    name: str
    parked_at: datetime
    stopped_at: datetime | None = None
    restored_at: datetime | None = None
    running_at: datetime | None = None


@dataclass(slots=True)
class ServiceTimes:
    """Moments of each service, as snapshots show them."""

    _spans: dict[str, _Span] = field(default_factory=dict)
    _alive_ids: set[str] = field(default_factory=set)
    """Services of which at least one task or container was seen running."""

    def note(self, snapshot: WholeSwarm, parked_services: Iterable[ParkedService], network: str) -> None:
        """Take in a snapshot, and what is parked for a network in it."""
        down = {parked_service.service.id: parked_service for parked_service in parked_services}
        for parked_service in down.values():
            self._spans.setdefault(
                parked_service.service.id, _Span(parked_service.service.name, parked_service.since)
            )
        alive = {task.service_id for task in snapshot.tasks if task.is_alive and task.container_id}
        alive |= {
            container.service_id
            for container in snapshot.containers
            if container.task_id and container.is_running
        }
        self._alive_ids |= alive
        current = snapshot.overlay(network)
        for service_id, span in self._spans.items():
            if service_id in down:
                if span.stopped_at is None and service_id in self._alive_ids - alive:
                    span.stopped_at = snapshot.now
                continue
            service = snapshot.service(service_id)
            if span.restored_at is None and service and current and service.is_on(current.id, network):
                span.restored_at = service.updated

    def note_running(self, service_id: str, since: datetime) -> None:
        """Take in that enough of a service's tasks run, and since when."""
        span = self._spans.get(service_id)
        if span is not None and span.running_at is None:
            span.running_at = since

    def outages(self) -> tuple[Outage, ...]:
        """Return the outages that were seen from beginning to end; of services without tasks there are none."""
        return tuple(
            Outage(
                span.name,
                _between(span.parked_at, span.running_at) or 0.0,
                _between(span.parked_at, span.stopped_at),
                _between(span.restored_at, span.running_at),
                span.parked_at,
                max(span.parked_at, span.running_at),
            )
            for span in self._spans.values()
            if span.running_at
        )

    def down_since(self) -> dict[str, datetime]:
        """Return by ID the services that were parked and not seen running as before since, with when that was."""
        return {
            service_id: span.parked_at for service_id, span in self._spans.items() if span.running_at is None
        }

    def whole(self) -> tuple[float, float] | None:
        """Return from the first parking to the last task that ran, and its floor: the longest stop and the longest start."""
        ends = [span.running_at for span in self._spans.values() if span.running_at]
        stops = [outage.stop_s for outage in self.outages() if outage.stop_s is not None]
        starts = [outage.start_s for outage in self.outages() if outage.start_s is not None]
        if not ends or not stops or not starts:
            return None
        first_parking = min(span.parked_at for span in self._spans.values() if span.running_at)
        return (max(ends) - first_parking).total_seconds(), max(stops) + max(starts)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


@dataclass(slots=True)
class RecreationJob:
    """The state of a recreation under way: the record, and what snapshots have shown since."""

    dependencies: RecreationDependencies
    record: Record
    first: tuple[str, ...] = ()
    times: ServiceTimes = field(default_factory=ServiceTimes)
    newcomers: list[str] = field(default_factory=list)
    """Services and containers that joined after the beginning, by name."""
    containers: set[str] = field(default_factory=set)
    """IDs of the containers of tasks that were seen on the network."""
    parked_ids: set[str] = field(default_factory=set)
    """IDs of the services that this process parked."""
    parked_at: dict[str, datetime] = field(default_factory=dict)
    """By ID of such a service, when that was."""
    detached_ids: set[str] = field(default_factory=set)
    """IDs of services that this process took off the network after the last of their tasks had ended."""
    old_network_ids: set[str] = field(default_factory=set)
    """IDs of networks that were removed, or may have been: of them this node may list a copy that lingers."""
    outage: OutageReporter = field(init=False)

    def __post_init__(self) -> None:
        dependencies = self.dependencies
        self.outage = OutageReporter(
            _WAYS_BACK, dependencies.report_outage, dependencies.retrying.record_failures
        )

    @property
    def name(self) -> str:
        """The network's name."""
        return self.record.network.name

    def parked_services(self, snapshot: WholeSwarm) -> tuple[ParkedService, ...]:
        """Return the services that are parked for this network."""
        return own_parked_services(snapshot, self.name, self.dependencies.owner)

    async def note(self, snapshot: WholeSwarm) -> None:
        """Take the times from a snapshot, and report who is down in it."""
        parked_services = self.parked_services(snapshot)
        self.times.note(snapshot, parked_services, self.name)
        parked_ids = {parked_service.service.id for parked_service in parked_services}
        current = snapshot.overlay(self.name)
        await self.outage.update(
            {
                service.name: service.id in parked_ids
                or current is None
                or not task_progress(service, snapshot, current).is_enough
                for service in self.record.services
                if service.target_tasks
            }
        )

    async def store_record(self, *, is_down: bool = False) -> None:
        """Keep the way back, and everything as it was in a change record: a later attempt begins with the last of these.

        Where something is down already, what cannot be written holds nothing up.
        """
        try:
            await self.dependencies.store_way_back(self.record)
        except VipconsoleError as error:
            if not is_down:
                raise
            self.dependencies.retrying.record_failures.append(error.sentence)
        state = record_to_json(self.record)
        change = Change("network", self.record.network.id, RECORD, state, is_way_back=is_down)
        note = await self.dependencies.retrying.begin(change)
        await note({})

    def refresh(self, service: ServiceRecord) -> None:
        """Keep what a service was at the moment when it was parked."""
        earlier = self.record.service(service.id)
        if earlier is None:
            self.record = self.record.with_service(service)
        elif earlier != service:
            services = tuple(
                service if record.id == service.id else record for record in self.record.services
            )
            self.record = replace(self.record, services=services)

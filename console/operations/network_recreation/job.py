"""A recreation under way: what it works with, and what it has come to know."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from console.clock import Clock
from console.errors import VipconsoleError
from console.operations.changes import Change, RetryingChanger
from console.operations.network_recreation.plan import Whose, own_parked
from console.operations.network_recreation.record import Parked, Record, ServiceRecord, record_to_json
from console.operations.network_recreation.waits import Times
from console.swarm.changer import SwarmChanger
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import SwarmSnapshot

POLL_S = 0.2
"""Pause between two snapshots while there is nothing to do but wait; services are down meanwhile."""

START_S = 0.4
"""So long one processor is busy with the start of a task; measured on dockerd 20.10.24 with tasks on two networks."""

RECORD = "record"
"""The name of the change record that holds everything as it was."""

Say = Callable[[str], Awaitable[object]]
WaitsFor = Callable[[Sequence[str]], Awaitable[object]]
Keep = Callable[[Record], Awaitable[object]]
"""Stores the way back that follows from a record where the operator finds it, before any change."""


async def to_nobody(_: Sequence[str]) -> None:
    """Do not report what is waited for."""


class RecreationFailed(VipconsoleError):
    """It could not be brought to its end. The sentence gives the state, the hint what to do."""


class BroughtBack(RecreationFailed):
    """It was given up before the network was removed, and everything is on it again."""


class NetworkGone(VipconsoleError):
    """The network that was to be used again does not exist: it had been removed after all."""


def interval_of_this_machine_s() -> float:
    """Return how long this machine is busy with the start of one task, in seconds, if that is about all that it does."""
    return START_S / (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class RecreationDependencies:
    """What a recreation works with."""

    reader: SwarmReader
    changer: SwarmChanger
    retrying: RetryingChanger
    whose: Whose
    keep: Keep
    say: Say
    interval_s: float = 0.0
    """For each task that is brought back, how long the next service waits: tasks that start all at once slow each other
    down, and the reverse proxy with them."""
    waits_for: WaitsFor = to_nobody
    """Receives at each snapshot of a wait what is waited for, by name, with its state in brackets; nothing
    when it is over."""

    @property
    def clock(self) -> Clock:
        return self.retrying.clock

    async def snapshot(self) -> SwarmSnapshot:
        """Return a snapshot, with retries."""
        return await self.retrying.asked(self.reader.snapshot)


@dataclass(slots=True)
class RecreationJob:
    """One recreation."""

    dependencies: RecreationDependencies
    record: Record
    first: tuple[str, ...] = ()
    times: Times = field(default_factory=Times)
    newcomers: list[str] = field(default_factory=list)
    """Services and containers that joined after the beginning, by name."""
    containers: set[str] = field(default_factory=set)
    """IDs of the containers of tasks that were seen on the network."""
    parked_here: set[str] = field(default_factory=set)
    """IDs of the services that this process parked."""
    emptied: dict[str, datetime] = field(default_factory=dict)
    """By ID of such a service, when that was."""
    gone: set[str] = field(default_factory=set)
    """IDs of networks that were removed, or may have been: of them this node may list a copy that lingers."""

    @property
    def name(self) -> str:
        """The network's name."""
        return self.record.network.name

    def parked(self, snapshot: SwarmSnapshot) -> tuple[Parked, ...]:
        """Return the services that are parked for this network."""
        return own_parked(snapshot, self.name, self.dependencies.whose)

    def note(self, snapshot: SwarmSnapshot) -> None:
        """Take the times from a snapshot."""
        self.times.note(snapshot, self.parked(snapshot), self.name)

    async def put_down(self, *, is_down: bool = False) -> None:
        """Keep the way back, and everything as it was in a change record: a later attempt begins with the last of these.

        Where something is down already, what cannot be written holds nothing up.
        """
        try:
            await self.dependencies.keep(self.record)
        except VipconsoleError as error:
            if not is_down:
                raise
            self.dependencies.retrying.unrecorded.append(error.sentence)
        state = record_to_json(self.record)
        change = Change("network", self.record.network.id, RECORD, state, is_way_back=is_down)
        note = await self.dependencies.retrying.begin(change)
        await note({})

    def refresh(self, service: ServiceRecord) -> None:
        """Keep what a service was at the moment when it was parked."""
        known = self.record.service(service.id)
        if known is None:
            self.record = self.record.with_service(service)
        elif known != service:
            services = tuple(
                service if record.id == service.id else record for record in self.record.services
            )
            self.record = replace(self.record, services=services)

"""Recreates an overlay with another subnet under everything that is on it, or brings all of it back.

It only ever looks, decides and acts on what it saw just before: what is parked is told by labels, what is attached by the
swarm. So it does not matter where it was interrupted; called again it finishes, forward or back.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from console.concurrency import together, until
from console.errors import VipconsoleError
from console.operations.network_recreation.clear import Clearing
from console.operations.network_recreation.create import ALLOCATED_WITHIN_S, NetworkCreator
from console.operations.network_recreation.definition import body_with_subnet
from console.operations.network_recreation.job import (
    POLL_S,
    BroughtBack,
    NetworkGone,
    RecreationDependencies,
    RecreationFailed,
    RecreationJob,
)
from console.operations.network_recreation.plan import RecreationEnvironment
from console.operations.network_recreation.record import Record, ipv4_of
from console.operations.network_recreation.restore import Restoring, Settling, rolls_back_to_parked
from console.operations.network_recreation.verify import (
    Difference,
    TaskProgress,
    differences,
    lacks_virtual_ip,
    running,
)
from console.operations.network_recreation.waits import Outage
from console.swarm.snapshots import SwarmSnapshot
from console.swarm.values import Endpoint, Network
from console.text import listed

RUNNING_POLL_S = 0.5
"""Between two snapshots while tasks start. Nothing waits for the result, and the engine is busy."""
RUNNING_WITHIN_S = 300.0
"""How long to wait for tasks once everything is brought back."""


@dataclass(frozen=True, slots=True)
class RecreationResult:
    """How a recreation ended, everything brought back."""

    network_id: str
    subnets: tuple[IPv4Network, ...]
    differences: tuple[Difference, ...]
    """What differs from before; empty where all is as before."""
    outages: tuple[Outage, ...]
    whole: tuple[float, float] | None
    """From the first parking to the last task, and the least that would take, in seconds; None where it was not seen whole."""
    newcomers: tuple[str, ...]
    rolls_back_to_parked: tuple[str, ...]
    """Services that `docker service rollback` would park again."""

    @property
    def told(self) -> tuple[str, ...]:
        """What is not as it was, each a sentence."""
        return tuple(difference.sentence for difference in self.differences)


class Recreation:
    """One recreation of a network that is recorded."""

    def __init__(
        self,
        dependencies: RecreationDependencies,
        record: Record,
        around: RecreationEnvironment,
        first: tuple[str, ...] = (),
    ) -> None:
        self._job = RecreationJob(dependencies, record, first)
        self._dependencies = dependencies
        self._around = around
        self.resets_rollback = True
        """Whether the rollback target of each service is reset at the end."""
        self.running_within_s = RUNNING_WITHIN_S

    @property
    def record(self) -> Record:
        """What everything was, with what has become known meanwhile."""
        return self._job.record

    async def forward(self) -> RecreationResult:
        """Give the network the recorded target subnet.

        Raises BroughtBack when it was given up with everything as before, RecreationFailed when not, and an `EngineError`
        when the engine cannot be looked at before anything was changed.
        """
        return await self._bring(body_with_subnet(self.record.network.body, IPv4Network(self.record.target)))

    async def back(self) -> RecreationResult:
        """Give the network back what it was, or everything back to the network if it was not removed; see `forward`."""
        return await self._bring(self.record.network.body)

    async def _bring(self, wanted: Mapping[str, Any]) -> RecreationResult:
        snapshot = await self._dependencies.snapshot()
        self._suspect(snapshot)
        network = await self._current(snapshot)
        # Where something is down already, what cannot be recorded holds nothing up.
        await self._job.put_down(is_down=network is None or bool(self._job.parked(snapshot)))
        if network is not None and network.ipv4 != ipv4_of(wanted):
            network = await self._cleared(network)
        for _ in range(2):
            try:
                if network is None:
                    network = await NetworkCreator(self._job, wanted, self._around).run()
                await Restoring(self._job, network).run()
                break
            except NetworkGone:
                self._job.gone.add(network.id if network else "")
                network = None
        if network is None:
            raise RecreationFailed(
                f"The network {self._job.name} disappeared while services were brought back to it.", _RESUME
            )
        return await self._finish(network, ipv4_of(wanted))

    def _suspect(self, snapshot: SwarmSnapshot) -> None:
        """Note which networks may be removed already: those that parked services were on, before and since."""
        for parked_service in self._job.parked(snapshot):
            self._job.gone |= {str(one.body.get("Target")) for one in parked_service.record.entries}
            self._job.gone.add(parked_service.network.id)
        self._job.note(snapshot)

    async def _current(self, snapshot: SwarmSnapshot) -> Network | None:
        """Return the network of the name: a new one, else the old one, which may be a copy that only lingers."""
        there = [network for network in snapshot.named(self._job.name) if network.scope == "swarm"]
        new = next((network for network in there if network.id not in self._job.gone), None)
        if new is None:
            return next(iter(there), None)

        async def allocated() -> Network | None:
            found = (await self._dependencies.snapshot()).named(self._job.name)
            return next((network for network in found if network.id == new.id and network.is_allocated), None)

        if new.is_allocated:
            return new
        return await until(allocated, self._dependencies.clock, ALLOCATED_WITHIN_S, POLL_S) or new

    async def _cleared(self, network: Network) -> Network | None:
        """Remove a network; where that fails, put everything back on it and say so."""
        self._job.gone.discard(network.id)
        try:
            await Clearing(self._job, network).run()
        except VipconsoleError as error:
            await self._dependencies.say(f"giving up: {error.sentence} Bringing everything back")
            try:
                await self._back_on(network, error)
            except NetworkGone:
                self._job.gone.add(network.id)
        return None

    async def _back_on(self, network: Network, why: VipconsoleError) -> None:
        """Put everything back on a network that was not removed, and raise BroughtBack; NetworkGone if it was after all."""
        try:
            await Restoring(self._job, network).run()
            snapshot = await self._running(network)
        except NetworkGone:
            raise
        except VipconsoleError as error:
            raise RecreationFailed(
                f"{why.sentence} Some services or containers are not back: {error.sentence}", _RESUME
            ) from why
        # Everything is back whether or not this works; verifying shows what a rollback would park.
        with suppress(VipconsoleError):
            await self._reset_target()
        short = self._short(snapshot, network)
        after = f" {listed(short)} are not running yet." if short else ""
        raise BroughtBack(
            f"{network.name} was not recreated: {why.sentence} Everything is on it again.{after}", why.hint
        ) from why

    async def _finish(self, network: Network, subnets: tuple[IPv4Network, ...]) -> RecreationResult:
        try:
            await self._running(network)
            await self._reset_target()
            snapshot = await self._dependencies.snapshot()
            endpoints = await self._endpoints()
        except VipconsoleError as error:
            raise RecreationFailed(
                f"Everything was brought back to {network.name}, but its state is unknown: {error.sentence}",
                _RESUME,
            ) from error
        current = next((each for each in snapshot.networks if each.id == network.id), network)
        return RecreationResult(
            network_id=network.id,
            subnets=current.ipv4,
            differences=(
                *differences(self.record, snapshot, current, endpoints, subnets),
                *(
                    Difference(f"Some changes could not be recorded: {each}")
                    for each in self._dependencies.retrying.unrecorded[:1]
                ),
            ),
            outages=self._job.times.outages(),
            whole=self._job.times.whole(),
            newcomers=tuple(self._job.newcomers),
            rolls_back_to_parked=tuple(
                sorted(service.name for service in snapshot.services if rolls_back_to_parked(service))
            ),
        )

    async def _reset_target(self) -> None:
        if self.resets_rollback:
            await Settling(self._job).run()

    async def _running(self, network: Network) -> SwarmSnapshot:
        """Return the first snapshot in which as many tasks run as before, or the last one in time."""
        end_s = self._dependencies.clock.monotonic() + self.running_within_s
        while True:
            snapshot = await self._dependencies.snapshot()
            self._job.note(snapshot)
            for record, tasks in self._tasks(snapshot, network).items():
                if tasks.is_enough and tasks.since is not None:
                    self._job.times.note_running(record, tasks.since)
            short = self._short(snapshot, network)
            if not short or self._dependencies.clock.monotonic() >= end_s:
                await self._dependencies.waits_for(())
                return snapshot
            await self._dependencies.waits_for([f"{each} (not yet running as before)" for each in short])
            await self._dependencies.clock.sleep(RUNNING_POLL_S)

    def _tasks(self, snapshot: SwarmSnapshot, network: Network) -> Mapping[str, TaskProgress]:
        return {service.id: running(service, snapshot, network) for service in self.record.services}

    def _short(self, snapshot: SwarmSnapshot, network: Network) -> tuple[str, ...]:
        """Return the names of services of which fewer tasks run than before, or which have no virtual IP yet."""
        tasks = self._tasks(snapshot, network)
        found = ((service, snapshot.service(service.id)) for service in self.record.services)
        return tuple(
            record.name
            for record, service in found
            if service is not None
            and (
                not tasks[record.id].is_enough
                or (service.is_on(network.id, network.name) and lacks_virtual_ip(service, network))
            )
        )

    async def _endpoints(self) -> Mapping[str, Endpoint]:
        reader, name = self._dependencies.reader, self._job.name
        found = await together(
            *(
                self._dependencies.retrying.asked(partial(reader.find_endpoint, container.id, name))
                for container in self.record.containers
            )
        )
        return {endpoint.container_id: endpoint for endpoint in found if endpoint is not None}


_RESUME = "Resume or undo the run. Or run its `way-back.sh`."

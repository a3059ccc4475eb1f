"""Recreates an overlay with another subnet under everything that is on it, or brings all of it back.

It only ever looks, decides and acts on what it saw just before: what is parked is told by labels, what is attached by the
swarm. So it does not matter where it was interrupted; called again it finishes, forward or back.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from console.concurrency import together, until
from console.errors import VipconsoleError
from console.operations.network_recreation.clear import Clearing
from console.operations.network_recreation.create import ALLOCATED_WITHIN_S, Creation
from console.operations.network_recreation.definition import body_with_subnet
from console.operations.network_recreation.job import (
    POLL_S,
    BroughtBack,
    Job,
    Means,
    NetworkGone,
    RecreationFailed,
)
from console.operations.network_recreation.plan import Surroundings
from console.operations.network_recreation.record import Record, ipv4_of
from console.operations.network_recreation.restore import Restoring, Settling, rolls_back_to_parked
from console.operations.network_recreation.verify import (
    Difference,
    Running,
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
class Result:
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
        return tuple(each.sentence for each in self.differences)


class Recreation:
    """One recreation of a network that is recorded."""

    def __init__(
        self, means: Means, record: Record, around: Surroundings, first: tuple[str, ...] = ()
    ) -> None:
        self._job = Job(means, record, first)
        self._means = means
        self._around = around
        self.settles_rollback = True
        """Whether the rollback target of each service is reset at the end."""
        self.running_within_s = RUNNING_WITHIN_S

    @property
    def record(self) -> Record:
        """What everything was, with what has become known meanwhile."""
        return self._job.record

    async def forward(self) -> Result:
        """Give the network the recorded target subnet.

        Raises BroughtBack when it was given up with everything as before, RecreationFailed when not, and an `EngineError`
        when the engine cannot be looked at before anything was changed.
        """
        return await self._bring(body_with_subnet(self.record.network.body, IPv4Network(self.record.target)))

    async def back(self) -> Result:
        """Give the network back what it was, or everything back to the network if it was not removed; see `forward`."""
        return await self._bring(self.record.network.body)

    async def _bring(self, wanted: Mapping[str, Any]) -> Result:
        snapshot = await self._means.snapshot()
        self._suspect(snapshot)
        network = await self._current(snapshot)
        # Where something is down already, what cannot be recorded holds nothing up.
        await self._job.put_down(is_down=network is None or bool(self._job.parked(snapshot)))
        if network is not None and network.ipv4 != ipv4_of(wanted):
            network = await self._cleared(network)
        for _ in range(2):
            try:
                if network is None:
                    network = await Creation(self._job, wanted, self._around).run()
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
        for each in self._job.parked(snapshot):
            self._job.gone |= {str(one.body.get("Target")) for one in each.record.entries}
            self._job.gone.add(each.network.id)
        self._job.note(snapshot)

    async def _current(self, snapshot: SwarmSnapshot) -> Network | None:
        """Return the network of the name: a new one, else the old one, which may be a copy that only lingers."""
        there = [each for each in snapshot.named(self._job.name) if each.scope == "swarm"]
        new = next((each for each in there if each.id not in self._job.gone), None)
        if new is None:
            return next(iter(there), None)

        async def allocated() -> Network | None:
            found = (await self._means.snapshot()).named(self._job.name)
            return next((each for each in found if each.id == new.id and each.is_allocated), None)

        if new.is_allocated:
            return new
        return await until(allocated, self._means.clock, ALLOCATED_WITHIN_S, POLL_S) or new

    async def _cleared(self, network: Network) -> Network | None:
        """Remove a network; where that fails, put everything back on it and say so."""
        self._job.gone.discard(network.id)
        try:
            await Clearing(self._job, network).run()
        except VipconsoleError as error:
            await self._means.say(f"giving up: {error.sentence} Bringing everything back")
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
            await self._settle()
        short = self._short(snapshot, network)
        after = f" {listed(short)} are not running yet." if short else ""
        raise BroughtBack(
            f"{network.name} was not recreated: {why.sentence} Everything is on it again.{after}", why.hint
        ) from why

    async def _finish(self, network: Network, subnets: tuple[IPv4Network, ...]) -> Result:
        try:
            await self._running(network)
            await self._settle()
            snapshot = await self._means.snapshot()
            endpoints = await self._endpoints()
        except VipconsoleError as error:
            raise RecreationFailed(
                f"Everything was brought back to {network.name}, but its state is unknown: {error.sentence}",
                _RESUME,
            ) from error
        current = next((each for each in snapshot.networks if each.id == network.id), network)
        return Result(
            network_id=network.id,
            subnets=current.ipv4,
            differences=(
                *differences(self.record, snapshot, current, endpoints, subnets),
                *(
                    Difference(f"Some changes could not be recorded: {each}")
                    for each in self._means.steady.unrecorded[:1]
                ),
            ),
            outages=self._job.times.outages(),
            whole=self._job.times.whole(),
            newcomers=tuple(self._job.newcomers),
            rolls_back_to_parked=tuple(
                sorted(each.name for each in snapshot.services if rolls_back_to_parked(each))
            ),
        )

    async def _settle(self) -> None:
        if self.settles_rollback:
            await Settling(self._job).run()

    async def _running(self, network: Network) -> SwarmSnapshot:
        """Return the first snapshot in which as many tasks run as before, or the last one in time."""
        end_s = self._means.clock.monotonic() + self.running_within_s
        while True:
            snapshot = await self._means.snapshot()
            self._job.note(snapshot)
            for record, tasks in self._tasks(snapshot, network).items():
                if tasks.is_enough and tasks.since is not None:
                    self._job.times.note_running(record, tasks.since)
            short = self._short(snapshot, network)
            if not short or self._means.clock.monotonic() >= end_s:
                await self._means.waits_for(())
                return snapshot
            await self._means.waits_for([f"{each} (not yet running as before)" for each in short])
            await self._means.clock.sleep(RUNNING_POLL_S)

    def _tasks(self, snapshot: SwarmSnapshot, network: Network) -> Mapping[str, Running]:
        return {each.id: running(each, snapshot, network) for each in self.record.services}

    def _short(self, snapshot: SwarmSnapshot, network: Network) -> tuple[str, ...]:
        """Return the names of services of which fewer tasks run than before, or which have no virtual IP yet."""
        tasks = self._tasks(snapshot, network)
        found = ((each, snapshot.service(each.id)) for each in self.record.services)
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
        reader, name = self._means.reader, self._job.name
        found = await together(
            *(
                self._means.steady.asked(lambda each=each: reader.find_endpoint(each.id, name))  # type: ignore[misc]
                for each in self.record.containers
            )
        )
        return {each.container_id: each for each in found if each is not None}


_RESUME = "Resume or undo the run. Or run its `way-back.sh`."

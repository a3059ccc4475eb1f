"""Recreates an overlay with another subnet under everything that is on it, or brings all of it back.

It only ever takes a snapshot, decides and acts on it: labels show what is parked, the swarm shows what is attached by the
swarm. So it does not matter where it was interrupted; called again it finishes, forward or back.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from console.concurrency import together, until
from console.errors import VipconsoleError
from console.frozen import frozen
from console.operations.network_recreation.clear import NetworkRemoval
from console.operations.network_recreation.create import ALLOCATED_WITHIN_S, NetworkCreator, body_with_subnet
from console.operations.network_recreation.job import (
    POLL_S,
    RETURN,
    SETTLE,
    NetworkMissing,
    Outage,
    RecreationDependencies,
    RecreationError,
    RecreationJob,
    RecreationRollback,
)
from console.operations.network_recreation.plan import RecreationEnvironment
from console.operations.network_recreation.record import Record, ipv4_of
from console.operations.network_recreation.restore import Restorer, RollbackReset, rolls_back_to_parked
from console.operations.network_recreation.verify import (
    Difference,
    TaskProgress,
    differences,
    lacks_virtual_ip,
    task_progress,
)
from console.swarm.model import Endpoint, Network
from console.swarm.snapshots import WholeSwarm
from console.text import listed

RUNNING_POLL_S = 0.5
"""Between two snapshots while tasks start. Nothing waits for the result, and the engine is busy."""
RUNNING_WITHIN_S = 300.0
"""How long to wait for tasks once everything is brought back."""
UNRECORDED = "Some changes could not be recorded"
"""How the sentence begins that says so: no later snapshot can show it."""
_RESUME = "Resume or undo the run. Or run its `way-back.sh`."


@frozen
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
    services: int
    """How many recorded services had tasks."""
    services_running: int
    """How many of these run as before."""
    down_since: Mapping[str, datetime]
    """By name, those that do not, and were not seen running as before since they were parked."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is not as it was, each a sentence."""
        return tuple(difference.sentence for difference in self.differences)


class Recreation:
    """One recreation of a network that is recorded."""

    def __init__(
        self,
        dependencies: RecreationDependencies,
        record: Record,
        environment: RecreationEnvironment,
        first: tuple[str, ...] = (),
    ) -> None:
        self._job = RecreationJob(dependencies, record, first)
        self._dependencies = dependencies
        self._environment = environment
        self.resets_rollback = True
        """Whether the rollback target of each service is reset at the end."""
        self.running_within_s = RUNNING_WITHIN_S

    @property
    def record(self) -> Record:
        """What everything was, with what has become known meanwhile."""
        return self._job.record

    async def forward(self) -> RecreationResult:
        """Give the network the recorded target subnet.

        Raises RecreationRollback when it was given up with everything as before, RecreationError when not, and an `EngineError`
        when no snapshot can be taken before anything was changed.
        """
        return await self._bring(body_with_subnet(self.record.network.body, IPv4Network(self.record.target)))

    async def back(self) -> RecreationResult:
        """Give the network back what it was, or everything back to the network if it was not removed; see `forward`."""
        return await self._bring(self.record.network.body)

    async def _bring(self, body: Mapping[str, Any]) -> RecreationResult:
        snapshot = await self._dependencies.snapshot()
        await self._suspect(snapshot)
        network = await self._current(snapshot)
        # Where something is down already, what cannot be recorded holds nothing up.
        await self._job.store_record(is_down=network is None or bool(self._job.parked_services(snapshot)))
        if network is not None and network.ipv4 != ipv4_of(body):
            network = await self._clear(network)
        for _ in range(2):
            try:
                if network is None:
                    network = await NetworkCreator(self._job, body, self._environment).run()
                await Restorer(self._job, network).run()
                break
            except NetworkMissing:
                self._job.old_network_ids.add(network.id if network else "")
                network = None
        if network is None:
            raise RecreationError(
                f"The network {self._job.name} disappeared while services were brought back to it.", _RESUME
            )
        return await self._finish(network, ipv4_of(body))

    async def _suspect(self, snapshot: WholeSwarm) -> None:
        """Note which networks may be removed already: those that parked services were on, before and since."""
        for parked_service in self._job.parked_services(snapshot):
            self._job.old_network_ids |= {
                str(entry.body.get("Target")) for entry in parked_service.record.entries
            }
            self._job.old_network_ids.add(parked_service.network.id)
        await self._job.note(snapshot)

    async def _current(self, snapshot: WholeSwarm) -> Network | None:
        """Return the network of the name: a new one, else the old one, which may be a copy that only lingers."""
        networks = [
            network for network in snapshot.networks_with_name(self._job.name) if network.scope == "swarm"
        ]
        new = next((network for network in networks if network.id not in self._job.old_network_ids), None)
        if new is None:
            return next(iter(networks), None)

        async def find_allocated() -> Network | None:
            networks_now = (await self._dependencies.snapshot()).networks_with_name(self._job.name)
            return next(
                (network for network in networks_now if network.id == new.id and network.is_allocated), None
            )

        if new.is_allocated:
            return new
        return await until(find_allocated, self._dependencies.clock, ALLOCATED_WITHIN_S, POLL_S) or new

    async def _clear(self, network: Network) -> Network | None:
        """Remove a network; where that fails, put everything back on it and say so."""
        self._job.old_network_ids.discard(network.id)
        try:
            await NetworkRemoval(self._job, network).run()
        except VipconsoleError as error:
            await self._dependencies.say(f"giving up: {error.sentence} Bringing everything back")
            await self._job.outage.begin(RETURN, f"giving up: {error.sentence}")
            try:
                await self._put_back_on(network, error)
            except NetworkMissing:
                self._job.old_network_ids.add(network.id)
        return None

    async def _put_back_on(self, network: Network, why: VipconsoleError) -> None:
        """Put everything back on a network that was not removed, and raise RecreationRollback; NetworkMissing if it was after all."""
        try:
            await Restorer(self._job, network).run()
            snapshot = await self._wait_until_running(network)
        except NetworkMissing:
            raise
        except VipconsoleError as error:
            raise RecreationError(
                f"{why.sentence} Some services or containers are not back: {error.sentence}", _RESUME
            ) from why
        # Everything is back whether or not this works; verifying shows what a rollback would park.
        with suppress(VipconsoleError):
            await self._reset_target()
        short = self._services_short(snapshot, network)
        after = f" {listed(short)} are not running yet." if short else ""
        raise RecreationRollback(
            f"{network.name} was not recreated: {why.sentence} Everything is on it again.{after}", why.hint
        ) from why

    async def _finish(self, network: Network, subnets: tuple[IPv4Network, ...]) -> RecreationResult:
        try:
            await self._wait_until_running(network)
            await self._reset_target()
            snapshot = await self._dependencies.snapshot()
            endpoints = await self._endpoints()
        except VipconsoleError as error:
            raise RecreationError(
                f"Everything was brought back to {network.name}, but its state is unknown: {error.sentence}",
                _RESUME,
            ) from error
        current = next((candidate for candidate in snapshot.networks if candidate.id == network.id), network)
        # One that came up since the wait ended was seen in time.
        self._note_running(snapshot, current)
        short = self._services_short(snapshot, current)
        names = {service.id: service.name for service in self.record.services if service.target_tasks}
        return RecreationResult(
            network_id=network.id,
            subnets=current.ipv4,
            differences=(
                *differences(self.record, snapshot, current, endpoints, subnets),
                *(
                    Difference(f"{UNRECORDED}: {failure}")
                    for failure in self._dependencies.retrying.record_failures[:1]
                ),
            ),
            outages=self._job.times.outages(),
            whole=self._job.times.whole(),
            newcomers=tuple(self._job.newcomers),
            rolls_back_to_parked=tuple(
                sorted(service.name for service in snapshot.services if rolls_back_to_parked(service))
            ),
            services=len(names),
            services_running=sum(name not in short for name in names.values()),
            down_since={
                names[service_id]: since
                for service_id, since in self._job.times.down_since().items()
                if service_id in names
            },
        )

    async def _reset_target(self) -> None:
        if self.resets_rollback:
            await RollbackReset(self._job).run()

    async def _wait_until_running(self, network: Network) -> WholeSwarm:
        """Return the first snapshot in which as many tasks run as before, or the last one in time."""
        end_s = self._dependencies.clock.monotonic() + self.running_within_s
        await self._job.outage.begin(SETTLE)
        while True:
            snapshot = await self._dependencies.snapshot()
            await self._job.note(snapshot)
            self._note_running(snapshot, network)
            short = self._services_short(snapshot, network)
            if not short or self._dependencies.clock.monotonic() >= end_s:
                await self._dependencies.waits_for(())
                return snapshot
            await self._dependencies.waits_for([f"{name} (not yet running as before)" for name in short])
            await self._dependencies.clock.sleep(RUNNING_POLL_S)

    def _note_running(self, snapshot: WholeSwarm, network: Network) -> None:
        for record, tasks in self._tasks(snapshot, network).items():
            if tasks.is_enough and tasks.since is not None:
                self._job.times.note_running(record, tasks.since)

    def _tasks(self, snapshot: WholeSwarm, network: Network) -> Mapping[str, TaskProgress]:
        return {service.id: task_progress(service, snapshot, network) for service in self.record.services}

    def _services_short(self, snapshot: WholeSwarm, network: Network) -> tuple[str, ...]:
        """Return the names of services of which fewer tasks run than before, or which have no virtual IP yet."""
        tasks = self._tasks(snapshot, network)
        services = ((service, snapshot.service(service.id)) for service in self.record.services)
        return tuple(
            record.name
            for record, service in services
            if service is not None
            and (
                not tasks[record.id].is_enough
                or (service.is_on(network.id, network.name) and lacks_virtual_ip(service, network))
            )
        )

    async def _endpoints(self) -> Mapping[str, Endpoint]:
        reader, name = self._dependencies.reader, self._job.name
        endpoints = await together(
            *(
                self._dependencies.retrying.ask(partial(reader.find_endpoint, container.id, name))
                for container in self.record.containers
            )
        )
        return {endpoint.container_id: endpoint for endpoint in endpoints if endpoint is not None}

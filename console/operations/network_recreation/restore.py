"""Puts everything back: services unparked, containers attached again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from console.concurrency import until
from console.errors import EngineRefused, VipconsoleError
from console.operations.changes import NOT_ANSWERED, Change
from console.operations.network_recreation.job import (
    POLL_S,
    RETURN,
    NetworkMissing,
    RecreationError,
    RecreationJob,
)
from console.operations.network_recreation.order import in_order, pause_after_s
from console.operations.network_recreation.parking import is_parked, restore
from console.operations.network_recreation.plan import container_record
from console.operations.network_recreation.record import ContainerRecord, ParkedService
from console.swarm.model import Network, Service
from console.swarm.parse import PARKED_LABEL
from console.text import listed, plural

# Always by the network's name: one that is stopped knows a removed network by nothing else, and would keep the ID of a
# new one as its name (both seen on 20.10).

MANUAL_ADDRESSES_WITHIN_S = 5.0
"""How long services wait until containers have the addresses that were set by hand."""
LOOK_EVERY_S = 2.0
"""The least time between two snapshots while services are brought back: the engine is busy."""
LOOK_WITHIN_S = 1.0
BACK_WITHIN_S = 300.0
"""How long bringing back is retried before the failures are reported."""


async def remember(job: RecreationJob, network: Network, container_id: str) -> None:
    """Put a container that came to a network into the record."""
    if any(container.id == container_id for container in job.record.containers):
        return
    endpoint = await job.dependencies.retrying.ask(
        lambda: job.dependencies.reader.find_endpoint(container_id, network.name)
    )
    if endpoint is not None:
        job.record = job.record.with_container(container_record(endpoint, {}))


async def disconnect(job: RecreationJob, network: Network, container: ContainerRecord) -> None:
    """Take a container off a network."""
    dependencies = job.dependencies

    async def is_made() -> bool:
        endpoint = await dependencies.reader.find_endpoint(container.id, network.name)
        return endpoint is None or endpoint.network_id not in (network.id, "")

    async def act() -> None:
        await dependencies.changer.disconnect(network.name, container.id)

    state = {"name": container.name, "address": container.address, "config": dict(container.config)}
    await dependencies.retrying.make(Change("container", container.id, "disconnect", state, act, is_made))


async def connect(job: RecreationJob, network: Network, container: ContainerRecord) -> None:
    """Attach a container again, with its address where it fits, else with another one. One that is gone stays gone."""
    dependencies = job.dependencies
    asks_address = container.is_given is not False and container.fits(*network.ipv4)

    async def is_made() -> bool:
        snapshot = await dependencies.reader.snapshot()
        current = next((other for other in snapshot.containers if other.id == container.id), None)
        return current is None or current.networks.get(network.name) in (
            network.id,
            *([] if current.is_running else [""]),
        )

    async def act() -> None:
        # One that was stopped before may still know the removed network.
        stale = await dependencies.reader.find_endpoint(container.id, network.name)
        if stale is not None:
            await dependencies.changer.disconnect(network.name, container.id)
        config = dict(container.config)
        if not asks_address:
            await dependencies.changer.connect(network.name, container.id, config)
            return
        ipam = {**config.get("IPAMConfig", {}), "IPv4Address": container.address}
        try:
            await dependencies.changer.connect(network.name, container.id, {**config, "IPAMConfig": ipam})
        except EngineRefused:
            await dependencies.say(f"{container.name} cannot get {container.address} again")
            await dependencies.changer.connect(network.name, container.id, config)

    state = {"name": container.name, "address": container.address, "config": dict(container.config)}
    await dependencies.retrying.make(
        Change("container", container.id, "connect", state, act, is_made, is_way_back=True)
    )


class Restorer:
    """Brings everything back on one network."""

    def __init__(self, job: RecreationJob, network: Network) -> None:
        self._job = job
        self._dependencies = job.dependencies
        self._network = network
        self._turn = asyncio.Lock()
        self._failures: dict[str, str] = {}
        """By name, the engine's last error."""
        self._looked_s = -LOOK_EVERY_S

    async def run(self) -> None:
        """Bring back services in their order, and containers; those with an address of their own before anybody takes it.

        Raises NetworkMissing when the network is not there after all, and RecreationError with the names of what could
        not be brought back in time.
        """
        await self._job.outage.begin(RETURN)
        containers = self._job.record.containers
        with_manual_address = [
            container
            for container in containers
            if container.is_given and container.fits(*self._network.ipv4)
        ]
        others = [container for container in containers if container not in with_manual_address]
        is_back = partial(self._bring_back, with_manual_address, others)
        if not await until(is_back, self._dependencies.clock, BACK_WITHIN_S, POLL_S):
            names = listed(sorted(self._failures), 8)
            raise RecreationError(
                f"{names} could not be brought back: {next(iter(self._failures.values()))}",
                "Resume the run to try again. Or run its `way-back.sh`.",
            )

    async def _bring_back(
        self, with_manual_address: list[ContainerRecord], others: list[ContainerRecord]
    ) -> bool:
        """Bring back what is still missing; return whether nothing failed."""
        self._failures.clear()
        await replace(self._dependencies.retrying, max_wait_s=MANUAL_ADDRESSES_WITHIN_S).act_on_all(
            with_manual_address, self._connect
        )
        snapshot = await self._dependencies.snapshot()
        await self._job.note(snapshot)
        parked_services = self._job.parked_services(snapshot)
        if parked_services:
            await self._dependencies.say(f"bringing back {plural(len(parked_services), 'service')}")
        by_id = {parked_service.record.id: parked_service for parked_service in parked_services}
        order = [
            by_id[record.id]
            for record in in_order(
                [parked_service.record for parked_service in parked_services], self._job.first
            )
        ]
        jobs = [
            partial(self._start, parked_service, max(1, len(snapshot.nodes))) for parked_service in order[:-1]
        ]
        # Containers wait for nobody's turn. The last label goes last: until then it tells of them.
        await self._all([*jobs[:1], *(partial(self._connect, other) for other in others), *jobs[1:]])
        await self._all([partial(self._restore, parked_service) for parked_service in order[-1:]])
        return not self._failures

    async def _all(self, jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
        await self._dependencies.retrying.act_on_all(jobs, lambda job: job())

    async def _start(self, parked_service: ParkedService, nodes: int) -> None:
        """Bring back a service, and let its tasks get ahead of those of the next."""
        pause_s = pause_after_s(parked_service.record, nodes, self._dependencies.interval_s)
        async with self._turn:
            began_s = self._dependencies.clock.monotonic()
            await self._restore(parked_service)
            if pause_s:
                await self._look()
                took_s = self._dependencies.clock.monotonic() - began_s
                await self._dependencies.clock.sleep(max(0.0, pause_s - took_s))

    async def _look(self) -> None:
        """Take a snapshot in the pause, so that it is reported who is up again already; but not often."""
        now_s = self._dependencies.clock.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        # What is not seen now is seen once all are brought back; the pause is no time to wait for an answer.
        with suppress(*NOT_ANSWERED, TimeoutError):
            async with asyncio.timeout(LOOK_WITHIN_S):
                snapshot = await self._dependencies.reader.snapshot()
            await self._job.note(snapshot)

    async def _restore(self, parked_service: ParkedService) -> None:
        dependencies, service_id, network_id = self._dependencies, parked_service.service.id, self._network.id
        old_networks = {parked_service.network.id, self._job.name, *self._job.old_network_ids} - {network_id}

        def change(spec: dict[str, Any]) -> None:
            # A deploy in between has brought it back in its own way.
            if is_parked(spec):
                restore(spec, parked_service.record, network_id, old_networks)

        async def is_made() -> bool:
            now = await dependencies.reader.find_service(service_id)
            return now is None or not is_parked(dict(now.spec))

        async def act() -> None:
            await dependencies.changer.update_service(service_id, change)

        state = {"name": parked_service.service.name, "label": parked_service.service.label(PARKED_LABEL)}
        try:
            await dependencies.retrying.make(
                Change("service", service_id, "restore", state, act, is_made, is_way_back=True)
            )
        except EngineRefused as error:
            if f"network {network_id} not found" in error.sentence:
                raise NetworkMissing(error.sentence) from error
            self._failures[parked_service.service.name] = error.sentence
        except VipconsoleError as error:
            self._failures[parked_service.service.name] = error.sentence

    async def _connect(self, container: ContainerRecord) -> None:
        try:
            await connect(self._job, self._network, container)
        except VipconsoleError as error:
            self._failures[container.name] = error.sentence


class RollbackReset:
    """Makes what a rollback would bring harmless: the previous specification of a restored service is the parked one.

    An update that changes nothing puts the present specification in its place. No task is replaced for it.
    """

    def __init__(self, job: RecreationJob) -> None:
        self._dependencies = job.dependencies

    async def run(self) -> None:
        """Reset the rollback target of every service that a rollback would park. Verifying shows those that failed."""
        snapshot = await self._dependencies.snapshot()
        services = [service for service in snapshot.services if rolls_back_to_parked(service)]
        if services:
            await self._dependencies.say(
                f"resetting the rollback target of {plural(len(services), 'service')}"
            )

        async def reset_target(service: Service) -> None:
            with suppress(VipconsoleError):
                await self._reset_target(service)

        await self._dependencies.retrying.act_on_all(services, reset_target)

    async def _reset_target(self, service: Service) -> None:
        dependencies = self._dependencies

        async def is_made() -> bool:
            now = await dependencies.reader.find_service(service.id)
            return now is None or not rolls_back_to_parked(now)

        async def act() -> None:
            await dependencies.changer.update_service(service.id, lambda _: None)

        state = {"name": service.name}
        await dependencies.retrying.make(
            Change("service", service.id, "reset", state, act, is_made, is_way_back=True)
        )


def rolls_back_to_parked(service: Service) -> bool:
    """Whether a rollback would park a service that is not parked now."""
    return is_parked(dict(service.previous_spec)) and not is_parked(dict(service.spec))

"""Parks what is on a network, and removes the network once no task on it lives.

Up to the removal everything can be brought back as it was; the caller does so after any failure.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from console.errors import Declined, EngineRefused
from console.operations.changes import NOT_ANSWERED, RETRY_S, TRIES, Change
from console.operations.network_recreation.job import (
    PARK,
    POLL_S,
    REMOVE,
    STOP,
    RecreationError,
    RecreationJob,
)
from console.operations.network_recreation.order import Stop, ends_after_s, stop_schedule
from console.operations.network_recreation.parking import (
    Remaining,
    attached_elsewhere,
    attached_here,
    containers_of_tasks,
    detach,
    in_use_on,
    is_parked,
    is_still_parked,
    migrate,
    must_migrate,
    park,
    services_on,
)
from console.operations.network_recreation.plan import GRACE_MARGIN_S
from console.operations.network_recreation.record import (
    ServiceRecord,
    parked_label,
    read_parked_label,
    service_record,
    with_specification,
)
from console.operations.network_recreation.restore import disconnect, remember
from console.swarm.model import Network, Service
from console.swarm.snapshots import WholeSwarm
from console.text import listed, plural

NEWCOMERS_ALLOWED = 1
"""A service that joins the network while it is emptied is parked too. After a second round the recreation
gives up."""
IN_USE = 400
"""The HTTP status with which the engine refuses to remove a network in use."""


async def park_service(job: RecreationJob, network: Network, snapshot: WholeSwarm, service: Service) -> None:
    """Park a service that a snapshot shows on a network. What it is at the very moment of the update is what it gets back."""
    dependencies, names = job.dependencies, (network.id, network.name)
    earlier = read_parked_label(service)
    recorded = earlier.record if earlier is not None else job.record.service(service.id)
    record = recorded or service_record(service, network, snapshot)

    def change(spec: dict[str, Any]) -> None:
        nonlocal record
        # For a parked service that was scaled up again by hand, only its label says what it was.
        if not is_parked(spec):
            record = with_specification(record, spec, names)
        job.refresh(record)
        park(spec, record, parked_label(job.record, record, snapshot.now))

    async def act() -> None:
        if must_migrate(dict(service.spec)):
            await dependencies.changer.update_service(service.id, migrate)
        await dependencies.changer.update_service(service.id, change)
        job.parked_ids.add(service.id)
        job.detached_ids.discard(service.id)

    async def is_made() -> bool:
        now = await dependencies.reader.find_service(service.id)
        return now is None or is_still_parked(dict(now.spec))

    state = {"name": service.name, "spec": dict(service.spec)}
    await dependencies.retrying.make(Change("service", service.id, "park", state, act, is_made))


async def detach_service(job: RecreationJob, network: Network, service: Service) -> None:
    """Take a service without tasks off a network."""
    dependencies, names = job.dependencies, (network.id, network.name)

    async def act() -> None:
        await dependencies.changer.update_service(service.id, lambda spec: detach(spec, names))

    async def is_made() -> bool:
        now = await dependencies.reader.find_service(service.id)
        return now is None or not now.is_on(*names)

    state = {"name": service.name, "networks": [entry["Target"] for entry in _networks(service)]}
    await dependencies.retrying.make(Change("service", service.id, "detach", state, act, is_made))


def _networks(service: Service) -> list[dict[str, Any]]:
    return list((service.spec.get("TaskTemplate") or {}).get("Networks") or ())


class NetworkRemoval:
    """Empties one network and removes it."""

    def __init__(self, job: RecreationJob, network: Network) -> None:
        self._job = job
        self._dependencies = job.dependencies
        self._network = network
        self._began_s = 0.0
        self._end_s = 0.0
        self._pending: list[Stop] = []
        """Services that are not stopped yet."""

    async def run(self) -> None:
        """Park, wait, disconnect, remove. Raises a VipconsoleError where any of it cannot be done."""
        snapshot = await self._snapshot()
        for container in attached_here(snapshot, self._network):
            await remember(self._job, self._network, container.id)
        self._pending = [*stop_schedule(self._records(snapshot), self._job.first)]
        self._began_s = self._dependencies.clock.monotonic()
        self._limit(ends_after_s(self._pending))
        if self._pending:
            await self._job.outage.begin(PARK)
            await self._dependencies.say(f"parking {plural(len(self._pending), 'service')}")
        while True:
            snapshot = await self._drain()
            # A fresh snapshot tells whether they are off; there is nothing to wait for.
            has_detached = await self._detach_rest(snapshot)
            if not has_detached and await self._remove():
                return
            if self._dependencies.clock.monotonic() >= self._end_s:
                raise RecreationError(
                    f"{self._network.name} is in use again each time after it was empty.",
                    "`docker network inspect` shows who uses it.",
                )
            if not has_detached:
                await self._dependencies.clock.sleep(POLL_S)

    def _records(self, snapshot: WholeSwarm) -> list[ServiceRecord]:
        return [
            self._job.record.service(service.id) or service_record(service, self._network, snapshot)
            for service in in_use_on(snapshot, self._network)
        ]

    async def _snapshot(self) -> WholeSwarm:
        snapshot = await self._dependencies.snapshot()
        await self._job.note(snapshot)
        self._job.containers |= containers_of_tasks(snapshot, self._network)
        return snapshot

    def _limit(self, stops_within_s: float = 0.0) -> None:
        grace_s = max((service.grace_s for service in self._job.record.services), default=0.0)
        self._end_s = self._dependencies.clock.monotonic() + stops_within_s + grace_s + GRACE_MARGIN_S

    async def _park(self, snapshot: WholeSwarm, services: Iterable[Service]) -> None:
        await self._dependencies.retrying.act_on_all(
            services, lambda service: park_service(self._job, self._network, snapshot, service)
        )

    async def _park_due(self, snapshot: WholeSwarm, live_ids: frozenset[str]) -> bool:
        """Park the services whose time has come; return whether there were any."""
        pending_ids = {stop.service.id for stop in self._pending}
        elapsed_s = self._dependencies.clock.monotonic() - self._began_s
        # Where nothing is still stopping, those that run on would only hold the others up.
        has_ended = bool(self._job.parked_services(snapshot)) and not live_ids - pending_ids
        due = [stop for stop in self._pending if has_ended or stop.after_s <= elapsed_s]
        if not due:
            return False
        self._pending = [stop for stop in self._pending if stop not in due]
        services = {service.id: service for service in in_use_on(snapshot, self._network)}
        # The proxies follow once all others have been asked to stop.
        for is_proxy in (False, True):
            await self._park(
                snapshot,
                [
                    services[stop.service.id]
                    for stop in due
                    if stop.is_proxy is is_proxy and stop.service.id in services
                ],
            )
        return True

    async def _detach_ended(self, snapshot: WholeSwarm, live_ids: frozenset[str]) -> None:
        """Take parked services off the network whose last task has ended, while others are still stopping."""
        ended = [
            parked_service.service
            for parked_service in self._job.parked_services(snapshot)
            if parked_service.service.id not in live_ids
            and parked_service.service.is_on(self._network.id, self._network.name)
            and is_still_parked(dict(parked_service.service.spec))
        ]
        await self._dependencies.retrying.act_on_all(ended, self._detach)

    async def _detach(self, service: Service) -> None:
        # When it was updated says nothing about its tasks from now on: they have ended.
        self._job.detached_ids.add(service.id)
        await detach_service(self._job, self._network, service)

    async def _drain(self) -> WholeSwarm:
        """Return the first snapshot in which nothing of a service is on the network any more."""
        while True:
            if not self._pending:
                await self._job.outage.begin(STOP)
            snapshot = await self._snapshot()
            if await self._park_newcomers(snapshot):
                continue
            job = self._job
            for parked_service in job.parked_services(snapshot):
                # The first snapshot after the update by this process tells when that was.
                if parked_service.service.id in job.parked_ids:
                    job.parked_at.setdefault(parked_service.service.id, parked_service.service.updated)
            unknown = [
                parked_service
                for parked_service in job.parked_services(snapshot)
                if parked_service.service.id not in job.detached_ids
            ]
            remaining = Remaining(snapshot, self._network, job.containers, unknown, job.parked_at)
            if await self._park_due(snapshot, remaining.service_ids):
                continue
            pending_ids = {stop.service.id for stop in self._pending}
            waits = remaining.names(pending_ids)
            if not waits and not pending_ids:
                await self._dependencies.waits_for(())
                return snapshot
            if self._dependencies.clock.monotonic() >= self._end_s:
                raise RecreationError(
                    f"Timed out: {listed(waits)} still {'runs' if len(waits) == 1 else 'run'}.",
                    "Run `docker ps` on the node to see why.",
                )
            await self._dependencies.waits_for(waits)
            await self._detach_ended(snapshot, remaining.service_ids)
            await self._dependencies.clock.sleep(POLL_S)

    async def _park_newcomers(self, snapshot: WholeSwarm) -> bool:
        """Park services that joined the network after all were parked; return whether there were any."""
        elsewhere = attached_elsewhere(snapshot, self._network)
        if elsewhere:
            raise Declined(
                f"The container {elsewhere[0]} was attached to {self._network.name} by hand on another node.",
                "Disconnect it there, then try again.",
            )
        recorded_ids = {container.id for container in self._job.record.containers}
        pending_ids = {stop.service.id for stop in self._pending}
        services = [
            service for service in in_use_on(snapshot, self._network) if service.id not in pending_ids
        ]
        containers = [
            container
            for container in attached_here(snapshot, self._network)
            if container.id not in recorded_ids
        ]
        names = [*(service.name for service in services), *(container.name for container in containers)]
        if not names:
            return False
        self._job.newcomers += names
        if len(self._job.newcomers) > NEWCOMERS_ALLOWED:
            raise Declined(
                f"More services keep joining {self._network.name}: {listed(self._job.newcomers)}.",
                "Stop what deploys them, wait until it is quiet, then try again.",
            )
        await self._dependencies.say(f"{names[0]} just joined the network and is taken off it too")
        for container in containers:
            await remember(self._job, self._network, container.id)
        for service in services:
            if read_parked_label(service) is None:
                self._job.refresh(service_record(service, self._network, snapshot))
        await self._job.store_record(is_down=True)
        await self._park(snapshot, services)
        self._limit(ends_after_s(self._pending))
        return True

    async def _detach_rest(self, snapshot: WholeSwarm) -> bool:
        """Take off the network whatever a snapshot still shows on it; return whether there was anything."""
        services, containers = services_on(snapshot, self._network), attached_here(snapshot, self._network)
        if not services and not containers:
            return False
        ids = {container.id for container in containers}
        await self._dependencies.retrying.act_on_all(
            [
                *(partial(self._detach, service) for service in services),
                *(
                    partial(disconnect, self._job, self._network, container)
                    for container in self._job.record.containers
                    if container.id in ids
                ),
            ],
            lambda job: job(),
        )
        return True

    async def _remove(self) -> bool:
        """Remove the network, which a snapshot showed empty; False where somebody was faster and uses it again."""
        network = self._network
        await self._job.outage.begin(REMOVE)
        await self._dependencies.say(f"removing the network {network.name}")
        note = await self._dependencies.retrying.begin(
            Change("network", network.id, "remove", {"body": dict(network.body)})
        )
        refusal = await self._request_removal()
        await note({"not_made": refusal.sentence} if refusal else {})
        if refusal is None:
            self._job.old_network_ids.add(network.id)
            return True
        if refusal.status != IN_USE:
            raise refusal
        await self._dependencies.say(f"{network.name} could not be removed yet: {refusal.sentence}")
        return False

    async def _request_removal(self) -> EngineRefused | None:
        """Remove the network, and return what it was refused with; raise where it is not known whether it was removed.

        That it is gone is no refusal: so where an answer was lost it is simply asked again.
        """
        clock, began_s, refusals = self._dependencies.clock, self._dependencies.clock.monotonic(), 0
        while True:
            try:
                await self._dependencies.changer.remove_network(self._network.id)
            except EngineRefused as error:
                refusals += 1
                if error.status == IN_USE or refusals >= TRIES:
                    return error
            except NOT_ANSWERED:
                self._job.old_network_ids.add(self._network.id)
                if clock.monotonic() - began_s >= self._dependencies.retrying.max_wait_s:
                    raise
            else:
                return None
            await clock.sleep(RETRY_S)

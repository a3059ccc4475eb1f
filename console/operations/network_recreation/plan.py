"""The plan of a recreation: what is on the network, what happens to each of it, and how long that takes."""

import asyncio
from collections.abc import Mapping
from dataclasses import field, replace
from ipaddress import IPv4Network
from pathlib import Path

from console.durations import duration
from console.errors import HostError, Result, unknown_from
from console.frozen import frozen
from console.host.activity import Route
from console.host.identity import read_routes, static_addresses, why_engine_is_foreign
from console.operations.network_recreation.order import (
    Stop,
    ends_after_s,
    in_order,
    pause_after_s,
    stop_schedule,
    task_count,
)
from console.operations.network_recreation.record import (
    ContainerRecord,
    NetworkRecord,
    ParkedService,
    Record,
    ServiceRecord,
    read_parked_services,
    record_from_labels,
    service_record,
)
from console.swarm.model import Endpoint, Network
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import WholeSwarm
from console.text import plural

GRACE_MARGIN_S = 60.0
"""Beyond the longest stop grace: on a loaded host the engine takes seconds to let go of each network."""
STOP_S, START_S = 3.0, 4.0
"""What stopping takes besides the grace, and what starting takes, with an image that is there (measured on 20.10)."""
ROUTES_WITHIN_S = 5.0


@frozen
class RecreationRequest:
    """What is asked for."""

    network: str
    subnet: IPv4Network
    first: tuple[str, ...] = ()
    """Names of services (globs) that are stopped last and come back first, in this order: the reverse proxy, besides those
    that publish a port."""
    may_change_address: tuple[str, ...] = ()
    """Names of containers (globs) that may get another address, even if theirs was set by hand."""


@frozen
class RecreationEnvironment:
    """What is known besides the swarm."""

    routes: Result[tuple[Route, ...]]
    pools: tuple[IPv4Network, ...] = ()
    """Swarm's default pools, from which it takes subnets."""
    manual_addresses: Mapping[str, bool] = field(default_factory=dict)
    """By container ID, whether its address was set by hand; absent where that is unknown."""


@frozen
class RecreationOwner:
    """Which run of which machine recreates a network."""

    machine: str
    run: str


@frozen
class RecreationInputs:
    """What a plan is made of."""

    snapshot: WholeSwarm
    endpoints: tuple[Endpoint, ...]
    """How the containers of this node are attached that were attached by hand."""
    environment: RecreationEnvironment
    stored_record: Record | None = None
    """What an earlier attempt of the same run stored, if anything."""


@frozen
class RecreationPlan:
    """What will be done."""

    request: RecreationRequest
    record: Record | None
    """Everything as it was; None where the network does not exist and no record of it is known."""
    current: Network | None
    """The network of this name now."""
    refusals: tuple[str, ...]
    """Why it must not be done, each a sentence."""
    notes: tuple[str, ...]
    """Notes, each a sentence."""
    is_resumed: bool = False
    """Whether an earlier attempt has begun it."""
    not_checked: tuple[tuple[str, str], ...] = ()
    """What was not checked, in a few words, and why, a sentence."""
    nodes: int = 1
    """How many nodes share the start of tasks."""

    @property
    def is_done(self) -> bool:
        """Whether the network has the subnet, and nothing waits to be brought back."""
        return (
            not self.is_resumed and self.current is not None and self.current.ipv4 == (self.request.subnet,)
        )

    @property
    def grace_s(self) -> float:
        """The longest stop grace."""
        return max(
            (service.grace_s for service in (self.record.services if self.record else ())), default=0.0
        )

    @property
    def stops(self) -> tuple[Stop, ...]:
        """When each service is stopped, in that order."""
        return stop_schedule(self.record.services, self.request.first) if self.record else ()

    @property
    def outage_s(self) -> float:
        """How long after the first stop the service that comes back first is expected to be up."""
        return STOP_S + ends_after_s(self.stops) + START_S

    def downtimes(self, interval_s: float) -> tuple[tuple[str, float], ...]:
        """Return how many seconds each service with tasks is expected to be down, in the order in which they come back.

        None comes back until the last task has ended. Then they come back one after the other, `interval_s` for each task.
        """
        stopped_s = {stop.service.id: stop.after_s for stop in self.stops}
        back_s, downtimes = self.outage_s, []
        for service in self.record.services if self.record else ():
            if task_count(service):
                downtimes.append((service.name, round(back_s - stopped_s[service.id], 1)))
                back_s += pause_after_s(service, self.nodes, interval_s)
        return tuple(downtimes)


def record_now(inputs: RecreationInputs, request: RecreationRequest, owner: RecreationOwner) -> Record | None:
    """Return what is on the network now; None where there is no such network."""
    snapshot, current = inputs.snapshot, inputs.snapshot.overlay(request.network)
    if current is None:
        return None
    services = [
        service_record(service, current, snapshot)
        for service in snapshot.services
        if service.is_on(current.id, current.name) and not service.is_probe
    ]
    return Record(
        run=owner.run,
        machine=owner.machine,
        network=NetworkRecord(current.id, current.name, current.body),
        target=str(request.subnet),
        services=in_order(services, request.first),
        containers=tuple(
            container_record(endpoint, inputs.environment.manual_addresses) for endpoint in inputs.endpoints
        ),
    )


def container_record(endpoint: Endpoint, manual_addresses: Mapping[str, bool]) -> ContainerRecord:
    """Return what is to be known of a container that is attached now."""
    # The engine forgets an address that it chose itself when the container stops.
    is_given = manual_addresses.get(endpoint.container_id) if endpoint.is_running else bool(endpoint.address)
    return ContainerRecord(
        endpoint.container_id,
        endpoint.name,
        endpoint.is_running,
        endpoint.address,
        is_given,
        dict(endpoint.config),
    )


def own_parked_services(
    snapshot: WholeSwarm, network: str, owner: RecreationOwner
) -> tuple[ParkedService, ...]:
    """Return the services that this machine has parked for a network."""
    return tuple(
        parked_service
        for parked_service in read_parked_services(snapshot)
        if parked_service.machine == owner.machine
        and parked_service.network.name == network
        and parked_service.record.entries
    )


def record_to_resume(
    parked_services: tuple[ParkedService, ...],
    stored_record: Record | None,
    now: Record | None,
    owner: RecreationOwner,
) -> Record | None:
    """Return what an earlier attempt began with: as it kept it, else as labels tell it, with what is on the network now.

    `now` is what is on the network at this moment, where there is one; services that were not parked yet are only there.
    """
    labels = record_from_labels(parked_services, owner.run)
    if stored_record is not None:
        return replace(stored_record, run=owner.run)
    if labels is None or now is None:
        return labels or now
    known_ids = {service.id for service in labels.services}
    # Those are back already, or were never parked; how many of their tasks ran before nobody knows any more.
    unlabelled = [
        replace(service, running=task_count(service))
        for service in now.services
        if service.id not in known_ids
    ]
    containers = {container.id: container for container in (*now.containers, *labels.containers)}
    return replace(labels, services=(*labels.services, *unlabelled), containers=tuple(containers.values()))


def plan_lines(plan: RecreationPlan) -> tuple[str, ...]:
    """Return what will be changed, each a line, in order."""
    record = plan.record
    if record is None:
        return ()
    services, containers = record.services, record.containers
    old = ", ".join(str(subnet) for subnet in record.network.ipv4)
    limit = duration(plan.grace_s + GRACE_MARGIN_S)
    lines = [
        f"park {plural(len(services), 'service')}: scale to zero, then take off {record.network.name}",
        *(_stop_line(number, stop) for number, stop in enumerate(plan.stops, start=1)),
        f"wait until no task of them is listed and no container runs (at most {limit})",
        *(f"disconnect the container {container.name}" for container in containers),
        f"remove the network {record.network.name} ({old})",
        f"create it again with {plan.request.subnet}, all else as before",
        *(_restore_line(number, service) for number, service in enumerate(services, start=1)),
        *(f"connect the container {container.name}" for container in containers),
    ]
    return tuple(lines)


def _stop_line(number: int, stop: Stop) -> str:
    when = f"after {duration(stop.after_s)}, or once those before have ended" if stop.after_s else "at once"
    return f"stop {number}: {stop.service.name}{' (reverse proxy)' if stop.is_proxy else ''}, {when}"


def _restore_line(number: int, service: ServiceRecord) -> str:
    what = "on each node where it ran" if service.mode == "global" else plural(task_count(service), "replica")
    return f"bring back {number}: {service.name} ({what})"


async def read_inputs(
    reader: SwarmReader, host: str, network: str, stored_record: Record | None = None
) -> RecreationInputs:
    """Return what a plan is made of. `host` is the engine's address; what this host tells counts only if it is its own.

    Raises an `EngineError` or `SwarmError` where the swarm cannot be read.
    """
    snapshot = await reader.snapshot()
    current = snapshot.overlay(network)
    containers = snapshot.standalone_containers_on(network) if current is not None else ()
    endpoints = [await reader.find_endpoint(container.id, network) for container in containers]
    environment_now = await environment(host, snapshot, network)
    return RecreationInputs(
        snapshot,
        tuple(endpoint for endpoint in endpoints if endpoint is not None),
        environment_now,
        stored_record,
    )


async def environment(host: str, snapshot: WholeSwarm, network: str) -> RecreationEnvironment:
    """Return what is known besides the swarm: routes and the engine's own files only where it is this host's engine."""
    refusal = await asyncio.to_thread(why_engine_is_foreign, host, snapshot.engine.name)
    if refusal is not None:
        return RecreationEnvironment(refusal, snapshot.engine.default_pools)
    ids = [container.id for container in snapshot.containers if network in container.networks]
    manual_addresses = await asyncio.to_thread(static_addresses, Path(snapshot.engine.root_dir), ids, network)
    return RecreationEnvironment(await _routes(), snapshot.engine.default_pools, manual_addresses)


async def _routes() -> Result[tuple[Route, ...]]:
    try:
        return await read_routes(ROUTES_WITHIN_S)
    except HostError as error:
        return unknown_from(error)

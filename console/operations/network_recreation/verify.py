"""Whether everything is as it was, the subnet aside: what was recorded against what one snapshot shows. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from console.frozen import frozen
from console.operations.network_recreation.parking import NOWHERE
from console.operations.network_recreation.record import (
    ContainerRecord,
    Record,
    ServiceRecord,
    read_parked_label,
)
from console.swarm.model import ALIVE, Endpoint, Network, Service, network_entries
from console.swarm.snapshots import WholeSwarm

ASIDE = frozenset(("IPAM", "Name", "CheckDuplicate"))
"""Parts of a network's definition that are compared on their own, or mean nothing here."""


@frozen
class TaskProgress:
    """How far a service's tasks are."""

    count: int
    target_tasks: int
    since: datetime | None
    """When the last of the wanted ones began to run."""
    error: str
    """The error of its latest failed task."""

    @property
    def is_enough(self) -> bool:
        """Whether as many run as before."""
        return self.count >= self.target_tasks


def task_progress(record: ServiceRecord, snapshot: WholeSwarm, network: Network) -> TaskProgress:
    """Return how many tasks of a service run on a network."""
    tasks = [task for task in snapshot.live_tasks_on(network.id) if task.service_id == record.id]
    up = sorted(task.since for task in tasks if task.state == "running" and task.desired_state in ALIVE)
    failed_tasks = [
        task
        for task in snapshot.tasks
        if task.service_id == record.id and task.error and network.id in task.network_ids
    ]
    error = max(failed_tasks, key=lambda task: task.since).error if failed_tasks else ""
    service = snapshot.service(record.id)
    target_tasks = (
        record.target_tasks
        if service is None
        else min(record.target_tasks, _requested_tasks(service, record))
    )
    since = up[target_tasks - 1] if 0 < target_tasks <= len(up) else None
    return TaskProgress(len(up), target_tasks, since, error)


def _requested_tasks(service: Service, record: ServiceRecord) -> int:
    """Return how many tasks a service asks for now: others may have scaled it meanwhile."""
    replicated = (service.spec.get("Mode") or {}).get("Replicated")
    if replicated is None:
        return record.running
    replicas = replicated.get("Replicas")
    return 1 if replicas is None else int(replicas)


def lacks_virtual_ip(service: Service, network: Network) -> bool:
    """Whether a service should have a virtual IP in a network's subnet and has none; it gets it a moment after its update."""
    vips = [virtual_ip.address for virtual_ip in service.virtual_ips if virtual_ip.network_id == network.id]
    return service.endpoint_mode == "vip" and not any(
        isinstance(vip, IPv4Address) and vip in subnet for vip in vips for subnet in network.ipv4
    )


def running_as_before(record: Record, snapshot: WholeSwarm, network: Network) -> tuple[str, ...]:
    """Return the names of the services that had tasks and have as many on a network now, and their virtual IP."""
    services = ((service, snapshot.service(service.id)) for service in record.services)
    return tuple(
        recorded.name
        for recorded, service in services
        if service is not None
        and 0 < recorded.target_tasks <= task_progress(recorded, snapshot, network).count
        and not lacks_virtual_ip(service, network)
    )


@frozen
class Difference:
    """Something that is not as it was."""

    sentence: str
    is_failure: bool = True
    """Whether the recreation has to fix it; False for what others did meanwhile."""


def differences(
    record: Record,
    snapshot: WholeSwarm,
    network: Network,
    endpoints: Mapping[str, Endpoint],
    subnets: tuple[IPv4Network, ...],
) -> tuple[Difference, ...]:
    """Return what is not as it was. `endpoints` are the containers' now, by ID."""
    return (
        *_of_network(record, network, subnets),
        *(
            difference
            for service in record.services
            for difference in _of_service(service, snapshot, network)
        ),
        *(
            difference
            for container in record.containers
            for difference in _of_container(container, snapshot, network, endpoints)
        ),
    )


def _of_network(record: Record, network: Network, subnets: tuple[IPv4Network, ...]) -> Iterator[Difference]:
    if not network.is_allocated or network.ipv4 != subnets:
        has, expected = (", ".join(str(subnet) for subnet in some) for some in (network.ipv4, subnets))
        yield Difference(f"{network.name} has {has or 'no subnet'} instead of {expected}.")
    was, now = dict(record.network.body), dict(network.body)
    for key in sorted({*was, *now} - ASIDE):
        if (was.get(key) or None) != (now.get(key) or None):
            yield Difference(f"{network.name} has a different {key} than before.")


def _of_service(record: ServiceRecord, snapshot: WholeSwarm, network: Network) -> Iterator[Difference]:
    service = snapshot.service(record.id)
    if service is None:
        yield Difference(f"{record.name} was removed in the meantime.", is_failure=False)
        return
    name = service.name
    if read_parked_label(service) is not None:
        yield Difference(f"{name} is still parked.")
        return
    now = [dict(entry) for _, _, entry in network_entries(service.spec) if entry["Target"] == network.id]
    was = [{**entry.body, "Target": network.id} for entry in record.entries]
    if not now:
        yield Difference(f"{name} is not on {network.name}.")
    elif now != was:
        yield Difference(f"{name} has other aliases or options on {network.name} than before.")
    if service.mode != record.mode:
        yield Difference(f"{name} is {service.mode} instead of {record.mode}.", is_failure=False)
    elif record.mode == "replicated" and _requested_tasks(service, record) != _replicas(record):
        yield Difference(
            f"{name} has {_requested_tasks(service, record)} replicas instead of {_replicas(record)}.",
            is_failure=False,
        )
    if NOWHERE in service.constraints:
        yield Difference(f"{name} still has the placement constraint of a parked service.")
    yield from _of_tasks(record, service, snapshot, network)


def _of_tasks(
    record: ServiceRecord, service: Service, snapshot: WholeSwarm, network: Network
) -> Iterator[Difference]:
    if lacks_virtual_ip(service, network):
        yield Difference(f"{record.name} has no virtual IP on {network.name}.")
    tasks = task_progress(record, snapshot, network)
    if not tasks.is_enough:
        details = f" ({tasks.error})" if tasks.error else ""
        yield Difference(
            f"{tasks.count} of {tasks.target_tasks} tasks of {record.name} are running{details}."
        )


def _replicas(record: ServiceRecord) -> int:
    return 1 if record.replicas is None else record.replicas


def _of_container(
    record: ContainerRecord, snapshot: WholeSwarm, network: Network, endpoints: Mapping[str, Endpoint]
) -> Iterator[Difference]:
    container = next((container for container in snapshot.containers if container.id == record.id), None)
    if container is None:
        yield Difference(f"The container {record.name} was removed in the meantime.", is_failure=False)
        return
    endpoint = endpoints.get(record.id)
    if endpoint is None or endpoint.network_id not in (network.id, *([] if container.is_running else [""])):
        yield Difference(f"The container {record.name} is not on {network.name}.")
        return
    if record.is_running and not container.is_running:
        yield Difference(f"The container {record.name} is no longer running.", is_failure=False)
    if _aliases(endpoint.config) != _aliases(record.config):
        yield Difference(f"The container {record.name} has other aliases on {network.name} than before.")
    if record.is_given and record.fits(*network.ipv4) and endpoint.address != record.address:
        yield Difference(
            f"The container {record.name} has {endpoint.address or 'no address'} instead of {record.address}."
        )


def _aliases(config: Mapping[str, Any]) -> list[str]:
    return sorted(config.get("Aliases") or ())

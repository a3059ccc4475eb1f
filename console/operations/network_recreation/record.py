"""What was before a recreation: the record, and the label of a parked service that brings it back alone.

It holds network settings only: no environment, no arguments, no data of configs. It can be kept as JSON, and what a
single service needs fits into a label of that service.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from console.errors import VipconsoleError
from console.frozen import frozen
from console.swarm.model import ALIVE, Network, Service, network_entries
from console.swarm.parse import PARKED_LABEL, parse_moment
from console.swarm.snapshots import WholeSwarm

FORMAT = 1


class UnreadableRecord(VipconsoleError):
    """A record, or the label of a parked service, is not what this program writes."""


@frozen
class NetworkEntry:
    """One network in a service's specification: where it stands, and what it says."""

    place: str
    index: int
    body: Mapping[str, Any]


@frozen
class ServiceRecord:
    """A service as it was before it was parked."""

    id: str
    name: str
    mode: str
    """`replicated` or `global`."""
    replicas: int | None
    """As specified; None for a global service, and where the specification omits it, which means one."""
    placement: Mapping[str, Any] | None
    """As specified; None where it says nothing about it."""
    entries: tuple[NetworkEntry, ...]
    """What it says about the network; the rest of its specification is not recorded."""
    publishes: bool
    """Whether it publishes a port."""
    uses_vip: bool
    running: int
    """How many of its tasks ran."""
    grace_s: float
    is_elsewhere: bool
    """Whether a task of it ran on another node than this one."""

    @property
    def target_tasks(self) -> int:
        """How many tasks of it are to run again: as many as ran, and no more than it asks for."""
        if self.mode == "global":
            return self.running
        return min(self.running, 1 if self.replicas is None else self.replicas)


@frozen
class ContainerRecord:
    """A container that somebody attached by hand, as it was."""

    id: str
    name: str
    is_running: bool
    address: str
    is_given: bool | None
    """Whether that address was set by hand; None where that is unknown."""
    config: Mapping[str, Any]
    """Aliases and the like, as `POST /networks/{id}/connect` takes them."""

    def fits(self, *subnets: IPv4Network) -> bool:
        """Whether its address can be handed out in one of these subnets, the first of each being its gateway's."""
        try:
            address = IPv4Address(self.address)
        except ValueError:
            return False
        return any(
            address in subnet
            and address not in (subnet.network_address, subnet.network_address + 1, subnet.broadcast_address)
            for subnet in subnets
        )


def ipv4_of(body: Mapping[str, Any]) -> tuple[IPv4Network, ...]:
    """Return the IPv4 subnets that the body of a network's creation asks for."""
    configs = (body.get("IPAM") or {}).get("Config") or ()
    subnets = [ip_network(config["Subnet"], strict=False) for config in configs]
    return tuple(subnet for subnet in subnets if isinstance(subnet, IPv4Network))


@frozen
class NetworkRecord:
    """The network as it was, and how it can be made again."""

    id: str
    name: str
    body: Mapping[str, Any]

    @property
    def ipv4(self) -> tuple[IPv4Network, ...]:
        """Its IPv4 subnets."""
        return ipv4_of(self.body)


@frozen
class Record:
    """Everything as it was."""

    run: str
    machine: str
    network: NetworkRecord
    target: str
    """The subnet that the network is to get."""
    services: tuple[ServiceRecord, ...]
    """In the order in which they are brought back."""
    containers: tuple[ContainerRecord, ...]

    def service(self, service_id: str) -> ServiceRecord | None:
        """Return what is known of a service."""
        return next((service for service in self.services if service.id == service_id), None)

    def with_service(self, service: ServiceRecord) -> "Record":
        """Return the record with one service more."""
        return replace(self, services=(*self.services, service))

    def with_container(self, container: ContainerRecord) -> "Record":
        """Return the record with one container more."""
        return replace(self, containers=(*self.containers, container))


def service_record(service: Service, network: Network, snapshot: WholeSwarm) -> ServiceRecord:
    """Return what is to be known of a service that is on a network now."""
    tasks = [task for task in snapshot.live_tasks_on(network.id) if task.service_id == service.id]
    bare = ServiceRecord(
        id=service.id,
        name=service.name,
        mode=service.mode,
        replicas=None,
        placement=None,
        entries=(),
        publishes=False,
        uses_vip=service.endpoint_mode == "vip",
        running=sum(task.state == "running" and task.desired_state in ALIVE for task in tasks),
        grace_s=max([service.grace_s, *(task.grace_s for task in tasks)]),
        is_elsewhere=any(task.node_id not in ("", snapshot.here) for task in tasks),
    )
    return with_specification(bare, service.spec, (network.id, network.name))


def with_specification(
    record: ServiceRecord, spec: Mapping[str, Any], networks: Collection[str]
) -> ServiceRecord:
    """Return a record with what a specification says now of the service and of a network (by ID and name)."""
    replicated = (spec.get("Mode") or {}).get("Replicated") or {}
    return replace(
        record,
        replicas=replicated.get("Replicas"),
        placement=(spec.get("TaskTemplate") or {}).get("Placement"),
        entries=tuple(
            NetworkEntry(place, index, dict(body))
            for place, index, body in network_entries(spec)
            if body.get("Target") in networks
        ),
        publishes=bool((spec.get("EndpointSpec") or {}).get("Ports")),
    )


def record_to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON."""
    return {"v": FORMAT, **asdict(record)}


def record_from_json(data: Mapping[str, Any]) -> Record:
    """Return a record from its JSON. Raises Unreadable."""
    try:
        require_format(data)
        return Record(
            run=str(data["run"]),
            machine=str(data["machine"]),
            network=network_from_json(data["network"]),
            target=str(data["target"]),
            services=tuple(service_from_json(service) for service in data["services"]),
            containers=containers_from_json(data["containers"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRecord("The record of a recreation is not one that this program wrote.") from error


def network_from_json(data: Mapping[str, Any]) -> NetworkRecord:
    """Return the network of a record or a label. Raises what a wrong one raises."""
    return NetworkRecord(str(data["id"]), str(data["name"]), dict(data["body"]))


def service_from_json(data: Mapping[str, Any]) -> ServiceRecord:
    """Return a service of a record or a label. Raises what a wrong one raises."""
    entries = tuple(
        NetworkEntry(str(entry["place"]), int(entry["index"]), dict(entry["body"]))
        for entry in data["entries"]
    )
    return ServiceRecord(**{**data, "entries": entries})


def containers_from_json(data: Sequence[Mapping[str, Any]]) -> tuple[ContainerRecord, ...]:
    """Return the containers of a record or a label. Raises what a wrong one raises."""
    return tuple(ContainerRecord(**container) for container in data)


def require_format(data: Mapping[str, Any]) -> None:
    """Raise ValueError for what was written in another format."""
    if data.get("v") != FORMAT:
        raise ValueError(f"format {data.get('v')!r}")


@frozen
class ParkedService:
    """A parked service, and what its label says."""

    service: Service
    run: str
    machine: str
    network: NetworkRecord
    target: str
    record: ServiceRecord
    containers: tuple[ContainerRecord, ...]
    since: datetime
    """When it was parked, by the engine's clock."""


def parked_label(record: Record, service: ServiceRecord, since: datetime) -> str:
    """Return the label's value for a service that is parked now: compact JSON."""
    data = {
        "v": FORMAT,
        "run": record.run,
        "machine": record.machine,
        "network": asdict(record.network),
        "target": record.target,
        "service": asdict(service),
        "containers": [asdict(container) for container in record.containers],
        "since": since.isoformat(),
    }
    return json.dumps(data, separators=(",", ":"), sort_keys=True)


def read_parked_label(service: Service) -> ParkedService | None:
    """Return what a parked service's label says; None where it has none, or one that cannot be read."""
    text = service.label(PARKED_LABEL)
    if not text:
        return None
    try:
        data = json.loads(text)
        require_format(data)
        return ParkedService(
            service,
            str(data["run"]),
            str(data["machine"]),
            network_from_json(data["network"]),
            str(data["target"]),
            service_from_json(data["service"]),
            containers_from_json(data["containers"]),
            parse_moment(data["since"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def read_parked_services(snapshot: WholeSwarm) -> tuple[ParkedService, ...]:
    """Return the parked services whose labels can be read."""
    labels = (read_parked_label(service) for service in snapshot.services)
    return tuple(parked_service for parked_service in labels if parked_service is not None)


def unreadable_in(snapshot: WholeSwarm) -> tuple[str, ...]:
    """Return the names of services with a label that cannot be read: somebody else wrote it, or a newer program."""
    return tuple(
        service.name
        for service in snapshot.services
        if service.label(PARKED_LABEL) and read_parked_label(service) is None
    )


def record_from_labels(parked_services: Iterable[ParkedService], run: str = "") -> Record | None:
    """Return what the labels of one network's parked services tell; None where there are none.

    They may have been written by several attempts: then the network as it was before the first of them counts, which
    is the one that most labels name.
    """
    labels = tuple(parked_services)
    if not labels:
        return None
    networks = [parked_service.network.id for parked_service in labels]
    first = max(labels, key=lambda parked_service: networks.count(parked_service.network.id))
    containers = {
        container.id: container for parked_service in labels for container in parked_service.containers
    }
    return Record(
        run=run or first.run,
        machine=first.machine,
        network=first.network,
        target=first.target,
        services=tuple(
            parked_service.record
            for parked_service in sorted(labels, key=lambda parked_service: parked_service.record.name)
        ),
        containers=tuple(containers.values()),
    )

"""Questions about a swarm's objects, answered from their values. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any

from console.errors import known
from console.swarm.values import Container, Network, Service, SwarmState, Task
from console.text import clean


def object_names(swarm: SwarmState) -> Mapping[str, str]:
    """Return the names of services, networks and nodes by ID; what could not be read is absent."""
    return {
        **{network.id: network.name for network in known(swarm.networks, ())},
        **{service.id: service.name for service in known(swarm.services, ())},
        **{node.id: node.hostname for node in known(swarm.nodes, ())},
    }


def task_names(swarm: SwarmState) -> Mapping[str, str]:
    """Return the names of tasks by ID, as `docker service ps` shows them: `shop_app.1`."""
    services = {service.id: service.name for service in known(swarm.services, ())}
    return {
        task.id: f"{services[task.service_id]}.{task.slot or task.node_id[:12]}"
        for task in known(swarm.tasks, ())
        if task.service_id in services
    }


@dataclass(frozen=True, slots=True)
class AttachedService:
    """A service with a network in its specification, and how it asks for it."""

    service: Service
    aliases: tuple[str, ...]
    """In order, for two lists that differ in nothing else are the same."""
    options: Mapping[str, str]
    """Driver options of this attachment."""

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name


@dataclass(frozen=True, slots=True)
class Attached:
    """Everything that is attached to an overlay."""

    network_id: str
    services: tuple[AttachedService, ...]
    """In the order of their names."""
    containers: tuple[str, ...]
    """Containers attached by hand: by name on the node that was asked, by ID elsewhere."""


def attached_to(
    network: Network, services: Iterable[Service], tasks: Iterable[Task], local_names: Mapping[str, str]
) -> Attached:
    """Return what is attached to a network; `local_names` are those of containers on it, by ID, as far as known."""
    attached = (each for service in services for each in _attachments(service, network))
    containers = {
        local_names.get(task.container_id, task.container_id[:12])
        for task in tasks
        if task.is_standalone
        and task.is_alive
        and task.container_id
        and any(each.network_id == network.id for each in task.attachments)
    }
    return Attached(
        network.id, tuple(sorted(attached, key=lambda each: each.name)), tuple(sorted(containers))
    )


def _attachments(service: Service, network: Network) -> Iterator[AttachedService]:
    # Engines before API 1.44 keep the networks of old services at the service itself.
    template = service.spec.get("TaskTemplate") or {}
    for entry in template.get("Networks") or service.spec.get("Networks") or ():
        if entry.get("Target") in (network.id, network.name):
            aliases = tuple(sorted(clean(each) for each in entry.get("Aliases") or ()))
            options = sorted((entry.get("DriverOpts") or {}).items())
            yield AttachedService(service, aliases, {clean(key): clean(value) for key, value in options})


def published_ports(containers: Iterable[Container]) -> Mapping[int, tuple[str, ...]]:
    """Return the ports of a node that running containers outside the swarm publish, with the names of those."""
    names: defaultdict[int, list[str]] = defaultdict(list)
    for container in containers:
        if container.is_running and not container.task_id:
            for port in container.ports:
                names[port].append(container.name)
    return {port: tuple(sorted(found)) for port, found in names.items()}


def body_with_subnet(body: Mapping[str, Any], subnet: IPv4Network) -> dict[str, Any]:
    """Return the body of a network's creation with one IPv4 subnet instead of those that it has; IPv6 stays as it is.

    Gateway and ip-range of the old subnet go with it: they lie in there.
    """
    ipam = body.get("IPAM") or {}
    kept = [
        each for each in ipam.get("Config") or () if ip_network(each["Subnet"], strict=False).version == 6
    ]
    return {**body, "IPAM": {**ipam, "Config": [{"Subnet": str(subnet)}, *kept]}}


def ipv4_of(body: Mapping[str, Any]) -> tuple[IPv4Network, ...]:
    """Return the IPv4 subnets that the body of a network's creation asks for."""
    configs = (body.get("IPAM") or {}).get("Config") or ()
    subnets = [ip_network(each["Subnet"], strict=False) for each in configs]
    return tuple(each for each in subnets if isinstance(each, IPv4Network))


def overlapping(
    subnet: IPv4Network, networks: Iterable[Network], besides: str = ""
) -> tuple[tuple[Network, IPv4Network], ...]:
    """Return the networks that a subnet overlaps, and with which of theirs; the one with the ID `besides` is left out."""
    return tuple(
        (network, other)
        for network in networks
        if network.id != besides
        for other in network.ipv4
        if other.overlaps(subnet)
    )

"""Whole snapshots of a swarm, for operations, and questions about its objects. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from console.errors import known
from console.frozen import frozen
from console.swarm.model import (
    Container,
    Engine,
    Network,
    Node,
    ObjectKind,
    Service,
    StackObject,
    SwarmState,
    Task,
)
from console.text import clean


@frozen
class WholeSwarm:
    """A snapshot of everything that an overlay could be entangled with.

    It is whole: where a part cannot be read there is no snapshot. What may be unknown in part is `SwarmState`.
    """

    engine: Engine
    networks: tuple[Network, ...]
    """Of every scope, as the node that was asked lists them; none is inspected."""
    services: tuple[Service, ...]
    tasks: tuple[Task, ...]
    nodes: tuple[Node, ...]
    containers: tuple[Container, ...]

    @property
    def here(self) -> str:
        """ID of the node that was asked."""
        return self.engine.node_id

    @property
    def now(self) -> datetime:
        """When it was taken, by the engine's own clock."""
        return self.engine.time

    @property
    def running_containers(self) -> tuple[Container, ...]:
        """The containers that run on the node that was asked."""
        return tuple(container for container in self.containers if container.is_running)

    def networks_with_name(self, name: str) -> tuple[Network, ...]:
        """Return the networks of every scope that bear a name."""
        return tuple(network for network in self.networks if network.name == name)

    def overlay(self, name: str) -> Network | None:
        """Return the swarm's network of a name, if there is one."""
        return next((network for network in self.networks_with_name(name) if network.scope == "swarm"), None)

    def service(self, service_id: str) -> Service | None:
        """Return a service, if it is there."""
        return next((service for service in self.services if service.id == service_id), None)

    def node(self, node_id: str) -> Node | None:
        """Return a node, if it is there."""
        return next((node for node in self.nodes if node.id == node_id), None)

    def standalone_containers_on(self, name: str) -> tuple[Container, ...]:
        """Return the containers of this node that somebody attached by hand to a network of this name.

        Those that were never started are not among them: they know it by its name only, and find whichever bears it.
        """
        return tuple(
            container
            for container in self.containers
            if not container.task_id and container.networks.get(name)
        )

    def live_tasks_on(self, network_id: str) -> Iterator[Task]:
        """Yield the tasks that hold an address of a network, or want one, attachments by hand among them."""
        return (task for task in self.tasks if task.is_alive and network_id in task.network_ids)


@frozen
class StackSnapshot(WholeSwarm):
    """Everything that stacks consist of. A stack is nothing but a label on its objects."""

    secrets: tuple[StackObject, ...]
    configs: tuple[StackObject, ...]

    @classmethod
    def of(
        cls, swarm: WholeSwarm, secrets: tuple[StackObject, ...], configs: tuple[StackObject, ...]
    ) -> "StackSnapshot":
        """Return a snapshot with secrets and configs."""
        parts = (swarm.networks, swarm.services, swarm.tasks, swarm.nodes, swarm.containers)
        return cls(swarm.engine, *parts, secrets, configs)

    def objects(self) -> Iterator[StackObject]:
        """Yield services, networks, secrets and configs, those of no stack included."""
        yield from (
            StackObject(ObjectKind.SERVICE, service.id, service.name, service.stack)
            for service in self.services
        )
        yield from (
            StackObject(ObjectKind.NETWORK, network.id, network.name, network.stack)
            for network in self.networks
        )
        yield from self.secrets
        yield from self.configs


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


@frozen
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


@frozen
class OverlayAttachments:
    """Everything that is attached to an overlay."""

    network_id: str
    services: tuple[AttachedService, ...]
    """In the order of their names."""
    containers: tuple[str, ...]
    """Containers attached by hand: by name on the node that was asked, by ID elsewhere."""


def attachments_of(
    network: Network, services: Iterable[Service], tasks: Iterable[Task], local_names: Mapping[str, str]
) -> OverlayAttachments:
    """Return what is attached to a network; `local_names` are those of containers on it, by ID, as far as known."""
    attached_services = (attachment for service in services for attachment in _attachments(service, network))
    containers = {
        local_names.get(task.container_id, task.container_id[:12])
        for task in tasks
        if task.is_standalone
        and task.is_alive
        and task.container_id
        and any(attachment.network_id == network.id for attachment in task.attachments)
    }
    return OverlayAttachments(
        network.id,
        tuple(sorted(attached_services, key=lambda service: service.name)),
        tuple(sorted(containers)),
    )


def _attachments(service: Service, network: Network) -> Iterator[AttachedService]:
    # Engines before API 1.44 keep the networks of old services at the service itself.
    template = service.spec.get("TaskTemplate") or {}
    for entry in template.get("Networks") or service.spec.get("Networks") or ():
        if entry.get("Target") in (network.id, network.name):
            aliases = tuple(sorted(clean(alias) for alias in entry.get("Aliases") or ()))
            options = sorted((entry.get("DriverOpts") or {}).items())
            yield AttachedService(service, aliases, {clean(key): clean(value) for key, value in options})


def published_ports(containers: Iterable[Container]) -> Mapping[int, tuple[str, ...]]:
    """Return the ports of a node that running containers outside the swarm publish, with the names of those."""
    names: defaultdict[int, list[str]] = defaultdict(list)
    for container in containers:
        if container.is_running and not container.task_id:
            for port in container.ports:
                names[port].append(container.name)
    return {port: tuple(sorted(container_names)) for port, container_names in names.items()}

"""Whole snapshots of a swarm, for operations: where a part cannot be read there is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from console.swarm.values import Container, Engine, Kind, Network, Node, Service, StackObject, Task


@dataclass(frozen=True, slots=True)
class SwarmSnapshot:
    """Everything that an overlay could be entangled with."""

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
        return tuple(each for each in self.containers if each.is_running)

    def named(self, name: str) -> tuple[Network, ...]:
        """Return the networks of a name."""
        return tuple(each for each in self.networks if each.name == name)

    def overlay(self, name: str) -> Network | None:
        """Return the swarm's network of a name, if there is one."""
        return next((each for each in self.named(name) if each.scope == "swarm"), None)

    def service(self, service_id: str) -> Service | None:
        """Return a service, if it is there."""
        return next((each for each in self.services if each.id == service_id), None)

    def node(self, node_id: str) -> Node | None:
        """Return a node, if it is there."""
        return next((each for each in self.nodes if each.id == node_id), None)

    def attached_by_hand(self, name: str) -> tuple[Container, ...]:
        """Return the containers of this node that somebody attached by hand to a network of this name.

        Those that were never started are not among them: they know it by its name only, and find whichever bears it.
        """
        return tuple(each for each in self.containers if not each.task_id and each.networks.get(name))

    def live_tasks_on(self, network_id: str) -> Iterator[Task]:
        """Yield the tasks that hold an address of a network, or want one, attachments by hand among them."""
        return (each for each in self.tasks if each.is_alive and network_id in each.network_ids)


@dataclass(frozen=True, slots=True)
class StackSnapshot(SwarmSnapshot):
    """Everything that stacks consist of. A stack is nothing but a label on its objects."""

    secrets: tuple[StackObject, ...]
    configs: tuple[StackObject, ...]

    @classmethod
    def of(
        cls, swarm: SwarmSnapshot, secrets: tuple[StackObject, ...], configs: tuple[StackObject, ...]
    ) -> "StackSnapshot":
        """Return a snapshot with secrets and configs."""
        parts = (swarm.networks, swarm.services, swarm.tasks, swarm.nodes, swarm.containers)
        return cls(swarm.engine, *parts, secrets, configs)

    def objects(self) -> Iterator[StackObject]:
        """Yield services, networks, secrets and configs, those of no stack included."""
        yield from (StackObject(Kind.SERVICE, each.id, each.name, each.stack) for each in self.services)
        yield from (StackObject(Kind.NETWORK, each.id, each.name, each.stack) for each in self.networks)
        yield from self.secrets
        yield from self.configs

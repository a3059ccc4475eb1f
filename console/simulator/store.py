"""Everything a simulated swarm remembers, and how its objects are found."""

import random
from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from console.simulator.dockerd_log import Said
from console.simulator.events import EventLog, SimEvent, Timeline
from console.simulator.filters import Refusal, not_found
from console.simulator.objects import SimContainer, SimNetwork, SimNode, SimService, SimTask

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

Found = TypeVar("Found", SimNetwork, SimService, SimTask, SimNode, SimContainer)


class Store:
    """The objects by ID. `seed` decides every ID; `start` is the date at which the simulated time begins."""

    def __init__(self, seed: int, start: datetime) -> None:
        self._random = random.Random(seed)  # noqa: S311 - names things, guards nothing
        self.timeline = Timeline(start)
        self.index = 10
        self.networks: dict[str, SimNetwork] = {}
        self.services: dict[str, SimService] = {}
        self.tasks: dict[str, SimTask] = {}
        self.nodes: dict[str, SimNode] = {}
        self.containers: dict[str, SimContainer] = {}
        self.events = EventLog()
        self.said = Said(self.timeline)
        self._tasks_of: dict[str, dict[str, SimTask]] = {}

    def new_id(self) -> str:
        """Return an ID as Swarm makes them: 25 characters of base 36."""
        return "".join(self._random.choices(_ALPHABET, k=25))

    def new_container_id(self) -> str:
        """Return an ID as the engine makes them for containers: 64 hexadecimal digits."""
        return f"{self._random.getrandbits(256):064x}"

    def next_index(self) -> int:
        """Return the version of an object that is written now."""
        self.index += 1
        return self.index

    @property
    def now(self) -> datetime:
        """The simulated time of day."""
        return self.timeline.now

    def touch(self, thing: SimNetwork | SimService | SimTask) -> None:
        """Note that an object was written."""
        thing.updated = self.now
        thing.index = self.next_index()

    def tell(
        self, action: str, thing: SimNetwork | SimService, attributes: dict[str, str] | None = None
    ) -> None:
        """Let those who listen know that something was done to a network or a service."""
        kind = "network" if isinstance(thing, SimNetwork) else "service"
        self.events.publish(
            SimEvent(kind, action, thing.id, self.now, {"name": thing.name, **(attributes or {})})
        )

    def add_task(self, task: SimTask) -> None:
        """Remember a task."""
        self.tasks[task.id] = task
        self._tasks_of.setdefault(task.service_id, {})[task.id] = task

    def forget_task(self, task: SimTask) -> None:
        """Let a task vanish from the list."""
        task.is_gone = True
        self.tasks.pop(task.id, None)
        self._tasks_of.get(task.service_id, {}).pop(task.id, None)

    def tasks_of(self, service_id: str) -> list[SimTask]:
        """Return the listed tasks of a service, history included, oldest first."""
        return list(self._tasks_of.get(service_id, {}).values())

    def find_network(self, reference: str) -> SimNetwork:
        """Find a swarm network by ID, name or unambiguous beginning of its ID."""
        return _find("network", reference, self.networks, self.networks.values())

    def find_service(self, reference: str) -> SimService:
        """Find a service by ID, name or unambiguous beginning of its ID."""
        return _find("service", reference, self.services, self.services.values())

    def find_task(self, reference: str) -> SimTask:
        """Find a task by ID or unambiguous beginning of it."""
        return _find("task", reference, self.tasks, self.tasks.values())

    def find_node(self, reference: str) -> SimNode:
        """Find a node by ID, host name or unambiguous beginning of its ID."""
        return _find("node", reference, self.nodes, self.nodes.values())

    def find_container(self, reference: str) -> SimContainer:
        """Find a container by ID, name or unambiguous beginning of its ID."""
        try:
            return _find("container", reference.lstrip("/"), self.containers, self.containers.values())
        except Refusal as refusal:
            raise Refusal(f"No such container: {reference}", refusal.status) from refusal


def _find(kind: str, reference: str, by_id: dict[str, Found], things: Iterable[Found]) -> Found:
    if reference in by_id:
        return by_id[reference]
    everything = list(things)
    named = [thing for thing in everything if _name(thing) == reference]
    matches = named or [thing for thing in everything if reference and thing.id.startswith(reference)]
    if not matches:
        raise not_found(kind, reference)
    if len(matches) > 1:
        raise Refusal(f"{kind} {reference} is ambiguous ({len(matches)} matches found)", 400)
    return matches[0]


def _name(thing: SimNetwork | SimService | SimTask | SimNode | SimContainer) -> str:
    return thing.hostname if isinstance(thing, SimNode) else thing.name

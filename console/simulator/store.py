"""Everything a simulated swarm remembers: its objects and how they are found, and the log of its events."""

import copy
import itertools
import json
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from console.simulator.dockerd_log import DockerdLog
from console.simulator.filters import Refusal, not_found
from console.simulator.objects import (
    Json,
    SimContainer,
    SimEvent,
    SimNetwork,
    SimNode,
    SimService,
    SimTask,
    SimulatedTimeline,
)

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

SimObject = TypeVar("SimObject", SimNetwork, SimService, SimTask, SimNode, SimContainer)
MAX_EVENTS = 256
"""Events that are kept for later requests (the engine's own number)."""
Listener = Callable[[SimEvent], None]


class EventLog:
    """The latest events, and who is told of new ones."""

    def __init__(self) -> None:
        self._events: list[SimEvent] = []
        self._listeners: list[Listener] = []

    def publish(self, event: SimEvent) -> None:
        """Keep an event and tell it to all who listen."""
        self._events = [*self._events[1 - MAX_EVENTS :], event]
        for tell in tuple(self._listeners):
            tell(event)

    def listen(self, listener: Listener) -> None:
        """Call a function with every event from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Call a function no longer."""
        self._listeners.remove(listener)

    def replay(self, query: Mapping[str, str]) -> list[SimEvent]:
        """Return the kept events from `since` to `until`; none where neither was asked for."""
        since, until = _nanoseconds(query, "since"), _nanoseconds(query, "until")
        if since is None and until is None:
            return []
        return [
            event
            for event in self._events
            if (since is None or event.nanoseconds >= since) and (until is None or event.nanoseconds <= until)
        ]


class Store:
    """The objects by ID. `seed` decides every ID; `start` is the date at which the simulated time begins."""

    def __init__(self, seed: int, start: datetime) -> None:
        self._random = random.Random(seed)  # noqa: S311 - names things, guards nothing
        self.timeline = SimulatedTimeline(start)
        self._indexes = itertools.count(11)
        self.index = 10
        self.networks: dict[str, SimNetwork] = {}
        self.services: dict[str, SimService] = {}
        self.tasks: dict[str, SimTask] = {}
        self.nodes: dict[str, SimNode] = {}
        self.containers: dict[str, SimContainer] = {}
        self.events = EventLog()
        self.dockerd_log = DockerdLog(self.timeline)
        self._tasks_of: dict[str, dict[str, SimTask]] = {}

    def new_id(self) -> str:
        """Return an ID as Swarm makes them: 25 characters of base 36."""
        return "".join(self._random.choices(_ALPHABET, k=25))

    def new_container_id(self) -> str:
        """Return an ID as the engine makes them for containers: 64 hexadecimal digits."""
        return f"{self._random.getrandbits(256):064x}"

    def next_index(self) -> int:
        """Return the version of an object that is written now."""
        self.index = next(self._indexes)
        return self.index

    def of_another_engine(self) -> "Store":
        """Return the same swarm as another engine sees it, whose containers are its own."""
        other = copy.copy(self)
        other.containers = {}
        return other

    @property
    def now(self) -> datetime:
        """The simulated time of day."""
        return self.timeline.now

    def note_write(self, thing: SimNetwork | SimService | SimTask) -> None:
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

    def tell_of_container(self, action: str, container: SimContainer) -> None:
        """Let those who listen know that something happened to a container of this node."""
        attributes = {**container.labels, "image": container.image, "name": container.name}
        self.events.publish(SimEvent("container", action, container.id, self.now, attributes, "local"))

    def add_task(self, task: SimTask) -> None:
        """List a task, by its ID and under its service."""
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


def _find(kind: str, reference: str, by_id: dict[str, SimObject], things: Iterable[SimObject]) -> SimObject:
    if reference in by_id:
        return by_id[reference]
    everything = list(things)
    by_name = [thing for thing in everything if _name(thing) == reference]
    matches = by_name or [thing for thing in everything if reference and thing.id.startswith(reference)]
    if not matches:
        raise not_found(kind, reference)
    if len(matches) > 1:
        raise Refusal(f"{kind} {reference} is ambiguous ({len(matches)} matches found)", 400)
    return matches[0]


def _name(thing: SimNetwork | SimService | SimTask | SimNode | SimContainer) -> str:
    return thing.hostname if isinstance(thing, SimNode) else thing.name


def event_json(event: SimEvent) -> Json:
    """Return an event as the engine tells it."""
    return {
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.id, "Attributes": dict(event.attributes)},
        "scope": event.scope,
        "time": event.nanoseconds // 1_000_000_000,
        "timeNano": event.nanoseconds,
    }


def event_line(event: SimEvent) -> str:
    """Return an event as a line of the stream."""
    return json.dumps(event_json(event)) + "\n"


def _nanoseconds(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return int(Decimal(text) * 1_000_000_000)
    except InvalidOperation as error:
        raise Refusal(f'strconv.ParseInt: parsing "{text}": invalid syntax', 400) from error

"""One service, and everything that a snapshot says about it, in the order in which it is judged."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache

from console.addresses.accounting import NetworkAccount, account
from console.addresses.holder_groups import HolderGrouper
from console.diagnosis.findings.networks import largest_holders
from console.diagnosis.findings.waiting import count_waiting, waiting_services
from console.diagnosis.quiescence.crash_loops import loop_of
from console.diagnosis.values import Snapshot
from console.errors import Unknown, known
from console.frozen import frozen
from console.journal.matching import LogEvent
from console.settings import Thresholds
from console.swarm.model import Network, Node, Service, Task

SETTLING_S = 60.0
"""A task that has run for this long after others failed counts as stable."""
RECENT_S = 3600.0
"""How far back failures are counted."""
END_STATES = frozenset(("failed", "rejected", "complete"))
RUN_STATES = frozenset(("running", "ready", "complete"))
"""Desired states of a task that is meant to run; a job's tasks are meant to complete."""


@frozen
class Slot:
    """One place of a service in which one task is meant to run, and the tasks that it had there, newest first."""

    tasks: tuple[Task, ...]

    @property
    def newest(self) -> Task:
        """The newest task, which decides the state of the slot."""
        return self.tasks[0]

    @property
    def is_active(self) -> bool:
        """Whether a task is meant to run here."""
        task = self.newest
        return task.desired_state in RUN_STATES and (task.state, task.desired_state) != (
            "complete",
            "complete",
        )

    def failures(self, now: datetime) -> tuple[Task, ...]:
        """Return the tasks in a row that ended by themselves, newest first, of the last hour or else the last one."""
        if len(self.tasks) == 1 and self.newest.is_alive:
            # So it is nearly everywhere, and every cause asks.
            return ()
        ended_tasks: list[Task] = []
        for task in self.tasks[1:] if self.newest.is_alive else self.tasks:
            if task.state not in END_STATES:
                break
            ended_tasks.append(task)
        recent = [task for task in ended_tasks if now - task.since <= timedelta(seconds=RECENT_S)]
        return tuple(recent or (ended_tasks[:1] if not self.newest.is_alive else ()))

    def is_settled(self, now: datetime) -> bool:
        """Whether its task runs, and has done so for long enough to believe it."""
        failures = self.failures(now)
        failure_times = (task.since for task in failures if task.state != "complete")
        loop = loop_of((task.since for task in failures), failure_times, SETTLING_S)
        if self.newest.state != "running" or (loop is not None and loop.holds(now)):
            return False
        return (now - self.newest.since).total_seconds() >= SETTLING_S


@frozen
class ServiceContext:
    """A service, with what it needs and what it has."""

    service: Service
    slots: tuple[Slot, ...]
    active_slots: tuple[Slot, ...]
    """The places in which a task is meant to run."""
    needs: tuple[str, ...]
    """IDs of the overlays that it needs addresses on."""
    missing_networks: tuple[str, ...]
    """IDs of networks in its specification that the engine does not list. Predefined ones of the nodes are not
    listed either: only tasks that wait tell that one is missing."""
    unread: tuple[str, ...]
    """What could not be read: `networks`."""
    swarm: "SwarmIndex"

    @property
    def now(self) -> datetime:
        """The time that ages are counted from."""
        return self.swarm.snapshot.now

    @property
    def thresholds(self) -> Thresholds:
        """When something has taken too long."""
        return self.swarm.thresholds

    @property
    def without_vip(self) -> tuple[str, ...]:
        """IDs of the networks on which it should have a virtual IP and has none."""
        if self.service.endpoint_mode != "vip":
            return ()
        has = {virtual_ip.network_id for virtual_ip in self.service.virtual_ips}
        return tuple(network_id for network_id in self.needs if network_id not in has)

    @property
    def running(self) -> int:
        """How many tasks run and are meant to."""
        return sum(slot.newest.state == "running" for slot in self.active_slots)

    @property
    def new_tasks(self) -> tuple[Task, ...]:
        """Tasks that wait for their addresses, the one that waits longest first."""
        new = [slot.newest for slot in self.active_slots if slot.newest.state == "new"]
        return tuple(sorted(new, key=lambda task: task.since))

    def age_s(self, since: datetime) -> float:
        """Return how long ago something was."""
        return (self.now - since).total_seconds()

    def had_addresses(self, task: Task) -> bool:
        """Whether a task was given an address on every network that its service needs."""
        if "networks" in self.unread or self.missing_networks:
            return False
        return {attachment.network_id for attachment in task.attachments if attachment.addresses}.issuperset(
            self.needs
        )

    def line(self, *ids: str, among: frozenset[str] = frozenset()) -> LogEvent | None:
        """Return the last line of dockerd about any of these objects that was written in the service's life.

        `among` are identifiers of signatures; with them, only such a line.
        """
        born = self.service.created - timedelta(seconds=5)
        events = [self.swarm.lines[id_] for id_ in ids if id_ in self.swarm.lines]
        matching = [
            event for event in events if event.at >= born and (not among or event.signature.id in among)
        ]
        return max(matching, key=lambda event: event.at, default=None)


@frozen
class SwarmIndex:
    """A snapshot, indexed once for all services."""

    snapshot: Snapshot
    thresholds: Thresholds
    networks: Mapping[str, Network]
    ingress_ids: tuple[str, ...]
    accounts: Mapping[str, NetworkAccount]
    nodes: Mapping[str, Node]
    tasks: Mapping[str, tuple[Task, ...]]
    """By service, newest first."""
    owners: Mapping[str, str]
    """The stack, or the service where it is in none, by the ID of each service and each task."""
    lines: Mapping[str, LogEvent]
    waiting_counts: Mapping[str, int]
    """How many services wait on each network."""
    largest_on: Callable[[str], str]
    """Returns which stacks hold most addresses of a network, by its ID; many services ask about the same few."""
    outside: Mapping[int, tuple[str, ...]]
    """Containers outside the swarm by the ports that they publish on the node that was asked, as far as read."""


def index_swarm(
    snapshot: Snapshot,
    thresholds: Thresholds,
    lines: Mapping[str, LogEvent],
    outside: Mapping[int, tuple[str, ...]],
) -> SwarmIndex:
    """Return the snapshot in the order in which cases need it."""
    swarm = snapshot.swarm
    by_service: defaultdict[str, list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        by_service[task.service_id].append(task)
    services = {service.id: service.stack or service.name for service in known(swarm.services, ())}
    owners = dict(services)
    for task in known(swarm.tasks, ()):
        owners[task.id] = "standalone containers" if task.is_standalone else services.get(task.service_id, "")
    accounts = {
        network_account.network.id: network_account for network_account in account(swarm, snapshot.earlier)
    }

    grouper = HolderGrouper(swarm)

    @cache
    def largest_on(network_id: str) -> str:
        return largest_holders(accounts[network_id], grouper)

    return SwarmIndex(
        snapshot,
        thresholds,
        {network.id: network for network in known(swarm.networks, ())},
        tuple(network.id for network in known(swarm.networks, ()) if network.ingress),
        accounts,
        {node.id: node for node in known(swarm.nodes, ())},
        {
            key: tuple(sorted(tasks, key=lambda task: (task.created or task.since, task.since), reverse=True))
            for key, tasks in by_service.items()
        },
        owners,
        lines,
        count_waiting(waiting_services(snapshot, thresholds)),
        largest_on,
        outside,
    )


def open_case(service: Service, swarm: SwarmIndex) -> ServiceContext:
    """Return a service with its slots, its networks and what is missing of them."""
    slots: defaultdict[tuple[int, str], list[Task]] = defaultdict(list)
    for task in swarm.tasks.get(service.id, ()):
        slots[task.slot, "" if task.slot else task.node_id].append(task)
    is_unread = isinstance(swarm.snapshot.swarm.networks, Unknown)
    requested_ids = [id_ for id_ in service.network_ids if id_ not in service.addressless_ids]
    existing_ids = [id_ for id_ in requested_ids if id_ in swarm.networks]
    required_ids = [id_ for id_ in existing_ids if swarm.networks[id_].is_overlay]
    if service.publishes_ingress:
        required_ids += [id_ for id_ in swarm.ingress_ids if id_ not in required_ids]
    places = tuple(Slot(tuple(tasks)) for _, tasks in sorted(slots.items()))
    return ServiceContext(
        service,
        places,
        # Nearly every cause asks for them, of every service.
        tuple(place for place in places if place.is_active),
        tuple(required_ids),
        () if is_unread else tuple(id_ for id_ in requested_ids if id_ not in swarm.networks),
        ("networks",) if is_unread else (),
        swarm,
    )

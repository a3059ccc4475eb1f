"""What can be removed now, and the proof of what leaked: no network before its last task has stopped, seen or unseen.

The order is that of `docker stack rm` with a wait in the middle: a network that is removed while a task on it still
stops makes the allocator forget that task, and its addresses on all other networks are lost (moby/moby#37338).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import StrEnum

from console.addresses import leaks
from console.addresses.accounting import NetworkAccount, account
from console.clock import Clock
from console.durations import duration
from console.errors import Unknown
from console.frozen import frozen
from console.operations.stack_removal.plan import (
    RemovalPlan,
    RetainedObject,
    StackPlan,
    container_name,
    keepers_of,
    node_name,
    tasks_of,
)
from console.settings import SnapshotSettings
from console.swarm.model import Container, ObjectKind, StackObject, SwarmState, Task
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import StackSnapshot

ATTEMPTS = 3
"""How often two snapshots are compared until nothing changes hands between them."""
NOT_ASKED = "This engine does not report its allocator's count (Docker 29 does), and no census was requested."
MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node."""
SETTLING_S = 5.0
"""How long after its creation the swarm itself updates a service, when it gives it its addresses."""


@frozen
class LeakCount:
    """How many addresses of a network had leaked at one moment."""

    network: str
    leaked: int | None
    """None where unknown; never 0 for that."""
    why_unknown: str = ""
    """A sentence, where the count is None."""


Prove = Callable[[tuple[StackObject, ...]], Awaitable[tuple[LeakCount, ...]]]
"""Counts what has leaked on some networks, in their order. Called once before and once after the removal."""


class LeakVerdict(StrEnum):
    """What the two counts say of a removal."""

    NO_LEAK = "no leak"
    LEAKED = "leaked"
    NOT_PROVEN = "not proven"


@frozen
class LeakComparison:
    """Both counts; networks that stay, in the same order."""

    before: tuple[LeakCount, ...]
    after: tuple[LeakCount, ...]

    @property
    def verdict(self) -> LeakVerdict:
        """What they say: a single network that leaked is a leak, a single unknown one leaves the rest unproven.

        Fewer than before are no contradiction: a restart of the leader gives back what had leaked.
        """
        pairs = [(one.leaked, two.leaked) for one, two in zip(self.before, self.after, strict=True)]
        if any(one is not None and two is not None and two > one for one, two in pairs):
            return LeakVerdict.LEAKED
        if any(one is None or two is None for one, two in pairs):
            return LeakVerdict.NOT_PROVEN
        return LeakVerdict.NO_LEAK


def networks_to_watch(plan: RemovalPlan, snapshot: StackSnapshot) -> tuple[StackObject, ...]:
    """Return the networks on which a removal could lose addresses: the stacks are on them, and they stay."""
    network_ids: set[str] = set()
    for stack in plan.stacks:
        services = {stack_object.id for stack_object in stack.of(ObjectKind.SERVICE)}
        for service in snapshot.services:
            if service.id in services:
                network_ids |= service.uses
        for task in tasks_of(stack.name, services, snapshot):
            network_ids |= task.network_ids
    return tuple(
        sorted(
            (
                stack_object
                for stack_object in snapshot.objects()
                if stack_object.kind is ObjectKind.NETWORK
                and stack_object.id in network_ids - plan.object_ids
            ),
            key=lambda stack_object: stack_object.name,
        )
    )


def engine_count(reader: SwarmReader, clock: Clock, settings: SnapshotSettings) -> Prove:
    """Return what counts by the engine's own allocator (API 1.52 and later), with two snapshots that must agree."""

    async def count(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
        swarm = await reader.state(settings.deadline_s)
        counts: tuple[LeakCount, ...] = ()
        for _ in range(ATTEMPTS):
            earlier = swarm
            await clock.sleep(settings.settle_s)
            swarm = await reader.state(settings.deadline_s)
            counts = _counts(networks, swarm, earlier)
            if not any(count.why_unknown == leaks.HOLDERS_CHANGING for count in counts):
                break
        return counts

    return count


async def count_nothing(networks: tuple[StackObject, ...]) -> tuple[LeakCount, ...]:
    """Count nothing: of every network it is unknown."""
    return tuple(LeakCount(network.name, None, NOT_ASKED) for network in networks)


def _counts(
    networks: tuple[StackObject, ...], swarm: SwarmState, earlier: SwarmState
) -> tuple[LeakCount, ...]:
    accounts = {network_account.network.id: network_account for network_account in account(swarm, earlier)}
    return tuple(_count(network, accounts.get(network.id), swarm) for network in networks)


def _count(network: StackObject, network_account: NetworkAccount | None, swarm: SwarmState) -> LeakCount:
    if network_account is None:
        why = swarm.networks.reason if isinstance(swarm.networks, Unknown) else "Network not found."
        return LeakCount(network.name, None, why)
    objections = [subnet.leak.why_unknown for subnet in network_account.subnets if subnet.leak.count is None]
    return LeakCount(
        network.name,
        network_account.leaked,
        (*objections, "The network has no IPv4 subnet.")[0] if network_account.leaked is None else "",
    )


@frozen
class RemovalStep:
    """What to remove now, and what is waited for. Neither: the stack is done with."""

    remove: tuple[StackObject, ...] = ()
    waits_for: tuple[str, ...] = ()
    """Tasks and containers that are still running, or objects that could not be removed yet, by name."""
    retained_objects: tuple[RetainedObject, ...] = ()
    """What stays, with the reason."""
    is_drained: bool = False
    """Whether all tasks and containers of the stack have ended, as far as is known."""

    @property
    def is_last(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.remove and not self.waits_for


def next_step(
    plan: StackPlan,
    going: Collection[str],
    snapshot: StackSnapshot,
    removed_ids: Collection[str],
    hidden_names: Mapping[str, str],
) -> RemovalStep:
    """Return what is next for a stack.

    `going` are the IDs of all services that are being removed, of whichever stack; `removed_ids` the IDs of objects whose
    removal the engine has confirmed; `hidden_names` tells, by ID, of what may run on unseen on other nodes.
    """
    running = (*still_running(plan, snapshot), *hidden_names.values())
    services = _remaining(plan, snapshot, removed_ids, ObjectKind.SERVICE)
    if services:
        return RemovalStep(remove=services, waits_for=running or _describe(services))
    if running:
        return RemovalStep(waits_for=running)
    retained_objects: list[RetainedObject] = []
    for kind in (ObjectKind.NETWORK, ObjectKind.SECRET, ObjectKind.CONFIG):
        waits: list[str] = []
        free: list[StackObject] = []
        for stack_object in _remaining(plan, snapshot, removed_ids, kind):
            reason = keepers_of(stack_object, snapshot, going)
            if reason:
                retained_objects.append(RetainedObject(stack_object, reason))
            elif kind is ObjectKind.NETWORK and (users := still_on(stack_object, snapshot)):
                waits.extend(users)
            else:
                free.append(stack_object)
        if free or waits:
            return RemovalStep(
                tuple(free), (*waits, *_describe(free)), tuple(retained_objects), is_drained=True
            )
    return RemovalStep(retained_objects=tuple(retained_objects), is_drained=True)


def still_running(plan: StackPlan, snapshot: StackSnapshot) -> tuple[str, ...]:
    """Return the live tasks of a stack, and containers of it that run on this node without a listed task, by name."""
    services = {stack_object.id: stack_object.name for stack_object in plan.of(ObjectKind.SERVICE)}
    tasks = [task for task in tasks_of(plan.name, services, snapshot) if task.is_alive]
    listed_containers = {task.container_id for task in tasks}
    others = {service.id for service in snapshot.services}.difference(services)
    containers = [
        container
        for container in snapshot.running_containers
        if container.id not in listed_containers
        and container.service_id
        and (
            container.service_id in services
            or (container.stack == plan.name and container.service_id not in others)
        )
    ]
    return (
        *(task_name(task, services, snapshot) for task in tasks),
        *(_container(container) for container in containers),
    )


def still_on(network: StackObject, snapshot: StackSnapshot) -> tuple[str, ...]:
    """Return what lives on a network, no matter whose: tasks, and containers that run on this node."""
    tasks = [task for task in snapshot.tasks if task.is_alive and network.id in task.network_ids]
    listed_containers = {task.container_id for task in tasks}
    names = {service.id: service.name for service in snapshot.services}
    return (
        *(task_name(task, names, snapshot) for task in tasks),
        *(
            _container(container)
            for container in snapshot.running_containers
            if container.is_on(network.id) and container.id not in listed_containers
        ),
    )


def task_name(task: Task, services: Mapping[str, str], snapshot: StackSnapshot) -> str:
    """Return a task as a person knows it: service and slot, its state, and where it is."""
    if task.is_standalone:
        return f"container {container_name(task, snapshot)}"
    here = next(
        (container.name for container in snapshot.running_containers if container.id == task.container_id), ""
    )
    service = services.get(task.service_id, "")
    name = f"{service}.{task.slot or task.node_id[:12]}" if service else here.removesuffix(f".{task.id}")
    where = f" on {node_name(task.node_id, snapshot)}" if task.node_id else ""
    return f"{name or f'task {task.id[:12]}'} ({task.state}{where})"


def _container(container: Container) -> str:
    return f"container {container.name}"


def _remaining(
    plan: StackPlan, snapshot: StackSnapshot, removed_ids: Collection[str], kind: ObjectKind
) -> tuple[StackObject, ...]:
    present = {stack_object.id for stack_object in snapshot.objects() if stack_object.kind is kind}
    return tuple(
        stack_object
        for stack_object in plan.of(kind)
        if stack_object.id in present and stack_object.id not in removed_ids
    )


def _describe(objects: Collection[StackObject]) -> tuple[str, ...]:
    return tuple(f"{stack_object.kind} {stack_object.name}" for stack_object in objects)


class HiddenTasks:
    """Knows, from snapshot to snapshot, what of a stack may still run on other nodes without being listed.

    After its service was removed a task stays listed until it has stopped. One that was scaled or updated away leaves
    the list at once on engines before 29, while its container takes its stop grace to end (measured on 20.10, 26.1
    and 28.5). On the node that is asked such containers themselves are seen; of other nodes only the time can be
    waited that they may take, counted from when the task vanished or the service was last updated.
    """

    def __init__(self, plan: StackPlan) -> None:
        self._plan = plan
        self._services = {stack_object.id: stack_object.name for stack_object in plan.of(ObjectKind.SERVICE)}
        self._elsewhere: dict[str, tuple[str, str, float]] = {}
        """Live tasks of the previous snapshot on other nodes: their service, what to call them, and their stop grace."""
        self._until_s: dict[str, tuple[str, float]] = {}
        """What may still run unseen, by ID: its name, and when it must have ended."""

    def after(self, snapshot: StackSnapshot, now_s: float) -> Mapping[str, str]:
        """Take in a snapshot made at `now_s`, and return by ID what to call what may still run unseen."""
        if len(snapshot.nodes) > 1:
            self._note_vanished_tasks(snapshot, now_s)
            self._note_service_updates(snapshot, now_s)
        self._until_s = {key: entry for key, entry in self._until_s.items() if entry[1] > now_s}
        return {key: name for key, (name, _) in self._until_s.items()}

    def _note_vanished_tasks(self, snapshot: StackSnapshot, now_s: float) -> None:
        tasks = tasks_of(self._plan.name, self._services, snapshot)
        listed_ids = {task.id for task in tasks}
        services = {service.id for service in snapshot.services}
        for task_id, (service_id, name, grace_s) in self._elsewhere.items():
            # Where the service has gone too, the task was listed until it had stopped.
            if task_id not in listed_ids and service_id in services:
                self._until_s[task_id] = (name, now_s + grace_s + MARGIN_S)
        self._elsewhere = {
            task.id: (
                task.service_id,
                f"{task_name(task, self._services, snapshot).partition(' (')[0]} (no longer listed)",
                task.grace_s,
            )
            for task in tasks
            if task.is_alive and task.node_id not in ("", snapshot.here)
        }

    def _note_service_updates(self, snapshot: StackSnapshot, now_s: float) -> None:
        for service in snapshot.services:
            age_s = (snapshot.now - service.updated).total_seconds()
            remaining_s = service.grace_s + MARGIN_S - age_s
            was_changed = (service.updated - service.created).total_seconds() > SETTLING_S
            if (
                service.id in self._services
                and was_changed
                and remaining_s > 0
                and service.id not in self._until_s
            ):
                name = f"{service.name} (updated {duration(age_s)} ago, may still stop tasks on other nodes)"
                self._until_s[service.id] = (name, now_s + remaining_s)

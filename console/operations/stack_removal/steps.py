"""What can be removed now: no network before the last task on it has stopped, seen or unseen.

The order is that of `docker stack rm` with a wait in the middle: a network that is removed while a task on it still
stops makes the allocator forget that task, and its addresses on all other networks are lost (moby/moby#37338).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from console.operations.stack_removal.plan import (
    Kept,
    StackPlan,
    container_name,
    keepers_of,
    node_name,
    tasks_of,
)
from console.swarm.stacks import Kind, RunningContainer, StackLook, StackObject, TaskUse
from console.text import duration


@dataclass(frozen=True, slots=True)
class Step:
    """What to remove now, and what is waited for. Neither: the stack is done with."""

    remove: tuple[StackObject, ...] = ()
    waits_for: tuple[str, ...] = ()
    """Tasks and containers that still run, or objects that could not be removed yet, by name."""
    kept: tuple[Kept, ...] = ()
    """What stays, with the reason."""
    is_drained: bool = False
    """Whether nothing of the stack runs any more, as far as can be seen."""

    @property
    def is_last(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.remove and not self.waits_for


def next_step(
    plan: StackPlan,
    going: Collection[str],
    look: StackLook,
    removed: Collection[str],
    hidden: Mapping[str, str],
) -> Step:
    """Return what is next for a stack.

    `going` are the IDs of all services that are being removed, of whichever stack; `removed` the IDs of objects whose
    removal the engine has confirmed; `hidden` tells, by ID, of what may run on unseen on other nodes.
    """
    running = (*still_running(plan, look), *hidden.values())
    services = _left(plan, look, removed, Kind.SERVICE)
    if services:
        return Step(remove=services, waits_for=running or _named(services))
    if running:
        return Step(waits_for=running)
    kept: list[Kept] = []
    for kind in (Kind.NETWORK, Kind.SECRET, Kind.CONFIG):
        waits: list[str] = []
        free: list[StackObject] = []
        for each in _left(plan, look, removed, kind):
            reason = keepers_of(each, look, going)
            if reason:
                kept.append(Kept(each, reason))
            elif kind is Kind.NETWORK and (users := still_on(each, look)):
                waits.extend(users)
            else:
                free.append(each)
        if free or waits:
            return Step(tuple(free), (*waits, *_named(free)), tuple(kept), is_drained=True)
    return Step(kept=tuple(kept), is_drained=True)


def still_running(plan: StackPlan, look: StackLook) -> tuple[str, ...]:
    """Return the live tasks of a stack, and containers of it that run on this node without a listed task, by name."""
    services = {each.id: each.name for each in plan.of(Kind.SERVICE)}
    tasks = [each for each in tasks_of(plan.name, services, look) if each.is_alive]
    shown = {each.container_id for each in tasks}
    others = {each.object.id for each in look.services}.difference(services)
    containers = [
        each
        for each in look.containers
        if each.id not in shown
        and each.service_id
        and (each.service_id in services or (each.stack == plan.name and each.service_id not in others))
    ]
    return (
        *(task_name(each, services, look) for each in tasks),
        *(_container(each) for each in containers),
    )


def still_on(network: StackObject, look: StackLook) -> tuple[str, ...]:
    """Return what lives on a network, whoever it belongs to: tasks, and containers that run on this node."""
    tasks = [each for each in look.tasks if each.is_alive and network.id in each.network_ids]
    shown = {each.container_id for each in tasks}
    names = {each.object.id: each.object.name for each in look.services}
    return (
        *(task_name(each, names, look) for each in tasks),
        *(
            _container(each)
            for each in look.containers
            if network.id in each.network_ids and each.id not in shown
        ),
    )


def task_name(task: TaskUse, services: Mapping[str, str], look: StackLook) -> str:
    """Return a task as a person knows it: service and slot, its state, and where it is."""
    if task.is_standalone:
        return f"container {container_name(task, look)}"
    here = next((each.name for each in look.containers if each.id == task.container_id), "")
    service = services.get(task.service_id, "")
    name = f"{service}.{task.slot or task.node_id[:12]}" if service else here.removesuffix(f".{task.id}")
    where = f" on {node_name(task.node_id, look)}" if task.node_id else ""
    return f"{name or f'task {task.id[:12]}'} ({task.state}{where})"


def _container(container: RunningContainer) -> str:
    return f"container {container.name}"


def _left(plan: StackPlan, look: StackLook, removed: Collection[str], kind: Kind) -> tuple[StackObject, ...]:
    present = (
        {each.object.id for each in look.services}
        if kind is Kind.SERVICE
        else {each.id for each in look.objects}
    )
    return tuple(each for each in plan.of(kind) if each.id in present and each.id not in removed)


def _named(objects: Collection[StackObject]) -> tuple[str, ...]:
    return tuple(f"{each.kind} {each.name}" for each in objects)


MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node."""
SETTLING_S = 5.0
"""For so long after its creation the swarm itself updates a service, when it gives it its addresses."""


class HiddenTasks:
    """Knows, from look to look, what of a stack may still run on other nodes without being listed.

    After its service was removed a task stays listed until it has stopped. One that was scaled or updated away leaves
    the list at once on engines before 29, while its container takes its stop grace to end (measured on 20.10, 26.1
    and 28.5). On the node that is asked such containers themselves are seen; of other nodes only the time can be
    waited that they may take, counted from when the task vanished or the service was last updated.
    """

    def __init__(self, plan: StackPlan) -> None:
        self._plan = plan
        self._services = {each.id: each.name for each in plan.of(Kind.SERVICE)}
        self._elsewhere: dict[str, tuple[str, str, float]] = {}
        """Live tasks of the look before on other nodes: their service, what to call them, and their stop grace."""
        self._until_s: dict[str, tuple[str, float]] = {}
        """What may run on unseen, by ID: what to call it, and when it must have ended."""

    def after(self, look: StackLook, now_s: float) -> Mapping[str, str]:
        """Take in a look made at `now_s`, and return by ID what to call what may still run unseen."""
        if len(look.nodes) > 1:
            self._note_vanished(look, now_s)
            self._note_updated(look, now_s)
        self._until_s = {key: each for key, each in self._until_s.items() if each[1] > now_s}
        return {key: name for key, (name, _) in self._until_s.items()}

    def _note_vanished(self, look: StackLook, now_s: float) -> None:
        tasks = tasks_of(self._plan.name, self._services, look)
        listed = {each.id for each in tasks}
        services = {each.object.id for each in look.services}
        for task_id, (service_id, name, grace_s) in self._elsewhere.items():
            # Where the service has gone too, the task was listed until it had stopped.
            if task_id not in listed and service_id in services:
                self._until_s[task_id] = (name, now_s + grace_s + MARGIN_S)
        self._elsewhere = {
            each.id: (
                each.service_id,
                f"{task_name(each, self._services, look).partition(' (')[0]} (no longer listed)",
                each.grace_s,
            )
            for each in tasks
            if each.is_alive and each.node_id not in ("", look.here)
        }

    def _note_updated(self, look: StackLook, now_s: float) -> None:
        for each in look.services:
            item, age_s = each.object, (look.now - each.updated).total_seconds()
            left_s = each.grace_s + MARGIN_S - age_s
            was_changed = (each.updated - each.created).total_seconds() > SETTLING_S
            if item.id in self._services and was_changed and left_s > 0 and item.id not in self._until_s:
                name = f"{item.name} (updated {duration(age_s)} ago, may still stop tasks on other nodes)"
                self._until_s[item.id] = (name, now_s + left_s)

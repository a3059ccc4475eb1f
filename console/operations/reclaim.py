"""Gives leaked addresses back: which method this swarm allows and what it costs, pure; and the method of restarting dockerd.

A restart stops every container of that host, and they come back. The other two stop none: a hand-over of the lead to another
manager is in `handover`, one to a manager that is borrowed for it in `borrow`.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from console.clock import Clock
from console.concurrency import until
from console.errors import EngineTimeout, Unknown, known
from console.frozen import frozen
from console.swarm.managers import (
    MANAGERS_AT_LEAST,
    NO_LEADER,
    ManagerRoles,
    Objection,
    by_hand,
    foreign,
    is_to_be_active,
    refusal,
)
from console.swarm.model import Node, Service, SwarmState
from console.swarm.reader import SwarmReader
from console.text import listed, plural


class ReclaimMethod(StrEnum):
    """How addresses are given back."""

    HANDOVER = "handover"
    BORROW = "borrow"
    """A hand-over to a second manager that is there for some seconds only."""
    RESTART = "restart"


@frozen
class ReclaimPlan:
    """What would be done; or why it cannot be, and then nothing else."""

    method: ReclaimMethod
    cost: str = ""
    """What happens, and to what, in a few sentences."""
    steps: tuple[str, ...] = ()
    """The same as plain commands."""
    refusal: str = ""
    hint: str = ""
    brings_back: bool = False
    """Whether it only finishes what was interrupted."""
    risk: str = ""
    """What can go wrong and what helps then, in a few sentences."""


@frozen
class ReclaimTarget:
    """Where it would be done."""

    machine: str
    unit: str
    """The docker unit of this host."""
    not_ours: Unknown | None = None
    """Why actions on this host may not reach the engine; None where it is this host's own."""


def plan_reclaim(
    roles: ManagerRoles,
    swarm: SwarmState,
    method: ReclaimMethod | None,
    target: ReclaimTarget,
    borrow: ReclaimPlan | None = None,
) -> ReclaimPlan:
    """Return the plan by the method that was asked for, else by the cheapest one that this swarm allows.

    `borrow` is the plan of a borrowed manager (`console.operations.borrow.plan`).
    """
    if method is ReclaimMethod.BORROW and borrow is not None:
        return borrow
    if method is ReclaimMethod.RESTART:
        return _restart(roles, swarm, target)
    handover = plan_handover(roles, swarm, target.machine)
    # On the leader of three managers a hand-over is only a step away: that is told, rather than a restart offered.
    if method is ReclaimMethod.HANDOVER or not handover.refusal or len(roles.reachable) >= MANAGERS_AT_LEAST:
        return handover
    return borrow if borrow is not None and not borrow.refusal else _restart(roles, swarm, target)


def plan_handover(roles: ManagerRoles, swarm: SwarmState, machine: str) -> ReclaimPlan:
    """Return what a hand-over would do; one that was cut short is ended, and nothing else is done then."""
    leader, objection = roles.leader, foreign(roles, machine)
    if objection is None and leader is None:
        objection = NO_LEADER
    if objection is not None or leader is None:
        return _refusal(ReclaimMethod.HANDOVER, objection or NO_LEADER)
    if roles.former_leaders:
        return _ending(roles.former_leaders)
    objection = refusal(roles)
    if objection is not None and roles.unfinished:
        plan = _ending(roles.unfinished)
        return ReclaimPlan(
            plan.method,
            f"{plan.cost} No address comes back. {' '.join(objection)}",
            plan.steps,
            brings_back=True,
        )
    if objection is not None:
        return _refusal(ReclaimMethod.HANDOVER, objection)
    return _handing_over(leader, swarm)


def _refusal(method: ReclaimMethod, why: Objection) -> ReclaimPlan:
    return ReclaimPlan(method, refusal=why[0], hint=why[1])


def _ending(nodes: tuple[Node, ...]) -> ReclaimPlan:
    return ReclaimPlan(
        ReclaimMethod.HANDOVER,
        f"A hand-over was interrupted: {listed([node.hostname for node in nodes])} becomes what it was "
        "before. No container stops.",
        tuple(command for node in nodes for command in by_hand(node)),
        brings_back=True,
    )


def _handing_over(leader: Node, swarm: SwarmState) -> ReclaimPlan:
    name = leader.hostname
    is_paused_for_it = leader.availability == "active" or is_to_be_active(leader)
    cost = (
        f"Another manager takes the lead from {name}, which is a worker for some seconds and then a manager "
        "again. "
    )
    if is_paused_for_it:
        cost += f"No container stops. {name} is paused meanwhile: no new task starts on it."
    else:
        cost += f"No container stops. {name} keeps its availability ({leader.availability})."
    at_risk = services_only_on_managers(leader, swarm)
    if at_risk:
        cost += (
            f" Do not update {listed(at_risk)} meanwhile: updating a global service that runs only on "
            f"managers would end its task on {name}."
        )
    pause, active = (
        (f"docker node update --availability pause {name}",),
        (f"docker node update --availability active {name}  # once `docker node ls` shows it as Reachable",),
    )
    return ReclaimPlan(
        ReclaimMethod.HANDOVER,
        cost,
        (
            *(pause if is_paused_for_it else ()),
            f"docker node demote {name}",
            f"docker node promote {name}  # once another manager leads",
            *(active if is_paused_for_it else ()),
        ),
    )


def services_only_on_managers(leader: Node, swarm: SwarmState) -> list[str]:
    """Return the global services with a task on the leader which a worker must not run."""
    there = {
        task.service_id for task in known(swarm.tasks, ()) if task.node_id == leader.id and task.is_alive
    }
    services = known(swarm.services, ())
    return sorted(service.name for service in services if service.id in there and _asks_for_manager(service))


def _asks_for_manager(service: Service) -> bool:
    # Swarm looks at all tasks of a global service when it is updated, also on paused nodes (swarmkit, orchestrator/global).
    return service.mode.startswith("global") and any(
        "".join(constraint.split()).lower() in ("node.role==manager", "node.role!=worker")
        for constraint in service.constraints
    )


def _restart(roles: ManagerRoles, swarm: SwarmState, target: ReclaimTarget) -> ReclaimPlan:
    if roles.leader is None:
        return _refusal(ReclaimMethod.RESTART, NO_LEADER)
    if roles.leader.id != roles.here:
        leader = roles.leader.hostname
        return _refusal(
            ReclaimMethod.RESTART,
            (f"The allocator runs on the leader {leader}, not on this node.", f"Run it on {leader}."),
        )
    if target.not_ours is not None:
        why = f"The docker unit of this host is not restarted. {target.not_ours.reason}"
        return _refusal(ReclaimMethod.RESTART, (why, target.not_ours.hint))
    tasks = [
        task for task in known(swarm.tasks, ()) if task.node_id == roles.here and task.state == "running"
    ]
    alone = sum(task.is_standalone for task in tasks)
    what = f"{plural(len(tasks) - alone, 'task')} and {plural(alone, 'container')} on overlays"
    return ReclaimPlan(
        ReclaimMethod.RESTART,
        f"Every container of this host stops and comes back ({what}). This takes about half a minute.",
        (f"systemctl restart {target.unit}",),
    )


POLL_S = 1.0


@frozen
class RestartResult:
    """What came of a restart."""

    took_s: float
    """Until the swarm was back and converged."""
    behind: tuple[str, ...]
    """Services whose tasks all ran before and do not yet, by name."""


class DaemonRestart:
    """One restart. `restart` does it: `systemctl restart` of the unit on a real host."""

    def __init__(
        self,
        reader: SwarmReader,
        clock: Clock,
        restart: Callable[[], Awaitable[None]],
        tell: Callable[[str], object],
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._restart = restart
        self._tell = tell

    async def run(self, recovery_s: float) -> RestartResult:
        """Restart it and wait until what ran before runs again.

        Raises HostError when the unit does not come up, EngineTimeout when the swarm does not.
        """
        began_s = self._clock.monotonic()
        before = count_running_tasks(await self._reader.lists(10))
        self._tell("restarting dockerd: every container of this host stops and comes back")
        await self._restart()
        self._tell("dockerd is up; waiting for the swarm")
        behind: tuple[str, ...] | None = None

        async def is_back() -> bool:
            nonlocal behind
            swarm = await self._reader.lists(10)
            answers = not isinstance(swarm.engine, Unknown) and not isinstance(swarm.nodes, Unknown)
            behind = behind_of(before, swarm) if answers else None
            return behind == ()

        await until(is_back, self._clock, recovery_s, POLL_S)
        if behind is None:
            raise EngineTimeout(
                f"dockerd restarted, but the swarm did not answer within {recovery_s:g} s.",
                "Run `systemctl status` on its unit, and read its journal.",
            )
        return RestartResult(self._clock.monotonic() - began_s, behind)


def count_running_tasks(swarm: SwarmState) -> Mapping[str, int]:
    """Return how many tasks of each service run and are wanted, by the service's name."""
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return {}
    names = {service.id: service.name for service in swarm.services}
    counts: defaultdict[str, int] = defaultdict(int)
    for task in swarm.tasks:
        if task.state == "running" and task.desired_state == "running" and task.service_id in names:
            counts[names[task.service_id]] += 1
    return dict(counts)


def behind_of(before: Mapping[str, int], swarm: SwarmState) -> tuple[str, ...]:
    """Return the services that are still there and have fewer tasks running than before."""
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return tuple(before)
    names, now = {service.name for service in swarm.services}, count_running_tasks(swarm)
    return tuple(sorted(name for name, count in before.items() if name in names and now.get(name, 0) < count))

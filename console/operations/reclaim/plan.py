"""Which way of giving leaked addresses back this swarm allows, and what it costs. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from console.errors import Unknown, known
from console.swarm.managers import (
    MANAGERS_AT_LEAST,
    NO_LEADER,
    ManagerRoles,
    Refusal,
    by_hand,
    foreign,
    is_to_be_active,
    refusal,
)
from console.swarm.model import Node, Service, SwarmState
from console.text import listed, plural


class ReclaimMethod(StrEnum):
    """How addresses are given back."""

    HANDOVER = "handover"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class ReclaimPlan:
    """What would be done; or why it cannot be, and then nothing else."""

    way: ReclaimMethod
    cost: str = ""
    """A sentence: what happens, and to what."""
    steps: tuple[str, ...] = ()
    """The same as plain commands."""
    refusal: str = ""
    hint: str = ""
    brings_back: bool = False
    """Whether it only finishes an interrupted hand-over."""


@dataclass(frozen=True, slots=True)
class ReclaimTarget:
    """Where it would be done."""

    machine: str
    unit: str
    """The docker unit of this host."""
    not_ours: Unknown | None = None
    """Why actions on this host may not reach the engine; None where it is this host's own."""


def plan_reclaim(
    roles: ManagerRoles, swarm: SwarmState, way: ReclaimMethod | None, target: ReclaimTarget
) -> ReclaimPlan:
    """Return the way that was asked for, else the cheaper one of those that can be gone."""
    if way is ReclaimMethod.RESTART:
        return _restart(roles, swarm, target)
    handover = plan_handover(roles, swarm, target.machine)
    # On the leader of three managers a hand-over is only a step away: that is told, rather than a restart offered.
    if way is ReclaimMethod.HANDOVER or not handover.refusal or len(roles.reachable) >= MANAGERS_AT_LEAST:
        return handover
    return _restart(roles, swarm, target)


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
            plan.way,
            f"{plan.cost} No address comes back. {' '.join(objection)}",
            plan.steps,
            brings_back=True,
        )
    if objection is not None:
        return _refusal(ReclaimMethod.HANDOVER, objection)
    return _handing_over(leader, swarm)


def _refusal(way: ReclaimMethod, why: Refusal) -> ReclaimPlan:
    return ReclaimPlan(way, refusal=why[0], hint=why[1])


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
    at_risk = _only_on_managers(leader, swarm)
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


def _only_on_managers(leader: Node, swarm: SwarmState) -> list[str]:
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

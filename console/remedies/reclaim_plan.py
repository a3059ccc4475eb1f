"""Which way of giving leaked addresses back this swarm allows, and what it costs. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from console.parts import Unknown, known
from console.remedies.handover import MANAGERS_AT_LEAST, Roles, refusal
from console.swarm.values import SwarmState
from console.text import plural


class Way(StrEnum):
    """How addresses are given back."""

    HANDOVER = "handover"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class ReclaimPlan:
    """What would be done, or why it cannot be."""

    way: Way
    cost: str
    """A sentence: what happens to whom."""
    steps: tuple[str, ...]
    """The same as plain commands."""
    refused: str = ""
    hint: str = ""


def plan_reclaim(
    roles: Roles, swarm: SwarmState, asked: Way | None, unit: str, not_ours: Unknown | None
) -> ReclaimPlan:
    """Return the way that was asked for, else the cheaper one of those that can be gone.

    `not_ours` says why what happens on this host is not known to happen to the engine; None where it is its own.
    """
    if asked is Way.RESTART:
        return _restart(roles, swarm, unit, not_ours)
    handover = _handover(roles)
    # On the leader of three managers a hand-over is only a step away: that is told, rather than a restart offered.
    if asked is Way.HANDOVER or not handover.refused or len(roles.reachable) >= MANAGERS_AT_LEAST:
        return handover
    return _restart(roles, swarm, unit, not_ours)


def _handover(roles: Roles) -> ReclaimPlan:
    leader = roles.demoted[0] if roles.demoted else roles.leader
    name = leader.hostname if leader else "LEADER"
    refused = None if roles.demoted else refusal(roles)
    return ReclaimPlan(
        Way.HANDOVER,
        f"Another manager takes the lead from {name}, which becomes a worker for some seconds and a manager again. "
        "No container is touched.",
        (f"docker node demote {name}", f"docker node promote {name}"),
        *(refused or ("", "")),
    )


def _restart(roles: Roles, swarm: SwarmState, unit: str, not_ours: Unknown | None) -> ReclaimPlan:
    tasks = [
        each for each in known(swarm.tasks, ()) if each.node_id == roles.here and each.state == "running"
    ]
    alone = sum(each.is_standalone for each in tasks)
    what = f"{plural(len(tasks) - alone, 'task')} and {plural(alone, 'container')} on overlays"
    cost = f"Every container of this host stops and comes back ({what}), which takes about half a minute."
    steps = (f"systemctl restart {unit}",)
    refused, hint = "", ""
    if roles.leader is None:
        refused, hint = "The swarm has no leader.", "`docker node ls` on the managers."
    elif roles.leader.id != roles.here:
        refused = f"The allocator runs on the leader, {roles.leader.hostname}, and not here."
        hint = f"Run it on {roles.leader.hostname}."
    elif not_ours is not None:
        refused, hint = f"The docker unit of this host is not restarted. {not_ours.reason}", not_ours.hint
    return ReclaimPlan(Way.RESTART, cost, steps, refused, hint)

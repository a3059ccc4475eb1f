"""Whether a manager can be borrowed, what that does and what it risks. Pure."""

from pathlib import Path

from console.errors import Result, Unknown
from console.frozen import frozen
from console.host.temporary.values import Cable
from console.operations.reclaim import ReclaimMethod, ReclaimPlan, services_only_on_managers
from console.storage.borrow import BorrowRecord
from console.swarm.managers import NO_LEADER, ManagerRoles, Objection
from console.swarm.model import Node, SwarmState
from console.text import listed

USUAL_S = 20
"""How long it takes in all (measured: 15 to 18 s on 20.10.24, 26.1.5 and 28.5.2)."""


@frozen
class BorrowFacts:
    """What is known of this host and its engine."""

    swarm: SwarmState
    """The snapshot that it was found out with."""
    folder: Path
    """Where the temporary manager's data and the record lie."""
    cable: Result[Cable]
    """How the two are connected; or what keeps a manager from being borrowed here."""
    manager_address: str = ""
    """Where the real manager is reached, as `ADDRESS:PORT`."""


def plan_borrow(roles: ManagerRoles, facts: BorrowFacts) -> ReclaimPlan:
    """Return what a borrowed manager does, or why none can be."""
    objection = _objection(roles, facts)
    leader = roles.leader
    if objection is not None or leader is None:
        sentence, hint = objection or NO_LEADER
        return ReclaimPlan(ReclaimMethod.BORROW, refusal=sentence, hint=hint)
    return _borrowing(leader, facts)


def _objection(roles: ManagerRoles, facts: BorrowFacts) -> Objection | None:
    leader = roles.leader
    if leader is None:
        return NO_LEADER
    if len(roles.managers) > 1:
        return (
            f"A manager is borrowed on a swarm with one manager only, and this one has {len(roles.managers)}.",
            "With three or more, `vipconsole reclaim --by handover` does it without a second dockerd.",
        )
    if leader.id != roles.here:
        return (
            f"The allocator runs on the leader {leader.hostname}, not on this node.",
            f"Run it on {leader.hostname}.",
        )
    if isinstance(facts.cable, Unknown):
        return facts.cable.reason, facts.cable.hint
    return None


def plan_ending(record: BorrowRecord) -> ReclaimPlan:
    """Return what ends a borrowed manager that was cut short."""
    return ReclaimPlan(
        ReclaimMethod.BORROW,
        f"A borrowed manager was interrupted ({record.step}): {record.node_name} becomes what it was before, and the "
        "temporary manager leaves the swarm and is removed. No container stops.",
        (
            f"docker node promote {record.node_name}",
            f"docker node update --availability active {record.node_name}",
            "docker node demote vipconsole-temporary",
            "docker node rm --force vipconsole-temporary",
        ),
        brings_back=True,
    )


def _borrowing(leader: Node, facts: BorrowFacts) -> ReclaimPlan:
    name, temporary = leader.hostname, "vipconsole-temporary"
    cost = (
        f"A second dockerd on this host joins the swarm as a drained manager and leads it for some seconds, while {name} "
        f"is a worker. Then {name} leads again, and the second one is removed. No container stops. Deploys wait meanwhile. "
        f"This takes about {USUAL_S} s, and up to two minutes where much changed lately."
    )
    risk = (
        "For 5 to 20 s the second dockerd is the only manager. If anything dies then, containers run on, and `vipconsole "
        f"reclaim` finishes it from what is in {facts.folder}. A copy of the swarm's state and `way-back.sh` lie there too."
    )
    at_risk = services_only_on_managers(leader, facts.swarm)
    if at_risk:
        risk += (
            f" Do not update {listed(at_risk)} meanwhile: updating a global service that runs only on managers would "
            f"end its task on {name}."
        )
    pause, active = (
        (f"docker node update --availability pause {name}",),
        (f"docker node update --availability active {name}  # once `docker node ls` shows it as Reachable",),
    )
    is_paused_for_it = leader.availability == "active"
    return ReclaimPlan(
        ReclaimMethod.BORROW,
        cost,
        (
            f"docker swarm join --availability drain --token … {facts.manager_address}  # the second dockerd, {temporary}",
            *(pause if is_paused_for_it else ()),
            f"docker node demote {name}",
            f"docker node promote {name}  # once {temporary} leads",
            *(active if is_paused_for_it else ()),
            f"docker node demote {temporary}",
            f"docker node rm --force {temporary}",
        ),
        risk=risk,
    )

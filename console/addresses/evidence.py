"""A census as evidence of what leaked: what it rests on, and when it says nothing any more. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network

from console.durations import is_known
from console.errors import Unknown, known
from console.swarm.values import SwarmState


@dataclass(frozen=True, slots=True)
class Allocator:
    """What hands a swarm's addresses out. A leak lives exactly as long as the allocator that it happened in."""

    cluster_id: str
    leader_id: str
    """The node on which it runs."""
    node_id: str
    """The node that was asked."""
    daemon_began: datetime | None
    """When the dockerd that was asked made its network `bridge`, which it does anew at every start (measured on 20.10);
    None where it has no such network."""


@dataclass(frozen=True, slots=True)
class Census:
    """The addresses of a network that a census found taken by nobody."""

    network_id: str
    network_name: str
    taken_at: datetime
    """By the engine's clock."""
    allocator: Allocator
    unaccounted: tuple[IPv4Address, ...]
    load_balancers_at_most: int
    """So many of them may be other nodes' load balancers, which only those nodes name; all others leaked."""


@dataclass(frozen=True, slots=True)
class Count:
    """What the engine counted as leaked in a subnet when it was last quiet there.

    It was exact then. Leaks only grow until the allocator begins anew.
    """

    leaked: int
    at: datetime
    """By the engine's clock."""


Counts = Mapping[tuple[str, IPv4Network], Count]
"""By network ID and subnet."""


@dataclass(frozen=True, slots=True)
class Void:
    """A census that says nothing about this swarm any more, and why."""

    census: Census
    reason: str


def allocator_of(swarm: SwarmState) -> Allocator | None:
    """Return the allocator that a swarm has now, or None where engine, networks or leader are not known."""
    if isinstance(swarm.engine, Unknown) or isinstance(swarm.networks, Unknown):
        return None
    leader = next((each.id for each in known(swarm.nodes, ()) if each.is_leader), None)
    if leader is None:
        return None
    bridge = next(
        (
            each
            for each in swarm.networks
            if (each.name, each.scope) == ("bridge", "local") and is_known(each.created)
        ),
        None,
    )
    return Allocator(
        swarm.engine.cluster_id, leader, swarm.engine.node_id, None if bridge is None else bridge.created
    )


def weigh(
    censuses: Iterable[Census], swarm: SwarmState, rebuilt_at: datetime | None
) -> tuple[Mapping[str, Census], tuple[Void, ...]]:
    """Return the censuses that still hold, by network ID, and those that are void.

    Censuses of other swarms, and of networks that are gone, are in neither. `rebuilt_at` is when dockerd's log says that
    the allocator began anew, where it says so.
    """
    there = {each.id for each in known(swarm.networks, ())}
    cluster = "" if isinstance(swarm.engine, Unknown) else swarm.engine.cluster_id
    now = allocator_of(swarm)
    valid: dict[str, Census] = {}
    void: list[Void] = []
    for census in censuses:
        if census.allocator.cluster_id != cluster or census.network_id not in there:
            continue
        reason = _void_because(census, now, rebuilt_at)
        if reason:
            void.append(Void(census, reason))
        else:
            valid[census.network_id] = census
    return valid, tuple(void)


def _void_because(census: Census, now: Allocator | None, rebuilt_at: datetime | None) -> str:
    then = census.allocator
    if now is None:
        return "which node leads the swarm could not be read"
    if now.leader_id != then.leader_id:
        return "another node leads the swarm now"
    if now.node_id != then.node_id:
        return "it was taken through another node"
    if now.daemon_began != then.daemon_began:
        return "dockerd was started again"
    if rebuilt_at is not None and rebuilt_at > census.taken_at:
        return "dockerd's log says that the allocator began anew"
    return ""


def doubt_about(allocator: Allocator, managers: int) -> str:
    """Return what could make evidence void without being seen from the node that was asked, or nothing."""
    if allocator.node_id != allocator.leader_id:
        return "A restart of the leader's dockerd since then would not be seen from this node."
    if managers > 1:
        return "A leader that changed and changed back since then would not be seen."
    if allocator.daemon_began is None:
        return "A restart of dockerd since then is seen in its log only."
    return ""


def mark_of(allocator: Allocator | None, managers: int) -> str:
    """Return a name for an allocator whose end shows, also to whoever did not watch; nothing where it might not."""
    if allocator is None or managers != 1 or doubt_about(allocator, managers):
        return ""
    return f"{allocator.leader_id} {allocator.daemon_began}"

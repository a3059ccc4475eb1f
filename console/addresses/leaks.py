"""What leaked, how that is known and how sure it is: the log of watched leaks, and a census while it is valid. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from console.addresses.holders import AddressHolders, HolderKind, Pool
from console.durations import is_known
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, SubnetUse, SwarmState

ONE_SNAPSHOT = "There is only one snapshot, and addresses may have been changing hands."
HOLDERS_CHANGING = "Addresses changed hands between the two snapshots."
ENGINE_CANNOT = "This engine does not report its allocator's count (Docker 29 does)."
NO_COUNT_NOW = "The engine did not report its allocator's count for this network."
INCONSISTENT = "The engine's figures for this subnet do not add up."
HOLDERS_MISSING = "Not all holders could be read."
UNKNOWN_SUBNET = "Other nodes' load balancers hold addresses here, and which subnet they are in is not known."
UNDERCOUNT = "More addresses have a holder than the engine counts as taken."


@frozen
class AllocatorGeneration:
    """What hands out a swarm's addresses. A leak lasts exactly as long as the allocator in which it happened."""

    cluster_id: str
    leader_id: str
    """The node on which it runs."""
    node_id: str
    """The node that was asked."""
    daemon_began: datetime | None
    """When the dockerd that was asked made its network `bridge`, which it does again at every start (measured on 20.10);
    None where it has no such network."""
    rebuilt: str = ""
    """When a borrowed manager rebuilt it last, by the label of the node that leads; nothing where none has."""


@frozen
class Census:
    """The addresses of a network that a census found taken by nobody."""

    network_id: str
    network_name: str
    taken_at: datetime
    """By the engine's clock."""
    allocator: AllocatorGeneration
    unaccounted: tuple[IPv4Address, ...]
    load_balancers_at_most: int
    """So many of them may be other nodes' load balancers, which only those nodes name; all others leaked."""


@frozen
class EngineLeakCount:
    """What the engine counted as leaked in a subnet when it was last quiet there.

    It was exact then. Leaks only grow until the allocator is rebuilt.
    """

    leaked: int
    at: datetime
    """By the engine's clock."""


Counts = Mapping[tuple[str, IPv4Network], EngineLeakCount]
"""By network ID and subnet."""


@frozen
class StaleCensus:
    """A census that says nothing about this swarm any more, and why."""

    census: Census
    reason: str


def allocator_of(swarm: SwarmState) -> AllocatorGeneration | None:
    """Return the allocator that a swarm has now, or None where engine, networks or leader are not known."""
    if isinstance(swarm.engine, Unknown) or isinstance(swarm.networks, Unknown):
        return None
    leader = next((node for node in known(swarm.nodes, ()) if node.is_leader), None)
    if leader is None:
        return None
    bridge = next(
        (
            network
            for network in swarm.networks
            if (network.name, network.scope) == ("bridge", "local") and is_known(network.created)
        ),
        None,
    )
    return AllocatorGeneration(
        swarm.engine.cluster_id,
        leader.id,
        swarm.engine.node_id,
        None if bridge is None else bridge.created,
        leader.allocator_rebuilt,
    )


def valid_evidence(
    censuses: Iterable[Census], swarm: SwarmState, rebuilt_at: datetime | None
) -> tuple[Mapping[str, Census], tuple[StaleCensus, ...]]:
    """Return the censuses that still hold, by network ID, and those that are stale.

    Censuses of other swarms, and of networks that are gone, are in neither. `rebuilt_at` is when, by dockerd's log,
    the allocator was rebuilt, where it says so.
    """
    there = {network.id for network in known(swarm.networks, ())}
    cluster = "" if isinstance(swarm.engine, Unknown) else swarm.engine.cluster_id
    now = allocator_of(swarm)
    valid: dict[str, Census] = {}
    stale: list[StaleCensus] = []
    for census in censuses:
        if census.allocator.cluster_id != cluster or census.network_id not in there:
            continue
        reason = _stale_because(census, now, rebuilt_at)
        if reason:
            stale.append(StaleCensus(census, reason))
        else:
            valid[census.network_id] = census
    return valid, tuple(stale)


def _stale_because(census: Census, now: AllocatorGeneration | None, rebuilt_at: datetime | None) -> str:
    then = census.allocator
    if now is None:
        return "which node leads the swarm could not be read"
    differences = (
        (now.leader_id != then.leader_id, "another node leads the swarm now"),
        (now.node_id != then.node_id, "it was taken through another node"),
        (now.daemon_began != then.daemon_began, "dockerd was restarted"),
        (now.rebuilt != then.rebuilt, "a borrowed manager rebuilt the allocator"),
    )
    for differs, reason in differences:
        if differs:
            return reason
    if rebuilt_at is not None and rebuilt_at > census.taken_at:
        return "dockerd's log says that the allocator was rebuilt"
    return ""


def how_it_could_go_stale(allocator: AllocatorGeneration, managers: int) -> str:
    """Return what could make evidence stale without being seen from the node that was asked, or nothing."""
    if allocator.node_id != allocator.leader_id:
        return "A restart of the leader's dockerd since then would not be seen from this node."
    if managers > 1:
        return "A leader that changed and changed back since then would not be seen."
    if allocator.daemon_began is None:
        return "A restart of dockerd since then is seen in its log only."
    return ""


def allocator_key(allocator: AllocatorGeneration | None, managers: int) -> str:
    """Return a key for an allocator generation whose end is visible without monitoring; nothing where it may not be."""
    if allocator is None or managers != 1 or how_it_could_go_stale(allocator, managers):
        return ""
    return f"{allocator.leader_id} {allocator.daemon_began} {allocator.rebuilt}".rstrip()


@frozen
class LeakEntry:
    """What one task leaked on one network that stays."""

    network_id: str
    network_name: str
    addresses: tuple[IPv4Address, ...]
    task_id: str
    task_name: str
    """As `docker service ps` shows it; a short ID where its name is not known."""
    service_name: str
    stack: str
    """Empty for a service of no stack, or where it is not known."""
    removed_network: str
    """Name of the network that was removed under the task, or its short ID."""
    ended_at: datetime
    """When the task was first seen ended, by the engine's clock."""


@frozen
class MonitoringGap:
    """A time without close enough monitoring: leaks in it are in no log."""

    since: datetime
    until: datetime | None
    """None while it goes on. Both by the engine's clock."""
    why: str
    """A sentence."""


@frozen
class LeakLog:
    """What was seen leaking since monitoring began, as far as it is still valid.

    Entries are stale after the allocator was rebuilt, and an address of one once somebody holds it again; those are left
    out. The newest come first.
    """

    monitored_since: datetime | None = None
    """By the engine's clock; None before the first snapshot. Older entries are those of an earlier session."""
    entries: tuple[LeakEntry, ...] = ()
    gaps: tuple[MonitoringGap, ...] = ()

    @property
    def open_gap(self) -> MonitoringGap | None:
        """The gap that goes on, or None while monitoring is close enough."""
        return self.gaps[0] if self.gaps and self.gaps[0].until is None else None

    @property
    def past_gaps(self) -> tuple[MonitoringGap, ...]:
        """The gaps that are over, newest first."""
        return tuple(gap for gap in self.gaps if gap.until is not None)

    def on(self, network_id: str) -> tuple[LeakEntry, ...]:
        """Return the entries of one network."""
        return tuple(entry for entry in self.entries if entry.network_id == network_id)


class LeakCertainty(StrEnum):
    """How sure a count of leaked addresses is."""

    EXACT = "exact"
    AT_LEAST = "at least"
    """More may have leaked."""
    UNKNOWN = "unknown"


class LeakEvidence(StrEnum):
    """Where the knowledge of a leak comes from."""

    ENGINE_COUNT = "engine count"
    """The allocator's own count, the same in two snapshots between which nothing changed hands."""
    CENSUS = "census"
    """A walk of the ring of free addresses, which names each that is taken by nobody, as of its date."""
    LEAK_LOG = "leak log"
    """Removals that were watched losing them."""
    ALL_HELD = "all held"
    """Every address of the subnet has a holder, so none can have leaked."""
    NONE = "none"


@frozen
class Leak:
    """The leaked addresses of one subnet: taken in the allocator, and held by nobody."""

    count: int | None
    """None where it is not known; never 0 for that."""
    certainty: LeakCertainty
    evidence: LeakEvidence
    addresses: tuple[IPv4Address, ...] = ()
    """Those that leaked, where they are known by name, and `possibly_load_balancers` others among them. Where it is `at
    least` so many, they may be fewer than the count."""
    why_unknown: str = ""
    """A sentence, where the count is None."""
    as_of: datetime | None = None
    """When that was so, where it is not now; more may have leaked since."""
    possibly_load_balancers: int = 0
    """So many of `addresses` beyond the count are other nodes' load balancers, which ones being unknown."""
    observed_count: int = 0
    """So many of the count were seen leaking."""


def unknown_leak(why: str) -> Leak:
    """Return the leak of a subnet whose leaked addresses cannot be counted; `why` is a sentence."""
    return Leak(None, LeakCertainty.UNKNOWN, LeakEvidence.NONE, why_unknown=why)


def leak_by_name(
    census: Census | None,
    observed_addresses: Collection[IPv4Address],
    pool: Pool,
    held_addresses: AddressHolders,
    unaccounted_count: int,
) -> Leak | None:
    """Return what census and leak log say about a subnet of which `unaccounted_count` addresses have no known holder now.

    `observed_addresses` are those of the network that were seen leaking. What somebody holds again has not leaked after
    all, or came back. None where there is neither a census nor anything that was seen.
    """
    census_addresses = () if census is None else census.unaccounted
    remaining = [
        address for address in sorted(census_addresses) if address in pool and address not in held_addresses
    ]
    new_addresses = [
        address
        for address in sorted(observed_addresses)
        if address in pool and address not in held_addresses and address not in remaining
    ]
    if census is None and not new_addresses:
        return None
    # Which of several subnets other nodes' load balancers are in is not known: each may have all of them, but for those
    # that their nodes have named since.
    named_load_balancers = sum(
        any(holder.kind is HolderKind.LOAD_BALANCER for holder in held_addresses.get(address, ()))
        for address in census_addresses
    )
    allowance = 0 if census is None else max(0, census.load_balancers_at_most - named_load_balancers)
    load_balancers = min(allowance, len(remaining))
    names = tuple(sorted((*remaining, *new_addresses)))
    count = min(len(names) - load_balancers, unaccounted_count)
    observed_count = min(len(new_addresses), count)
    return Leak(
        count,
        LeakCertainty.AT_LEAST if observed_count or census is None else LeakCertainty.EXACT,
        LeakEvidence.LEAK_LOG if census is None else LeakEvidence.CENSUS,
        names,
        as_of=None if census is None else census.taken_at,
        possibly_load_balancers=len(names) - count,
        observed_count=observed_count,
    )


def count_unaccounted(pool: Pool, use: SubnetUse, accounted_count: int) -> int | None:
    """Return how many addresses the allocator has taken beyond those accounted for.

    Negative when fewer are taken than are held. None when the engine's two figures contradict each other:
    without an ip-range they add up to the size of the subnet.
    """
    size = pool.handed_out_from.num_addresses
    whole = pool.handed_out_from == pool.subnet
    if use.available > size or (whole and use.in_use + use.available != size):
        return None
    return pool.capacity - use.available - accounted_count


def valid_entries(
    entries: tuple[LeakEntry, ...], swarm: SwarmState, there: Mapping[str, Network]
) -> tuple[LeakEntry, ...]:
    """Return the entries without networks that are not `there`, and without addresses that somebody holds."""
    if not entries:
        return ()
    held_addresses: dict[str, set[object]] = {entry.network_id: set() for entry in entries}
    for service in known(swarm.services, ()):
        for vip in service.virtual_ips:
            held_addresses.get(vip.network_id, set()).add(vip.address)
    for task in known(swarm.tasks, ()):
        for attachment in task.attachments if task.is_alive else ():
            held_addresses.get(attachment.network_id, set()).update(attachment.addresses)
    for key in held_addresses.keys() & there.keys():
        detail = there[key].detail
        endpoints = () if isinstance(detail, Unknown) else detail.endpoints
        held_addresses[key].update(endpoint.address for endpoint in endpoints if endpoint.is_load_balancer)
    remaining = (
        subtract_addresses(entry, held_addresses[entry.network_id])
        for entry in entries
        if entry.network_id in there
    )
    return tuple(entry for entry in remaining if entry is not None)


def subtract_addresses(entry: LeakEntry, addresses: Collection[object]) -> LeakEntry | None:
    """Return an entry without these addresses; None where it has no others."""
    remaining = tuple(address for address in entry.addresses if address not in addresses)
    if remaining == entry.addresses:
        return entry
    return replace(entry, addresses=remaining) if remaining else None

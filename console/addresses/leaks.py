"""What leaked, how that is known and how sure it is; and the log of leaks that were watched happening."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address

from console.addresses.evidence import Census
from console.addresses.holders import Pool
from console.swarm.values import SubnetUse


@dataclass(frozen=True, slots=True)
class Entry:
    """What one task leaked on one network that stays."""

    network_id: str
    network_name: str
    addresses: tuple[IPv4Address, ...]
    task_id: str
    task_name: str
    """As `docker service ps` shows it; a short ID where nothing told its name."""
    service_name: str
    stack: str
    """Empty for a service of no stack, or where nothing told."""
    removed_network: str
    """Name of the network that was removed under the task, or its short ID."""
    ended_at: datetime
    """When the task was first seen ended, by the engine's clock."""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """A time in which nobody looked closely enough: leaks in it are in no ledger."""

    since: datetime
    until: datetime | None
    """None while it goes on. Both by the engine's clock."""
    why: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was seen leaking since watching began, as far as it still holds.

    Entries are void after the allocator was rebuilt, and an address of one once somebody holds it again; those are left
    out. The newest come first.
    """

    watched_since: datetime | None = None
    """By the engine's clock; None before the first look. Older entries are those of an earlier session."""
    entries: tuple[Entry, ...] = ()
    gaps: tuple[Unwatched, ...] = ()

    def on(self, network_id: str) -> tuple[Entry, ...]:
        """Return the entries of one network."""
        return tuple(each for each in self.entries if each.network_id == network_id)


class Certainty(StrEnum):
    """How sure a count of leaked addresses is."""

    EXACT = "exact"
    AT_LEAST = "at least"
    """More may have leaked."""
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """Where the knowledge of a leak comes from."""

    ENGINE_COUNT = "engine count"
    """The allocator's own count, the same in two looks between which nothing changed hands."""
    CENSUS = "census"
    """A walk of the ring of free addresses, which names each that is taken by nobody, as of its date."""
    LEDGER = "ledger"
    """Removals that were watched losing them."""
    ALL_HELD = "all held"
    """Every address of the subnet has a holder, so none can have leaked."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Leak:
    """The leaked addresses of one subnet: taken in the allocator, and held by nobody."""

    count: int | None
    """None where it is not known; never 0 for that."""
    certainty: Certainty
    evidence: Evidence
    addresses: tuple[IPv4Address, ...] = ()
    """Those that leaked, where they are known by name, and `possibly_load_balancers` others among them. Where it is `at
    least` so many, they may be fewer than the count."""
    why_unknown: str = ""
    """A sentence, where the count is None."""
    as_of: datetime | None = None
    """When that was so, where it is not now; more may have leaked since."""
    possibly_load_balancers: int = 0
    """So many of `addresses` beyond the count are other nodes' load balancers, which ones being unknown."""
    watched: int = 0
    """So many of the count were seen leaking."""


ONE_LOOK = "Only one look was taken, and addresses may have been changing hands."
CHANGED_HANDS = "Addresses changed hands between the two looks."
ENGINE_CANNOT = "This engine does not tell its allocator's count (Docker 29 does)."
NO_COUNT_NOW = "The engine did not tell its allocator's count for this network."
INCONSISTENT = "The engine's figures for this subnet do not add up."
HOLDERS_MISSING = "Not all holders could be read."
UNPLACED = "Other nodes' load balancers hold addresses here, and which subnet they are in is not known."
OVERCOUNTED = "More addresses have a holder than the engine counts as taken."


def unknown_leak(why: str) -> Leak:
    """Return a leak of which nothing is known, and the reason."""
    return Leak(None, Certainty.UNKNOWN, Evidence.NONE, why_unknown=why)


def leak_by_name(
    census: Census | None,
    watched: Collection[IPv4Address],
    pool: Pool,
    held: Collection[IPv4Address],
    left: int,
) -> Leak | None:
    """Return what census and ledger say about a subnet of which `left` addresses have no known holder now.

    `watched` are the addresses of the network that were seen leaking. What somebody holds again has not leaked after
    all, or came back. None where there is neither a census nor anything that was seen.
    """
    found = () if census is None else census.unaccounted
    remaining = [each for each in sorted(found) if each in pool and each not in held]
    added = [each for each in sorted(watched) if each in pool and each not in held and each not in remaining]
    if census is None and not added:
        return None
    # Which of several subnets other nodes' load balancers are in is not known: each may have all of them.
    several = 0 if census is None else min(census.load_balancers_at_most, len(remaining))
    names = tuple(sorted((*remaining, *added)))
    count = min(len(names) - several, left)
    seen = min(len(added), count)
    return Leak(
        count,
        Certainty.AT_LEAST if seen or census is None else Certainty.EXACT,
        Evidence.LEDGER if census is None else Evidence.CENSUS,
        names,
        as_of=None if census is None else census.taken_at,
        possibly_load_balancers=len(names) - count,
        watched=seen,
    )


def unaccounted(pool: Pool, use: SubnetUse, accounted: int) -> int | None:
    """Return how many addresses the allocator has taken beyond those accounted for.

    Negative when fewer are taken than are held. None when the engine's two figures contradict each other:
    without an ip-range they add up to the size of the subnet.
    """
    size = pool.handed_out_from.num_addresses
    whole = pool.handed_out_from == pool.subnet
    if use.available > size or (whole and use.in_use + use.available != size):
        return None
    return pool.capacity - use.available - accounted

"""What a census found, and the walk of the ring of addresses that finds it."""

import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from ipaddress import IPv4Address
from math import ceil, prod

from console.addresses.accounting import NetworkAccount
from console.addresses.holders import Pool
from console.addresses.leaks import AllocatorGeneration, Census
from console.errors import Declined
from console.frozen import frozen
from console.operations.probes import Prober

FREE_AT_LEAST = 5
"""A probe takes one address: below this, fewer than four would be left for the deploys of others."""
STEPS_AT_MOST = 5_000
"""Longer walks need a flag: at some milliseconds a step this is a minute or so."""
WALKS_AT_LEAST = 2
MAX_WALKS = 16
"""No more steps are taken in all than so many quiet walks would take. While others deploy as fast as the engine answers,
each walk finds about 40 % of the ring and is that much shorter (measured on 20.10): some 20 of them settle a /24."""
INVENTED_AT_MOST = 0.01
"""How many addresses may be expected to be named wrongly, over all addresses of the ring."""
NEVER_BY_CHANCE = 1e-12
"""A subnet that such an unlikely series of random picks has missed has no free address."""
LOOK_EVERY_STEPS = 64
Step = Callable[[int], Awaitable[None]]
"""Receives the number of steps after each step."""


def steps_until_picked(subnets: int) -> int:
    """Return how many addresses of a network with so many subnets it takes, on average, until the rarest is picked.

    The engine begins at a random place of a Go map and takes the first subnet from there on. The map has 8 places, or at
    most 2.5 for each subnet, and most are empty: of two subnets one is picked 7 times in 8 (measured on 20.10).
    """
    return 1 if subnets == 1 else max(8, ceil(2.5 * subnets))


@frozen
class WalkableNetwork:
    """A network that can be walked."""

    account: NetworkAccount
    pools: tuple[Pool, ...]
    allocator: AllocatorGeneration
    managers: int
    unaccounted: frozenset[IPv4Address]
    """Addresses without a known holder in this snapshot: free, leaked, or other nodes' load balancers."""
    load_balancers_at_most: int
    """Other nodes' load balancers whose addresses are unknown."""

    @property
    def free_at_most(self) -> int:
        """How many addresses can be free, as far as a snapshot tells."""
        return self.account.free_at_most

    @property
    def subnets(self) -> int:
        """How many subnets the engine picks from, IPv6 ones among them."""
        return len(self.pools) + len(self.account.ipv6)

    @property
    def steps_of_a_walk(self) -> int:
        """How many steps a walk takes: at most where there is one subnet, about so many where there are several."""
        return self.free_at_most * steps_until_picked(self.subnets)

    @property
    def steps_at_most(self) -> int:
        """How many steps a census takes at most before it gives up being sure; a walk that is begun is ended."""
        return MAX_WALKS * (self.steps_of_a_walk + 1)


@frozen
class Walk:
    """One way round the ring, or round the ring of each subnet."""

    addresses: frozenset[IPv4Address]
    steps: int


@frozen
class CensusResult:
    """What a census found."""

    walkable: WalkableNetwork
    """The network as it was before."""
    taken_at: datetime
    """By the engine's clock, before the first walk."""
    took_s: float
    walks: tuple[Walk, ...]
    """None where no address was free: then there is nothing to walk."""
    unaccounted: tuple[IPv4Address, ...]
    """Allocated in no walk, and held by nobody in any snapshot."""
    load_balancers_at_most: int
    """So many of them may be other nodes' load balancers."""
    is_settled: bool
    """Whether all others leaked. If not, addresses that others allocated may be among them."""

    @property
    def leaked_at_least(self) -> int:
        """How many of the unaccounted leaked; meaningful where it is settled."""
        return max(0, len(self.unaccounted) - self.load_balancers_at_most)

    @property
    def is_network_full(self) -> bool:
        """Whether no address was free."""
        return not self.walks

    @property
    def evidence(self) -> Census | None:
        """What is worth keeping of it: only what was walked to the end, and is sure."""
        if not self.is_settled or self.is_network_full:
            return None
        network = self.walkable.account.network
        return Census(
            network.id,
            network.name,
            self.taken_at,
            self.walkable.allocator,
            self.unaccounted,
            self.load_balancers_at_most,
        )


def unvisited_addresses(
    unaccounted: Collection[IPv4Address], walks: Sequence[Walk], holder_addresses: Collection[IPv4Address]
) -> frozenset[IPv4Address]:
    """Return the addresses that no walk visited and nobody was seen to hold."""
    return frozenset(unaccounted).difference(holder_addresses, *(walk.addresses for walk in walks))


def skipped_shares(walks: Sequence[Walk]) -> tuple[float, ...]:
    """Return for each walk the share of the ring that it skipped although it is not leaked: others held it just then.

    What any walk visited is not leaked. Where nothing was skipped in any walk the shares are 0; where something was, a
    walk that skipped nothing was lucky, and counts as if it had skipped one address.
    """
    ring = frozenset[IPv4Address]().union(*(walk.addresses for walk in walks))
    skipped_counts = [len(ring - walk.addresses) for walk in walks]
    if not any(skipped_counts):
        return tuple(0.0 for _ in walks)
    return tuple(max(1, count) / len(ring) for count in skipped_counts)


def is_settled(walks: Sequence[Walk], unaccounted: Collection[IPv4Address]) -> bool:
    """Whether the addresses that no walk visited count as leaked.

    An address that is not leaked stays unvisited only if somebody held it each time the pointer came past. The expected
    number of those must be small, and the last walk must have cleared none.
    """
    if len(walks) < WALKS_AT_LEAST:
        return False
    ring = sum(1 for _ in frozenset[IPv4Address]().union(*(walk.addresses for walk in walks)))
    before = unvisited_addresses(unaccounted, walks[:-1], ())
    is_stable = not before & walks[-1].addresses
    return is_stable and ring * prod(skipped_shares(walks)) < INVENTED_AT_MOST


async def walk_once(prober: Prober, pools: tuple[Pool, ...], subnets: int, step: Step) -> Walk:
    """Return what one walk visited. Nothing was visited where no address is free.

    `subnets` is how many the network has, those that are not walked among them. Raises Declined when the walk does not come to an end: others take addresses as fast as they are looked at.
    """
    rings: dict[Pool, set[IPv4Address]] = {pool: set() for pool in pools}
    missed_picks = dict.fromkeys(rings, 0)
    spare_picks = _picks_that_prove(subnets)
    finished_pools = set[Pool]()
    most = 3 * sum(pool.capacity + 1 for pool in pools) * steps_until_picked(subnets) + spare_picks
    steps = 0
    while len(finished_pools) < len(rings):
        if steps > most:
            raise Declined(
                f"The walk did not cover all free addresses in {steps} steps.",
                "Try again when fewer deploys are running.",
            )
        address = await prober.next_address()
        if address is None:
            if not steps:
                return Walk(frozenset(), 0)
            raise Declined(
                "The network became full during the walk.",
                "Other services took its last free addresses. `vipconsole glance` shows how full it is.",
            )
        steps += 1
        for pool, ring in rings.items():
            if isinstance(address, IPv4Address) and address in pool:
                missed_picks[pool] = 0
                finished_pools |= {pool} if address in ring else set()
                ring.add(address)
            else:
                missed_picks[pool] += 1
                finished_pools |= {pool} if missed_picks[pool] >= spare_picks else set()
        await step(steps)
    return Walk(frozenset[IPv4Address]().union(*rings.values()), steps)


def _picks_that_prove(subnets: int) -> int:
    """Return how many random picks among so many subnets cannot all have missed a certain one."""
    rarest = 1 / steps_until_picked(subnets)
    # A single subnet is always picked.
    return 1 if rarest == 1 else math.ceil(math.log(NEVER_BY_CHANCE) / math.log(1 - rarest))

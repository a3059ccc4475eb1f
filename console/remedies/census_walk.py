"""One walk round the ring of a network's free addresses.

Swarm hands out the next address after the last one given (swarmkit and libnetwork, 20.10 to 29: serial), and wraps
round at the end: whoever takes one address and gives it back, again and again, visits every free one. Where a network
has several subnets, each has a ring of its own and one of them is picked at random for each address; IPv6 subnets are
picked too, and are not counted.
"""

import math
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address

from console.addresses.pool import Pool
from console.errors import Declined
from console.remedies.census_values import Walk, steps_until_picked
from console.remedies.probes import Prober

NEVER_BY_CHANCE = 1e-12
"""A subnet that so unlikely a row of random picks has passed over has no free address."""
LOOK_EVERY_STEPS = 64

Step = Callable[[int], Awaitable[None]]
"""Is told after each step how many there were."""


async def walk_once(prober: Prober, pools: tuple[Pool, ...], subnets: int, step: Step) -> Walk:
    """Return what one walk visited. Nothing was visited where no address is free.

    `subnets` is how many the network has, those that are not walked among them. Raises Declined when the walk does not come to an end: others take addresses as fast as they are looked at.
    """
    rings: dict[Pool, set[IPv4Address]] = {pool: set() for pool in pools}
    passed_over = dict.fromkeys(rings, 0)
    patience = _picks_that_prove(subnets)
    closed = set[Pool]()
    most = 3 * sum(pool.capacity + 1 for pool in pools) * steps_until_picked(subnets) + patience
    steps = 0
    while len(closed) < len(rings):
        if steps > most:
            raise Declined(
                f"The ring was not walked to its end in {steps} steps.",
                "Try again when fewer deploys are made.",
            )
        address = await prober.next_address()
        if address is None:
            if not steps:
                return Walk(frozenset(), 0)
            raise Declined(
                "The network became full in the middle of the walk.",
                "Others took its last free addresses; `vipconsole glance` tells how full it is.",
            )
        steps += 1
        for pool, ring in rings.items():
            if isinstance(address, IPv4Address) and address in pool:
                passed_over[pool] = 0
                closed |= {pool} if address in ring else set()
                ring.add(address)
            else:
                passed_over[pool] += 1
                closed |= {pool} if passed_over[pool] >= patience else set()
        await step(steps)
    return Walk(frozenset[IPv4Address]().union(*rings.values()), steps)


def _picks_that_prove(subnets: int) -> int:
    """Return how many random picks among so many subnets cannot all have missed a certain one."""
    rarest = 1 / steps_until_picked(subnets)
    # An only subnet is never passed over.
    return 1 if rarest == 1 else math.ceil(math.log(NEVER_BY_CHANCE) / math.log(1 - rarest))

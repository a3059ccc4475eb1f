"""Whether an overlay can have a certain subnet: free, large enough, and in nobody's way. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from console.parts import Unknown
from console.remedies.network_recreation_plan import Surroundings
from console.swarm.definitions import NetworkDefinition, overlapping
from console.swarm.overlays import OverlayLook, live_on
from console.text import plural

SMALLEST = 29
"""Up to this prefix length something is left beside network address, broadcast and gateway."""
ENDPOINTS_ADVISED = 250
"""Docker's documentation advises against more virtual IPs on an overlay, for the load-balancer rules of each sandbox."""


def capacity(subnet: IPv4Network) -> int:
    """Return how many addresses of a subnet can be held at most."""
    return subnet.num_addresses - 3


def needed_on(look: OverlayLook, network: NetworkDefinition) -> int:
    """Return how many addresses are needed for what is on a network now, a load balancer for each node among them."""
    vips = sum(
        each.seen.endpoint_mode == "vip" and each.is_on(network.id, network.name) for each in look.services
    )
    return vips + sum(1 for _ in live_on(look, network.id)) + len(look.nodes)


def subnet_refusals(
    subnet: IPv4Network, look: OverlayLook, current: NetworkDefinition | None, around: Surroundings
) -> Iterator[str]:
    """Yield why a subnet cannot be had, each a sentence."""
    if subnet.prefixlen > SMALLEST:
        yield f"{subnet} is too small for a network: the largest prefix length is {SMALLEST}."
    elif current is not None and capacity(subnet) < (needed := needed_on(look, current)):
        yield (
            f"{subnet} is too small: it has {plural(capacity(subnet), 'address', 'addresses')}, and {needed} are needed "
            f"for what is on {current.name} now."
        )
    for network, other in overlapping(subnet, look.networks, current.id if current else ""):
        yield f"{subnet} overlaps {other}, which the network {network.name} has."
    routes = () if isinstance(around.routes, Unknown) else around.routes
    # The bridges of this node's own networks are routes too, and were named already.
    named = {each for network in look.networks for each in network.ipv4}
    for route in routes:
        if route.network.overlaps(subnet) and route.network not in named and route.network.prefixlen:
            what = "this host's own address" if route.network.prefixlen == 32 else "a route of this host"
            yield f"{subnet} overlaps {route.network}, {what} (device {route.device})."


def subnet_notes(subnet: IPv4Network, around: Surroundings, vips: int) -> Iterator[str]:
    """Yield what is worth knowing about a subnet, each a sentence."""
    for pool in around.pools:
        if subnet.overlaps(pool):
            yield (
                f"{subnet} lies in {pool}, where Swarm takes subnets from that nobody chose. It passes over those that "
                "are in use."
            )
    if isinstance(around.routes, Unknown):
        yield f"The routes of the engine's host are not known: {around.routes.reason}"
    if subnet.is_global:
        yield f"{subnet} is not a private range: what it hides of the Internet cannot be reached from the network."
    if vips > ENDPOINTS_ADVISED:
        yield f"{vips} virtual IPs share the network. A larger subnet is head-room only: `endpoint_mode: dnsrr` halves the use."


def free_subnet(
    length: int,
    networks: Iterable[NetworkDefinition],
    around: Surroundings,
    besides: Iterable[IPv4Network] = (),
) -> IPv4Network | None:
    """Return the first subnet of a prefix length in Swarm's pools that is in nobody's way; None where there is none."""
    routes = () if isinstance(around.routes, Unknown) else around.routes
    taken = (*(one for each in networks for one in each.ipv4), *(each.network for each in routes), *besides)
    fitting = (
        subnet
        for pool in around.pools
        if pool.prefixlen <= length
        for subnet in pool.subnets(new_prefix=length)
    )
    return next((each for each in fitting if not any(each.overlaps(one) for one in taken)), None)

"""What Swarm can hand out in one IPv4 subnet of an overlay."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from console.swarm.values import Subnet

SMALLEST_WITH_BROADCAST = 30
"""Up to this prefix length the first and the last address are taken for network and broadcast
(moby libnetwork/ipams/defaultipam)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The addresses of one IPv4 subnet that can become someone's.

    In a subnet with an ip-range only the addresses of that range are handed out; the others are never counted,
    neither as used nor as free.
    """

    subnet: IPv4Network
    handed_out_from: IPv4Network
    """The ip-range, or the whole subnet."""
    reserved: frozenset[IPv4Address]
    """Network, broadcast and gateway of the subnet, wherever they lie."""

    @property
    def capacity(self) -> int:
        """How many addresses can be held at most; 253 in a /24."""
        return self.handed_out_from.num_addresses - sum(
            each in self.handed_out_from for each in self.reserved
        )

    def __contains__(self, address: object) -> bool:
        """Whether Swarm can hand out this address."""
        return (
            isinstance(address, IPv4Address)
            and address in self.handed_out_from
            and address not in self.reserved
        )


def pool_of(subnet: Subnet) -> Pool | None:
    """Return the pool of a subnet, or None for IPv6, which is shown but never counted."""
    network = subnet.network
    if not isinstance(network, IPv4Network):
        return None
    reserved = set[IPv4Address]()
    if network.prefixlen <= SMALLEST_WITH_BROADCAST:
        reserved |= {network.network_address, network.broadcast_address}
    if isinstance(subnet.gateway, IPv4Address):
        reserved.add(subnet.gateway)
    ip_range = subnet.ip_range
    inside = isinstance(ip_range, IPv4Network) and ip_range.subnet_of(network)
    handed_out_from = ip_range if inside and isinstance(ip_range, IPv4Network) else network
    return Pool(network, handed_out_from, frozenset(each for each in reserved if each in network))


def pools_of(subnets: Iterable[Subnet]) -> tuple[Pool, ...]:
    """Return the pools of the IPv4 subnets among these."""
    return tuple(pool for pool in map(pool_of, subnets) if pool is not None)

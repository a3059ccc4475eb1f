"""The addresses of every network, handed out as Swarm's IPAM does: serially, next fit, wrapping round."""

import random
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface, ip_network
from typing import NamedTuple

from console.simulator.objects import SimNetwork, SubnetConfig

Subnet = IPv4Network | IPv6Network

LARGEST_COUNT = 2**64 - 1
"""The engine's counters are 64 bits wide."""
FIRST_VXLAN = 4096
"""The first VXLAN ID that Swarm gives; `ingress` has it."""


class PoolHolder(NamedTuple):
    """Who has an address: its kind (`reserved`, `gateway`, `vip`, `task`, `balancer`, `leaked`) and its ID."""

    kind: str
    id: str


class AddressPool:
    """One subnet. Its first and last address are reserved (IPv6: the first only); `ip_range` limits what is given.

    The pointer moves forward from the last address given, so a freed address is given again only after the pointer
    has come round (libnetwork's `com.docker.network.ipam.serial`, which Swarm always sets).
    """

    def __init__(self, subnet: Subnet, ip_range: Subnet | None = None) -> None:
        self.subnet = subnet
        self.ip_range = ip_range
        usable = ip_range or subnet
        self._first = int(usable.network_address)
        self._last = int(usable.broadcast_address)
        self._next = self._first
        self.holders: dict[int, PoolHolder] = {int(subnet.network_address): PoolHolder("reserved", "")}
        if subnet.version == 4:
            self.holders[int(subnet.broadcast_address)] = PoolHolder("reserved", "")
        self._in_use_in_range = sum(1 for holder in self.holders if self._is_in_range(holder))

    def request(self, holder: PoolHolder) -> str | None:
        """Give the next free address to a holder, written with its prefix length; None if there is none."""
        if self.free == 0:
            return None
        at = self._next
        while at in self.holders:
            at = at + 1 if at < self._last else self._first
        self._next = at + 1 if at < self._last else self._first
        return self._take(at, holder)

    def claim(self, address: str, holder: PoolHolder) -> str | None:
        """Give a certain address (with or without prefix length); None if it is taken or not of this subnet."""
        at = int(ip_address(address.split("/", maxsplit=1)[0]))
        if at in self.holders or not self._is_in_subnet(at):
            return None
        return self._take(at, holder)

    def release(self, address: str) -> None:
        """Take an address back."""
        at = int(ip_address(address.split("/", maxsplit=1)[0]))
        if self.holders.pop(at, None) is not None and self._is_in_range(at):
            self._in_use_in_range -= 1

    def mark(self, address: str, holder: PoolHolder) -> None:
        """Change the holder of an address that stays taken."""
        self.holders[int(ip_address(address.split("/", maxsplit=1)[0]))] = holder

    def has(self, address: str) -> bool:
        """Whether an address is one of this subnet."""
        ip = ip_address(address.split("/", maxsplit=1)[0])
        return ip.version == self.subnet.version and self._is_in_subnet(int(ip))

    @property
    def in_use(self) -> int:
        """How many addresses are taken, reserved and leaked ones among them: the engine's `IPsInUse`."""
        return len(self.holders)

    @property
    def free(self) -> int:
        """How many can still be given: the engine's `DynamicIPsAvailable`."""
        return min(self._last - self._first + 1 - self._in_use_in_range, LARGEST_COUNT)

    def address_text(self, at: int) -> str:
        """Return an address as text, without prefix length."""
        return str(IPv4Address(at) if self.subnet.version == 4 else IPv6Address(at))

    def _take(self, at: int, holder: PoolHolder) -> str:
        self.holders[at] = holder
        if self._is_in_range(at):
            self._in_use_in_range += 1
        return f"{self.address_text(at)}/{self.subnet.prefixlen}"

    def _is_in_range(self, at: int) -> bool:
        return self._first <= at <= self._last

    def _is_in_subnet(self, at: int) -> bool:
        return int(self.subnet.network_address) <= at <= int(self.subnet.broadcast_address)


class DefaultPool:
    """Where subnets come from that nobody chose: 10.0.0.0/8 in /24s, the lowest free one first."""

    def __init__(self, block: str = "10.0.0.0/8", prefix_length: int = 24) -> None:
        self.block = ip_network(block)
        self.prefix_length = prefix_length
        self._spans: dict[tuple[int, int, int], int] = {}

    def next_free(self) -> Subnet | None:
        """Return the lowest subnet that overlaps none that is taken; None if there is none."""
        size = 2 ** (self.block.max_prefixlen - self.prefix_length)
        at, last = int(self.block.network_address), int(self.block.broadcast_address)
        spans = sorted((first, end) for version, first, end in self._spans if version == self.block.version)
        for first, end in spans:
            if end < at:
                continue
            if first >= at + size:
                break
            at += (end - at) // size * size + size
        if at + size - 1 > last:
            return None
        return ip_network((at, self.prefix_length)) if self.block.version == 4 else None

    def overlaps(self, subnet: Subnet) -> bool:
        """Whether a subnet overlaps one that is taken."""
        version, first, last = _span(subnet)
        return any(v == version and f <= last and first <= e for v, f, e in self._spans)

    def take(self, subnet: Subnet) -> None:
        """Note a subnet as taken."""
        self._spans[_span(subnet)] = 1

    def give_back(self, subnet: Subnet) -> None:
        """Note a subnet as free."""
        self._spans.pop(_span(subnet), None)


def _span(subnet: Subnet) -> tuple[int, int, int]:
    return subnet.version, int(subnet.network_address), int(subnet.broadcast_address)


class AddressPools:
    """Address pools by network ID."""

    def __init__(self) -> None:
        self.pools: dict[str, list[AddressPool]] = {}
        self.subnets = DefaultPool()
        self._vxlans: set[int] = set()
        self.seed(1)

    def seed(self, seed: int) -> None:
        """Let subnets be picked in another order, which is the same every time."""
        self._chance = random.Random(seed)  # noqa: S311 - picks subnets, guards nothing

    def open(self, network: SimNetwork) -> bool:
        """Give a network its subnets; False, and nothing is given, if one overlaps or has no room for a gateway."""
        pairs: list[tuple[AddressPool, SubnetConfig]] = []
        for request in network.ipam_config or [{}]:
            one = self._make(network, request)
            if one is None:
                for pool, config in pairs:
                    self.subnets.give_back(pool.subnet)
                    self._vxlans.discard(config.vxlan)
                return False
            pairs.append(one)
        self.pools[network.id] = [pool for pool, _ in pairs]
        network.config = [config for _, config in pairs]
        return True

    def reopen(self, network: SimNetwork) -> None:
        """Take up a network that has its subnets already."""
        self.pools[network.id] = []
        for config in network.config:
            pool = AddressPool(
                ip_network(config.subnet), ip_network(config.ip_range) if config.ip_range else None
            )
            pool.claim(config.gateway, PoolHolder("gateway", network.id))
            self.subnets.take(pool.subnet)
            self._vxlans.add(config.vxlan)
            self.pools[network.id].append(pool)

    def close(self, network: SimNetwork) -> None:
        """Forget a network with everything that is held in it."""
        for pool in self.pools.pop(network.id, []):
            self.subnets.give_back(pool.subnet)
        self._vxlans.difference_update(config.vxlan for config in network.config)

    def _make(
        self, network: SimNetwork, request: Mapping[str, str]
    ) -> tuple[AddressPool, SubnetConfig] | None:
        subnet = ip_network(request["Subnet"]) if request.get("Subnet") else self.subnets.next_free()
        if subnet is None or self.subnets.overlaps(subnet):
            return None
        ip_range = request.get("IPRange") or ""
        pool = AddressPool(subnet, ip_network(ip_range) if ip_range else None)
        holder = PoolHolder("gateway", network.id)
        gateway_request = request.get("Gateway") or ""
        gateway = pool.claim(gateway_request, holder) if gateway_request else pool.request(holder)
        if gateway is None:
            return None
        self.subnets.take(subnet)
        vxlan = FIRST_VXLAN
        while vxlan in self._vxlans:
            vxlan += 1
        self._vxlans.add(vxlan)
        return pool, SubnetConfig(str(subnet), ip_range, str(ip_interface(gateway).ip), vxlan)

    def request(self, network_id: str, holder: PoolHolder) -> str | None:
        """Give the next free address of a network, with its prefix length; None if there is none."""
        pools = self.pools.get(network_id, [])
        for pool in self._in_no_order(pools):
            if address := pool.request(holder):
                return address
        return None

    def _in_no_order(self, pools: list[AddressPool]) -> list[AddressPool]:
        """Return pools as the engine goes through its map of them: from a random place of it on, empty places between.

        So of two pools, in a map of eight places, the first one is the first in seven of eight cases.
        """
        if len(pools) < 2:
            return pools
        places = 8
        while places < len(pools):
            places *= 2
        begin = self._chance.randrange(places)
        return [*pools[begin:], *pools[:begin]]

    def is_full(self, network_id: str) -> bool:
        """Whether a network that has its subnets has no address left."""
        pools = self.pools.get(network_id, [])
        return bool(pools) and all(pool.free == 0 for pool in pools)

    def claim(self, network_id: str, address: str, holder: PoolHolder) -> str | None:
        """Give a certain address of a network; None if it is taken or the network is unknown."""
        pool = self._pool(network_id, address)
        return pool.claim(address, holder) if pool else None

    def release(self, network_id: str, address: str) -> None:
        """Take an address back; nothing happens if the network is unknown."""
        if pool := self._pool(network_id, address):
            pool.release(address)

    def mark(self, network_id: str, address: str, holder: PoolHolder) -> None:
        """Change the holder of an address that stays taken; nothing happens if the network is unknown."""
        if pool := self._pool(network_id, address):
            pool.mark(address, holder)

    def _pool(self, network_id: str, address: str) -> AddressPool | None:
        return next((pool for pool in self.pools.get(network_id, []) if pool.has(address)), None)

"""The subnets of all networks and who has each address: what the swarm's leader keeps in memory only."""

import random
from collections.abc import Mapping
from ipaddress import ip_interface, ip_network

from console.simulator.objects import SimNetwork, SubnetConfig
from console.simulator.pool import AddressPool, DefaultPool, Holder

FIRST_VXLAN = 4096
"""The first VXLAN ID that Swarm gives; `ingress` has it."""


class Ledger:
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
        made: list[tuple[AddressPool, SubnetConfig]] = []
        for asked in network.asked or [{}]:
            one = self._make(network, asked)
            if one is None:
                for pool, config in made:
                    self.subnets.give_back(pool.subnet)
                    self._vxlans.discard(config.vxlan)
                return False
            made.append(one)
        self.pools[network.id] = [pool for pool, _ in made]
        network.config = [config for _, config in made]
        return True

    def reopen(self, network: SimNetwork) -> None:
        """Take up a network that has its subnets already."""
        self.pools[network.id] = []
        for config in network.config:
            pool = AddressPool(
                ip_network(config.subnet), ip_network(config.ip_range) if config.ip_range else None
            )
            pool.claim(config.gateway, Holder("gateway", network.id))
            self.subnets.take(pool.subnet)
            self._vxlans.add(config.vxlan)
            self.pools[network.id].append(pool)

    def close(self, network: SimNetwork) -> None:
        """Forget a network with everything that is held in it."""
        for pool in self.pools.pop(network.id, []):
            self.subnets.give_back(pool.subnet)
        self._vxlans.difference_update(each.vxlan for each in network.config)

    def _make(self, network: SimNetwork, asked: Mapping[str, str]) -> tuple[AddressPool, SubnetConfig] | None:
        subnet = ip_network(asked["Subnet"]) if asked.get("Subnet") else self.subnets.next_free()
        if subnet is None or self.subnets.overlaps(subnet):
            return None
        ip_range = asked.get("IPRange") or ""
        pool = AddressPool(subnet, ip_network(ip_range) if ip_range else None)
        holder = Holder("gateway", network.id)
        wanted = asked.get("Gateway") or ""
        gateway = pool.claim(wanted, holder) if wanted else pool.request(holder)
        if gateway is None:
            return None
        self.subnets.take(subnet)
        vxlan = FIRST_VXLAN
        while vxlan in self._vxlans:
            vxlan += 1
        self._vxlans.add(vxlan)
        return pool, SubnetConfig(str(subnet), ip_range, str(ip_interface(gateway).ip), vxlan)

    def request(self, network_id: str, holder: Holder) -> str | None:
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

    def claim(self, network_id: str, address: str, holder: Holder) -> str | None:
        """Give a certain address of a network; None if it is taken or the network is unknown."""
        pool = self._pool(network_id, address)
        return pool.claim(address, holder) if pool else None

    def release(self, network_id: str, address: str) -> None:
        """Take an address back; nothing happens if the network is unknown."""
        if pool := self._pool(network_id, address):
            pool.release(address)

    def mark(self, network_id: str, address: str, holder: Holder) -> None:
        """Say anew who has an address that stays taken; nothing happens if the network is unknown."""
        if pool := self._pool(network_id, address):
            pool.mark(address, holder)

    def _pool(self, network_id: str, address: str) -> AddressPool | None:
        return next((pool for pool in self.pools.get(network_id, []) if pool.has(address)), None)

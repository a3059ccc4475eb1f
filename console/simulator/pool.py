"""The addresses of one subnet, handed out as Swarm's IPAM does: serially, next fit, wrapping round."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Subnet = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LARGEST_COUNT = 2**64 - 1
"""The engine's counters are 64 bits wide."""


class Holder(NamedTuple):
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
        given = ip_range or subnet
        self._first = int(given.network_address)
        self._last = int(given.broadcast_address)
        self._next = self._first
        self.holders: dict[int, Holder] = {int(subnet.network_address): Holder("reserved", "")}
        if subnet.version == 4:
            self.holders[int(subnet.broadcast_address)] = Holder("reserved", "")
        self._taken_in_range = sum(1 for each in self.holders if self._is_in_range(each))

    def request(self, holder: Holder) -> str | None:
        """Give the next free address to a holder, written with its prefix length; None if there is none."""
        if self.free == 0:
            return None
        at = self._next
        while at in self.holders:
            at = at + 1 if at < self._last else self._first
        self._next = at + 1 if at < self._last else self._first
        return self._take(at, holder)

    def claim(self, address: str, holder: Holder) -> str | None:
        """Give a certain address (with or without prefix length); None if it is taken or not of this subnet."""
        at = int(ip_address(address.split("/", maxsplit=1)[0]))
        if at in self.holders or not self._is_in_subnet(at):
            return None
        return self._take(at, holder)

    def release(self, address: str) -> None:
        """Take an address back."""
        at = int(ip_address(address.split("/", maxsplit=1)[0]))
        if self.holders.pop(at, None) is not None and self._is_in_range(at):
            self._taken_in_range -= 1

    def mark(self, address: str, holder: Holder) -> None:
        """Say anew who has an address that stays taken."""
        self.holders[int(ip_address(address.split("/", maxsplit=1)[0]))] = holder

    def has(self, address: str) -> bool:
        """Whether an address is one of this subnet."""
        parsed = ip_address(address.split("/", maxsplit=1)[0])
        return parsed.version == self.subnet.version and self._is_in_subnet(int(parsed))

    @property
    def in_use(self) -> int:
        """How many addresses are taken, reserved and leaked ones among them: the engine's `IPsInUse`."""
        return len(self.holders)

    @property
    def free(self) -> int:
        """How many can still be given: the engine's `DynamicIPsAvailable`."""
        return min(self._last - self._first + 1 - self._taken_in_range, LARGEST_COUNT)

    def written(self, at: int) -> str:
        """Return an address as text, without prefix length."""
        return str(IPv4Address(at) if self.subnet.version == 4 else IPv6Address(at))

    def _take(self, at: int, holder: Holder) -> str:
        self.holders[at] = holder
        if self._is_in_range(at):
            self._taken_in_range += 1
        return f"{self.written(at)}/{self.subnet.prefixlen}"

    def _is_in_range(self, at: int) -> bool:
        return self._first <= at <= self._last

    def _is_in_subnet(self, at: int) -> bool:
        return int(self.subnet.network_address) <= at <= int(self.subnet.broadcast_address)


class DefaultPool:
    """Where subnets come from that nobody chose: 10.0.0.0/8 in /24s, the lowest free one first."""

    def __init__(self, block: str = "10.0.0.0/8", prefix_length: int = 24) -> None:
        self.block = ip_network(block)
        self.prefix_length = prefix_length
        self._taken: dict[tuple[int, int, int], int] = {}

    def next_free(self) -> Subnet | None:
        """Return the lowest subnet that overlaps none that is taken; None if there is none."""
        size = 2 ** (self.block.max_prefixlen - self.prefix_length)
        at, last = int(self.block.network_address), int(self.block.broadcast_address)
        taken = sorted((first, end) for version, first, end in self._taken if version == self.block.version)
        for first, end in taken:
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
        return any(v == version and f <= last and first <= e for v, f, e in self._taken)

    def take(self, subnet: Subnet) -> None:
        """Note a subnet as taken."""
        self._taken[_span(subnet)] = 1

    def give_back(self, subnet: Subnet) -> None:
        """Note a subnet as free."""
        self._taken.pop(_span(subnet), None)


def _span(subnet: Subnet) -> tuple[int, int, int]:
    return subnet.version, int(subnet.network_address), int(subnet.broadcast_address)

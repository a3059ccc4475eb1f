"""Which addresses the cable of a temporary manager gets: some that nothing on this host uses or leads to."""

import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any

from console.errors import Declined, HostError
from console.host.process import output_of
from console.host.reader import Run
from console.host.temporary.values import INTERFACE, Cable
from console.text import clean

PREFIX = 30
"""Two addresses: the host's end and the temporary manager."""
CANDIDATES = tuple(
    IPv4Network(network)
    # First what is set aside for tests of routers (RFC 2544), which hardly any network uses.
    for network in ("198.18.0.0/15", "10.254.0.0/16", "172.31.0.0/16", "192.168.254.0/24", "203.0.113.0/24")
)
"""Where the cable's network is looked for, in this order."""
_TRIES = 64
"""So many places of a candidate are tried, spread evenly: a range that is in use mostly covers a neighbour too."""
_HALF_OF_ALL = 1
"""A VPN replaces the default route by two of this prefix length; like that one they claim no address for themselves."""
_HINT = "`docker swarm init --advertise-addr` must be a routable IPv4 address of this host."


def choose_cable(manager_address: str, used: Iterable[IPv4Network]) -> Cable:
    """Return a cable to the manager at that address whose network overlaps nothing that is used.

    `used` holds the addresses of this host, each as a /32, its routes (`read_used_ranges`), and the subnets of all
    networks and pools that the caller knows of. Raises Declined where the manager cannot be reached over a cable, and
    where every candidate is in use.
    """
    ranges = [network for network in used if network.prefixlen > _HALF_OF_ALL]
    manager = _reachable(manager_address, ranges)
    for network in _places():
        if not any(network.overlaps(other) for other in ranges):
            ours, theirs = network.hosts()
            return Cable(INTERFACE, str(ours), str(theirs), network.prefixlen, str(manager))
    raise Declined(
        f"No free network was found for the temporary manager: tried {', '.join(map(str, CANDIDATES))}.",
        "`ip route show table all` lists what this host uses.",
    )


def _reachable(manager_address: str, ranges: Iterable[IPv4Network]) -> IPv4Address:
    try:
        manager = ip_address(manager_address)
    except ValueError as error:
        raise Declined(
            f"The swarm address of this manager is not an address: {clean(manager_address)}.", _HINT
        ) from error
    if isinstance(manager, IPv6Address):
        raise Declined(
            f"The swarm address of this manager is IPv6 ({manager}); only IPv4 is supported.", _HINT
        )
    if manager.is_loopback:
        raise Declined(
            f"The swarm address of this manager is a loopback address ({manager}): no other manager can reach it.",
            _HINT,
        )
    if manager.is_unspecified or manager.is_multicast or manager.is_reserved:
        raise Declined(f"The swarm address of this manager is not an address of a host ({manager}).", _HINT)
    if IPv4Network(manager) not in ranges:
        raise Declined(
            f"The swarm address of this manager, {manager}, is not an address of this host (is it behind NAT?).",
            _HINT,
        )
    return manager


def _places() -> Iterator[IPv4Network]:
    for candidate in CANDIDATES:
        step = max(1, candidate.num_addresses // _TRIES // 4 * 4)
        for offset in range(0, candidate.num_addresses, max(step, 4)):
            yield IPv4Network((int(candidate.network_address) + offset, PREFIX))


async def read_used_ranges(timeout_s: float, run: Run = output_of) -> tuple[IPv4Network, ...]:
    """Return this host's IPv4 addresses, each as a /32, their networks, and what its routes of all tables lead to.

    What belongs to a temporary manager's own cable is left out. Raises HostError when `ip` (iproute2) is not there or
    says something else than its JSON.
    """
    addresses = await _read(("ip", "-json", "-4", "address", "show"), timeout_s, run)
    routes = await _read(("ip", "-json", "-4", "route", "show", "table", "all"), timeout_s, run)
    try:
        return tuple(dict.fromkeys((*_of_addresses(addresses), *_of_routes(routes))))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`ip -json` gave a malformed reply.", "It comes with iproute2.") from error


async def _read(command: tuple[str, ...], timeout_s: float, run: Run) -> list[Any]:
    try:
        rows = json.loads(await run(command, timeout_s) or b"[]")
    except ValueError as error:
        raise HostError("`ip -json` gave a malformed reply.", "It comes with iproute2.") from error
    return rows if isinstance(rows, list) else []


def _of_addresses(rows: Iterable[Any]) -> Iterator[IPv4Network]:
    for row in rows:
        # iproute2 before 5.0 prints an empty object for an interface that was filtered out.
        if not row or row["ifname"] == INTERFACE:
            continue
        for info in row.get("addr_info", ()):
            if "local" in info:
                yield IPv4Network(info["local"])
                yield IPv4Network((info["local"], info["prefixlen"]), strict=False)
                if "address" in info:  # the other end of a point-to-point link
                    yield IPv4Network(info["address"])


def _of_routes(rows: Iterable[Any]) -> Iterator[IPv4Network]:
    for row in rows:
        if row.get("dst", "default") != "default" and row.get("dev") != INTERFACE:
            yield IPv4Network(row["dst"], strict=False)

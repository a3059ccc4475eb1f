"""Which addresses the cable of a temporary manager gets, and where there can be none."""

import json
from collections.abc import Sequence
from ipaddress import IPv4Network

import pytest

from console.errors import Declined, HostError
from console.host.temporary.network import CANDIDATES, choose_cable, read_used_ranges
from console.host.temporary.values import INTERFACE, Cable

MANAGER = "203.0.113.7"
OWN = IPv4Network("203.0.113.7/32")


def networks(*texts: str) -> list[IPv4Network]:
    return [OWN, *map(IPv4Network, texts)]


def test_a_cable_lies_in_a_network_of_two_addresses_that_nothing_uses() -> None:
    assert choose_cable(MANAGER, networks("10.0.0.0/8", "172.16.0.0/12")) == Cable(
        INTERFACE, "198.18.0.1", "198.18.0.2", 30, MANAGER
    )


@pytest.mark.parametrize(
    ("used", "address"),
    [
        (("198.18.0.0/24",), "198.18.8.2"),
        (("198.18.0.2/32",), "198.18.8.2"),
        (("198.18.0.0/15",), "10.254.0.2"),
        (("198.0.0.0/8", "10.0.0.0/8"), "172.31.0.2"),
        (("198.18.0.0/15", "10.254.0.0/16", "172.16.0.0/12"), "192.168.254.2"),
    ],
)
def test_what_is_used_is_avoided(used: tuple[str, ...], address: str) -> None:
    ranges = networks(*used)
    cable = choose_cable(MANAGER, ranges)
    assert cable.address == address
    network = IPv4Network((cable.address, cable.prefix), strict=False)
    assert not any(network.overlaps(other) for other in ranges)


def test_the_two_halves_of_all_that_a_vpn_routes_claim_nothing() -> None:
    assert choose_cable(MANAGER, networks("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1")).address == "198.18.0.2"


def test_where_all_is_used_there_is_no_cable() -> None:
    with pytest.raises(Declined, match=r"No free network was found .* tried 198\.18\.0\.0/15"):
        choose_cable(MANAGER, [OWN, *CANDIDATES])


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "a loopback address (127.0.0.1): no other manager can reach it"),
        ("0.0.0.0", "not an address of a host (0.0.0.0)"),
        ("224.0.0.1", "not an address of a host (224.0.0.1)"),
        ("2001:db8::7", "IPv6 (2001:db8::7); only IPv4 is supported"),
        ("eth0", "not an address: eth0"),
        ("", "not an address: "),
        ("198.51.100.1", "198.51.100.1, is not an address of this host (is it behind NAT?)"),
    ],
)
def test_a_manager_that_cannot_be_reached_is_declined_with_the_reason(address: str, reason: str) -> None:
    with pytest.raises(Declined) as raised:
        choose_cable(address, networks("127.0.0.0/8"))
    assert reason in raised.value.sentence
    assert raised.value.hint == (
        "`docker swarm init --advertise-addr` must be a routable IPv4 address of this host."
    )


def test_a_cable_is_recorded_and_read_again() -> None:
    cable = choose_cable(MANAGER, networks())
    assert Cable.from_json(json.loads(json.dumps(cable.to_json()))) == cable


@pytest.mark.parametrize("change", [{"address": "x"}, {"interface": "a" * 16}, {"prefix": None}])
def test_a_malformed_record_of_a_cable_is_told(change: dict[str, object]) -> None:
    with pytest.raises(HostError, match="cable is malformed"):
        Cable.from_json({**choose_cable(MANAGER, networks()).to_json(), **change})
    with pytest.raises(HostError, match="cable is malformed"):
        Cable.from_json({})


ADDRESSES = [
    {},
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"family": "inet", "local": MANAGER, "prefixlen": 24}]},
    {
        "ifname": "tun0",
        "addr_info": [{"family": "inet", "local": "10.8.0.6", "address": "10.8.0.5", "prefixlen": 32}],
    },
    {"ifname": INTERFACE, "addr_info": [{"family": "inet", "local": "198.18.0.1", "prefixlen": 32}]},
]
ROUTES = [
    {"dst": "default", "gateway": "203.0.113.1", "dev": "eth0"},
    {"dst": "10.0.0.0/8", "gateway": "10.8.0.5", "dev": "tun0", "table": "51820"},
    {"type": "blackhole", "dst": "192.0.2.0/24"},
    {"type": "local", "dst": MANAGER, "dev": "eth0", "table": "local"},
    {"dst": "198.18.0.2", "dev": INTERFACE},
]


class Ip:
    """An `ip` that answers as it is told to."""

    def __init__(self, addresses: object, routes: object) -> None:
        self._addresses, self._routes = addresses, routes

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        assert timeout_s > 0
        answer = self._routes if "route" in argv else self._addresses
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


async def test_addresses_their_networks_and_routes_of_all_tables_are_used_but_not_those_of_our_own_cable() -> (
    None
):
    used = set(map(str, await read_used_ranges(1.0, Ip(ADDRESSES, ROUTES).run)))
    assert used == {
        *("127.0.0.1/32", "127.0.0.0/8", "203.0.113.7/32", "203.0.113.0/24"),
        *("10.8.0.6/32", "10.8.0.5/32", "10.0.0.0/8", "192.0.2.0/24"),
    }


@pytest.mark.parametrize("answer", [b"Object unknown", [{"ifname": "eth0", "addr_info": [{"local": "x"}]}]])
async def test_an_ip_that_says_something_else_is_told(answer: object) -> None:
    with pytest.raises(HostError, match="`ip -json` gave a malformed reply"):
        await read_used_ranges(1.0, Ip(answer, []).run)

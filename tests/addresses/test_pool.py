from ipaddress import IPv4Address

import pytest

from console.addresses.holders import Pool, pool_of
from tests.support.swarms import subnet


def pool(cidr: str, gateway: str | None = "", ip_range: str | None = None) -> Pool:
    found = pool_of(subnet(cidr, gateway, ip_range))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cidr", "capacity"),
    [
        ("10.0.1.0/24", 253),
        ("10.10.0.0/16", 65_533),
        ("10.0.1.0/27", 29),
        ("10.0.1.0/28", 13),
        ("10.0.1.0/29", 5),
    ],
)
def test_a_subnet_hands_out_all_but_network_broadcast_and_gateway(cidr: str, capacity: int) -> None:
    assert pool(cidr).capacity == capacity


def test_an_ip_range_hands_out_its_own_addresses_less_those_reserved_in_it() -> None:
    assert pool("10.0.1.0/24", "10.0.1.1", "10.0.1.128/25").capacity == 127
    assert pool("10.0.1.0/24", "10.0.1.1", "10.0.1.0/25").capacity == 126
    assert pool("10.0.1.0/24", "10.0.1.65", "10.0.1.64/26").capacity == 63


def test_an_ip_range_outside_the_subnet_is_no_range() -> None:
    assert pool("10.0.1.0/24", "10.0.1.1", "10.0.2.0/25").capacity == 253


def test_the_smallest_subnets_have_no_broadcast_and_never_a_negative_capacity() -> None:
    assert pool("10.0.1.0/30").capacity == 1
    assert pool("10.0.1.0/31").capacity == 1
    assert pool("10.0.1.1/32", "10.0.1.1").capacity == 0
    assert pool("10.0.1.0/31", None).capacity == 2


def test_reserved_addresses_and_those_outside_are_not_in_the_pool() -> None:
    proxy = pool("10.0.1.0/24")
    assert IPv4Address("10.0.1.2") in proxy
    for address in ("10.0.1.0", "10.0.1.1", "10.0.1.255", "10.0.2.2"):
        assert IPv4Address(address) not in proxy
    assert "10.0.1.2" not in proxy


def test_ipv6_has_no_pool() -> None:
    assert pool_of(subnet("fd00::/64")) is None

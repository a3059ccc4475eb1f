from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from console.simulator.ipam import AddressPool, DefaultPool, PoolHolder

SOMEBODY = PoolHolder("vip", "x")
STEPS = st.lists(st.one_of(st.none(), st.integers(0, 40)), max_size=120)


def a_pool(subnet: str = "10.0.1.0/28", ip_range: str = "") -> AddressPool:
    return AddressPool(ip_network(subnet), ip_network(ip_range) if ip_range else None)


@given(STEPS)
def test_no_address_is_given_twice_and_the_counts_agree(steps: list[int | None]) -> None:
    pool = a_pool()
    held: list[str] = []
    for step in steps:
        if step is None:
            address = pool.request(SOMEBODY)
            assert (address is None) == (len(held) == 14)
            if address is not None:
                assert address not in held
                held.append(address)
        elif held:
            pool.release(held.pop(step % len(held)))
        assert pool.in_use == 2 + len(held)
        assert pool.free == 14 - len(held)


@given(st.integers(0, 13))
def test_a_freed_address_is_given_again_once_the_pointer_has_come_round(which: int) -> None:
    pool = a_pool()
    given_out = [pool.request(SOMEBODY) for _ in range(14)]
    freed = given_out[which]
    assert freed is not None
    pool.release(freed)

    assert pool.request(SOMEBODY) == freed
    assert pool.request(SOMEBODY) is None


def test_a_freed_address_waits_for_its_turn() -> None:
    pool = a_pool()
    first = pool.request(SOMEBODY)
    assert first == "10.0.1.1/28"
    pool.release(first)

    assert [pool.request(SOMEBODY) for _ in range(14)] == [f"10.0.1.{last}/28" for last in (*range(2, 15), 1)]


def test_the_range_limits_what_is_given_and_not_what_can_be_claimed() -> None:
    pool = a_pool("10.0.1.0/24", "10.0.1.128/30")

    assert pool.claim("10.0.1.1", SOMEBODY) == "10.0.1.1/24"
    assert [pool.request(SOMEBODY) for _ in range(5)] == [f"10.0.1.{n}/24" for n in range(128, 132)] + [None]
    assert (pool.in_use, pool.free) == (7, 0)


def test_what_is_claimed_is_not_given() -> None:
    pool = a_pool()
    pool.claim("10.0.1.2", SOMEBODY)

    assert pool.claim("10.0.1.2", SOMEBODY) is None
    assert pool.claim("10.0.2.2", SOMEBODY) is None
    assert [pool.request(SOMEBODY) for _ in range(2)] == ["10.0.1.1/28", "10.0.1.3/28"]


def test_ipv6_has_no_broadcast_address() -> None:
    pool = a_pool("fd00::/126")

    assert [pool.request(SOMEBODY) for _ in range(4)] == ["fd00::1/126", "fd00::2/126", "fd00::3/126", None]


@given(
    st.lists(
        st.sampled_from(["10.0.0.0/24", "10.0.2.0/23", "10.0.1.128/25", "10.0.8.0/22", "9.0.0.0/8"]),
        unique=True,
    )
)
def test_default_subnets_pass_over_what_is_taken(chosen: list[str]) -> None:
    subnets = DefaultPool()
    for each in chosen:
        subnets.take(ip_network(each))

    for _ in range(8):
        following = subnets.next_free()
        assert following is not None
        assert not subnets.overlaps(following)
        below = int(following.network_address)
        assert all(
            any(ip_address(at) in ip_network(each) for each in chosen for at in range(start, start + 256, 64))
            or subnets.overlaps(ip_network((start, 24)))
            for start in range(int(ip_address("10.0.0.0")), below, 256)
        )
        subnets.take(following)

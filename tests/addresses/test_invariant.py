"""accounted + leaked + free = capacity, whatever the state."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.addresses.accounting import EarlierLeaks, account
from console.addresses.leaks import (
    AllocatorGeneration,
    Census,
    Counts,
    EngineLeakCount,
    LeakCertainty,
    LeakEntry,
    LeakEvidence,
)
from console.errors import Unknown
from console.swarm.model import ALIVE, Network, Service, SwarmState, Task
from tests.support.swarms import HERE, LONG_AGO, network, service, subnet, swarm, task

NETWORKS = ("id-proxy", "id-other", "id-gone")
# A few addresses only, so that duplicates, reserved ones and ones outside of the subnet all come up often.
addresses = st.integers(0, 20).map(lambda n: str(IPv4Address("10.0.1.0") + n))
placed = st.tuples(st.sampled_from(NETWORKS), addresses)
states = st.sampled_from((*sorted(ALIVE), "shutdown", "failed", "orphaned"))


@st.composite
def networks(draw: st.DrawFn, name: str) -> Network:
    prefix = draw(st.integers(26, 32))
    whole = IPv4Network(f"10.0.1.0/{prefix}")
    ip_range = draw(st.none() | st.just(next(iter(whole.subnets())) if prefix < 32 else None))
    gateway = draw(st.sampled_from(("10.0.1.1", None)))
    in_use = draw(st.integers(0, whole.num_addresses))
    available = draw(st.just(whole.num_addresses - in_use) | st.integers(0, 80))
    return network(
        name,
        *([subnet(str(whole), gateway, str(ip_range) if ip_range else None)] * draw(st.integers(0, 2))),
        load_balancer=draw(addresses | st.just("")),
        peers=draw(st.none() | st.integers(0, 50)),
        use=draw(st.sampled_from(({}, {str(whole): (in_use, available)}))),
    )


services = st.builds(
    lambda name, vips: service(name, *vips), st.sampled_from("abc"), st.lists(placed, max_size=4)
)
tasks = st.builds(
    lambda name, at, state, slot, node: task(name, *at, state=state, slot=slot, node=node),
    st.sampled_from("abc"),
    st.lists(placed, max_size=3),
    states,
    st.integers(1, 9),
    st.sampled_from((HERE.id, "n2", "n3", "")),
)


@st.composite
def swarms(draw: st.DrawFn) -> SwarmState:
    def maybe(part: tuple[Service, ...] | tuple[Task, ...]) -> object:
        return draw(st.sampled_from((part, part, part, Unknown("no answer"))))

    return swarm(
        (draw(networks("proxy")), draw(networks("other"))),
        maybe(tuple(draw(st.lists(services, max_size=6)))),  # type: ignore[arg-type] # a part of the same kind or Unknown
        maybe(tuple(draw(st.lists(tasks, max_size=8)))),  # type: ignore[arg-type] # the same
        api=draw(st.sampled_from(((1, 41), (1, 52)))),
    )


@st.composite
def censuses(draw: st.DrawFn) -> Mapping[str, Census]:
    """Return what earlier censuses said, of any address that there is, held or not."""
    allocator = AllocatorGeneration("cluster", HERE.id, HERE.id, LONG_AGO)
    return {
        each: Census(
            each,
            each,
            LONG_AGO,
            allocator,
            tuple(map(IPv4Address, draw(st.lists(addresses, unique=True)))),
            draw(st.integers(0, 5)),
        )
        for each in draw(st.sets(st.sampled_from(NETWORKS)))
    }


@st.composite
def entries(draw: st.DrawFn) -> tuple[LeakEntry, ...]:
    """Return what was seen leaking, of any address that there is, held or not."""
    seen = draw(st.lists(st.tuples(st.sampled_from(NETWORKS), addresses), max_size=6))
    return tuple(
        LeakEntry(where, where, (IPv4Address(one),), f"task-{one}", "a.1", "a", "", "gone", LONG_AGO)
        for where, one in seen
    )


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    """Return what the engine counted before."""
    return {
        (each, IPv4Network(f"10.0.1.0/{draw(st.integers(26, 32))}")): EngineLeakCount(
            draw(st.integers(0, 70)), LONG_AGO
        )
        for each in draw(st.sets(st.sampled_from(NETWORKS)))
    }


kept = st.builds(EarlierLeaks, censuses(), entries(), counts())


@settings(max_examples=2 * settings().max_examples)
@given(swarms(), st.none() | swarms(), kept)
def test_accounted_leaked_and_free_make_up_the_capacity(
    state: SwarmState, other: SwarmState | None, known: EarlierLeaks
) -> None:
    check_sums(state, other, known)


@pytest.mark.sweep
@settings(max_examples=50 * settings().max_examples)
@given(swarms(), st.none() | swarms(), kept)
def test_they_do_so_in_thousands_of_states(
    state: SwarmState, other: SwarmState | None, known: EarlierLeaks
) -> None:
    check_sums(state, other, known)


def check_sums(state: SwarmState, other: SwarmState | None, known: EarlierLeaks) -> None:
    """Check them after a snapshot that agrees, and after another one."""
    for found in (*account(state, state, known), *account(state, other, known)):
        for part in found.subnets:
            leak, leaked = part.leak, part.leak.count
            assert 0 <= part.accounted <= part.capacity
            assert 0 <= part.free_at_most <= part.capacity
            assert set(part.address_holders) <= {
                each for each in part.pool.handed_out_from if each in part.pool
            }
            is_dated_count = leak.evidence is LeakEvidence.ENGINE_COUNT and leak.as_of is not None
            # What was seen leaking, while the engine tells what is free and its count of the rest has not settled.
            detail = found.network.detail
            use = None if isinstance(detail, Unknown) else detail.use.get(str(part.pool.subnet))
            is_beside_count = use is not None and leak.evidence is LeakEvidence.LEAK_LOG
            if leaked is not None:
                assert 0 <= leak.observed_count <= leaked or leaked == leak.observed_count == 0
                # A census is dated, and a leak log has only what was monitored: more may have leaked.
                if use is not None and is_beside_count:
                    assert part.free_at_most <= use.available
                elif leak.evidence in (LeakEvidence.CENSUS, LeakEvidence.LEAK_LOG):
                    assert not part.free_is_exact
                elif not is_dated_count:
                    assert part.free_is_exact
                assert leak.as_of is not None or leak.evidence is not LeakEvidence.CENSUS
                assert (leak.certainty is LeakCertainty.AT_LEAST) == bool(
                    leak.observed_count or leak.evidence is LeakEvidence.LEAK_LOG
                )
                # What the engine counted a while ago stands beside what is held and free now.
                if is_dated_count or is_beside_count:
                    assert part.accounted + leaked + part.free_at_most <= part.capacity
                else:
                    assert part.accounted + leaked + part.free_at_most == part.capacity
            else:
                assert leak.why_unknown
                assert part.accounted + part.free_at_most <= part.capacity
            assert not set(leak.addresses) & set(part.address_holders)
            if leak.addresses:
                assert len(leak.addresses) == (leaked or 0) + leak.possibly_load_balancers

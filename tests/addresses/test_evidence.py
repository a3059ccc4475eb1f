from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network

import pytest

from console.addresses import leaks
from console.addresses.accounting import EarlierLeaks, NetworkAccount, SubnetAccount, account
from console.addresses.leaks import (
    AllocatorGeneration,
    Census,
    EngineLeakCount,
    Leak,
    LeakCertainty,
    LeakEntry,
    LeakEvidence,
    allocator_key,
    allocator_of,
    how_it_could_go_stale,
    valid_evidence,
)
from console.errors import Unknown
from console.swarm.model import Network, Node, SwarmState
from tests.support.swarms import HERE, LONG_AGO, NOW, entry, network, service, swarm, task

PROXY = "id-proxy"
OTHER = Node("node-other", "other", "ready", "active", is_manager=True, is_leader=False)
BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")


def proxy(peers: int | None = 1, use: dict[str, tuple[int, int]] | None = None) -> Network:
    return network("proxy", "10.0.1.0/28", load_balancer="10.0.1.4", peers=peers, use=use)


def a_swarm(*more: Network, api: tuple[int, int] = (1, 41), **parts: object) -> SwarmState:
    """A VIP, a task and a load balancer in 13 addresses."""
    state = swarm(
        [BRIDGE, *(more or (proxy(),))],
        [service("a", (PROXY, "10.0.1.2"))],
        [task("a", (PROXY, "10.0.1.3"))],
        api=api,
    )
    return replace(state, **parts)  # type: ignore[arg-type] # parts of a state


def census(*addresses: str, balancers: int = 0, state: SwarmState | None = None) -> Census:
    allocator = allocator_of(state or a_swarm())
    assert allocator is not None
    return Census(
        PROXY, "proxy", NOW - timedelta(minutes=3), allocator, tuple(map(IPv4Address, addresses)), balancers
    )


def weighed(state: SwarmState, *censuses: Census, earlier: SwarmState | None = None) -> NetworkAccount:
    valid, stale = valid_evidence(censuses, state, None)
    assert not stale
    return next(each for each in account(state, earlier, EarlierLeaks(valid)) if each.network.name == "proxy")


def test_more_may_have_leaked_than_is_free_and_all_of_it_has_names() -> None:
    state = a_swarm(proxy(use={"10.0.1.0/28": (14, 2)}), api=(1, 52))
    named = [f"10.0.1.{last}" for last in range(5, 13)]
    (part,) = weighed(state, census(*named, state=state), earlier=state).subnets
    assert (part.leak.count, part.leak.evidence, part.free_at_most) == (8, LeakEvidence.ENGINE_COUNT, 2)
    assert [str(each) for each in part.leak.addresses] == named


def test_what_was_seen_leaking_is_told_before_the_engines_count_has_settled() -> None:
    state = a_swarm(proxy(use={"10.0.1.0/28": (14, 2)}), api=(1, 52))
    seen = entry(PROXY, "10.0.1.8", "10.0.1.9")
    (part,) = next(
        each.subnets
        for each in account(state, None, EarlierLeaks(entries=(seen,)))
        if each.network.name == "proxy"
    )
    assert (part.leak.count, part.leak.certainty, part.free_at_most) == (2, LeakCertainty.AT_LEAST, 2)


def test_where_the_engine_does_not_count_a_census_does() -> None:
    found = weighed(a_swarm(), census("10.0.1.8", "10.0.1.9"))
    (part,) = found.subnets
    assert (part.leak.count, part.leak.certainty, part.leak.evidence) == (
        2,
        LeakCertainty.EXACT,
        LeakEvidence.CENSUS,
    )
    assert part.leak.addresses == (IPv4Address("10.0.1.8"), IPv4Address("10.0.1.9"))
    assert part.leak.as_of == NOW - timedelta(minutes=3)
    # More may have leaked since.
    assert (part.free_at_most, part.free_is_exact) == (8, False)
    assert part.accounted + 2 + part.free_at_most == part.capacity


def test_a_census_that_found_none_says_zero_as_of_its_date() -> None:
    (part,) = weighed(a_swarm(), census()).subnets
    assert (part.leak.count, part.leak.evidence, part.free_is_exact) == (0, LeakEvidence.CENSUS, False)


def test_an_address_that_somebody_holds_again_drops_out() -> None:
    (part,) = weighed(a_swarm(), census("10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.9")).subnets
    assert (part.leak.count, part.leak.addresses) == (1, (IPv4Address("10.0.1.9"),))


def test_addresses_of_no_pool_are_not_counted() -> None:
    (part,) = weighed(a_swarm(), census("10.0.1.1", "10.0.9.9", "10.0.1.15")).subnets
    assert part.leak.count == 0


def test_what_may_be_other_nodes_load_balancers_is_not_counted_as_leaked() -> None:
    state = a_swarm(proxy(peers=3), nodes=(HERE, OTHER))
    (part,) = weighed(state, census("10.0.1.7", "10.0.1.8", "10.0.1.9", balancers=2)).subnets
    assert (part.leak.count, part.leak.possibly_load_balancers, len(part.leak.addresses)) == (1, 2, 3)
    assert part.accounted + 1 + part.free_at_most == part.capacity
    # Those nodes have left since: their addresses are free, and which they were is not known.
    (part,) = weighed(a_swarm(), census("10.0.1.7", "10.0.1.8", "10.0.1.9", balancers=2)).subnets
    assert part.leak.count == 1


def test_the_engines_own_count_stands_and_gets_names_where_they_agree() -> None:
    counted = a_swarm(proxy(use={"10.0.1.0/28": (8, 8)}), api=(1, 52))
    (part,) = weighed(counted, census("10.0.1.8", "10.0.1.9"), earlier=counted).subnets
    assert (part.leak.count, part.leak.evidence, part.free_is_exact) == (2, LeakEvidence.ENGINE_COUNT, True)
    assert len(part.leak.addresses) == 2
    assert part.leak.as_of is None
    (part,) = weighed(counted, census("10.0.1.8"), earlier=counted).subnets
    assert (part.leak.count, part.leak.addresses) == (2, ())
    (part,) = weighed(counted, census("10.0.1.8")).subnets
    assert part.leak.why_unknown == leaks.ONE_SNAPSHOT


def test_where_holders_could_not_be_read_a_census_does_not_help() -> None:
    (part,) = weighed(a_swarm(tasks=Unknown("no answer")), census("10.0.1.9")).subnets
    assert part.leak.why_unknown == leaks.HOLDERS_MISSING


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (
            a_swarm(replace(BRIDGE, created=NOW), proxy(), networks=(replace(BRIDGE, created=NOW), proxy())),
            "dockerd was restarted",
        ),
        (
            a_swarm(nodes=(replace(HERE, is_leader=False), replace(OTHER, is_leader=True))),
            "another node leads the swarm now",
        ),
        (a_swarm(nodes=Unknown("no answer")), "which node leads the swarm could not be read"),
        (
            a_swarm(engine=swarm(node_id=OTHER.id).engine),
            "it was taken through another node",
        ),
        (
            a_swarm(nodes=(replace(HERE, allocator_rebuilt="2026-11-30T02:00:00+00:00"),)),
            "a borrowed manager rebuilt the allocator",
        ),
    ],
)
def test_it_is_void_after_the_allocator_began_anew(state: SwarmState, why: str) -> None:
    valid, (stale,) = valid_evidence([census("10.0.1.9")], state, None)
    assert not valid
    assert stale.reason == why


def test_dockerds_log_can_make_it_void_too() -> None:
    kept = census("10.0.1.9")
    assert valid_evidence([kept], a_swarm(), kept.taken_at - timedelta(seconds=1))[0]
    valid, (stale,) = valid_evidence([kept], a_swarm(), kept.taken_at + timedelta(seconds=1))
    assert not valid
    assert "dockerd's log" in stale.reason


def test_other_swarms_and_networks_that_are_gone_are_passed_over() -> None:
    kept = census("10.0.1.9")
    elsewhere = replace(kept, allocator=replace(kept.allocator, cluster_id="other"))
    recreated = replace(kept, network_id="id-before")
    assert valid_evidence([elsewhere, recreated], a_swarm(), None) == ({}, ())


def test_what_cannot_be_excluded_is_said() -> None:
    here = AllocatorGeneration("cluster", HERE.id, HERE.id, LONG_AGO)
    assert how_it_could_go_stale(here, 1) == ""
    assert "changed back" in how_it_could_go_stale(here, 3)
    assert "leader's dockerd" in how_it_could_go_stale(replace(here, leader_id="other"), 3)
    assert "log only" in how_it_could_go_stale(replace(here, daemon_began=None), 1)


def counted_before(*entries: LeakEntry) -> EarlierLeaks:
    """Return that the engine counted two a minute ago, and what was seen leaking."""
    counts = {("id-proxy", IPv4Network("10.0.1.0/28")): EngineLeakCount(2, NOW - timedelta(minutes=1))}
    return EarlierLeaks(entries=entries, counts=counts)


def moving(kept: EarlierLeaks) -> Leak:
    """Return the leak of a subnet in which addresses are changing hands."""
    state = a_swarm(proxy(use={"10.0.1.0/28": (9, 7)}), api=(1, 52))
    (found,) = [each for each in account(state, a_swarm(api=(1, 52)), kept) if each.network.name == "proxy"]
    return found.subnets[0].leak


def test_a_count_of_a_while_ago_stands_with_its_date() -> None:
    leak = moving(counted_before())
    assert (leak.count, leak.certainty, leak.evidence) == (2, LeakCertainty.EXACT, LeakEvidence.ENGINE_COUNT)
    assert leak.as_of == NOW - timedelta(minutes=1)


def test_what_was_seen_leaking_since_is_added_and_what_was_before_is_in_it() -> None:
    before = entry("id-proxy", "10.0.1.8", ended_at=NOW - timedelta(minutes=2))
    after = entry("id-proxy", "10.0.1.9", stack="wiki", ended_at=NOW)
    leak = moving(counted_before(before, after))
    assert (leak.count, leak.certainty, leak.observed_count) == (3, LeakCertainty.AT_LEAST, 1)


def test_an_address_that_has_a_holder_again_did_not_leak_since() -> None:
    leak = moving(counted_before(entry("id-proxy", "10.0.1.3", ended_at=NOW)))
    assert (leak.count, leak.certainty, leak.observed_count) == (2, LeakCertainty.EXACT, 0)


def seen_leaking(count: int) -> tuple[LeakEntry, ...]:
    """Return so many leaks of just now, from 10.0.1.5 on."""
    return tuple(
        entry("id-proxy", f"10.0.1.{5 + number}", stack=f"s{number}", ended_at=NOW) for number in range(count)
    )


def test_no_more_leaked_since_a_count_than_is_missing_now() -> None:
    # Of 13 addresses 3 have a holder and 7 are free.
    leak = moving(counted_before(*seen_leaking(9)))
    assert (leak.count, leak.observed_count) == (3, 3)


@pytest.mark.parametrize(("count", "known"), [(3, 3), (4, None)])
def test_more_leaks_than_is_missing_tell_nothing_of_now(count: int, known: int | None) -> None:
    assert moving(EarlierLeaks(entries=seen_leaking(count))).count == known


def test_watched_leaks_are_added_to_a_census() -> None:
    found = only_part(EarlierLeaks({PROXY: census("10.0.1.8")}, (entry(PROXY, "10.0.1.8", "10.0.1.9"),)))
    leak = found.leak
    assert (leak.count, leak.certainty, leak.evidence, leak.observed_count) == (
        2,
        LeakCertainty.AT_LEAST,
        LeakEvidence.CENSUS,
        1,
    )
    assert leak.as_of is not None


def test_alone_they_are_a_lower_bound() -> None:
    found = only_part(EarlierLeaks(entries=(entry(PROXY, "10.0.1.8", "10.0.1.3"),)))
    # .3 has a holder.
    assert (found.leak.count, found.leak.certainty, found.leak.evidence) == (
        1,
        LeakCertainty.AT_LEAST,
        LeakEvidence.LEAK_LOG,
    )
    assert found.accounted + 1 + found.free_at_most == found.capacity
    assert not found.free_is_exact


def only_part(kept: EarlierLeaks) -> SubnetAccount:
    (found,) = [each for each in account(a_swarm(), None, kept) if each.network.name == "proxy"]
    return found.subnets[0]


@pytest.mark.parametrize(
    ("managers", "allocator", "has_mark"),
    [
        (1, AllocatorGeneration("cluster", "a", "a", NOW), True),
        (2, AllocatorGeneration("cluster", "a", "a", NOW), False),
        (1, AllocatorGeneration("cluster", "a", "b", NOW), False),
        (1, AllocatorGeneration("cluster", "a", "a", None), False),
        (1, None, False),
    ],
)
def test_only_an_allocator_whose_end_shows_has_a_mark(
    managers: int,
    allocator: AllocatorGeneration | None,
    has_mark: bool,  # noqa: FBT001 - a case
) -> None:
    assert bool(allocator_key(allocator, managers)) == has_mark

from ipaddress import IPv4Address

import pytest

from console.addresses import leaks
from console.addresses.accounting import NetworkAccount, account
from console.addresses.holders import HolderKind, duplicate_addresses
from console.addresses.leaks import LeakCertainty, LeakEvidence
from console.errors import Unknown
from console.swarm.model import Node, SwarmState
from tests.support.swarms import HERE, network, service, subnet, swarm, task

PROXY = "id-proxy"
OTHER = Node("node-other", "other", "ready", "active", is_manager=False, is_leader=False)


def only(state: SwarmState, earlier: SwarmState | None = None) -> NetworkAccount:
    (found,) = account(state, earlier)
    return found


def counted_swarm(in_use: int, *, available: int | None = None, slot: int = 1) -> SwarmState:
    """A /28 (13 addresses) with a VIP, a task and a load balancer, on an engine that counts."""
    proxy = network(
        "proxy",
        "10.0.1.0/28",
        load_balancer="10.0.1.4",
        peers=1,
        use={"10.0.1.0/28": (in_use, 16 - in_use if available is None else available)},
    )
    return swarm(
        [proxy],
        [service("a", (PROXY, "10.0.1.2"))],
        [task("a", (PROXY, "10.0.1.3"), slot=slot)],
        api=(1, 52),
    )


def test_every_kind_of_holder_is_named() -> None:
    proxy = network("proxy", "10.0.1.0/24", load_balancer="10.0.1.5", peers=1)
    found = only(
        swarm(
            [proxy],
            [service("ghost_app", (PROXY, "10.0.1.2"))],
            [task("ghost_app", (PROXY, "10.0.1.3")), task("", (PROXY, "10.0.1.4"), container="c" * 64)],
        )
    )
    held = {str(address): (holder.kind, holder.name) for address, (holder,) in found.holders()}
    assert held == {
        "10.0.1.2": (HolderKind.VIP, "ghost_app"),
        "10.0.1.3": (HolderKind.TASK, "ghost_app.1"),
        "10.0.1.4": (HolderKind.CONTAINER, "cccccccccccc on ci-host"),
        "10.0.1.5": (HolderKind.LOAD_BALANCER, "ci-host"),
    }
    assert found.accounted == 4
    assert [found.count(kind) for kind in HolderKind] == [1, 1, 1, 1]


def test_tasks_past_running_hold_nothing_and_stopping_ones_do() -> None:
    states = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
    ended = [task("a", (PROXY, f"10.0.1.{10 + n}"), state=state) for n, state in enumerate(states)]
    stopping = task("a", (PROXY, "10.0.1.3"), desired="shutdown")
    found = only(swarm([network("proxy", "10.0.1.0/24")], [], [*ended, stopping]))
    assert [str(address) for address, _ in found.holders()] == ["10.0.1.3"]


def test_without_the_engines_count_free_is_an_upper_bound_and_the_leak_unknown() -> None:
    found = only(swarm([network("proxy", "10.0.1.0/24", load_balancer="10.0.1.9", peers=1)]))
    assert (found.leaked, found.free_at_most, found.free_is_exact) == (None, 252, False)
    (part,) = found.subnets
    assert part.leak.certainty is LeakCertainty.UNKNOWN
    assert part.leak.why_unknown == leaks.ENGINE_CANNOT


def test_two_agreeing_snapshots_make_an_exact_count() -> None:
    found = only(counted_swarm(9), counted_swarm(9))
    (part,) = found.subnets
    assert (part.leak.count, part.leak.certainty, part.leak.evidence) == (
        3,
        LeakCertainty.EXACT,
        LeakEvidence.ENGINE_COUNT,
    )
    assert found.accounted + 3 + found.free_at_most == found.capacity == 13


def test_no_leak_is_an_exact_zero_too() -> None:
    assert only(counted_swarm(6), counted_swarm(6)).leaked == 0


def test_one_snapshot_tells_what_is_free_but_not_what_leaked() -> None:
    found = only(counted_swarm(9))
    assert (found.leaked, found.free_at_most, found.free_is_exact) == (None, 7, True)
    assert found.subnets[0].leak.why_unknown == leaks.ONE_SNAPSHOT


@pytest.mark.parametrize("earlier", [counted_swarm(8), counted_swarm(9, slot=2), swarm(api=(1, 52))])
def test_snapshots_that_differ_claim_nothing(earlier: SwarmState) -> None:
    assert only(counted_swarm(9), earlier).subnets[0].leak.why_unknown == leaks.HOLDERS_CHANGING


def test_figures_that_contradict_each_other_are_not_believed() -> None:
    odd = counted_swarm(9, available=9)
    found = only(odd, odd)
    assert found.leaked is None
    assert found.subnets[0].leak.why_unknown == leaks.INCONSISTENT
    assert not found.free_is_exact


def test_fewer_taken_than_held_is_unknown_and_never_negative() -> None:
    found = only(counted_swarm(5), counted_swarm(5))
    assert found.subnets[0].leak.why_unknown == leaks.UNDERCOUNT
    assert not found.free_is_exact


def test_a_subnet_that_is_all_held_has_no_leak_on_any_engine() -> None:
    tasks = [task("a", (PROXY, f"10.0.1.{n}"), slot=n) for n in range(3, 15)]
    full = swarm([network("proxy", "10.0.1.0/28", load_balancer="10.0.1.2", peers=1)], [], tasks)
    found = only(full)
    assert (found.leaked, found.free_at_most, found.free_is_exact) == (0, 0, True)
    assert found.subnets[0].leak.evidence is LeakEvidence.ALL_HELD


@pytest.mark.parametrize("missing", ["services", "tasks"])
def test_holders_that_could_not_be_read_leave_bounds(missing: str) -> None:
    state = counted_swarm(9)
    blind = SwarmState(
        state.engine,
        state.networks,
        Unknown("no answer") if missing == "services" else state.services,
        Unknown("no answer") if missing == "tasks" else state.tasks,
        state.nodes,
    )
    found = only(blind, blind)
    assert found.missing == (missing,)
    assert found.leaked is None
    assert (found.free_at_most, found.free_is_exact) == (7, True)


def test_other_nodes_load_balancers_are_counted_from_the_peers() -> None:
    found = only(swarm([network("proxy", "10.0.1.0/24", load_balancer="10.0.1.5", peers=3)]))
    assert found.count(HolderKind.LOAD_BALANCER) == found.accounted == 3
    assert found.free_at_most == 250


def test_where_this_node_takes_no_part_nodes_with_tasks_are_counted() -> None:
    tasks = [
        task("a", (PROXY, "10.0.1.3"), node=OTHER.id),
        task("a", (PROXY, "10.0.1.4"), slot=2, node=OTHER.id),
    ]
    found = only(swarm([network("proxy", "10.0.1.0/24")], [], tasks, nodes=(HERE, OTHER)))
    assert found.count(HolderKind.LOAD_BALANCER) == 1


def test_every_node_has_a_load_balancer_on_ingress() -> None:
    ingress = network("ingress", "10.0.0.0/24", ingress=True)
    assert only(swarm([ingress], nodes=(HERE, OTHER))).count(HolderKind.LOAD_BALANCER) == 2
    blind = only(swarm([ingress], nodes=Unknown("no answer")))
    assert blind.missing == ("nodes",)


def test_several_subnets_are_accounted_one_by_one() -> None:
    both = network("wide", "10.0.1.0/28", "10.0.2.0/28", peers=2, load_balancer="10.0.1.2")
    found = only(swarm([both], [service("a", ("id-wide", "10.0.2.2"))]))
    assert [each.accounted for each in found.subnets] == [1, 1]
    assert (found.capacity, found.unplaced_load_balancers) == (26, 1)


def test_a_load_balancer_that_may_be_in_any_subnet_is_not_taken_for_a_leak() -> None:
    counted = {"10.0.1.0/28": (5, 11), "10.0.2.0/28": (3, 13)}
    both = network("wide", "10.0.1.0/28", "10.0.2.0/28", peers=2, load_balancer="10.0.1.2", use=counted)
    # One address of the first subnet has no holder that is known: the other node's load balancer, here.
    seen = swarm([both], api=(1, 52), nodes=(HERE, OTHER))
    found = only(seen, earlier=seen)
    assert [each.leak.why_unknown for each in found.subnets] == [leaks.UNKNOWN_SUBNET] * 2
    assert found.leaked is None


def test_addresses_outside_the_ip_range_are_shown_and_not_counted() -> None:
    ranged = network("proxy", subnet("10.0.1.0/24", "10.0.1.1", "10.0.1.128/25"))
    found = only(swarm([ranged], [service("a", (PROXY, "10.0.1.130")), service("b", (PROXY, "10.0.1.9"))]))
    assert found.accounted == 1
    assert list(found.elsewhere) == [IPv4Address("10.0.1.9")]


def test_dual_stack_counts_ipv4_only() -> None:
    dual = network("proxy", "10.0.1.0/24", "fd00:1::/64")
    state = swarm([dual], [service("a", (PROXY, "10.0.1.2"), (PROXY, "fd00:1::2"))])
    found = only(state)
    assert (found.accounted, found.capacity) == (1, 253)
    assert [str(each) for each in found.ipv6] == ["fd00:1::/64"]


def test_a_network_without_a_subnet_has_no_capacity() -> None:
    found = only(swarm([network("proxy", driver="")]))
    assert (found.capacity, found.free_at_most, found.leaked) == (0, 0, None)


def test_local_networks_are_not_accounted() -> None:
    assert not account(swarm([network("bridge", "172.17.0.0/16", driver="bridge", scope="local")]))


def test_one_address_with_two_holders_is_counted_once() -> None:
    state = swarm(
        [network("proxy", "10.0.1.0/24")],
        [service("a", (PROXY, "10.0.1.2")), service("b", (PROXY, "10.0.1.2"))],
    )
    found = only(state)
    assert found.accounted == 1
    ((address, holders),) = duplicate_addresses(found.holders())
    assert (str(address), [each.name for each in holders]) == ("10.0.1.2", ["a", "b"])


def test_a_stopping_task_whose_service_is_gone_keeps_its_name_on_its_own_node() -> None:
    stopping = task("ghost_app", (PROXY, "10.0.1.3"), desired="remove")
    assert next(iter(only(swarm([network("proxy", "10.0.1.0/24")], [], [stopping])).holders()))[1][
        0
    ].name == (f"task {stopping.id[:12]}")


def test_a_subnet_that_is_all_held_stays_full_when_the_engine_counts_less() -> None:
    full = swarm(
        [network("proxy", "10.0.1.0/30", use={"10.0.1.0/30": (3, 1)})],
        [service("a", (PROXY, "10.0.1.2"))],
        api=(1, 52),
    )
    found = only(full, full)
    assert (found.leaked, found.free_at_most, found.free_is_exact) == (0, 0, True)

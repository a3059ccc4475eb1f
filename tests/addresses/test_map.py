from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from console.addresses.accounting import EarlierLeaks, NetworkAccount, account
from console.addresses.details import describe_address, describe_rest, index_swarm_objects
from console.addresses.leaks import AllocatorGeneration, Census, LeakEntry
from console.addresses.map import AddressMap, CellKind, map_network
from console.swarm.model import Network, Node, SwarmState
from tests.support.swarms import HERE, NOW, ago, network, service, subnet, swarm, task

PROXY = "id-proxy"


def mapped(
    state: SwarmState, *entries: LeakEntry, censuses: Mapping[str, Census] | None = None
) -> AddressMap:
    (found,) = map_network(accounted(state, *entries, censuses=censuses), entries)
    return found


def accounted(
    state: SwarmState, *entries: LeakEntry, censuses: Mapping[str, Census] | None = None
) -> NetworkAccount:
    (found,) = account(state, state, EarlierLeaks(censuses or {}, entries))
    return found


def entry(*addresses: str, network_id: str = PROXY) -> LeakEntry:
    return LeakEntry(
        network_id,
        "proxy",
        tuple(map(IPv4Address, addresses)),
        "t1",
        "ghost-pr_app.1",
        "ghost-pr_app",
        "ghost-pr",
        "ghost-pr_internal",
        ago(3 * 86400),
    )


def census(*addresses: str, balancers: int = 0) -> Mapping[str, Census]:
    allocator = AllocatorGeneration("cluster", HERE.id, HERE.id, None)
    unaccounted = tuple(map(IPv4Address, addresses))
    return {PROXY: Census(PROXY, "proxy", ago(720), allocator, unaccounted, balancers)}


def small(*, in_use: int | None = None, peers: int = 1, held: int = 1) -> SwarmState:
    """A /28 (13 addresses) with a load balancer and some VIPs, where `in_use` is given on an engine that counts."""
    use = {} if in_use is None else {"10.0.1.0/28": (in_use, 16 - in_use)}
    proxy = network("proxy", "10.0.1.0/28", load_balancer="10.0.1.4", peers=peers, use=use)
    vips = [service(f"app{each}", (PROXY, f"10.0.1.{5 + each}")) for each in range(held)]
    return swarm([proxy], vips, api=(1, 52) if use else (1, 41))


def marks(found: AddressMap) -> str:
    """The map in the characters of the drawings."""
    letters = {
        CellKind.VIP: "V", CellKind.TASK: "t", CellKind.CONTAINER: "c", CellKind.LOAD_BALANCER: "L", CellKind.TWICE: "2",
        CellKind.LEAKED: "#", CellKind.TAKEN: "%", CellKind.FREE: ".", CellKind.OPEN: "?", CellKind.GATEWAY: "G",
        CellKind.RESERVED: "-", CellKind.OUTSIDE: "x",
    }  # fmt: skip
    return "".join(letters[found.cell(found.first + each).mark] for each in range(found.size))


def said(found: AddressMap, address: str, state: SwarmState) -> str:
    told = describe_address(
        found.cell(int(IPv4Address(address))), found, index_swarm_objects(state, NOW, UTC)
    )
    return "\n".join((told.description, *told.lines))


def test_every_kind_of_holder_has_its_mark_and_is_told_with_its_date() -> None:
    proxy = network("proxy", subnet("10.0.1.0/28", ip_range="10.0.1.0/29"), load_balancer="10.0.1.5", peers=1)
    stopping = task("old", (PROXY, "10.0.1.6"), desired="shutdown", since=ago(90))
    state = swarm(
        [proxy],
        [service("ghost_app", (PROXY, "10.0.1.2")), service("twin", (PROXY, "10.0.1.2"))],
        [
            task("ghost_app", (PROXY, "10.0.1.3"), since=ago(7200)),
            task("", (PROXY, "10.0.1.4"), container="c" * 64),
            task("far", (PROXY, "10.0.1.12")),
            stopping,
        ],
    )
    found = mapped(state)
    assert marks(found) == "-G2tcLt?xxxxtxx-"
    assert said(found, "10.0.1.2", state).startswith(
        "held twice\nVIP of service ghost_app\nVIP of service twin\n"
    )
    assert said(found, "10.0.1.3", state) == "task\nghost_app.1\non ci-host, running since 00:00, 2 h ago"
    assert "It is stopping" in said(found, "10.0.1.6", state)
    assert said(found, "10.0.1.5", state) == "load balancer of node\nci-host"
    assert "10.0.1.0/29" in said(found, "10.0.1.9", state)
    assert said(found, "10.0.1.0", state).startswith("network address")
    assert said(found, "10.0.1.15", state).startswith("broadcast address")


def test_where_the_engine_cannot_count_an_address_without_a_holder_is_unknown_and_never_free() -> None:
    found = mapped(small())
    assert found.rest is CellKind.OPEN
    assert "free or leaked" in said(found, "10.0.1.9", small())
    assert "Docker 29 does" in describe_rest(found)


def test_an_exact_count_of_none_leaked_makes_the_rest_free() -> None:
    state = small(in_use=5)
    assert marks(mapped(state)) == "-G..LV.........-"
    assert said(mapped(state), "10.0.1.9", state) == "free\nIt can be handed out."


def test_a_count_without_names_leaves_the_rest_unknown_and_says_how_many_of_it_leaked() -> None:
    state = small(in_use=8)
    found = mapped(state)
    assert marks(found) == "-G??LV?????????-"
    assert "No holder is known for these 11 addresses: 3 leaked, 8 free." in said(found, "10.0.1.9", state)


def test_where_all_that_nobody_holds_has_leaked_each_of_it_has() -> None:
    state = small(in_use=16, held=8)
    found = mapped(state)
    assert marks(found) == "-G##LVVVVVVVV##-"
    assert [str(IPv4Address(each)) for each in found.troubles()] == [
        f"10.0.1.{each}" for each in (2, 3, 13, 14)
    ]
    assert "counts as many leaked addresses as have no holder" in said(found, "10.0.1.2", state)


def test_the_leak_log_names_what_leaked_and_who_lost_it() -> None:
    state = small(in_use=7)
    found = mapped(state, entry("10.0.1.2", "10.0.1.9"), entry("10.0.1.3", network_id="other"))
    # The count is 2, and both have their names: the rest is free.
    assert marks(found) == "-G#.LV...#.....-"
    assert said(found, "10.0.1.9", state) == (
        "leaked\nwas ghost-pr_app.1 of stack ghost-pr\n"
        "since Tue 02:00, 3 d ago: ghost-pr_internal was removed before the task ended"
    )


def test_where_only_the_leak_log_knows_the_rest_stays_unknown() -> None:
    found = mapped(small(), entry("10.0.1.9"))
    assert marks(found) == "-G??LV???#?????-"
    assert describe_rest(found) == (
        "No holder is known for these 10 addresses: free, or leaked before monitoring began."
    )


def test_an_entry_of_the_leak_log_never_hides_who_holds_its_address_now() -> None:
    assert mapped(small(), entry("10.0.1.5")).cell(int(IPv4Address("10.0.1.5"))).mark is CellKind.VIP


def test_a_census_names_what_leaked_and_dates_what_was_free() -> None:
    state = small()
    found = mapped(state, censuses=census("10.0.1.9"))
    assert marks(found) == "-G..LV...#.....-"
    assert "A census 12 min ago found it taken, without a holder." in said(found, "10.0.1.9", state)
    assert "it may have leaked since" in said(found, "10.0.1.10", state)


def test_what_may_be_a_load_balancer_of_another_node_is_not_called_leaked() -> None:
    state = small(peers=2)
    found = mapped(state, entry("10.0.1.10"), censuses=census("10.0.1.9", "10.0.1.10", balancers=1))
    assert marks(found) == "-G..LV...%#....-"
    assert "one of 1 load balancer of other nodes" in said(found, "10.0.1.9", state)


def test_unnamed_load_balancers_are_told_among_the_free() -> None:
    state = small(in_use=6, peers=2)
    found = mapped(state)
    assert found.rest is CellKind.FREE
    assert describe_rest(found) == "Among those shown as free: 1 load balancer of other nodes."
    assert "one of 1 load balancer of other nodes" in said(found, "10.0.1.9", state)


def test_addresses_are_found_by_number_by_holder_and_by_who_lost_them() -> None:
    found = mapped(small(in_use=7, held=3), entry("10.0.1.9"))

    def hits(text: str) -> list[str]:
        return [str(IPv4Address(each)) for each in found.find(text)]

    assert hits("APP1") == ["10.0.1.6"]
    assert hits("10.0.1.12") == hits(".12") == hits(".1.12") == ["10.0.1.12"]
    assert hits("ghost-pr") == hits("leaked") == ["10.0.1.9"]
    assert hits("10.0.2.12") == hits("nobody") == hits("") == hits(".999") == []


def test_a_large_subnet_costs_what_is_held_in_it() -> None:
    big = network("proxy", "10.0.0.0/8", load_balancer="10.200.0.9", peers=1)
    found = mapped(swarm([big], [service("a", (PROXY, "10.3.7.5"))]))
    assert found.blocks == 65_536
    block = found.block(found.block_of(int(IPv4Address("10.3.7.5"))))
    assert (str(block.first), block.held_count, block.capacity) == ("10.3.7.0", 1, 256)
    assert found.block(0).counts == {CellKind.RESERVED: 1, CellKind.GATEWAY: 1, CellKind.OPEN: 254}
    assert sum(found.counts().values()) == 2**24
    assert len(found.cells) == 5


OTHERS = [
    Node(f"n{each}", f"n{each}", "ready", "active", is_manager=False, is_leader=False) for each in (1, 2)
]


@st.composite
def swarms(draw: st.DrawFn) -> tuple[SwarmState, tuple[LeakEntry, ...]]:
    prefix = draw(st.sampled_from((22, 24, 26, 28, 29)))
    cidr = f"10.0.0.0/{prefix}"
    size = 2 ** (32 - prefix)
    some = st.integers(1, size - 2).map(lambda each: str(IPv4Address("10.0.0.0") + each))
    vips = draw(st.lists(some, max_size=12))
    tasks = draw(st.lists(some, max_size=12))
    ip_range = draw(st.sampled_from((None, f"10.0.0.0/{min(30, prefix + 1)}")))
    counted = draw(st.none() | st.integers(0, 12))
    use = {} if counted is None or ip_range else {cidr: (3 + counted, size - 3 - counted)}
    made: Network = network("proxy", subnet(cidr, ip_range=ip_range), peers=draw(st.integers(1, 3)), use=use)
    state = swarm(
        [made],
        [service(f"s{n}", (PROXY, each)) for n, each in enumerate(vips)],
        [task(f"s{n}", (PROXY, each), slot=n) for n, each in enumerate(tasks)],
        [HERE, *OTHERS],
        api=(1, 52) if use else (1, 41),
    )
    return state, tuple(entry(each) for each in draw(st.lists(some, max_size=4)))


@given(swarms())
def test_every_address_is_one_cell_and_all_ways_of_counting_agree(
    drawn: tuple[SwarmState, tuple[LeakEntry, ...]],
) -> None:
    state, entries = drawn
    found = mapped(state, *entries)
    one_by_one = Counter(found.cell(found.first + each).mark for each in range(found.size))
    assert one_by_one == found.counts()
    blocks = [found.block(each) for each in range(found.blocks)]
    assert sum((Counter(each.counts) for each in blocks), Counter()) == one_by_one
    assert sum(each.capacity for each in blocks) == found.account.capacity
    holders = dict(accounted(state).holders())
    assert {int(each) for each in holders} == {each for each, cell in found.cells.items() if cell.holders}
    if one_by_one[CellKind.FREE]:
        assert found.account.leak.count is not None

"""A census of simulated swarms, in their own time."""

import itertools
import random
from dataclasses import replace

import pytest

from console.errors import Declined, UsageError
from console.operations.census import decline_unless_walkable, take_census, walkable_network
from console.operations.census_walk import STEPS_AT_MOST
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.censuses import census, leak, means_for, names
from tests.support.engines import simulation


@pytest.mark.parametrize("api_version", ["1.41", "1.52"])
@pytest.mark.parametrize("count", [0, 1, 9])
async def test_what_leaked_is_named_and_nothing_else(api_version: str, count: int) -> None:
    engine = a_swarm(api_version)
    proxy = a_network(engine, subnet="10.0.1.0/26")
    a_service(engine, proxy, replicas=3)
    engine.advance(5.0)
    leak(engine, proxy, count)

    found = await census(engine)

    assert names(found) == engine.addresses_of("proxy", "leaked")
    assert len(found.unaccounted) == found.leaked_at_least == count
    assert len(found.walks) == 2
    assert found.evidence is not None
    assert found.evidence.network_id == proxy


async def test_each_of_several_subnets_is_walked_to_its_end() -> None:
    engine = a_swarm("1.41")
    body = {
        "Name": "wide",
        "Driver": "overlay",
        "IPAM": {"Config": [{"Subnet": "10.0.1.0/28"}, {"Subnet": "10.0.2.0/29"}]},
    }
    wide = engine.networks.create(body)
    engine.advance(0.1)
    leak(engine, wide, 7)
    # Nothing is left free in the small one.
    for number in range(40):
        if len(engine.addresses_of("wide", "vip")) >= 7:
            break
        a_service(engine, wide, name=f"s{number}", replicas=0)
        engine.advance(0.1)

    found = await census(engine, "wide")

    assert sorted(names(found)) == sorted(engine.addresses_of("wide", "leaked"))
    assert len(found.unaccounted) == 7


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("subnets", [2, 9])
async def test_a_subnet_that_is_rarely_picked_has_not_leaked(subnets: int, seed: int) -> None:
    engine = a_swarm("1.41")
    config = [{"Subnet": f"10.0.{each}.0/29"} for each in range(1, subnets + 1)]
    engine.networks.create({"Name": "wide", "Driver": "overlay", "IPAM": {"Config": config}})
    engine.advance(0.1)
    engine.allocator.pools.seed(seed)
    assert names(await census(engine, "wide")) == []


@pytest.mark.parametrize("first", ["10.0.1.0/28", "fd00:1::/64"])
async def test_beside_ipv6_only_ipv4_addresses_are_walked(first: str) -> None:
    engine = a_swarm("1.41")
    second = "fd00:1::/64" if "." in first else "10.0.1.0/28"
    config = [{"Subnet": first}, {"Subnet": second}]
    dual = engine.networks.create(
        {"Name": "dual", "Driver": "overlay", "EnableIPv6": True, "IPAM": {"Config": config}}
    )
    engine.advance(0.1)
    leak(engine, dual, 12)
    found = await census(engine, "dual")
    assert set(names(found)) == {each for each in engine.addresses_of("dual", "leaked") if "." in each}
    assert found.is_settled
    assert found.evidence is not None


async def test_what_is_full_beside_ipv6_is_walked_all_the_same() -> None:
    engine = a_swarm("1.41")
    config = [{"Subnet": "10.0.1.0/28"}, {"Subnet": "fd00:1::/64"}]
    dual = engine.networks.create(
        {"Name": "dual", "Driver": "overlay", "EnableIPv6": True, "IPAM": {"Config": config}}
    )
    engine.advance(0.1)
    leak(engine, dual, 60)
    # The virtual IP of what leaked is free again: the last one.
    a_service(engine, dual, name="last", replicas=0)
    engine.advance(0.1)
    leaked = [each for each in engine.addresses_of("dual", "leaked") if "." in each]
    assert len(leaked) == 12
    assert names(await census(engine, "dual")) == leaked


async def test_a_walk_ends_when_the_ring_of_the_last_subnet_has_closed() -> None:
    engine = a_swarm("1.41")
    subnets = [{"Subnet": "10.0.1.0/29"}, {"Subnet": "10.0.2.0/27"}]
    engine.networks.create({"Name": "wide", "Driver": "overlay", "IPAM": {"Config": subnets}})
    engine.advance(0.1)
    found = await census(engine, "wide")
    assert [len(each.addresses) for each in found.walks] == [5 + 29] * 2


async def test_only_the_ip_range_is_walked() -> None:
    engine = a_swarm("1.41")
    ranged = a_network(engine, "ranged", "10.0.1.0/24", IPRange="10.0.1.64/27")
    leak(engine, ranged, 4)
    found = await census(engine, "ranged")
    assert names(found) == engine.addresses_of("ranged", "leaked")
    assert max(each.steps for each in found.walks) <= 33


async def test_other_nodes_load_balancers_are_told_apart_by_number() -> None:
    engine = a_swarm("1.41", others=[("two", "worker"), ("three", "worker")])
    proxy = a_network(engine, subnet="10.0.1.0/26")
    a_service(engine, proxy, replicas=6)
    engine.advance(10.0)
    leak(engine, proxy, 5)
    balancers = set(engine.addresses_of("proxy", "balancer"))
    own = {each for key, each in engine.node.balancers.items() if key == proxy}
    others = balancers - {each.partition("/")[0] for each in own}
    assert len(others) == 2

    found = await census(engine)

    assert set(names(found)) == set(engine.addresses_of("proxy", "leaked")) | others
    assert (found.load_balancers_at_most, found.leaked_at_least) == (2, 5)


async def test_what_others_take_and_give_back_meanwhile_is_not_named() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine, subnet="10.0.1.0/26")
    leak(engine, proxy, 6)
    chance = random.Random(7)  # noqa: S311 - the same chances in every run
    numbers = itertools.count()
    theirs: list[str] = []

    def deploy() -> None:
        if chance.random() < 0.5:
            theirs.append(a_service(engine, proxy, name=f"theirs{next(numbers)}", replicas=0))
        if theirs and chance.random() < 0.5:
            engine.services.remove(theirs.pop())

    found = await census(engine, meanwhile=deploy)

    assert found.is_settled
    assert len(found.walks) > 2
    assert names(found) == engine.addresses_of("proxy", "leaked")


async def test_what_somebody_takes_for_good_after_the_beginning_is_not_named() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine, subnet="10.0.1.0/26")
    moments = itertools.count()

    def deploy() -> None:
        if next(moments) in (1, 30):
            a_service(engine, proxy, name=f"stays{len(engine.store.services)}", replicas=0)

    found = await census(engine, meanwhile=deploy)

    assert len(engine.addresses_of("proxy", "vip")) == 2
    assert found.unaccounted == ()


async def test_where_no_address_is_to_be_had_nothing_is_walked() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine, subnet="10.0.1.0/28")
    leak(engine, proxy, 6)
    for number in range(7):
        a_service(engine, proxy, name=f"s{number}", replicas=0)
    engine.advance(1)
    found = await census(engine)
    assert found.is_network_full
    assert names(found) == engine.addresses_of("proxy", "leaked")
    # It rests on looks alone.
    assert found.evidence is None


async def test_where_every_address_has_a_holder_nothing_is_created() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine, subnet="10.0.1.0/29")
    for number in range(5):
        a_service(engine, proxy, name=f"s{number}", replicas=0)
    engine.advance(1)
    told: list[str] = []
    with simulation(engine) as running, means_for(running) as dependencies:
        connection = EngineConnection(running.host, 10)
        found = await take_census(
            replace(dependencies, changer=EngineChanger(connection, told.append)), "proxy"
        )
        connection.close()
    assert (found.is_network_full, found.unaccounted, told) == (True, (), [])


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ("nowhere", UsageError, "Network nowhere not found"),
        ("bridge", UsageError, "not an overlay"),
        ("ingress", Declined, "is not possible"),
        ("tight", Declined, "4 free addresses"),
        ("pending", Declined, "no IPv4 subnet"),
        ("large", Declined, "65533 free addresses"),
    ],
)
async def test_what_cannot_be_walked_is_declined_with_the_reason(
    asked: str, error: type[Exception], said: str
) -> None:
    engine = a_swarm("1.41")
    tight = a_network(engine, "tight", "10.0.1.0/29")
    a_service(engine, tight, replicas=0)
    a_network(engine, "large", "10.10.0.0/16")
    engine.advance(1)
    engine.networks.create(
        {"Name": "pending", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.10.1.0/24"}]}}
    )
    with pytest.raises(error, match=said):
        await census(engine, asked)


async def test_a_large_network_is_walked_when_asked_for() -> None:
    engine = a_swarm("1.41")
    a_network(engine, "large", "10.10.0.0/16")
    with simulation(engine) as running, means_for(running) as dependencies:
        walkable = walkable_network(await dependencies.reader.state(20), "large")
    assert walkable.free_at_most > STEPS_AT_MOST
    decline_unless_walkable(walkable, is_large_allowed=True)

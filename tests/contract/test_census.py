"""A census finds in every world what an independent walk finds."""

import asyncio
import ipaddress
from datetime import UTC, datetime

import pytest

from console.operations.census import CensusDependencies, take_census
from console.operations.census_walk import CensusResult
from console.operations.probes import ProbeOwner, Prober
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.contract.world import NOWHERE, World


class WorldClock:
    """The time of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._passed_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.to_thread(self._world.pass_time, seconds)
        self._passed_s += seconds


async def census(world: World, network: str) -> CensusResult:
    connection = EngineConnection(f"unix://{world.socket}", 20)
    try:
        changer = EngineChanger(connection, lambda _: None)
        dependencies = CensusDependencies(
            EngineReader(connection), changer, WorldClock(world), ProbeOwner("contract", 1), 30
        )
        return await take_census(dependencies, network)
    finally:
        connection.close()


@pytest.mark.parametrize("lost", [0, 5])
async def test_it_names_what_the_ring_lacks(world: World, lost: int) -> None:
    subnet = world.fresh_subnet(27)
    network = world.create_overlay(world.fresh("counted"), subnet)
    leaked = world.leak_fast(network, lost) if lost else set[str]()
    holder = world.create_service(world.fresh("holder"), [network], replicas=2, constraints=NOWHERE)
    world.wait_for_state(holder, "pending", 2)
    vip = world.wait_for_vip(holder, network)

    found = await census(world, network)

    named = {str(each) for each in found.unaccounted}
    assert named == leaked
    hosts = {str(each) for each in list(ipaddress.ip_network(subnet).hosts())[1:]}
    assert named == hosts - world.free_addresses(network) - {vip, *world.task_addresses(network, holder)}


async def test_a_restart_leaves_nothing_to_be_named(world: World) -> None:
    network = world.create_overlay(world.fresh("restarted"), world.fresh_subnet(28))
    world.leak_fast(network, 4)
    before = (await census(world, network)).walkable.allocator

    world.restart_engine()

    after = await census(world, network)
    assert after.unaccounted == ()
    # The engine made its own bridge again: what was known before says nothing any more.
    assert before.daemon_began != after.walkable.allocator.daemon_began
    assert before.leader_id == after.walkable.allocator.leader_id


@pytest.mark.parametrize("with_ipv6", [False, True])
async def test_several_subnets_are_all_walked(world: World, *, with_ipv6: bool) -> None:
    if with_ipv6 and not world.traits.allocates_ipv6:
        pytest.skip("this engine gives no subnet to an overlay that has an IPv6 one")
    first = f"fd00:{world.fresh('')}::/64" if with_ipv6 else world.fresh_subnet(29)
    network = world.create_overlay(world.fresh("wide"), [first, world.fresh_subnet(28)], ipv6=with_ipv6)
    # Of two subnets one is picked in seven cases of eight.
    leaked = {each for each in world.leak_fast(network, 4) if ":" not in each}
    found = await census(world, network)
    assert {str(each) for each in found.unaccounted} == leaked
    assert found.is_settled
    assert not found.is_network_full


def test_a_full_network_is_proven_by_what_was_allocated_after_the_probe(world: World) -> None:
    network = world.create_overlay(world.fresh("full"), world.fresh_subnet(29))
    holders = [world.create_service(world.fresh("holder"), [network], replicas=0) for _ in range(5)]
    for each in holders:
        world.wait_for_vip(each, network)

    async def next_address() -> object:
        connection = EngineConnection(f"unix://{world.socket}", 20)
        try:
            changer = EngineChanger(connection, lambda _: None)
            return await Prober(
                EngineReader(connection), changer, WorldClock(world), ProbeOwner("contract", 1), network
            ).next_address()
        finally:
            connection.close()

    assert asyncio.run(next_address()) is None
    world.remove_service(holders[0])
    assert asyncio.run(next_address()) is not None

"""A probe that gets no address: a full network, or a leader that is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from console.errors import EngineTimeout
from console.operations.leak_probe import LeakProbe
from console.operations.probes import ProbeOwner, Prober, after_name, after_spec, remove_leftovers
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.censuses import MARK, census
from tests.support.engines import Simulation, simulation
from tests.support.model_time import ModelTime


@contextmanager
def prober(running: Simulation, network: str) -> Iterator[Prober]:
    connection = EngineConnection(running.host, 10)
    try:
        changer = EngineChanger(connection, lambda _: None)
        yield Prober(EngineReader(connection), changer, ModelTime(running.model), MARK, network)
    finally:
        connection.close()


def names(engine: SimulatedEngine) -> list[str]:
    return [each.name for each in engine.store.services.values()]


def full(engine: SimulatedEngine) -> str:
    network = a_network(engine, subnet="10.0.1.0/29")
    for number in range(5):
        a_service(engine, network, name=f"s{number}", replicas=0)
    engine.advance(1.0)
    assert len(engine.addresses_of("proxy", "vip")) == 5
    return network


@pytest.mark.parametrize("slow_s", [0.01, 8.0])
async def test_a_full_network_is_known_by_what_was_allocated_after_the_probe(slow_s: float) -> None:
    engine = a_swarm("1.41")
    network = full(engine)
    before = names(engine)
    engine.allocator.pass_delay_s = slow_s
    with simulation(engine) as running, prober(running, network) as probe:
        assert await probe.next_address() is None
    assert names(engine) == before


async def test_a_slow_leader_is_waited_for() -> None:
    engine = a_swarm("1.41")
    network = a_network(engine)
    engine.allocator.pass_delay_s = 8.0
    with simulation(engine) as running, prober(running, network) as probe:
        assert str(await probe.next_address()) == "10.0.1.2"
    assert names(engine) == []


@pytest.mark.parametrize("is_full", [True, False])
async def test_a_leader_that_does_not_come_to_it_is_no_full_network(*, is_full: bool) -> None:
    engine = a_swarm("1.41")
    network = full(engine) if is_full else a_network(engine)
    before = names(engine)
    engine.allocator.pass_delay_s = 1e6
    with (
        simulation(engine) as running,
        prober(running, network) as probe,
        pytest.raises(EngineTimeout, match="Whether the network is full is unknown") as told,
    ):
        await probe.next_address()
    assert "leader" in told.value.hint
    assert names(engine) == before


async def test_a_census_with_a_slow_leader_finds_nothing_leaked() -> None:
    engine = a_swarm("1.41")
    a_network(engine, subnet="10.0.1.0/29")
    engine.allocator.pass_delay_s = 4.0
    found = await census(engine)
    assert found.unaccounted == ()
    assert all(each.steps for each in found.walks)


async def test_a_census_whose_leader_stands_still_says_so() -> None:
    engine = a_swarm("1.41")
    a_network(engine)
    engine.allocator.pass_delay_s = 1e6
    with pytest.raises(EngineTimeout, match="is unknown"):
        await census(engine)


async def test_a_leak_probe_with_a_slow_leader_counts_what_is_free() -> None:
    engine = a_swarm("1.41")
    engine.allocator.pass_delay_s = 4.0

    async def say(line: str) -> None:
        said.append(line)

    said: list[str] = []
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)
        try:
            changer = EngineChanger(connection, lambda _: None)
            clock = ModelTime(running.model)
            await LeakProbe(EngineReader(connection), changer, clock, MARK, say).run()
        finally:
            connection.close()
    assert said[0] == "a scratch network has 13 free addresses"
    assert names(engine) == []


async def test_what_a_killed_one_left_is_removed() -> None:
    engine = a_swarm("1.41")
    with simulation(engine) as running:
        connection = EngineConnection(running.host, 10)
        reader, changer = EngineReader(connection), EngineChanger(connection, lambda _: None)
        try:
            mark = ProbeOwner("this-machine", 5)
            await changer.create_service(after_spec(mark))
            assert await remove_leftovers(reader, changer, "this-machine", 10) == (after_name(mark),)
        finally:
            connection.close()
    assert names(engine) == []

"""What each order of removal loses, proven on scratch networks of a simulated swarm."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

import pytest

from console.errors import EngineError
from console.operations.leak_probe import TASKS, LeakProbe, Leaks
from console.operations.probes import ProbeOwner, remove_leftovers
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm, check_pools
from tests.support.engines import Simulation, simulation
from tests.support.model_time import ModelTime

MARK = ProbeOwner("this-machine", 77)


async def silent(_: str) -> None:
    """Say nothing."""


@contextmanager
def probing(running: Simulation) -> Iterator[LeakProbe]:
    connection = EngineConnection(running.host, 10)
    try:
        yield LeakProbe(
            EngineReader(connection),
            EngineChanger(connection, lambda _: None),
            ModelTime(running.model),
            MARK,
            silent,
        )
    finally:
        connection.close()


def objects(engine: SimulatedEngine) -> tuple[set[str], set[str]]:
    services = {each.name for each in engine.store.services.values()}
    return services, {each.name for each in engine.store.networks.values()}


@pytest.mark.parametrize("api_version", ["1.41", "1.52"])
async def test_the_naive_order_loses_every_task_and_the_safe_one_none_and_nothing_remains(
    api_version: str,
) -> None:
    engine = a_swarm(api_version)
    a_network(engine)
    before = objects(engine)
    with simulation(engine) as running, probing(running) as probe:
        found = await probe.run()
    assert found == Leaks(TASKS, 0, TASKS)
    assert objects(engine) == before
    check_pools(engine)


async def test_a_subnet_is_chosen_that_nothing_overlaps() -> None:
    engine = a_swarm()
    a_network(engine, "there", "10.255.240.0/21")
    with simulation(engine) as running, probing(running) as probe:
        assert (await probe.run((IPv4Network("10.255.248.0/21"),))).safe == 0


async def test_after_a_failure_in_the_middle_nothing_is_left() -> None:
    engine = a_swarm()
    before = objects(engine)
    with simulation(engine) as running, probing(running) as probe:
        running.break_call("/services/create", "status:500", times=1)
        with pytest.raises(EngineError):
            await probe.run()
    assert objects(engine) == before


async def test_what_a_killed_probe_left_goes_with_the_next_changing_command() -> None:
    engine = a_swarm()
    before = objects(engine)
    with simulation(engine) as running:
        for purpose in ("shared", "own"):
            a_network(engine, f"vipconsole-scratch-this-machine-77-{purpose}", f"10.7.{len(purpose)}.0/28")
        connection = EngineConnection(running.host, 10)
        try:
            reader, changer = EngineReader(connection), EngineChanger(connection, lambda _: None)
            removed = await remove_leftovers(reader, changer, MARK.machine, 10)
        finally:
            connection.close()
    assert len(removed) == 2
    assert objects(engine) == before


def test_the_verdict_is_honest() -> None:
    assert "This engine leaks" in Leaks(3, 0, 3).verdict(free=65_000)
    assert "about 21666 more removals" in Leaks(3, 0, 3).verdict(free=65_000)
    assert "No leak: this engine gives back every address" in Leaks(0, 0, 3).verdict(10)

"""The first snapshot is taken on a thread, ahead of the loop that takes the others."""

import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from console.monitor.monitor import Monitor, Sources
from console.settings import Settings
from console.swarm.client import EngineConnection
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import Simulation, simulation
from tests.support.monitors import NO_LOG


@pytest.fixture(params=["1.41", "1.52"])
def simulated(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    engine = a_swarm(request.param)
    a_network(engine)
    with simulation(engine) as running:
        yield running


@pytest.fixture
def monitor(simulated: Simulation) -> Iterator[Monitor]:
    connection = EngineConnection(simulated.host, 5)
    yield Monitor(Sources(connection, NO_LOG, None), Settings())
    connection.close()


async def test_it_is_taken_before_anybody_asks_for_states(monitor: Monitor) -> None:
    monitor.begin()
    first = next(thread for thread in threading.enumerate() if thread.name == "first snapshot")
    first.join(60)
    assert monitor.monitor_state.snapshot.value is not None
    async with aclosing(monitor.monitor_states()) as monitor_states:
        assert await anext(monitor_states) is monitor.monitor_state
        # What waits for the first snapshot goes on from it.
        async for monitor_state in monitor_states:
            if monitor_state.quiet.value is not None:
                break


async def test_one_that_takes_longer_is_waited_for(monitor: Monitor) -> None:
    monitor.begin()
    async with aclosing(monitor.monitor_states()) as monitor_states:
        async for monitor_state in monitor_states:
            assert monitor_state.snapshot.failure is None
            if monitor_state.has_news:
                break


async def test_one_that_fails_is_told_as_any_other(simulated: Simulation, monitor: Monitor) -> None:
    simulated.break_call("*", "refuse")
    monitor.begin()
    async with aclosing(monitor.monitor_states()) as monitor_states:
        async for monitor_state in monitor_states:
            if monitor_state.has_news:
                break
    assert monitor_state.snapshot.value is None
    assert monitor_state.snapshot.failure is not None

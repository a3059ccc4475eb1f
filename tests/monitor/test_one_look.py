"""A single snapshot looks a second time only where the first one proves nothing."""

from datetime import datetime

import pytest

from console.addresses.accounting import account
from console.diagnosis.values import Snapshot
from console.monitor.snapshot import take_snapshot
from console.settings import SnapshotSettings
from console.simulator.engine import DEFAULT_DATE, SimulatedEngine
from console.simulator.scenarios import build
from console.simulator.stacks import Part, deploy, remove_at_once
from console.swarm.reader import EngineReader
from tests.support.engines import Simulation, simulation
from tests.support.monitors import NO_LOG, CountingConnection

LEAKED = 2


def leaky() -> SimulatedEngine:
    """Return a swarm at rest that lost addresses an hour ago."""
    model = build("quiet")
    stack = deploy(model, "short", (Part("app", ("proxy",), replicas=LEAKED, grace_s=1.0),))
    model.advance(60)
    remove_at_once(model, stack)
    model.advance(3600)
    return model


class Clock:
    """A clock that remembers for how long somebody slept, and lets the engine's time pass meanwhile."""

    def __init__(self, simulated: Simulation) -> None:
        self._simulated = simulated
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return DEFAULT_DATE

    def monotonic(self) -> float:
        return sum(self.slept_s)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self._simulated.running.run(lambda engine: engine.advance(seconds))


async def look(model: SimulatedEngine) -> tuple[Snapshot, list[float], list[str]]:
    """Return a snapshot, how long it slept, and what it asked."""
    with simulation(model) as simulated:
        connection = CountingConnection(simulated.host, 30)
        clock = Clock(simulated)
        try:
            snapshot = await take_snapshot(EngineReader(connection), NO_LOG, clock, SnapshotSettings())
        finally:
            connection.close()
    return snapshot, clock.slept_s, connection.asked


def leaked(snapshot: Snapshot) -> dict[str, int | None]:
    return {found.network.name: found.leaked for found in account(snapshot.swarm, snapshot.earlier)}


async def test_a_swarm_at_rest_without_leaks_is_looked_at_once_and_not_asked_for_events() -> None:
    snapshot, slept_s, asked = await look(build("quiet"))
    assert set(leaked(snapshot).values()) == {0}
    assert (slept_s, "tell its events" in asked) == ([], False)
    assert asked.count("list the tasks") == 1


async def test_leaks_of_long_ago_are_counted_in_one_look_and_one_call_for_events() -> None:
    snapshot, slept_s, asked = await look(leaky())
    assert leaked(snapshot)["proxy"] == LEAKED
    assert (slept_s, asked.count("tell its events"), asked.count("list the tasks")) == ([], 1, 1)


async def test_after_a_change_it_waits_only_for_the_rest_of_the_settling_time() -> None:
    model = leaky()
    model.networks.create({"Name": "new", "Driver": "overlay"})
    model.advance(1.5)
    snapshot, slept_s, asked = await look(model)
    assert slept_s == [pytest.approx(0.5, abs=0.1)]
    assert (leaked(snapshot)["proxy"], asked.count("list the tasks")) == (LEAKED, 2)


async def test_where_other_nodes_may_change_unseen_or_deploys_wait_it_settles_as_long_as_before() -> None:
    assert (await look(build("evening")))[1] == [2.0]
    assert (await look(build("cluster")))[1] == [2.0]


async def test_an_engine_that_tells_no_events_is_looked_at_twice() -> None:
    with simulation(leaky()) as simulated:
        simulated.break_call("/events", "status:500")
        connection = CountingConnection(simulated.host, 30)
        clock = Clock(simulated)
        snapshot = await take_snapshot(EngineReader(connection), NO_LOG, clock, SnapshotSettings())
        connection.close()
    assert (clock.slept_s, leaked(snapshot)["proxy"]) == ([2.0], LEAKED)

"""The history of use and the leak log, from session to session, on a simulated engine."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from console.addresses.leaks import LeakEvidence
from console.addresses.use_history import UseSource, build_history
from console.simulator.engine import SimulatedEngine
from console.simulator.stacks import remove_at_once
from console.storage.history import FILE
from tests.monitor.test_monitor import a_swarm, deployed, is_seen
from tests.support.engines import Simulation, simulation
from tests.support.monitors import SimulatedMonitor, account_of, simulated_monitor
from tests.support.program import Outcome, vipconsole

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def simulated() -> Iterator[Simulation]:
    with simulation(a_swarm("1.41")) as running:
        yield running


def network_id(watched: SimulatedMonitor) -> str:
    return account_of(watched.monitor_state, "proxy").network.id


async def leak(watched: SimulatedMonitor) -> None:
    ghost = deployed(watched)
    await watched.let(10)
    watched.do(lambda engine: remove_at_once(engine, ghost))
    await watched.until(lambda monitor_state: len(monitor_state.leak_log.entries) == 2, within_s=20)


async def test_trends_follow_the_use(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        await leak(watched)
        await watched.let(14)
        trend = watched.monitor_state.trends[network_id(watched)]
        assert next(each.used for each in trend.points) == 3
        assert trend.points[-1].used == 5
        # 253 - 3 held - 2 leaked, two for each removal.
        assert (trend.mean_leak, trend.remaining_removals) == (2.0, 124)
        assert trend.per_hour is None
        assert watched.monitor_state.history_failure is None
        # What stands is the very same, until its last point moves.
        before = watched.monitor_state.trends
        await watched.let(4)
        assert watched.monitor_state.trends is before


async def test_they_begin_anew_when_dockerd_was_restarted(simulated: Simulation) -> None:
    async with simulated_monitor(simulated.host, simulated.running) as watched:
        await watched.until(is_seen)
        await leak(watched)
        await watched.let(14)
        watched.do(SimulatedEngine.restart)
        await watched.let(14)
        points = watched.monitor_state.trends[network_id(watched)].points
        assert max(each.used for each in points) <= 3


async def test_what_was_seen_is_known_to_the_next_session(simulated: Simulation, tmp_path: Path) -> None:
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        await leak(watched)
        first = watched.monitor_state.leak_log.entries
        await watched.let(70)
        points = watched.monitor_state.trends[network_id(watched)].points
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        assert watched.monitor_state.leak_log.entries == first
        since = watched.monitor_state.leak_log.monitored_since
        assert since is not None
        assert all(each.ended_at < since for each in first)
        (part,) = account_of(watched.monitor_state, "proxy").subnets
        assert (part.leak.count, part.leak.evidence) == (2, LeakEvidence.LEAK_LOG)
        known = watched.monitor_state.trends[network_id(watched)].points
        assert {each.used for each in known} == {each.used for each in points[-1:]}
        assert known[0].at < since
        assert watched.monitor_state.history_failure is None


async def test_the_time_between_two_sessions_is_a_gap(simulated: Simulation, tmp_path: Path) -> None:
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        await watched.let(70)
    simulated.running.run(lambda engine: engine.advance(3 * 3600))
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        trend = watched.monitor_state.trends[network_id(watched)]
        # The use is the same before and after: only the time tells.
        assert len({point.used for point in trend.points}) == 1, trend.points
        source = UseSource(trend, (), 253, trend.points[-1].at)
        found = build_history(source, timedelta(hours=4), 60)
        assert timedelta(hours=2.9) < found.unwatched < timedelta(hours=3.1)
        assert sum(column.used is None for column in found.columns) > 40


async def test_a_single_snapshot_says_so_too(simulated: Simulation, tmp_path: Path) -> None:
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        assert await shown(simulated, tmp_path) == (None, "none")
        await leak(watched)
        await watched.let(70)
    lost = simulated.running.run(lambda engine: engine.addresses_of("proxy", "leaked"))
    said = await glance(simulated, tmp_path, "--json")
    leaked = said.json["networks"][0]["subnets"][0]["leaked"]
    assert (leaked["count"], leaked["certainty"], leaked["evidence"]) == (2, "at least", "leak log")
    assert leaked["addresses"] == lost
    assert " \N{GREATER-THAN OR EQUAL TO} 2 " in (await glance(simulated, tmp_path)).out
    damage(tmp_path)
    codes = {each["code"] for each in (await glance(simulated, tmp_path, "--json")).json["findings"]}
    assert "leak-log-unread" in codes
    mend(tmp_path)
    assert await shown(simulated, tmp_path) == (None, "none")
    # Looking makes nothing.
    assert not (tmp_path / FILE).exists()


async def glance(simulated: Simulation, state: Path, *more: str) -> Outcome:
    return await asyncio.to_thread(vipconsole, "glance", "--host", simulated.host, "proxy", *more, home=state)


async def shown(simulated: Simulation, state: Path) -> tuple[int | None, str]:
    leaked = (await glance(simulated, state, "--json")).json["networks"][0]["subnets"][0]["leaked"]
    return leaked["count"], leaked["evidence"]


async def test_what_holds_no_more_is_forgotten_for_good(simulated: Simulation, tmp_path: Path) -> None:
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        await watched.until(is_seen)
        await leak(watched)
        await watched.let(70)
    simulated.running.run(SimulatedEngine.restart)
    simulated.running.run(lambda engine: engine.advance(30))
    for _ in range(2):
        async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
            await watched.until(is_seen)
            assert watched.monitor_state.leak_log.entries == ()
            await watched.let(70)


async def test_a_history_that_cannot_be_used_is_told_and_the_session_goes_on(
    simulated: Simulation, tmp_path: Path
) -> None:
    damage(tmp_path)
    async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
        monitor_state = await watched.until(lambda monitor_state: monitor_state.history_failure)
        assert monitor_state.history_failure is not None
        assert "cannot be used" in monitor_state.history_failure.reason
        await watched.until(is_seen)
        await leak(watched)
        await watched.let(14)
        assert watched.monitor_state.trends[network_id(watched)].points[-1].used == 5
        mend(tmp_path)
        await watched.until(lambda monitor_state: monitor_state.history_failure is None, within_s=70)
    assert_kept(tmp_path)


def damage(state: Path) -> None:
    (state / FILE).write_bytes(b"not a database " * 500)


def mend(state: Path) -> None:
    (state / FILE).unlink()


def assert_kept(state: Path) -> None:
    assert (state / FILE).stat().st_size > 0

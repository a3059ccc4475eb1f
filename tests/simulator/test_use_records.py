"""The history that the demo begins with: what really happened while its scenario was built."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from console.addresses.leaks import LeakEntry
from console.simulator.engine import DEFAULT_DATE, SimulatedEngine
from console.simulator.past import keep_past
from console.simulator.scenarios import build
from console.simulator.use_records import UseRecorder
from console.storage.history import HistoryStore
from console.swarm.model import Engine
from tests.support.engines import read_swarm, simulation


@pytest.fixture(scope="module")
def evening() -> SimulatedEngine:
    return build("evening")


def records_of(engine: SimulatedEngine) -> UseRecorder:
    assert engine.use_records is not None
    return engine.use_records


def test_it_ends_in_the_present_state(evening: SimulatedEngine) -> None:
    points = records_of(evening).points_of(evening.networks.find("proxy").id)
    assert DEFAULT_DATE - points[-1].at < timedelta(minutes=11)
    assert DEFAULT_DATE - points[0].at > timedelta(days=10)
    # It was full until a stack was removed some seconds ago.
    assert points[-1].used == 253
    assert points[0].used < 20


def test_it_has_the_points_that_a_console_would_have_kept(evening: SimulatedEngine) -> None:
    points = records_of(evening).points_of(evening.networks.find("proxy").id)
    apart = {
        round((later.at - earlier.at) / timedelta(minutes=1))
        for earlier, later in pairwise(points)
        if later.at > DEFAULT_DATE - timedelta(hours=20)
    }
    assert apart == {10}


def test_what_leaked_is_what_the_allocator_lost_and_named_by_its_stack(evening: SimulatedEngine) -> None:
    leaks: tuple[LeakEntry, ...] = records_of(evening).leaks
    addresses = sorted(str(address) for entry in leaks for address in entry.addresses)
    assert addresses == sorted(evening.addresses_of("proxy", "leaked"))
    assert len(leaks) == 12
    assert all(entry.removed_network == f"{entry.stack}_internal" for entry in leaks)
    assert [entry.ended_at for entry in leaks] == sorted((entry.ended_at for entry in leaks), reverse=True)


def test_an_engine_that_does_not_count_shows_no_leaks_in_the_use() -> None:
    older = build("older")
    points = records_of(older).points_of(older.networks.find("proxy").id)
    assert points[-1].used == 253 - 12


async def test_it_is_kept_as_a_console_keeps_it(evening: SimulatedEngine, tmp_path: Path) -> None:
    with simulation(evening) as running:
        await keep_past(evening, running.host, tmp_path)
        engine = (await read_swarm(running.host)).engine
    assert isinstance(engine, Engine)
    network_id = evening.networks.find("proxy").id
    stored = HistoryStore(tmp_path).points(engine.cluster_id)
    (points,) = (points for (id_, _), points in stored.items() if id_ == network_id)
    assert len(points) == pytest.approx(len(records_of(evening).points_of(network_id)), abs=2)

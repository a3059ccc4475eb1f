"""Which points of a network's use are kept, and when a new series begins."""

from collections import UserDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from console.addresses.accounting import EarlierLeaks, NetworkAccount, account
from console.addresses.forecast import Point, Trend
from console.addresses.leaks import AllocatorGeneration, Census, LeakLog, allocator_of
from console.errors import Unknown
from console.monitor.history import History, Series, add_point, series_of, thin_points
from console.monitor.trends import trends_at
from console.monitor.values import StatePublisher
from console.storage.history import SeriesKey
from console.swarm.model import Engine, SwarmState
from tests.support.monitors import HandClock
from tests.support.swarms import HERE, NOW, engine, network, snapshot, swarm

BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")
STATE = swarm([network("proxy", "10.0.1.0/24"), BRIDGE])
COUNTED = swarm([network("proxy", "10.0.1.0/24", use={"10.0.1.0/24": (5, 251)}), BRIDGE], api=(1, 52))


def only(state: SwarmState, kept: EarlierLeaks | None = None) -> NetworkAccount:
    return next(
        each for each in account(state, state, kept or EarlierLeaks()) if each.network.name == "proxy"
    )


def series(state: SwarmState, kept: EarlierLeaks | None = None) -> Series | None:
    assert isinstance(state.engine, Engine)
    return series_of(only(state, kept), state.engine, allocator_of(state))


def test_the_same_network_goes_on() -> None:
    assert series(STATE) == series(STATE)
    assert series(STATE) is not None


@pytest.mark.parametrize(
    "other",
    [
        swarm([network("proxy", "10.0.0.0/16"), BRIDGE]),
        swarm([network("proxy", "10.0.1.0/24", created=NOW), BRIDGE]),
        swarm([network("proxy", "10.0.1.0/24", id="id-new"), BRIDGE]),
        swarm([network("proxy", "10.0.1.0/24"), replace(BRIDGE, created=NOW)]),
        replace(STATE, nodes=(replace(HERE, id="other"),)),
        COUNTED,
    ],
    ids=["capacity", "made again", "another", "dockerd was started", "leader", "the engine counts"],
)
def test_it_begins_anew(other: SwarmState) -> None:
    assert series(other) != series(STATE)
    assert series(other) is not None


def test_a_census_makes_what_is_known_of_use_jump_and_so_begins_anew() -> None:
    allocator = allocator_of(STATE)
    assert allocator is not None
    census = Census("id-proxy", "proxy", NOW, allocator, (), 0)
    assert series(STATE, EarlierLeaks({"id-proxy": census})) != series(STATE)


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, tasks=Unknown("no answer")),
        swarm([network("proxy", driver="")]),
        replace(COUNTED, networks=(network("proxy", "10.0.1.0/24"), BRIDGE)),
        replace(STATE, nodes=Unknown("no answer")),
    ],
    ids=["tasks unread", "no subnet", "no count now", "no leader known"],
)
def test_what_is_not_known_well_enough_is_not_kept(state: SwarmState) -> None:
    assert series(state) is None


def test_without_an_allocator_there_is_none() -> None:
    assert series_of(only(STATE), engine(), None) is None
    assert series_of(only(STATE), engine(), AllocatorGeneration("cluster", "a", "a", None)) is not None


def at(seconds: float, used: int = 7) -> Point:
    return Point(NOW + timedelta(seconds=seconds), used)


def test_of_what_stands_the_last_point_moves_for_ten_minutes() -> None:
    points: tuple[Point, ...] = ()
    for seconds in range(0, 3600, 2):
        points = add_point(points, 7, at(seconds).at)
    assert points[0] == at(0)
    assert points[-1] == at(3540)
    apart = [later.at - earlier.at for earlier, later in pairwise(points)]
    assert max(apart) <= timedelta(minutes=11)
    assert len(points) <= 8
    assert add_point(points, 7, at(3541).at) is points


def test_a_time_in_which_nobody_watched_stays_a_gap_though_the_use_is_the_same() -> None:
    points: tuple[Point, ...] = ()
    for seconds in (0, 600, 36_000, 36_060):
        points = add_point(points, 7, at(seconds).at)
    assert at(600) in points
    assert at(36_000) in points


def test_what_changes_is_kept_every_ten_seconds_at_most() -> None:
    points: tuple[Point, ...] = ()
    for seconds in range(0, 40, 2):
        points = add_point(points, seconds, at(seconds).at)
    assert [each.used for each in points] == [0, 10, 20, 30]


def test_the_past_is_thinned_out() -> None:
    points = [at(-minutes * 60, minutes) for minutes in range(5 * 24 * 60)]
    left = thin_points(points, NOW)
    ages = [(NOW - each.at) / timedelta(hours=1) for each in left]
    assert sum(age <= 2 for age in ages) == 121
    assert sum(2 < age <= 24 for age in ages) == pytest.approx(22 * 6, abs=2)
    assert len(left) < 350
    assert left == thin_points(left, NOW)


def test_points_of_the_future_are_let_go_when_the_clock_was_set_back() -> None:
    assert thin_points([at(0), at(500)], at(10).at) == (at(0),)


def test_it_begins_anew_where_only_dockerds_log_tells_that_the_allocator_did() -> None:
    clock = HandClock(NOW)
    history = History(None, clock, StatePublisher(clock))

    def points(at_s: float, rebuilt_at: datetime | None = None) -> tuple[Point, ...]:
        asked = replace(engine(), time=NOW + timedelta(seconds=at_s))
        trends = history.take((only(STATE),), asked, allocator_of(STATE), LeakLog(), rebuilt_at)
        return trends["id-proxy"].points

    assert len(points(0)) == 1
    assert len(points(70)) == 2
    assert points(140, NOW + timedelta(seconds=100)) == (at(140, 0),)
    assert points(210, NOW + timedelta(seconds=100)) == (at(140, 0), at(210, 0))


def test_the_points_of_many_networks_are_gone_through_once() -> None:
    class CountedPoints(UserDict[SeriesKey, tuple[Point, ...]]):
        passes = 0

        def __iter__(self) -> Iterator[SeriesKey]:
            self.passes += 1
            return super().__iter__()

    many = swarm([network(f"net{number}", f"10.0.{number}.0/24") for number in range(9)])
    before = (Point(NOW - timedelta(hours=3), 7), Point(NOW - timedelta(hours=2), 8))
    stored = CountedPoints({(f"id-net{number}", "before"): before for number in range(9)})
    trends = trends_at(snapshot(many), account(many), stored)
    assert [trend.earlier for trend in trends.values()] == [before] * 9
    assert stored.passes == 1


def test_what_was_before_is_kept_for_the_chart_and_makes_no_rate() -> None:
    clock = HandClock(NOW)
    history = History(None, clock, StatePublisher(clock))
    trend = Trend()
    for minutes in range(0, 60, 2):
        asked = replace(engine(), time=NOW + timedelta(minutes=minutes))
        rebuilt_at = NOW + timedelta(minutes=41) if minutes > 41 else None
        trend = history.take((only(STATE),), asked, allocator_of(STATE), LeakLog(), rebuilt_at)["id-proxy"]
    assert trend.points[0].at == NOW + timedelta(minutes=42)
    assert trend.earlier[0].at == NOW
    assert trend.earlier[-1].at == NOW + timedelta(minutes=40)
    assert trend.per_hour is None

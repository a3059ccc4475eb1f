"""What points say about the time to come, and when they say nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.addresses.forecast import MAX_HOURS, MIN_COVERAGE, Point, Trend, trend_of
from tests.support.swarms import NOW, entry


def points(*used: int, every: timedelta = timedelta(minutes=10)) -> list[Point]:
    return [Point(NOW + number * every, each) for number, each in enumerate(used)]


def rate(*used: int, every: timedelta = timedelta(minutes=10)) -> float | None:
    return trend_of(points(*used, every=every), 100, ()).per_hour


def test_steady_growth_is_a_rate_and_a_time() -> None:
    found = trend_of(points(*range(100, 113)), 60, ())
    assert found.per_hour == pytest.approx(6, rel=0.1)
    assert found.full_in_hours == pytest.approx(10, rel=0.1)
    assert len(found.points) == 13


def test_steady_decline_is_a_rate_and_no_time() -> None:
    found = trend_of(points(*range(112, 99, -1)), 60, ())
    assert found.per_hour == pytest.approx(-6, rel=0.1)
    assert found.full_in_hours is None


def test_nothing_is_said_of_too_short_a_time() -> None:
    assert rate(100, 110, 120, 130, every=(MIN_COVERAGE - timedelta(seconds=3)) / 3) is None
    assert rate(100, 110, 120, 130, every=MIN_COVERAGE / 3) is not None
    assert trend_of((), 10, ()) == Trend()


def test_what_stands_still_has_a_rate_of_nothing() -> None:
    found = trend_of(points(100, 100, every=timedelta(hours=3)), 100, ())
    assert (found.per_hour, found.full_in_hours) == (0.0, None)


@pytest.mark.parametrize(
    "used",
    [
        [100, 104, 99, 103, 100, 105, 98, 102, 100, 104, 99, 103],
        # One deploy is no trend, whenever it was.
        [100] * 11 + [103],
        [100] * 6 + [103] * 6,
        [100] + [103] * 11,
        # Nor is what comes and goes again.
        [100, 110, 120, 130, 120, 110, 100],
        [100, 101] * 3,
    ],
)
def test_noise_and_single_steps_have_none(used: list[int]) -> None:
    assert rate(*used) is None


def test_a_few_odd_points_do_not_move_it() -> None:
    used = [100 + number for number in range(24)]
    used[5], used[13] = 190, 20
    assert rate(*used) == pytest.approx(6, rel=0.2)


def test_growth_among_stacks_that_come_and_go_is_seen() -> None:
    # Every stack takes six addresses for a while, and leaks one.
    used = [100 + number // 2 + (6 if number % 3 else 0) for number in range(48)]
    assert rate(*used) == pytest.approx(3, rel=0.3)


def test_only_the_last_day_counts() -> None:
    long_ago = [Point(NOW - timedelta(days=9) + timedelta(hours=each), 10 * each) for each in range(24)]
    lately = points(*[200] * 13)
    assert trend_of([*long_ago, *lately], 50, ()).per_hour == 0.0


def test_nobody_can_tell_for_ever() -> None:
    slow = [Point(NOW + timedelta(hours=8 * each), 100 + each) for each in range(4)]
    found = trend_of(slow, 60_000, ())
    assert found.per_hour is not None
    assert 60_000 / found.per_hour > MAX_HOURS
    assert found.full_in_hours is None


def test_a_full_network_is_full_now() -> None:
    assert trend_of(points(*range(100, 113)), 0, ()).full_in_hours == 0


def test_removals_are_told_apart_and_averaged() -> None:
    leaks = [
        entry("id-proxy", "10.0.1.3", stack="ghost"),
        entry("id-proxy", "10.0.1.4", stack="ghost", ended_at=NOW + timedelta(seconds=20)),
        entry("id-proxy", "10.0.1.5", stack="wiki", ended_at=NOW + timedelta(seconds=10)),
        entry("id-proxy", "10.0.1.6", stack="ghost", ended_at=NOW + timedelta(hours=1)),
    ]
    found = trend_of((), 9, leaks)
    assert found.mean_leak == pytest.approx(4 / 3)
    assert found.remaining_removals == 6


def test_only_the_last_removals_count() -> None:
    old = [
        entry("id-proxy", f"10.0.2.{each}", stack="big", ended_at=NOW - timedelta(days=1))
        for each in range(50)
    ]
    new = [
        entry("id-proxy", f"10.0.1.{each}", stack=f"s{each}", ended_at=NOW + each * timedelta(hours=1))
        for each in range(5)
    ]
    assert trend_of((), 10, [*old, *new]).mean_leak == 1


def test_of_removals_that_leaked_no_address_nothing_is_said() -> None:
    nothing = replace(entry("id-proxy", "10.0.1.3"), addresses=())
    found = trend_of((), 9, [nothing])
    assert (found.mean_leak, found.remaining_removals) == (None, None)


def test_without_removals_nothing_is_said_of_them() -> None:
    found = trend_of(points(*range(100, 113)), 60, ())
    assert (found.mean_leak, found.remaining_removals) == (None, None)


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 253)), max_size=60),
    st.integers(0, 253),
)
def test_whatever_the_points_are_it_answers(raw: list[tuple[int, int]], free: int) -> None:
    ordered = [Point(NOW + timedelta(seconds=at), used) for at, used in sorted(raw)]
    found = trend_of(ordered, free, ())
    assert found.points == tuple(ordered)
    if found.full_in_hours is not None:
        assert found.per_hour is not None
        assert found.per_hour > 0
        assert 0 <= found.full_in_hours <= MAX_HOURS
    if found.per_hour is not None and found.per_hour > 0:
        used = [each.used for each in ordered]
        assert max(used) > min(used)

"""The use of a network in the columns of a chart."""

from datetime import timedelta

import pytest

from console.addresses.forecast import Point, Trend
from console.addresses.leaks import LeakEntry
from console.addresses.use_history import UseHistory, UseSource, build_history, recent_span
from tests.support.swarms import NOW, entry
from tests.support.use import growing, points_between

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def built(trend: Trend | None, *entries: LeakEntry, span: timedelta = DAY, width: int = 24) -> UseHistory:
    return build_history(UseSource(trend, entries, 253, NOW), span, width)


def used(history: UseHistory) -> list[int | None]:
    return [column.used for column in history.columns]


def test_a_column_is_the_highest_use_of_its_time() -> None:
    points = (
        Point(NOW - 3 * HOUR, 5),
        Point(NOW - 2.8 * HOUR, 90),
        Point(NOW - 2.6 * HOUR, 7),
        Point(NOW, 7),
    )
    assert max(value or 0 for value in used(built(Trend(points)))) == 90


def test_a_use_holds_until_the_next_point() -> None:
    found = built(Trend(points_between(7, 7, NOW - DAY)))
    assert used(found) == [7] * 24
    assert found.watched_since == NOW - DAY
    assert found.unwatched == timedelta(0)


def test_where_nobody_watched_is_a_gap_and_no_line() -> None:
    before = points_between(7, 7, NOW - DAY, NOW - 16 * HOUR)
    after = points_between(7, 7, NOW - 8 * HOUR)
    found = built(Trend((*before, *after)))
    assert used(found)[8:16] == [7, *[None] * 7]
    assert found.unwatched == 8 * HOUR


def test_what_was_before_the_first_point_is_unknown() -> None:
    found = built(Trend(points_between(7, 7, NOW - 6 * HOUR)))
    assert used(found) == [None] * 18 + [7] * 6
    assert (found.watched_since, found.unwatched) == (NOW - 6 * HOUR, timedelta(0))


def test_a_console_that_is_closed_since_leaves_a_gap_up_to_now() -> None:
    found = built(Trend(points_between(7, 7, NOW - 12 * HOUR, NOW - 6 * HOUR)))
    assert used(found)[-5:] == [None] * 5
    assert found.unwatched == 6 * HOUR


def test_old_points_may_be_two_hours_apart() -> None:
    points = points_between(7, 9, NOW - 10 * DAY, NOW - DAY, 2 * HOUR)
    found = built(Trend((*points, *points_between(9, 9, NOW - DAY))), span=10 * DAY, width=80)
    assert None not in used(found)
    assert found.unwatched == timedelta(0)


def test_nothing_is_known_of_a_network_without_points() -> None:
    for trend in (None, Trend()):
        found = built(trend)
        assert found.known == found.ahead == ()
        assert found.watched_since is None


def test_points_of_an_earlier_allocator_are_drawn_too() -> None:
    earlier = points_between(250, 250, NOW - DAY, NOW - 12 * HOUR)
    found = built(Trend(points_between(7, 7, NOW - 12 * HOUR + timedelta(minutes=1)), earlier))
    assert used(found)[:12] == [250] * 12
    assert used(found)[12:] == [250, *[7] * 11]


def test_leaks_stand_where_they_happened() -> None:
    leaks = (
        entry("id-proxy", "10.0.1.3", "10.0.1.4", ended_at=NOW - 3.5 * HOUR),
        entry("id-proxy", "10.0.1.9", ended_at=NOW - 3 * DAY),
    )
    found = built(Trend(points_between(7, 7, NOW - DAY)), *leaks)
    assert [place for place, column in enumerate(found.columns) if column.leaked] == [20]
    assert found.leaked == 2


def test_the_forecast_goes_on_to_the_capacity_and_no_further() -> None:
    found = built(growing(133, 253 - 10, 10), width=100)
    assert (len(found.columns), len(found.ahead)) == (80, 20)
    assert list(found.ahead) == sorted(found.ahead)
    assert found.ahead[0] >= 243
    assert found.ahead[-1] == 253
    assert found.full_at is not None
    assert found.full_at - NOW == pytest.approx(2 * HOUR, abs=timedelta(minutes=20))


@pytest.mark.parametrize("trend", [growing(100, 100, 9), growing(3, 9, 9, span=timedelta(minutes=20))])
def test_without_a_rate_there_is_no_forecast(trend: Trend) -> None:
    assert built(trend).ahead == ()
    assert len(built(trend).columns) == 24


def test_a_short_line_shows_a_day_or_what_there_is() -> None:
    assert recent_span(growing(1, 9, 9, span=3 * DAY), NOW) == DAY
    assert recent_span(growing(1, 9, 9, span=3 * HOUR), NOW) == 3 * HOUR
    assert recent_span(None, NOW) == timedelta(minutes=10)

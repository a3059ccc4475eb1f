"""A decline of eleven days: on the ninth day the forecast is within a day of the truth."""

from datetime import timedelta
from itertools import pairwise
from math import pi, sin
from random import Random

import pytest

from console.addresses.forecast import Point, trend_of
from console.addresses.outlook import outlook_of
from console.monitor.history import thin_points
from tests.support.declines import CAPACITY, DAY, STEP, Decline, declines
from tests.support.swarms import NOW

NINTH_DAY = [8 + number / 8 for number in range(9)]
"""Moments from its begin to its end."""


def error(decline: Decline, day: float) -> float:
    """Return by how many days the forecast is wrong; more than any where there is none."""
    hours = decline.trend(day).full_in_hours
    return 99.0 if hours is None else abs(day + hours / 24 - decline.full_on)


@pytest.mark.parametrize("decline", declines(), ids=lambda decline: decline.name)
def test_on_the_ninth_day_of_eleven_the_forecast_is_right_within_a_day(decline: Decline) -> None:
    assert 10.75 < decline.full_on <= 11
    assert max(error(decline, day) for day in NINTH_DAY) <= 1


def test_whatever_chance_makes_of_them_it_is_nearly_always_right() -> None:
    errors = [error(decline, day) for seed in range(1, 6) for decline in declines(seed) for day in NINTH_DAY]
    assert sum(days > 1 for days in errors) <= len(errors) * 0.05
    assert max(errors) < 1.5


def test_the_words_are_those_of_any_forecast() -> None:
    steady, *_ = declines()
    trend = steady.trend(9)
    assert outlook_of(trend, CAPACITY - trend.points[-1].used).sentence == "full in about 2 days (+22 a day)"


def days_of(*by_hour: int) -> list[Point]:
    """Return the points that are kept of use that was noted every hour, up to now."""
    points = (Point(NOW - number * timedelta(hours=1), used) for number, used in enumerate(reversed(by_hour)))
    return list(thin_points(points, NOW))


HOURS = range(9 * 24)


@pytest.mark.parametrize(
    "by_hour",
    [
        # The time of day, quiet weekends, one deploy, and what comes and goes.
        [100 + round(30 * sin(hour * pi / 12)) for hour in HOURS],
        [60 if hour // 24 % 7 in (3, 4) else 100 for hour in HOURS],
        [100 if hour < 100 else 140 for hour in HOURS],
        [100 + 60 * (hour // 36 % 2) for hour in HOURS],
    ],
    ids=["time of day", "weekends", "one deploy", "up and down"],
)
@pytest.mark.parametrize("hours_ago", [0, 5, 12, 17])
def test_what_goes_on_as_ever_is_not_full_some_day(by_hour: list[int], hours_ago: int) -> None:
    end = len(by_hour) - hours_ago
    found = trend_of(days_of(*by_hour[:end]), CAPACITY - by_hour[end - 1], ())
    assert (found.per_hour or 0.0, found.full_in_hours) == (0.0, None)


def test_noise_is_no_trend() -> None:
    found = []
    for seed in range(60):
        random = Random(seed)  # noqa: S311 - it decides no secret
        found.append(trend_of(days_of(*(100 + random.randint(0, 20) for _ in HOURS)), 140, ()).per_hour)
    assert sum(rate is not None for rate in found) <= 2


def test_a_fall_over_days_is_told() -> None:
    found = trend_of(days_of(*(200 - hour // 12 * 5 for hour in HOURS)), 100, ())
    assert found.per_hour == pytest.approx(-10 / 24, rel=0.2)
    assert found.full_in_hours is None


def test_a_sudden_rise_is_told_by_the_hour() -> None:
    slow = [100 + hour // 24 for hour in HOURS]
    fast = [slow[-1] + 4 * number for number in range(1, 19)]
    found = trend_of(days_of(*slow, *fast), 40, ())
    assert found.full_in_hours == pytest.approx(10, rel=0.4)


def test_days_of_which_too_few_were_watched_say_nothing() -> None:
    watched = [Point(NOW - 9 * DAY + hour * timedelta(hours=1), 10 + hour) for hour in range(20)]
    now = [Point(NOW - number * STEP, 200) for number in reversed(range(30))]
    assert trend_of([*watched, *now], 50, ()).per_hour == 0.0


def test_the_more_days_pass_the_nearer_it_is() -> None:
    steady, *_ = declines()
    hours = [steady.trend(float(day)).full_in_hours or 0.0 for day in range(5, 11)]
    assert all(earlier - later == pytest.approx(24, abs=3) for earlier, later in pairwise(hours))

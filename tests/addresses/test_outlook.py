"""When a network will be full, in words."""

from datetime import timedelta
from math import inf

import pytest

from console.addresses.forecast import MAX_HOURS, Point, Trend
from console.addresses.outlook import outlook_of
from tests.support.swarms import NOW
from tests.support.use import growing

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("trend", "free", "sentence"),
    [
        (growing(100, 111, 22), 22, "full in about 2 days (+11 a day)"),
        (growing(100, 196, 20), 20, "full in about 5 hours (+4 an hour)"),
        (growing(10, 250, 3), 3, "full in about 18 minutes (+10 an hour)"),
        (growing(10, 34, 5), 5, "full in about 5 hours (+1 an hour)"),
        (growing(100, 111, 250), 250, "full in about 23 days (+11 a day)"),
        (growing(100, 111, 60_000), 60_000, "not full within 90 days (+11 a day)"),
        (growing(111, 100, 60), 60, "falling (-11 a day)"),
        (growing(100, 100, 60), 60, "steady"),
        (growing(100, 111, 0), 0, "FULL"),
        (None, 0, "FULL"),
        (None, 5, "unknown: not watched yet"),
        (Trend(), 5, "unknown: not watched yet"),
        (Trend((Point(NOW, 3),)), 5, "unknown: not watched yet"),
        (growing(3, 5, 9, span=timedelta(minutes=20)), 9, "unknown: watched for 20 min only"),
        (Trend(remaining_removals=4), 5, "full after ~4 more leaking removals"),
        (Trend(remaining_removals=1), 5, "full after ~1 more leaking removal"),
        (Trend(earlier=(Point(NOW - DAY, 3),)), 5, "unknown: not counted now"),
    ],
)
def test_the_words(trend: Trend | None, free: int, sentence: str) -> None:
    assert outlook_of(trend, free).sentence == sentence


def test_what_was_counted_in_another_way_is_no_watching_for_the_forecast() -> None:
    points = growing(3, 5, 9, span=timedelta(minutes=20)).points
    trend = Trend(points, earlier=(Point(NOW - DAY, 3),))
    assert outlook_of(trend, 9).sentence == "unknown: a new count began 20 min ago"
    just_begun = Trend((Point(NOW, 3),), (Point(NOW - timedelta(hours=1), 5),))
    assert outlook_of(just_begun, 9).sentence == "unknown: a new count has just begun"


def test_up_and_down_is_no_trend_and_not_unknown() -> None:
    points = tuple(Point(NOW - DAY + number * DAY / 48, 100 + number % 5) for number in range(49))
    found = outlook_of(Trend(points), 9)
    assert (found.sentence, found.is_known, found.is_warning) == ("up and down", True, False)


def test_networks_can_be_put_in_the_order_in_which_they_fill() -> None:
    hours = [
        outlook_of(trend, free).full_in_hours
        for trend, free in ((None, 0), (growing(10, 250, 3), 3), (growing(100, 111, 22), 22), (None, 9))
    ]
    assert hours == sorted(hours)
    assert hours[0] == 0
    assert hours[-1] == inf
    assert hours[2] < MAX_HOURS

"""Builders of how a network was used: points, and the trend that they make."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from console.addresses.forecast import Point, Trend, trend_of
from console.addresses.leaks import LeakEntry
from tests.support.swarms import NOW

EVERY = timedelta(minutes=10)


def points_between(
    first: int, last: int, begin: datetime, end: datetime = NOW, every: timedelta = EVERY
) -> tuple[Point, ...]:
    """Return points that go evenly from one use to another."""
    count = max(1, int((end - begin) / every))
    return tuple(
        Point(begin + number * every, round(first + (last - first) * number / count))
        for number in range(count + 1)
    )


def growing(
    first: int,
    last: int,
    free: int,
    *,
    span: timedelta = timedelta(days=1),
    entries: Iterable[LeakEntry] = (),
) -> Trend:
    """Return the trend of a network whose use went evenly from one figure to another, and that has so many left."""
    return trend_of(points_between(first, last, NOW - span), free, entries)

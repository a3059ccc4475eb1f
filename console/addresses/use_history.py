"""The use of a network over time, in columns for a chart: use, leaks, times without monitoring, and the forecast. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from console.addresses.forecast import Point, Trend
from console.addresses.leaks import LeakEntry
from console.frozen import frozen

RECENT = timedelta(days=1)
LIMITS = (timedelta(minutes=25), timedelta(hours=2, minutes=25))
"""Points of the last day, and older ones, are never farther apart while somebody watches: what is farther apart is a gap."""
AHEAD_SHARE = 5
"""One column in so many is for the time to come, where there is a forecast."""
LEAST_SPAN = timedelta(minutes=10)


@frozen
class UseSource:
    """What the history of a network is made of."""

    trend: Trend | None
    entries: tuple[LeakEntry, ...]
    """What was seen leaking on it."""
    capacity: int
    now: datetime


@frozen
class UseColumn:
    """A part of the time."""

    used: int | None
    """The highest use in it; None where nobody watched."""
    leaked: int = 0
    """Addresses that were seen leaking in it."""


@frozen
class UseHistory:
    """The use of a network from `begin` to `now`, and the forecast from now on."""

    begin: datetime
    now: datetime
    step: timedelta
    """How much time a column is."""
    capacity: int
    columns: tuple[UseColumn, ...]
    ahead: tuple[int, ...] = ()
    """The use that is to be expected at the end of each column after now; none without a forecast."""
    full_at: datetime | None = None
    """When it will be full by the forecast."""
    watched_since: datetime | None = None
    """The first point; None where nothing is known of this time."""
    unwatched: timedelta = timedelta(0)
    """So much of the time since then nobody watched."""
    leaked: int = 0
    """All addresses that were seen leaking in this time."""

    @property
    def end(self) -> datetime:
        """The end of the last column."""
        return self.now + self.step * len(self.ahead)

    @property
    def known(self) -> tuple[int, ...]:
        """The use of the columns in which somebody watched."""
        return tuple(column.used for column in self.columns if column.used is not None)


def all_points(trend: Trend | None) -> tuple[Point, ...]:
    """Return the points of a network of whatever series, oldest first."""
    return () if trend is None else (*trend.earlier, *trend.points)


def build_history(source: UseSource, span: timedelta, width: int) -> UseHistory:
    """Return the last `span` of a network's use and its forecast, in `width` columns together."""
    trend, now, capacity = source.trend, source.now, source.capacity
    per_hour = None if trend is None else trend.per_hour
    has_forecast = bool(per_hour) and bool(trend and trend.points)
    ahead_count = width // AHEAD_SHARE if has_forecast else 0
    count = max(1, width - ahead_count)
    step = span / count
    begin = now - span
    points = all_points(trend)
    # What held at the beginning is known by the last point before it.
    first = bisect_left(points, begin, key=_at)
    before, inside = points[max(0, first - 1) : first], points[first : bisect_right(points, now, key=_at)]
    points = (*before, *inside)
    used = _columns(points, begin, now, step, count)
    leaks = [0] * count
    for entry in source.entries:
        if begin <= entry.ended_at <= now:
            leaks[_place(entry.ended_at, begin, step, count)] += len(entry.addresses)
    ahead: tuple[int, ...] = ()
    full_at = None
    if trend is not None and trend.full_in_hours is not None:
        full_at = now + timedelta(hours=trend.full_in_hours)
    if has_forecast and per_hour is not None and points:
        last, hours = points[-1].used, step / timedelta(hours=1)
        if trend is not None and trend.full_in_hours:
            # It gets full by the highest use of a day, and maybe faster and faster: the chart goes straight there.
            per_hour = (capacity - last) / trend.full_in_hours
        ahead = tuple(
            round(min(capacity, max(0, last + per_hour * hours * number)))
            for number in range(1, ahead_count + 1)
        )
    # What was known just before holds on: then it was watched from the beginning.
    goes_on = bool(inside and before and not _is_gap(before[-1], inside[0].at, now))
    watched_since = begin if goes_on else inside[0].at if inside else None
    return UseHistory(
        begin,
        now,
        step,
        capacity,
        tuple(UseColumn(use, leak) for use, leak in zip(used, leaks, strict=True)),
        ahead,
        full_at,
        watched_since,
        _unwatched(inside, now),
        sum(leaks),
    )


def recent_span(trend: Trend | None, now: datetime, longest: timedelta = RECENT) -> timedelta:
    """Return how far back a short line goes: a day, or what there is."""
    points = all_points(trend)
    first = bisect_left(points, now - longest, key=_at)
    return max(LEAST_SPAN, now - (points[first].at if first < len(points) else now))


def _at(point: Point) -> datetime:
    return point.at


def _columns(
    points: Sequence[Point], begin: datetime, now: datetime, step: timedelta, count: int
) -> list[int | None]:
    used: list[int | None] = [None] * count
    for since, until, use in _held(points, now):
        if until < begin or since > now:
            continue
        first = _place(max(since, begin), begin, step, count)
        last = _place(min(until, now), begin, step, count)
        for place in range(first, last + 1):
            known = used[place]
            used[place] = use if known is None else max(known, use)
    return used


def _held(points: Sequence[Point], now: datetime) -> Iterator[tuple[datetime, datetime, int]]:
    """Yield from when to when each use held: until the next point, and no longer than its own moment before a gap."""
    for earlier, later in pairwise(points):
        yield earlier.at, earlier.at if _is_gap(earlier, later.at, now) else later.at, earlier.used
    if points:
        last = points[-1]
        yield last.at, last.at if _is_gap(last, now, now) else now, last.used


def _unwatched(points: Sequence[Point], now: datetime) -> timedelta:
    ends = [*(point.at for point in points[1:]), now]
    gaps = (until - point.at for point, until in zip(points, ends, strict=True) if _is_gap(point, until, now))
    return sum(gaps, timedelta(0)) if points else timedelta(0)


def _is_gap(point: Point, until: datetime, now: datetime) -> bool:
    is_old = now - point.at > RECENT
    return until - point.at > LIMITS[is_old]


def _place(at: datetime, begin: datetime, step: timedelta, count: int) -> int:
    return max(0, min(count - 1, int((at - begin) / step)))

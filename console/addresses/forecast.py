"""The trend of a network's use, and when it will be full at that rate. Pure.

The use of a network that stacks share goes up and down with them; what leaks stays. So the rate is the median of the
slopes between all pairs of points (Theil and Sen), which a few odd points do not move, and it is given only where the
points cover enough time and go up more often than down by far (Kendall's tau): noise has no rate.

Those are the points of the last 24 hours. Where some days were watched, the trend over days comes first: minutes know
neither nights nor what a day gives back. The last 24 hours count beside it only where they fill the network sooner.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from console.addresses.daily_trend import (
    MAX_DAYS,
    MIN_DAYS,
    STEP_HOURS,
    DailyTrend,
    daily_trend,
    last_gains,
)
from console.addresses.leaks import LeakEntry
from console.frozen import frozen

LOOKBACK = timedelta(hours=24)
"""The rate of the last hours is that of so long at most."""
DAY, STEP = timedelta(days=1), timedelta(hours=STEP_HOURS)
MIN_DAY_SHARE = 0.5
"""On so many of the days somebody must have watched, or they say nothing."""
MAX_EXCESS = 1.25
"""So much more than the last day and its last quarter gained is believed: a morning is no trend, nor is a batch that is over."""
MIN_COVERAGE = timedelta(minutes=30)
"""Less than this says nothing about hours."""
SAMPLES = 48
"""The use at so many moments, spread evenly over the time, is compared with each other."""
MIN_CHANGE = 2.0
"""So many addresses must have been gained or lost over the time, or nothing has happened."""
MIN_RISES = 3
"""In so many steps at least: one deploy is no trend."""
AGREEMENT = 0.5
"""So much more often up than down (or down than up), of all pairs, or it is noise."""
MAX_HOURS = 24.0 * 90
"""No forecast goes further."""
AVERAGED_REMOVALS = 5
"""So many removals are averaged."""
SAME_REMOVAL = timedelta(minutes=2)
"""Tasks of a stack that ended within so long were lost by the same removal."""


@frozen
class Point:
    """How full a network was at some moment."""

    at: datetime
    used: int
    """Addresses that cannot be handed out; a lower bound where leaks are not known."""


@frozen
class Trend:
    """The use of one network over time, and its trend where there are enough points for one."""

    points: tuple[Point, ...] = ()
    """Oldest first, thinned out towards the past; all of them of the same network and the same capacity."""
    earlier: tuple[Point, ...] = ()
    """Points of the same network before those, which cannot be compared with them: another allocator, or counted in another
    way. No rate is made of them."""
    per_hour: float | None = None
    """Addresses more in use in an hour; None where the points do not tell."""
    full_in_hours: float | None = None
    """None unless use grows and the points cover enough time to say so."""
    mean_leak: float | None = None
    """Addresses that the removals of stacks seen lately leaked, each, on the average; None where none was seen."""
    remaining_removals: int | None = None
    """So many more removals like those fill the network."""


def trend_of(points: Sequence[Point], free: int, entries: Iterable[LeakEntry]) -> Trend:
    """Return what points of one network say, of which `free` addresses are left, at most.

    `points` are in the order of time; `entries` are what the leak log has on this network.
    """
    rate, hours = _rate_and_hours(points, free)
    per_removal = _mean_leak(entries)
    trend = Trend(tuple(points), per_hour=rate)
    if hours is not None and hours <= MAX_HOURS:
        trend = replace(trend, full_in_hours=hours)
    if per_removal is not None:
        trend = replace(trend, mean_leak=per_removal, remaining_removals=int(free / per_removal))
    return trend


def _rate_and_hours(points: Sequence[Point], free: int) -> tuple[float | None, float | None]:
    """Return the addresses gained in an hour, and in how many hours the network is full; None where that is not told."""
    rate = _rate(points)
    used = _days(points)
    days = daily_trend(used, free)
    if days is None:
        return rate, free / rate if rate is not None and rate > 0 else None
    if days.full_in_hours is None:
        return _falling(rate, days, free)
    if rate is not None:
        rate = min(rate, *(gain * MAX_EXCESS for gain in last_gains(used)))
        if rate > 0 and free / rate < days.full_in_hours:
            return rate, free / rate
    return days.per_hour, days.full_in_hours


def _falling(rate: float | None, days: DailyTrend, free: int) -> tuple[float, float | None]:
    """Return the rate and the hours where the use falls over days: what grows in the last hours is told first."""
    if rate is None or rate <= 0:
        return days.per_hour, None
    return rate, free / rate


def _days(points: Sequence[Point]) -> list[float]:
    """Return the use at moments two hours apart, oldest first, the last being that of the last point.

    In a gap it goes evenly from one point to the next. Nothing where too few days were watched, or the use never changed.
    """
    if not points:
        return []
    now = points[-1].at
    first = max(bisect_right(points, now - MAX_DAYS * DAY, key=lambda point: point.at) - 1, 0)
    recent = points[first:]
    if all(point.used == recent[0].used for point in recent):
        return []
    ages_s = [(now - point.at).total_seconds() for point in recent]
    day_s, step_s = DAY.total_seconds(), STEP.total_seconds()
    covered_s = min(ages_s[0], MAX_DAYS * day_s)
    watched = {age_s // day_s for age_s in ages_s if age_s < covered_s}
    if covered_s < MIN_DAYS * day_s or len(watched) < covered_s / day_s * MIN_DAY_SHARE:
        return []
    used = []
    place = len(recent) - 1
    for number in range(int(covered_s / step_s) + 1):
        age_s = number * step_s
        while place > 0 and ages_s[place - 1] <= age_s:
            place -= 1
        earlier = max(place - 1, 0)
        between_s = ages_s[earlier] - ages_s[place]
        share = min(1.0, (ages_s[earlier] - age_s) / between_s) if between_s > 0 else 1.0
        used.append(recent[earlier].used + (recent[place].used - recent[earlier].used) * share)
    return used[::-1]


def _rate(points: Sequence[Point]) -> float | None:
    """Return the addresses gained in an hour of the last 24; None where the points do not tell."""
    if not points:
        return None
    begin = points[-1].at - LOOKBACK
    recent = [point for point in points if point.at >= begin]
    hours = (recent[-1].at - recent[0].at) / timedelta(hours=1)
    if hours < MIN_COVERAGE / timedelta(hours=1):
        return None
    if all(point.used == recent[0].used for point in recent):
        return 0.0
    used = _spread(recent)
    # The moments are evenly apart, so a distance is a count of them.
    slopes = [
        (later - used[place]) / (distance * hours / (SAMPLES - 1))
        for place in range(SAMPLES)
        for distance, later in enumerate(used[place + 1 :], start=1)
    ]
    rate = median(slopes)
    agreement = (sum(slope > 0 for slope in slopes) - sum(slope < 0 for slope in slopes)) / len(slopes)
    # Of those that lie side by side, in the direction of the rate.
    steps = sum((later - earlier) * rate > 0 for earlier, later in pairwise(used))
    is_trend = abs(rate) * hours >= MIN_CHANGE and abs(agreement) >= AGREEMENT and steps >= MIN_RISES
    return rate if is_trend else None


def _spread(points: Sequence[Point]) -> list[int]:
    """Return the use at moments evenly apart, the first and the last included: each holds until the next point."""
    first, whole_s = points[0].at, (points[-1].at - points[0].at).total_seconds()
    times = [(point.at - first).total_seconds() for point in points]
    places = (bisect_right(times, number * whole_s / (SAMPLES - 1)) for number in range(SAMPLES))
    return [points[max(0, min(place, len(points)) - 1)].used for place in places]


def _mean_leak(entries: Iterable[LeakEntry]) -> float | None:
    """Return how many addresses each of the last removals leaked, on the average; None where none did."""
    removals: list[tuple[str, datetime, int]] = []
    for entry in sorted(
        entries, key=lambda leak_entry: (leak_entry.stack or leak_entry.service_name, leak_entry.ended_at)
    ):
        owner = entry.stack or entry.service_name
        if removals and removals[-1][0] == owner and entry.ended_at - removals[-1][1] <= SAME_REMOVAL:
            _, _, count = removals.pop()
            removals.append((owner, entry.ended_at, count + len(entry.addresses)))
        else:
            removals.append((owner, entry.ended_at, len(entry.addresses)))
    latest = sorted(removals, key=lambda removal: removal[1])[-AVERAGED_REMOVALS:]
    # None of a removal without an address either: a record that somebody has changed may have one.
    leaked = sum(count for _, _, count in latest)
    return leaked / len(latest) if leaked else None

"""When a network will be full, in words: the same on every screen, in every finding and on paper. Pure."""

from datetime import timedelta
from math import inf

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import MAX_HOURS, MIN_COVERAGE, Trend
from console.durations import duration
from console.frozen import frozen
from console.text import plural

LONG_MINUTES, LONG_HOURS = 90.0, 36.0
"""From here on the next larger unit is used: nobody plans with `1 day` or `about 100 minutes`."""
LEAST_PER_HOUR = 0.95
WHOLE_FROM = 2
"""Smaller rates have one decimal; more is no estimate's."""
HOURS_OF_DAY, HOURS_OF_WEEK = 24.0, 168.0


@frozen
class Outlook:
    """How the use of a network goes on."""

    text: str
    """`full in about 2 days`, `FULL`, `steady`, `unknown: …`"""
    rate: str = ""
    """`+11 a day`; empty where the rate says no more."""
    full_in_hours: float = inf
    """0 where it is full now, infinite where nothing says that it will be."""
    is_known: bool = True
    is_warning: bool = False
    """Whether it gets full."""

    @property
    def sentence(self) -> str:
        """The whole of it, as a clause."""
        return f"{self.text} ({self.rate})" if self.rate else self.text


NOT_WATCHED = Outlook("unknown: not watched yet", is_known=False)
NEW_COUNT = Outlook("unknown: a new count has just begun", is_known=False)
NOTHING_TO_FILL = Outlook("no IPv4 subnet to fill", is_known=False)


def network_outlook(account: NetworkAccount, trend: Trend | None) -> Outlook:
    """Return how the use of a network goes on. One without IPv4 is never full."""
    return outlook_of(trend, account.free_at_most) if account.capacity else NOTHING_TO_FILL


def outlook_of(trend: Trend | None, free: int | None) -> Outlook:
    """Return how the use of a network goes on, which has `free` addresses left at most (None: not known)."""
    if free == 0:
        return Outlook("FULL", full_in_hours=0.0, is_warning=True)
    if trend is None or not (
        trend.points or trend.earlier or trend.full_in_hours or trend.remaining_removals
    ):
        return NOT_WATCHED
    if trend.full_in_hours is not None:
        hours = trend.full_in_hours
        return Outlook(f"full in about {_span(hours)}", _rate(trend.per_hour, hours), hours, is_warning=True)
    if trend.remaining_removals is not None:
        removals = plural(trend.remaining_removals, "more leaking removal")
        return Outlook(f"full after ~{removals}", is_warning=True)
    return _without_rate(trend) if trend.per_hour is None else _with_rate(trend.per_hour)


def _with_rate(per_hour: float) -> Outlook:
    rate = _rate(per_hour, MAX_HOURS)
    if not rate:
        return Outlook("steady")
    return Outlook("falling" if per_hour < 0 else f"not full within {_span(MAX_HOURS)}", rate)


def _without_rate(trend: Trend) -> Outlook:
    watched = trend.points[-1].at - trend.points[0].at if trend.points else timedelta(0)
    if watched >= MIN_COVERAGE:
        return Outlook("up and down")
    if not trend.points and trend.earlier:
        return Outlook("unknown: not counted now", is_known=False)
    if not watched:
        return NEW_COUNT if trend.earlier else NOT_WATCHED
    length = duration(watched.total_seconds())
    # The allocator is another one, or the use is counted in another way: what was before says nothing.
    text = f"a new count began {length} ago" if trend.earlier else f"watched for {length} only"
    return Outlook(f"unknown: {text}", is_known=False)


def _span(hours: float) -> str:
    if hours * 60 < LONG_MINUTES:
        return plural(max(1, round(hours * 60)), "minute")
    if hours < LONG_HOURS:
        return plural(round(hours), "hour")
    return plural(round(hours / HOURS_OF_DAY), "day")


def _rate(per_hour: float | None, hours: float) -> str:
    """Return a rate in the unit that suits a forecast of so many hours; nothing for what rounds to nothing."""
    if per_hour is None:
        return ""
    if hours < LONG_HOURS and abs(per_hour) >= LEAST_PER_HOUR:
        return f"{_figure(per_hour)} an hour"
    if abs(per_hour) * HOURS_OF_DAY >= 1:
        return f"{_figure(per_hour * HOURS_OF_DAY)} a day"
    if abs(per_hour) * HOURS_OF_WEEK >= 1:
        return f"{_figure(per_hour * HOURS_OF_WEEK)} a week"
    return ""


def _figure(rate: float) -> str:
    """Return a rate with its sign."""
    return f"{rate:+.1f}".removesuffix(".0") if abs(rate) < WHOLE_FROM else f"{rate:+.0f}"

"""The trend of a network's use over days, and when it will be full by that. Pure.

A leak builds up over days, while the use of stacks goes up and down with the time of day. So a moment is compared with the
same moment a day earlier: what that gives is the gain of a day, whatever the day looks like. Where many addresses came back at
once, what was before is lowered by as many. One big day counts no more than all the others together, and the newest days
count most.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median

from console.frozen import frozen

STEP_HOURS = 2
"""The use is given for moments so far apart, as far as those that the history keeps of older days."""
STEPS_A_DAY = 24 // STEP_HOURS
MAX_DAYS = 14
"""Two weeks at most: of what comes once a week, two are in it."""
MIN_DAYS = 4
MIN_FALLS = 3
"""Use must have fallen on so many days to be falling."""
MIN_APART = 2
"""The first and the last day on which it rose are so many days apart at least: one deploy is no trend."""
MIN_CHANGE = 2.0
"""So many addresses must have been gained or lost, or nothing has happened."""
MIN_SHARE = 0.5
"""And this part of what the use goes up and down within a day: noise is no trend."""
HALF_LIFE = 4.0
"""A day that is so many days older counts half."""
TRIFLE = 0.1
"""Less than this part of the biggest change is no change."""
RETURNS = 0.25
"""On so many of the days, at most, addresses came back; on more of them the use is up and down."""
ACCELERATION_DAYS = 6
"""Fewer do not tell whether days gain more and more."""
ACCELERATION_AGREEMENT = 0.7
"""So much more often up than down, of all pairs of days, and by this part of what a day gains:"""
MIN_ACCELERATION = 0.8
AROUND = 3
"""So many moments before and after a fall tell how deep it is."""
MIN_RETURN = 4.0
WEEK = 7
MAX_RETURNS = 6
"""So many times addresses are seen coming back."""
MAX_RETURNED = 0.5
"""Of what was gained, so much at most came back: where all comes back, nothing fills."""


@frozen
class DailyTrend:
    """How the use of a network goes on by the last days."""

    per_hour: float
    """Addresses gained in an hour; negative where the use falls."""
    full_in_hours: float | None
    """When the highest use of a day reaches the limit; None where the use does not grow."""


def daily_trend(used: Sequence[float], free: int) -> DailyTrend | None:
    """Return the trend of use at moments two hours apart, oldest first, the last being now; None where there is none.

    `free` addresses are left now, at most.
    """
    used = used[-(MAX_DAYS * STEPS_A_DAY + 1) :]
    if len(used) < MIN_DAYS * STEPS_A_DAY:
        return None
    least = max(MIN_CHANGE, _spread(used) * MIN_SHARE)
    smooth = _without_spikes(used)
    change = sum(_gains(smooth))
    used = _without_returns(smooth)
    gains = _gains(used)
    trifle = max(map(abs, gains)) * TRIFLE
    rises = [age for age, gain in enumerate(gains) if gain > trifle]
    falls = sum(gain < -trifle for gain in gains)
    if falls >= MIN_FALLS and len(rises) <= len(gains) * RETURNS and -change >= least:
        return DailyTrend(_mean([(age, gain) for age, gain in enumerate(gains)]) / 24, None)
    if not rises or rises[-1] - rises[0] < MIN_APART or falls > len(gains) * RETURNS:
        return None
    returned = smooth[0] - used[0]
    if change < least or returned > MAX_RETURNED * (used[-1] - used[0]):
        return None
    kept = _without_odd_days(gains, trifle)
    # In a day, and in a day more every day.
    growth = _acceleration(kept)
    by_age = [(age, gain + growth * (age + 1)) for age, gain in kept]
    # A quiet weekend is not the rule: what most days of the week gained will go on.
    rate = max(_mean(by_age), median(gain for _, gain in by_age[:WEEK]))
    room = _room(used, free, rate, growth)
    days = _days_until(room, rate, growth)
    if days * 24 < STEP_HOURS:
        # The peak of a day is higher than what is free: it will be full within a day.
        days = min(1.0, free / rate)
    return DailyTrend(rate / 24, days * 24)


def last_gains(used: Sequence[float]) -> tuple[float, float]:
    """Return the addresses gained in an hour of the last day, and in one of its last quarter."""
    day, quarter = STEPS_A_DAY, STEPS_A_DAY // 4
    return (used[-1] - used[-1 - day]) / 24, (used[-1] - used[-1 - quarter]) / (quarter * STEP_HOURS)


def _gains(used: Sequence[float]) -> list[float]:
    """Return what was gained from one day to the next, the newest first."""
    gains = []
    end = len(used)
    while end >= 2 * STEPS_A_DAY:
        day = range(end - STEPS_A_DAY, end)
        gains.append(fmean(used[place] - used[place - STEPS_A_DAY] for place in day))
        end -= STEPS_A_DAY
    return gains


def _without_spikes(used: Sequence[float]) -> list[float]:
    """Return the use without what was there at one moment only."""
    inner = (median(used[place - 1 : place + 2]) for place in range(1, len(used) - 1))
    return [*used[:1], *inner, *used[-1:]] if len(used) > 1 else list(used)


def _without_returns(used: list[float]) -> list[float]:
    """Return the use as it would be had those addresses been free from the beginning that came back at once.

    They came back where all of the day after is lower than all of the day before, by more than the use goes on: the use of
    stacks goes down and up again within a day.
    """
    gains = _gains(used)
    if not gains:
        return used
    step = median(gains) / STEPS_A_DAY
    level = [use - number * step for number, use in enumerate(used)]
    least = max(MIN_RETURN, 3 * step)
    for _ in range(MAX_RETURNS):
        depths = [
            (min(level[max(0, place - STEPS_A_DAY) : place]) - max(level[place : place + STEPS_A_DAY]), place)
            for place in range(AROUND, len(level) - AROUND + 1)
            # It is no deeper than that.
            if level[place - 1] - level[place] >= least
        ]
        depth, place = max(depths, default=(0.0, 0))
        if depth < least:
            break
        fall = median(level[place - AROUND : place]) - median(level[place : place + AROUND])
        level[:place] = [use - max(fall, depth) for use in level[:place]]
    return [use + number * step for number, use in enumerate(level)]


def _spread(used: Sequence[float]) -> float:
    """Return between how many addresses the use of a day lies, as a rule."""
    days = (used[end - STEPS_A_DAY : end] for end in range(len(used), STEPS_A_DAY - 1, -STEPS_A_DAY))
    return median(max(day) - min(day) for day in days)


def _without_odd_days(gains: Sequence[float], trifle: float) -> list[tuple[int, float]]:
    """Return the gains of days with their age, without those on which addresses came back."""
    kept = [(age, gain) for age, gain in enumerate(gains) if gain >= -trifle]
    biggest = max(gain for _, gain in kept)
    others = sum(gain for _, gain in kept) - biggest
    return [(age, min(gain, max(others, 0.0))) for age, gain in kept]


def _acceleration(kept: Sequence[tuple[int, float]]) -> float:
    """Return how much more a day gains than the one before it; 0 where that is not plain."""
    if len(kept) < ACCELERATION_DAYS:
        return 0.0
    slopes = [
        (gain - earlier) / (earlier_age - age)
        for place, (age, gain) in enumerate(kept)
        for earlier_age, earlier in kept[place + 1 :]
    ]
    agreement = (sum(slope > 0 for slope in slopes) - sum(slope < 0 for slope in slopes)) / len(slopes)
    growth = median(slopes)
    is_plain = growth * kept[-1][0] >= MIN_ACCELERATION * fmean(gain for _, gain in kept)
    return growth if agreement >= ACCELERATION_AGREEMENT and is_plain else 0.0


def _mean(gains: Sequence[tuple[int, float]]) -> float:
    """Return the mean gain of a day; the newer it is, the more it counts."""
    weights = [2 ** (-age / HALF_LIFE) for age, _ in gains]
    return fmean((gain for _, gain in gains), weights)


def _room(used: Sequence[float], free: int, rate: float, growth: float) -> float:
    """Return how many addresses the level of the use is below the one at which the peak of a day takes the last address."""
    above = []
    for steps, use in enumerate(reversed(used[-WEEK * STEPS_A_DAY :])):
        days = steps / STEPS_A_DAY
        # What the use would be now, had it gone on as the trend does.
        above.append(use + rate * days - growth * days * days / 2)
    days_above = [
        above[first : first + STEPS_A_DAY] for first in range(0, len(above) - STEPS_A_DAY + 1, STEPS_A_DAY)
    ]
    level = median(days_above[0])
    peak = median(max(day) - median(day) for day in days_above)
    # What is in use now is no more than a peak.
    return min(free, used[-1] + free - level - peak)


def _days_until(room: float, rate: float, growth: float) -> float:
    """Return in how many days so many addresses are gained."""
    if room <= 0:
        return 0.0
    if not growth:
        return room / rate
    return (sqrt(rate * rate + 2 * growth * room) - rate) / growth

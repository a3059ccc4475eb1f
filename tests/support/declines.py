"""Simulated declines: an overlay that is full after eleven days, in ten different ways. Seeded: each is always the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import pi, sin
from random import Random

from console.addresses.forecast import Point, Trend, trend_of
from console.monitor.history import thin_points
from tests.support.swarms import NOW

CAPACITY, FIRST = 253, 15
DAY, STEP = timedelta(days=1), timedelta(minutes=10)
STEPS = DAY // STEP
LENGTH = 11
SIMULATED = LENGTH + 3
"""So many days are simulated: what goes on in the same way after it would have been full."""


@dataclass(frozen=True, slots=True)
class Decline:
    """The use of a network over the days, from its begin."""

    name: str
    used: Sequence[int]
    """At moments ten minutes apart; it may go beyond the capacity."""
    is_watched: Callable[[float], bool]
    """By the day."""
    comparable_since: float
    """The day of the last restart of the allocator: what was before is another series."""
    begin: datetime = NOW

    @property
    def full_on(self) -> float:
        """The day on which the last address is taken."""
        return next(number for number, used in enumerate(self.used) if used >= CAPACITY) / STEPS

    def trend(self, day: float) -> Trend:
        """Return what a console makes of the history on a day."""
        now = self.begin + day * DAY
        points = [
            Point(self.begin + number * STEP, used)
            for number, used in enumerate(self.used[: int(day * STEPS) + 1])
            if number / STEPS >= self.comparable_since
            and (self.is_watched(number / STEPS) or number == int(day * STEPS))
        ]
        return trend_of(thin_points(points, now), CAPACITY - points[-1].used, ())


def _always(_: float) -> bool:
    return True


def _made(
    name: str,
    gains: Sequence[float],
    extra: Sequence[int] | None = None,
    *,
    is_watched: Callable[[float], bool] = _always,
    comparable_since: float = 0.0,
) -> Decline:
    """Return a decline that gains in such parts, scaled so that it is full after eleven days.

    `extra` are the addresses of stacks that come and go.
    """
    extra = extra or [0] * len(gains)
    sums = list(accumulate(gains))
    end = LENGTH * STEPS
    # The highest use of the last day is that at which it is full.
    scale = min(
        (CAPACITY - FIRST - extra[number]) / sums[number]
        for number in range(end - STEPS, end)
        if sums[number] > 0
    )
    used = [FIRST + int(total * scale + 1e-6) + more for total, more in zip(sums, extra, strict=True)]
    return Decline(name, used, is_watched, comparable_since)


def _days() -> list[float]:
    return [number / STEPS for number in range(SIMULATED * STEPS)]


def _random_leaks(random: Random, rate: Callable[[float], float]) -> list[float]:
    """Return removals that leak an address, as many a day as the rate says."""
    return [float(random.random() < rate(day) / STEPS) for day in _days()]


def _is_working_time(day: float) -> bool:
    return 8 / 24 <= day % 1 < 18 / 24


def _stacks(random: Random, most: int) -> list[int]:
    """Return what stacks hold that somebody deploys and removes at any time."""
    held, extra = 0, []
    for _ in _days():
        if random.random() < 0.04:
            held = random.randint(0, most)
        extra.append(held)
    return extra


def declines(seed: int = 0) -> tuple[Decline, ...]:
    """Return ten declines."""
    random = Random(seed)  # noqa: S311 - it decides no secret
    days = _days()
    batches = [float(day % 1 * 24 // 1 == 22) * random.uniform(0.6, 1.4) for day in days]
    # From Monday to Friday, in working time; the first day is a Monday.
    weekly = [float(day % 7 < 5 and _is_working_time(day)) + 0.05 for day in days]
    every_third = [float(int(day) % 3 == 1 and day % 1 * 24 // 1 == 20) + 0.002 for day in days]
    returns = _random_leaks(random, lambda _: 22)
    returns[int(4.6 * STEPS)] -= 35
    returns[int(7.3 * STEPS)] -= 25
    daily = [round(15 * max(0.0, sin((day - 0.55) * 2 * pi))) for day in days]
    noise = [random.randint(0, 8) for _ in days]
    gap = 3 + random.random()
    return (
        _made("steady", [1.0 for _ in days]),
        _made("removals at any time", _random_leaks(random, lambda _: 22)),
        _made("batches every night", batches),
        _made("on the five days of a working week", weekly),
        _made("a batch every third night", every_third),
        _made("addresses came back twice", returns),
        _made("stacks that come and go", _random_leaks(random, lambda _: 22), _stacks(random, 12)),
        _made(
            "faster and faster, and more by day",
            [(day + 1) * (0.1 + _is_working_time(day)) for day in days],
            noise,
        ),
        _made(
            "watched in working time, and not on two days",
            _random_leaks(random, lambda _: 22),
            daily,
            is_watched=lambda day: _is_working_time(day) and not gap <= day < gap + 2,
        ),
        _made(
            "the allocator was restarted early on",
            [0.0 if day < 2.4 else gain for day, gain in zip(days, batches, strict=True)],
            daily,
            comparable_since=2.4,
        ),
    )

"""Whether something ends again and again, told from the moments at which it ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

SLOW_LOOP_S = 600.0
"""Failures that follow each other within so many seconds may be those of a loop: an application that waits for its
database, or is killed when its health check was unhealthy for long, takes minutes to fail."""
SLOW_LOOP_ENDS = 3
"""So many failures make a slow loop; two of them may be two accidents."""
LULLS = 2.0
"""A loop is over when nothing has ended for so many times as long as it ever took it to end again."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Ends that follow each other."""

    since: datetime
    """The first of those that are known."""
    last: datetime
    lull_s: float
    """The longest time between two of them."""

    def holds(self, now: datetime) -> bool:
        """Whether another end is to be expected: what runs now has not run for much longer than those before it."""
        return (now - self.last).total_seconds() < LULLS * self.lull_s


def find_loop(ends: Iterable[datetime], within_s: float, at_least: int = 2) -> Loop | None:
    """Return the last ends that came within so many seconds of each other; None where there are too few."""
    latest_first = sorted(ends, reverse=True)
    if not latest_first:
        return None
    chain = latest_first[:1]
    for later, earlier in pairwise(latest_first):
        if (later - earlier).total_seconds() > within_s:
            break
        chain.append(earlier)
    if len(chain) < at_least:
        return None
    lulls = [(later - earlier).total_seconds() for later, earlier in pairwise(chain)]
    return Loop(chain[-1], chain[0], max(lulls, default=0.0))


def loop_of(ends: Iterable[datetime], failures: Iterable[datetime], patience_s: float) -> Loop | None:
    """Return the loop in which something ends: such that it is never seen at rest for so long, or one of failures.

    `failures` are those of the ends that were failures. What ends well now and then, as something that works by the
    clock does, is in none.
    """
    often = find_loop(ends, 2 * patience_s)
    slow = find_loop(failures, max(SLOW_LOOP_S, 2 * patience_s), SLOW_LOOP_ENDS)
    return max((each for each in (often, slow) if each), key=lambda each: each.lull_s, default=None)

"""The simulated time: nothing happens unless somebody lets it pass."""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta


class Timeline:
    """Things to come, in order. `start` is an aware date; `elapsed_s` counts from it."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.elapsed_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def now(self) -> datetime:
        """The simulated time of day."""
        return self.start + timedelta(seconds=self.elapsed_s)

    @property
    def next_due_s(self) -> float | None:
        """When the next thing happens, counted like `elapsed_s`; None if nothing is to come."""
        return self._due[0][0] if self._due else None

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Let something happen after so many seconds; of two at the same time, the first that was asked."""
        self._count += 1
        heapq.heappush(self._due, (self.elapsed_s + delay_s, self._count, act))

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that falls into it, each at its own time."""
        target = self.elapsed_s + max(0.0, seconds)
        while self._due and self._due[0][0] <= target:
            self.step()
        self.elapsed_s = target

    def step(self) -> None:
        """Jump to the next thing to come and let it happen."""
        due, _, act = heapq.heappop(self._due)
        self.elapsed_s = max(self.elapsed_s, due)
        act()

"""Clocks of tests: one on which nobody waits, and one that uses the time of this machine."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from console.clock import SystemClock


@dataclass
class Hours:
    """A clock that only moves when somebody waits, and then at once."""

    at_s: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 6, 12, 2, 0, tzinfo=UTC) + timedelta(seconds=self.at_s)

    def monotonic(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class QuickClock(SystemClock):
    """Pauses for a part of what it is asked to: a log that nobody writes to at the same time is read again sooner."""

    def __init__(self, times: float) -> None:
        self._times = times

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._times)

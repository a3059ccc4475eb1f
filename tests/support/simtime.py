"""The clock of a simulated swarm: its time passes only while somebody sleeps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.support.engines import Simulation

BEGAN = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class SimulatedTime:
    """The simulated swarm's own time."""

    running: Simulation
    passed_s: float = 0.0
    meanwhile: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    """What happens at some moment, in order."""

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        self.running.control("advance", {"seconds": seconds})
        while self.meanwhile and self.meanwhile[0][0] <= self.passed_s:
            self.meanwhile.pop(0)[1]()
        await asyncio.sleep(0)

"""The time of a simulated engine as a clock: it passes when somebody sleeps, and then something may happen."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from console.simulator.engine import SimulatedEngine


class ModelTime:
    """Lets a model's time pass, at least 20 ms a time."""

    def __init__(
        self, engine: SimulatedEngine, meanwhile: Callable[[], None] = lambda: None, real_s: float = 0.0
    ) -> None:
        """Make a clock; `real_s` is the machine's own time that each sleep takes: what threads receive needs it."""
        self._engine = engine
        self._meanwhile = meanwhile
        self._real_s = real_s

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self._engine.store.timeline.elapsed_s

    async def sleep(self, seconds: float) -> None:
        self._engine.advance(max(seconds, 0.02))
        self._meanwhile()
        await asyncio.sleep(self._real_s)

"""Waits that end early: when somebody appends to the log, when the run is to stop, when the runner is told to end."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from console.clock import Clock
from console.concurrency import cancelled
from console.runbook.store.log import RunLog

T = TypeVar("T")
POLL_S = 0.25
"""Between two looks for news: what an operator does not notice."""


LINGER_S = 900.0
"""For so long a runner waits for an answer; then it ends, and whoever answers starts another one."""


class Patience:
    """Knows how long to wait, and for what not to."""

    def __init__(self, log: RunLog, clock: Clock, linger_s: float = LINGER_S) -> None:
        self._log = log
        self._clock = clock
        self._linger_s = linger_s
        self.ending = asyncio.Event()
        """Set when the runner is told to end (SIGTERM)."""

    async def for_news(self, within_s: float) -> bool:
        """Return whether somebody appended to the log within so many seconds; False at once when the runner is to end."""
        seen, end_s = self._log.view.number, self._clock.monotonic() + within_s
        while not self.ending.is_set():
            if (await self._log.read()).number != seen:
                return True
            if self._clock.monotonic() >= end_s:
                return False
            await self._clock.sleep(POLL_S)
        return False

    async def for_an_answer(self) -> bool:
        """Return whether an answer, or anything else, came while it was waited for."""
        return await self.for_news(self._linger_s)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what some looking comes to, or None where it was ended because the run is to stop.

        Only for what changes nothing: it is cancelled wherever it is.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=POLL_S)
                if self.ending.is_set() or (not task.done() and (await self._log.read()).wants_stop):
                    break
            if task.done():
                return task.result()
            task.cancel()
            await asyncio.wait((task,))
            return None if task.cancelled() else task.result()
        finally:
            await cancelled(task)

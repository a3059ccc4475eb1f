"""Keeps what the step under way waits for, and ends waits early: a new entry in the log, a signal to stop."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from console.clock import Clock
from console.concurrency import cancel_all
from console.runbook.run import events
from console.runbook.run.view import is_logged
from console.runbook.run.waits import (
    MOST_SHOWN,
    BlockedTime,
    Blocking,
    Measure,
    Waiting,
    headline_of,
    unique_blocking,
    update_rows,
)
from console.runbook.store.log import RunLog
from console.runbook.store.output import clear_waiting, read_waiting, write_waiting

T = TypeVar("T")
POLL_S = 0.25
"""Between two checks for news: too short for an operator to notice."""


LINGER_S = 900.0
"""How long a runner waits for an answer; then it ends, and the answer starts another one."""

WRITTEN_EVERY_S = 1.0
"""As seldom as the pulse: a kill loses so much of a wait."""
HEADLINE_EVERY_S = 30.0
"""The least time between two lines for viewers that print line after line."""


class WaitPolicy:
    """Knows how long to wait, and for what not to."""

    def __init__(self, log: RunLog, clock: Clock, linger_s: float = LINGER_S) -> None:
        self._log = log
        self._clock = clock
        self._linger_s = linger_s
        self.ending = asyncio.Event()
        """Set when the runner is told to end (SIGTERM)."""

    async def for_news(self, within_s: float) -> bool:
        """Return whether somebody appended to the log within so many seconds; False at once when the runner is to end."""
        number, end_s = self._log.view.number, self._clock.monotonic() + within_s
        while not self.ending.is_set():
            if (await self._log.read()).number != number:
                return True
            if self._clock.monotonic() >= end_s:
                return False
            await self._clock.sleep(POLL_S)
        return False

    async def for_an_answer(self) -> bool:
        """Return whether an answer, or anything else, came while it was waited for."""
        return await self.for_news(self._linger_s)

    async def unless_stopping(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of some reading, or None where it was cancelled because the run is to stop.

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
            await cancel_all(task)


class Waits:
    """The waits of one run, one step after the other."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._wait: _Wait | None = None

    async def report(
        self, step: str, blocking: Sequence[Blocking], note: str, measure: Measure | None = None
    ) -> None:
        """Take in what a step waits for at this moment."""
        if self._wait is None or self._wait.step != step:
            self._wait = _Wait(step, self._clock)
        waiting = self._wait.report(unique_blocking(blocking), note, measure)
        if waiting is not None:
            await asyncio.to_thread(write_waiting, self._folder, waiting)

    def rows(self, step: str) -> tuple[BlockedTime, ...]:
        """Return how long what kept a step waiting."""
        return self._wait.rows if self._wait is not None and self._wait.step == step else ()

    async def end(self) -> None:
        """Take in that nothing is waited for any more, and that the log has what is worth keeping."""
        if self._wait is not None:
            self._wait = None
            await asyncio.to_thread(clear_waiting, self._folder)


async def store_interrupted_wait(log: RunLog) -> None:
    """Put into the log what a runner that was killed had seen of a wait, where it is not there already.

    Raises StoreFailed and HostError.
    """
    waiting = await asyncio.to_thread(read_waiting, log.folder)
    if waiting is None:
        return
    step = next((candidate for candidate in log.view.steps if candidate.id == waiting.step), None)
    if step is not None and waiting.rows and not is_logged(waiting, step):
        await log.append(events.Waited(waiting.step, waiting.rows))
    await asyncio.to_thread(clear_waiting, log.folder)


class _Wait:
    def __init__(self, step: str, clock: Clock) -> None:
        self.step = step
        self.rows: tuple[BlockedTime, ...] = ()
        """How long what blocked."""
        self._clock = clock
        self._began_at = clock.now()
        self._names: frozenset[str] = frozenset()
        self._reported_s = clock.monotonic()
        self._written_s: float | None = None
        self._headline = ""
        self._headline_names: frozenset[str] | None = None
        self._headline_s = 0.0

    def report(self, blocking: tuple[Blocking, ...], note: str, measure: Measure | None) -> Waiting | None:
        """Return the wait as it is now, where it is time to show it."""
        at, now_s = self._clock.now(), self._clock.monotonic()
        self.rows = update_rows(self.rows, self._names, blocking, at, now_s - self._reported_s)
        self._names, self._reported_s = frozenset(blocker.name for blocker in blocking), now_s
        is_over = not blocking and not note
        is_new_headline = self._update_headline(blocking, note, now_s)
        if is_over:
            self._headline = ""
        elif (
            not is_new_headline and self._written_s is not None and now_s - self._written_s < WRITTEN_EVERY_S
        ):
            return None
        self._written_s = now_s
        more = max(0, len(blocking) - MOST_SHOWN)
        return Waiting(
            self.step,
            self._began_at,
            at,
            blocking[:MOST_SHOWN],
            more,
            note,
            self._headline,
            self.rows,
            measure,
        )

    def _update_headline(self, blocking: tuple[Blocking, ...], note: str, now_s: float) -> bool:
        """Make another headline where other things block than it says, but not too often; return whether it was made."""
        if self._headline_names is not None and (
            self._names == self._headline_names or now_s - self._headline_s < HEADLINE_EVERY_S
        ):
            return False
        self._headline, self._headline_names, self._headline_s = (
            headline_of(blocking, note),
            self._names,
            now_s,
        )
        return True

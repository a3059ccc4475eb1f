"""Keeps what the step at work waits for: shown in one place while it waits, in the log when it is over."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from console.clock import Clock
from console.runbook.run.waits import (
    MOST_SHOWN,
    BlockedTime,
    Blocking,
    Waiting,
    cut,
    headline_of,
    merged,
    taken_in,
)
from console.runbook.store.waiting import clear_waiting, read_waiting, write_waiting

WRITTEN_EVERY_S = 1.0
"""As seldom as the pulse: so much of a wait a kill loses."""
HEADLINE_EVERY_S = 30.0
"""At least so long between two lines for whoever is shown one line after the other."""


class Waits:
    """The waits of one run, one step after the other."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._wait: _Wait | None = None

    async def look(
        self, step: str, kept_at: datetime | None, blocking: Sequence[Blocking], note: str
    ) -> None:
        """Take in what a step waits for at this moment; `kept_at` is when rows of it came into the log last."""
        if self._wait is None or self._wait.step != step:
            self._wait = _Wait(step, self._clock, await asyncio.to_thread(self._left, step, kept_at))
        waiting = self._wait.look(cut(blocking), note)
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

    def _left(self, step: str, kept_at: datetime | None) -> tuple[BlockedTime, ...]:
        """Return what a runner that was killed had seen of the same wait, where the log does not have it."""
        left = read_waiting(self._folder)
        if left is None or left.step != step or (kept_at is not None and left.at <= kept_at):
            return ()
        return left.rows


class _Wait:
    def __init__(self, step: str, clock: Clock, left: tuple[BlockedTime, ...]) -> None:
        self.step = step
        self._clock = clock
        self._left = left
        self._rows: tuple[BlockedTime, ...] = ()
        self._began_at = clock.now()
        self._names: frozenset[str] = frozenset()
        self._seen_s = clock.monotonic()
        self._written_s: float | None = None
        self._headline = ""
        self._told: frozenset[str] | None = None
        self._told_s = 0.0

    @property
    def rows(self) -> tuple[BlockedTime, ...]:
        """How long what blocked, with what an earlier runner saw."""
        return merged((*self._left, *self._rows)) if self._left else self._rows

    def look(self, blocking: tuple[Blocking, ...], note: str) -> Waiting | None:
        """Return the wait as it is now, where it is time to show it."""
        at, now_s = self._clock.now(), self._clock.monotonic()
        self._rows = taken_in(self._rows, self._names, blocking, at, now_s - self._seen_s)
        self._names, self._seen_s = frozenset(each.name for each in blocking), now_s
        is_told = self._tell(blocking, note, now_s)
        if not is_told and self._written_s is not None and now_s - self._written_s < WRITTEN_EVERY_S:
            return None
        self._written_s = now_s
        more = max(0, len(blocking) - MOST_SHOWN)
        return Waiting(
            self.step, self._began_at, at, blocking[:MOST_SHOWN], more, note, self._headline, self.rows
        )

    def _tell(self, blocking: tuple[Blocking, ...], note: str, now_s: float) -> bool:
        """Make another headline where other things block than it says, but not too often; return whether it was made."""
        if self._told is not None and (self._names == self._told or now_s - self._told_s < HEADLINE_EVERY_S):
            return False
        self._headline, self._told, self._told_s = headline_of(blocking, note), self._names, now_s
        return True

"""Follows dockerd's log, where it belongs to the engine that is monitored."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from console.clock import Clock
from console.concurrency import sleep_unless
from console.errors import HostError, Result, Unknown, unknown_from
from console.journal.matching import LogEvent
from console.journal.reader import DaemonLog, read_recent, why_foreign_unless_silent
from console.journal.summary import SlidingSummariser
from console.journal.values import Batch
from console.monitor.values import MAX_LINES, Feed, Line, Log, StatePublisher
from console.settings import SnapshotSettings
from console.swarm.model import Engine, SwarmState
from console.swarm.snapshots import object_names
from console.text import clean

PUBLISH_INTERVAL_S = 0.2
"""Lines come in floods, and are shown in batches."""
LINE_LIMIT = 2000
"""Longest line that is kept whole."""
MAX_NAMES = 20_000
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
OWNER_CHECK_INTERVAL_S = 30.0
"""So often it is checked again whose engine it is."""
LINES_AT_ONCE = 100
"""So many lines are read in one go."""
AGE_S = 30.0
NO_ENGINE_YET = Unknown("The engine has not been asked yet.")


class LogFollower:
    """Reads and follows dockerd's log, and publishes its lines and their summary."""

    def __init__(
        self, log: DaemonLog, host: str, snapshot: SnapshotSettings, clock: Clock, publisher: StatePublisher
    ) -> None:
        self._log = log
        self._host = host
        self._snapshot = snapshot
        self._clock = clock
        self._publisher = publisher
        self._engine: Result[Engine] = NO_ENGINE_YET
        self._has_snapshot, self._has_engine = asyncio.Event(), asyncio.Event()
        self._news = asyncio.Event()
        self._names: dict[str, str] = {}
        self._names_of: SwarmState | None = None
        self._failures = 0
        self.on_rebuild: Callable[[], None] = lambda: None
        """Called when a line says that the allocator may have been rebuilt."""
        self._reset()

    def _reset(self) -> None:
        # A recording is read whole.
        self._summariser = SlidingSummariser(None if self._log.is_recorded else self._snapshot.journal_s)
        self._lines: deque[Line] = deque(maxlen=MAX_LINES)
        self._count = 0
        self._cursor: str | None = None
        self._first_read_at: datetime | None = None

    def learn(self, swarm: SwarmState) -> None:
        """Learn names, and whose engine it is, from a snapshot."""
        before = self._names_of
        if before is None or any(
            old is not new
            for old, new in (
                (before.networks, swarm.networks),
                (before.services, swarm.services),
                (before.nodes, swarm.nodes),
            )
        ):
            # Services that are gone keep their names.
            old_names = {} if len(self._names) > MAX_NAMES else self._names
            self._names, self._names_of = {**old_names, **object_names(swarm)}, swarm
        self._engine = swarm.engine
        self._has_snapshot.set()
        if not isinstance(swarm.engine, Unknown):
            self._has_engine.set()

    async def run(self) -> None:
        """Read and follow until cancelled."""
        await self._has_snapshot.wait()
        tasks = (
            asyncio.create_task(self._show_news(), name="log shown"),
            asyncio.create_task(self._follow(), name="log read on"),
        )
        try:
            # Neither ends but by a bug, which is not to be lost: without either the log would just stand still.
            done_tasks, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done_tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            refusal = await self._refusal()
            if refusal is None:
                refusal = await self._follow_until_refusal()
            if refusal is not None:
                # What was read is some other dockerd's.
                self._reset()
                self._publisher.show(log=self._publisher.failure(Feed(), refusal))
                await self._clock.sleep(OWNER_CHECK_INTERVAL_S)
                continue
            pause_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures, 10), LONGEST_RETRY_S)
            self._failures += 1
            await self._clock.sleep(pause_s)

    async def _refusal(self) -> Unknown | None:
        is_ours = self._log.is_recorded or self._log.is_proven
        return None if is_ours else await why_foreign_unless_silent(self._host, self._engine)

    async def _follow_until_refusal(self) -> Unknown | None:
        """Read and follow until that fails, or return why the log is not the engine's.

        A dockerd that is dead is when its log is wanted most, and cannot be proven to be the one that logs.
        """
        reading = asyncio.create_task(self._read_and_follow(), name="log read")
        waiting_for_engine = asyncio.create_task(self._has_engine.wait(), name="engine told")
        try:
            await asyncio.wait((reading, waiting_for_engine), return_when=asyncio.FIRST_COMPLETED)
            if waiting_for_engine.done() and (refusal := await self._refusal()) is not None:
                return refusal
            await reading
        except HostError as error:
            self._fail(unknown_from(error))
        finally:
            reading.cancel()
            waiting_for_engine.cancel()
            await asyncio.gather(reading, waiting_for_engine, return_exceptions=True)
        return None

    async def _read_and_follow(self) -> None:
        if self._first_read_at is None:
            now, window_s = self._clock.now(), None if self._log.is_recorded else self._snapshot.journal_s
            batch = await read_recent(self._log, None, now, window_s, self._snapshot.call_timeout_s)
            if isinstance(batch, Unknown):
                self._fail(batch)
                return
            self._first_read_at = now
            await self._take(batch)
        if not self._log.is_growing:
            await asyncio.Event().wait()
        # Without an entry there is no place to go on from.
        since = None if self._cursor else self._first_read_at
        async with aclosing(self._log.reader.follow(self._cursor, since)) as batches:
            async for batch in batches:
                await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        now = self._clock.now()
        for start in range(0, max(1, len(batch.entries)), LINES_AT_ONCE):
            small_batch = replace(batch, entries=batch.entries[start : start + LINES_AT_ONCE])
            if start:
                # A long batch must not hold the loop.
                small_batch = Batch(small_batch.entries)
                await asyncio.sleep(0)
            for entry, line, meaning in self._summariser.add(small_batch, now):
                self._count += 1
                text = clean(entry.message, LINE_LIMIT)
                self._lines.append(Line(self._count, text, entry.realtime, line.level, meaning))
                if isinstance(meaning, LogEvent) and meaning.signature.is_rebuild:
                    self.on_rebuild()
        self._cursor = batch.cursor or self._cursor
        self._failures = 0
        self._news.set()

    def _fail(self, why: Unknown) -> None:
        self._publisher.show(log=self._publisher.failure(self._publisher.monitor_state.log, why))

    async def _show_news(self) -> None:
        while True:
            # Now and then without news: what was logged gets old.
            await sleep_unless(self._news, self._clock, AGE_S)
            self._news.clear()
            if self._first_read_at is not None:
                lines = tuple(self._lines)
                summary = self._summariser.summary(self._names, self._clock.now())
                log, before = (
                    Log(summary, lines, self._count - len(lines)),
                    self._publisher.monitor_state.log.value,
                )
                self._publisher.show(log=self._publisher.success(before if before == log else log))
            await self._clock.sleep(PUBLISH_INTERVAL_S)

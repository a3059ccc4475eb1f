"""Follows dockerd's log, where it belongs to the engine that is monitored."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from console.clock import Clock
from console.concurrency import sleep_unless
from console.errors import HostError, Part, Unknown, unknown_from
from console.journal.matching import Event
from console.journal.reader import DaemonLog, doubt_unless_silent, read_lately
from console.journal.summary import SlidingSummariser, Summary
from console.journal.values import Batch
from console.monitor.values import LINES_KEPT, Feed, Line, Log, Stage
from console.settings import Look
from console.swarm.snapshots import object_names
from console.swarm.values import Engine, SwarmState
from console.text import clean

SHOWN_EVERY_S = 0.2
"""Lines come in floods, and are shown in batches."""
LINE_LIMIT = 2000
"""Longest line that is kept whole."""
NAMES_KEPT = 20_000
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
DOUBT_S = 30.0
"""Whose engine it is is asked again that often."""
AT_ONCE = 100
"""So many lines are read in one go."""
AGE_S = 30.0
NOT_LOOKED = Unknown("The engine has not been asked yet.")
NOT_READ = Unknown("dockerd's journal has not been read yet.")


class Following:
    """The feed of dockerd's log."""

    def __init__(self, log: DaemonLog, host: str, look: Look, clock: Clock, stage: Stage) -> None:
        self._log = log
        self._host = host
        self._look = look
        self._clock = clock
        self._stage = stage
        self._engine: Part[Engine] = NOT_LOOKED
        self._is_seen, self._is_told = asyncio.Event(), asyncio.Event()
        self._news = asyncio.Event()
        self._names: dict[str, str] = {}
        self._names_of: SwarmState | None = None
        self._failures = 0
        self.rebuilt: Callable[[], None] = lambda: None
        """Called when a line says that the allocator may have been rebuilt."""
        self._begin_anew()

    def _begin_anew(self) -> None:
        # A recording is read whole.
        self._summariser = SlidingSummariser(None if self._log.is_recorded else self._look.journal_s)
        self._lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._count = 0
        self._cursor: str | None = None
        self._read_at: datetime | None = None

    def summary(self) -> Part[Summary]:
        """Return what was logged lately, or why that is not known."""
        feed = self._stage.scene.log
        if feed.failed is not None:
            return feed.failed
        return NOT_READ if feed.value is None else feed.value.summary

    def learn(self, swarm: SwarmState) -> None:
        """Take in names and whose engine it is from a snapshot."""
        before = self._names_of
        if before is None or any(
            one is not other
            for one, other in (
                (before.networks, swarm.networks),
                (before.services, swarm.services),
                (before.nodes, swarm.nodes),
            )
        ):
            # Services that are gone keep their names.
            kept = {} if len(self._names) > NAMES_KEPT else self._names
            self._names, self._names_of = {**kept, **object_names(swarm)}, swarm
        self._engine = swarm.engine
        self._is_seen.set()
        if not isinstance(swarm.engine, Unknown):
            self._is_told.set()

    async def run(self) -> None:
        """Read and follow until cancelled."""
        await self._is_seen.wait()
        tasks = (
            asyncio.create_task(self._show_news(), name="log shown"),
            asyncio.create_task(self._read_on(), name="log read on"),
        )
        try:
            # Neither ends but by a bug, which is not to be lost: without either the log would just stand still.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read_on(self) -> None:
        while True:
            doubt = await self._doubt()
            if doubt is None:
                doubt = await self._until_doubted()
            if doubt is not None:
                # What was read is some other dockerd's.
                self._begin_anew()
                self._stage.show(log=self._stage.failed(Feed(), doubt))
                await self._clock.sleep(DOUBT_S)
                continue
            pause_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures, 10), LONGEST_RETRY_S)
            self._failures += 1
            await self._clock.sleep(pause_s)

    async def _doubt(self) -> Unknown | None:
        is_ours = self._log.is_recorded or self._log.is_proven
        return None if is_ours else await doubt_unless_silent(self._host, self._engine)

    async def _until_doubted(self) -> Unknown | None:
        """Read and follow until that fails, or until it turns out that it is not the engine's log: return that then.

        A dockerd that is dead is when its log is wanted most, and cannot be proven to be the one that logs.
        """
        reading = asyncio.create_task(self._read_and_follow(), name="log read")
        told = asyncio.create_task(self._is_told.wait(), name="engine told")
        try:
            await asyncio.wait((reading, told), return_when=asyncio.FIRST_COMPLETED)
            if told.done() and (doubt := await self._doubt()) is not None:
                return doubt
            await reading
        except HostError as error:
            self._fail(unknown_from(error))
        finally:
            reading.cancel()
            told.cancel()
            await asyncio.gather(reading, told, return_exceptions=True)
        return None

    async def _read_and_follow(self) -> None:
        if self._read_at is None:
            now, window_s = self._clock.now(), None if self._log.is_recorded else self._look.journal_s
            batch = await read_lately(self._log, None, now, window_s, self._look.call_timeout_s)
            if isinstance(batch, Unknown):
                self._fail(batch)
                return
            self._read_at = now
            await self._take(batch)
        if not self._log.is_growing:
            await asyncio.Event().wait()
        # Without an entry there is no place to go on from.
        since = None if self._cursor else self._read_at
        async with aclosing(self._log.reader.follow(self._cursor, since)) as batches:
            async for batch in batches:
                await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        now = self._clock.now()
        for start in range(0, max(1, len(batch.entries)), AT_ONCE):
            part = replace(batch, entries=batch.entries[start : start + AT_ONCE])
            if start:
                # A long batch must not hold the loop.
                part = Batch(part.entries)
                await asyncio.sleep(0)
            for entry, line, found in self._summariser.add(part, now):
                self._count += 1
                text = clean(entry.message, LINE_LIMIT)
                self._lines.append(Line(self._count, text, entry.realtime, line.level, found))
                if isinstance(found, Event) and found.signature.is_rebuild:
                    self.rebuilt()
        self._cursor = batch.cursor or self._cursor
        self._failures = 0
        self._news.set()

    def _fail(self, why: Unknown) -> None:
        self._stage.show(log=self._stage.failed(self._stage.scene.log, why))

    async def _show_news(self) -> None:
        while True:
            # Now and then without news: what was logged gets old.
            await sleep_unless(self._news, self._clock, AGE_S)
            self._news.clear()
            if self._read_at is not None:
                lines = tuple(self._lines)
                summary = self._summariser.summary(self._names, self._clock.now())
                log, before = Log(summary, lines, self._count - len(lines)), self._stage.scene.log.value
                self._stage.show(log=self._stage.came(before if before == log else log))
            await self._clock.sleep(SHOWN_EVERY_S)

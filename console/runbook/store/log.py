"""The log of a run for its writers: it never blocks the event loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from console.clock import Clock
from console.concurrency import OwningThreads
from console.errors import Declined, StoreFailed
from console.runbook.run.events import Event, LogEntry
from console.runbook.run.replay import after, initial_view, replay
from console.runbook.run.replay_steps import ChangeRecord, ChangeRecordsByStep
from console.runbook.run.view import RunView
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import release_reserve


class RunLog:
    """Appends to a log and holds its view: each entry is read once, however long the run is."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        # One thread: a connection is used by one at a time, and appends keep their order.
        self._thread: OwningThreads[sqlite3.Connection] = OwningThreads(
            lambda: database.connect(folder / LOG), sqlite3.Connection.close, 1
        )
        self._view: RunView | None = None
        self._recorded_changes = ChangeRecordsByStep()
        self._reading = asyncio.Lock()
        self.used_reserve = False
        """Whether the disk became full and the reserved space was used up: the run must stop."""

    @property
    def view(self) -> RunView:
        """The run as of the last `read` or append."""
        if self._view is None:
            raise RuntimeError("the log was not read yet")
        return self._view

    async def read(self) -> RunView:
        """Return the run, with what others appended since. Raises HostError."""
        async with self._reading:
            number = 0 if self._view is None else self._view.number
            news = await self._thread.call(lambda connection: database.entries_after(connection, number))
            for entry in news:
                self._view = initial_view(entry) if self._view is None else after(self._view, entry)
                self._recorded_changes.take(entry)
        return self.view

    async def recorded_changes(self, step: str) -> tuple[ChangeRecord, ...]:
        """Return what a step changed since it was undone last. Raises HostError."""
        await self.read()
        return self._recorded_changes.of(step)

    async def append(self, event: Event) -> LogEntry:
        """Append an event, whatever others appended meanwhile. When this returns, it is on disk. Raises StoreFailed."""
        entry = await self._append(event, None)
        if entry is None:
            raise RuntimeError("an append without a condition was refused")
        await self.read()
        return entry

    async def append_if_current(self, event: Event, number: int) -> bool:
        """Append an event if the log ends with the entry of this number; else read the news, and return False.

        So nothing is done on a view of the run that is out of date. Raises StoreFailed.
        """
        entry = await self._append(event, number)
        await self.read()
        return entry is not None

    def close(self) -> None:
        """Let go of the log."""
        self._thread.close()

    async def _append(self, event: Event, expected: int | None) -> LogEntry | None:
        def write(connection: sqlite3.Connection) -> LogEntry | None:
            return database.append(connection, event, self._clock.now(), expected)

        try:
            return await self._thread.call(write)
        except StoreFailed as error:
            if not error.is_full or not release_reserve(self.folder):
                raise
            self.used_reserve = True
            return await self._thread.call(write)


def append_if_allowed(folder: Path, rule: Callable[[RunView], Sequence[Event] | str], clock: Clock) -> None:
    """Append what a rule makes of the run as it is in this very moment, all of it or nothing; blocks.

    Another process that appends waits meanwhile, so of two that answer a question the second one sees the first one's answer, and
    a runner that starts is seen by the rule or sees what was appended. Raises Declined with what the rule says against it,
    and HostError.
    """

    def on_entries(entries: tuple[LogEntry, ...]) -> Sequence[Event]:
        events = rule(replay(entries))
        if isinstance(events, str):
            raise Declined(events)
        return events

    connection = database.connect(folder / LOG)
    try:
        database.append_in_transaction(connection, on_entries, clock.now)
    finally:
        connection.close()

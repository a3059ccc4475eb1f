"""Where dockerd's log comes from, and whether it belongs to the engine that is asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from console.errors import HostError, Result, Unknown, unknown_from
from console.frozen import frozen
from console.host.identity import UNIX, why_engine_is_foreign
from console.host.root import has_own_root, under_root
from console.journal.recordings import GrowingJournal
from console.journal.values import DEFAULT_UNIT, Batch, Window
from console.swarm.model import Engine

ROOT_JOURNAL = under_root("/var/log/journal.json")
"""The journal of a host in a folder, as `journalctl -o json` writes it: no journald keeps one there."""


class JournalReader(Protocol):
    """Reads what dockerd wrote to a journal, and what journald says about dockerd's unit."""

    async def read(self, window: Window) -> Batch:
        """Return the newest entries of the window, in the order of the journal, with gaps announced.

        Raises HostError when the journal cannot be read; the hint says what would help.
        """
        ...

    def follow(self, after: str | None = None, since: datetime | None = None) -> AsyncGenerator[Batch, None]:
        """Yield batches of at most `BATCH_ENTRIES` as they come, until closed.

        It begins after the cursor `after`, else with the first entry not older than `since`, else with what is
        written from now on. Close it (`contextlib.aclosing`) when it is no longer wanted. Raises HostError.
        """
        ...


def open_journal(unit: str = DEFAULT_UNIT, directory: Path | None = None) -> JournalReader:
    """Return the best door there is: systemd's library where its binding is installed, else `journalctl`.

    `directory` holds journal files; without it the journal of this host is read. Nothing is opened yet.
    """
    if directory is None and has_own_root():
        return GrowingJournal(ROOT_JOURNAL, unit)
    return _SystemJournal(unit, directory)


class _SystemJournal:
    """The journal by the best door there is. Its library is loaded when the journal is first read."""

    def __init__(self, unit: str, directory: Path | None) -> None:
        self._unit = unit
        self._directory = directory
        self._door: JournalReader | None = None

    async def read(self, window: Window) -> Batch:
        return await (await self._open()).read(window)

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        async with aclosing((await self._open()).follow(after, since)) as batches:
            async for batch in batches:
                yield batch

    async def _open(self) -> JournalReader:
        if self._door is None:
            self._door = await asyncio.to_thread(best_door, self._unit, self._directory)
        return self._door


def best_door(unit: str, directory: Path | None) -> JournalReader:
    """Return systemd's library where its binding is installed, else `journalctl`."""
    # The live console has its first data before it reads a journal.
    from console.journal import journalctl, native  # noqa: PLC0415 - see above

    if native.is_available():
        return native.NativeJournal(unit, directory)
    return journalctl.CommandJournal(unit, directory)


@frozen
class DaemonLog:
    """Where dockerd's lines are read from."""

    reader: JournalReader
    is_recorded: bool = False
    """Whether the operator named a recording: then it is read whole, and nobody asks whose it is."""
    is_growing: bool = True
    """Whether it can be followed: a recording in a file cannot."""
    is_proven: bool = False
    """Whether it is the engine's own without anybody asking: the demo's."""


async def whose_host(host: str, engine: Result[Engine]) -> Unknown | None:
    """Return why what this host tells cannot be taken to belong to an engine, or None when it can.

    An engine that does not answer cannot be proven to be this host's own.
    """
    if isinstance(engine, Unknown):
        return Unknown("The engine does not answer, so it is not known whether it is this host's own.")
    return await asyncio.to_thread(why_engine_is_foreign, host, engine.name)


async def why_foreign_unless_silent(host: str, engine: Result[Engine]) -> Unknown | None:
    """Return the same reason, but none for a silent engine behind a unix socket.

    For callers that ask for this host's journal itself: a dead dockerd's log is the one that is needed most.
    """
    if isinstance(engine, Unknown) and host.startswith(UNIX):
        return None
    return await whose_host(host, engine)


async def read_recent(
    log: DaemonLog, refusal: Unknown | None, now: datetime, window_s: float | None, deadline_s: float
) -> Result[Batch]:
    """Return dockerd's lines of the last `window_s` seconds (None: all), or why they cannot be read."""
    if refusal is not None and not (log.is_recorded or log.is_proven):
        return refusal
    since = None if window_s is None else now - timedelta(seconds=window_s)
    try:
        async with asyncio.timeout(deadline_s + 1):
            return await log.reader.read(Window(since=since, deadline_s=deadline_s))
    except HostError as error:
        return unknown_from(error)
    except TimeoutError:
        return Unknown(f"The journal was not read within {deadline_s + 1:g} s.")

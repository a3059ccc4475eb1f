"""The door to the journal through systemd's own library; the only place that imports its binding.

An sd_journal object belongs to one thread at a time: each reading opens, uses and closes its own in one thread,
and each following has a thread of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from console.clock import Clock, SystemClock
from console.errors import HostError
from console.journal.access import require_access
from console.journal.parsing import entry_from, matches
from console.journal.values import (
    BATCH_ENTRIES,
    DEFAULT_UNIT,
    MESSAGE_LIMIT_BYTES,
    Batch,
    JournalEntry,
    JournalGap,
    Window,
)
from console.journal.window import NewestFirst, vacuum_gap

try:
    from systemd import journal as _library
except ImportError:
    _library = None

_WAIT_S = 0.5
"""How long a follower sleeps at most before it checks whether somebody still follows."""


def is_available() -> bool:
    """Whether `import systemd.journal` works on this host."""
    return _library is not None


class NativeJournal:
    """The journal of this host, or of a directory of journal files, for one unit."""

    def __init__(
        self, unit: str = DEFAULT_UNIT, directory: Path | None = None, clock: Clock | None = None
    ) -> None:
        self._unit, self._directory = unit, directory
        self._clock = clock or SystemClock()

    async def read(self, window: Window) -> Batch:
        return await asyncio.to_thread(self._read, window)

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        loop = asyncio.get_running_loop()
        tail = _JournalTail(self._unit, self._directory)
        try:
            await loop.run_in_executor(executor, tail.open, after, since)
            while True:
                batch = await loop.run_in_executor(executor, tail.next_batch)
                if batch is not None:
                    yield batch
        finally:
            # Behind whatever the thread is still doing, and there: the object is its own.
            executor.submit(tail.close)
            executor.shutdown(wait=False)

    def _read(self, window: Window) -> Batch:
        newest = NewestFirst(window, self._unit, self._clock)
        with contextlib.closing(_open(self._unit, self._directory)) as reader, _read_errors():
            # Going backwards from the tail costs as much as the window holds, however large the journal is.
            reader.seek_tail()
            while fields := reader.get_previous():
                if not newest.take(fields):
                    break
            first = None
            if window.since is not None:
                reader.flush_matches()
                reader.seek_head()
                first = reader.get_next() or None
        return newest.batch(first)


class _JournalTail:
    """One sd_journal object that moves forward; every method is called in the same thread."""

    def __init__(self, unit: str, directory: Path | None) -> None:
        self._unit, self._directory = unit, directory
        self._reader: Any = None
        self._next_fields: Mapping[str, object] | None = None
        self._gaps: tuple[JournalGap, ...] = ()
        self._since: datetime | None = None

    def open(self, after: str | None, since: datetime | None) -> None:
        """Open the journal and go to the place to begin at."""
        self._reader = _open(self._unit, self._directory)
        with _read_errors():
            if after is not None:
                self._go_behind(after)
            elif since is not None:
                self._since = since
                self._reader.seek_realtime(int(since.timestamp() * 1_000_000))
            else:
                # seek_tail alone leaves the position undefined for a step forward: python-systemd #98, #146.
                self._reader.seek_tail()
                if not self._reader.get_previous():
                    self._reader.seek_head()

    def next_batch(self) -> Batch | None:
        """Return what is new; wait a moment and return None when nothing is."""
        entries: list[JournalEntry] = []
        unreadable = 0
        with _read_errors():
            while len(entries) < BATCH_ENTRIES:
                fields = self._next_fields or self._reader.get_next()
                self._next_fields = None
                if not fields:
                    break
                try:
                    entry = entry_from(fields, self._unit)
                except ValueError:
                    unreadable += 1
                    continue
                if entry is not None:
                    entries.append(entry)
            if entries or unreadable or self._gaps:
                gaps, self._gaps = self._gaps, ()
                return Batch(tuple(entries), gaps, unreadable=unreadable)
            # This processes the wake-up as well. INVALIDATE (files came or went) means to read on like APPEND.
            self._reader.wait(_WAIT_S)
        return None

    def close(self) -> None:
        """Close the journal, if it was opened."""
        if self._reader is not None:
            self._reader.close()

    def _go_behind(self, cursor: str) -> None:
        try:
            self._reader.seek_cursor(cursor)
        except (OSError, ValueError):
            # Not a cursor of a journal: as good as one that is no longer there.
            self._gaps = (vacuum_gap(cursor),)
            self._reader.seek_head()
            return
        # The nearest entry is found when the very one is gone, and then it is not one that was read.
        self._next_fields = self._reader.get_next() or None
        if self._next_fields is not None and self._next_fields.get("__CURSOR") == cursor:
            self._next_fields = None
        else:
            self._gaps = (vacuum_gap(cursor),)


def _open(unit: str, directory: Path | None) -> Any:
    if _library is None:
        raise HostError(
            "systemd's journal library has no Python binding here.",
            "Install systemd-python, or use journalctl.",
        )
    require_access(directory)
    raw: dict[str, Callable[[Any], Any]] = {
        "__REALTIME_TIMESTAMP": _as_it_is,
        "__MONOTONIC_TIMESTAMP": _as_it_is,
        "MESSAGE_ID": bytes.decode,
        "_BOOT_ID": bytes.decode,
        # Never as text that is not there: the field's bytes are decoded in one place, for all doors alike.
        "MESSAGE": _as_it_is,
    }
    with _read_errors():
        if directory is None:
            reader = _library.Reader(flags=_library.SYSTEM_ONLY | _library.LOCAL_ONLY, converters=raw)
        else:
            reader = _library.Reader(path=str(directory), converters=raw)
        # Room for the name of the field, so that a message that was cut here is known to be.
        reader.data_threshold = MESSAGE_LIMIT_BYTES + 1024
        for number, group in enumerate(matches(unit)):
            if number:
                reader.add_disjunction()
            for term in group:
                reader.add_match(term)
    return reader


def _as_it_is(value: Any) -> Any:
    return value


@contextlib.contextmanager
def _read_errors() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise HostError(
            f"The journal could not be read: {problem.strerror or problem}.",
            "`journalctl --verify` shows whether its files are damaged.",
        ) from problem

"""The door to a journal that somebody recorded: `journalctl -o export` or `journalctl -o json --all`, in a file."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from console.clock import Clock, SystemClock
from console.errors import HostError
from console.journal.collect import OldestFirst
from console.journal.export import entries_from_export
from console.journal.jsonlines import fields_from_json
from console.journal.values import BATCH_ENTRIES, DEFAULT_UNIT, Batch, Window

_LINE_LIMIT_BYTES = 1024 * 1024
_EVERYTHING = 2**31


class RecordedJournal:
    """A recording in a file, for one unit. It does not grow: following it ends where it ends."""

    def __init__(self, path: Path, unit: str = DEFAULT_UNIT, clock: Clock | None = None) -> None:
        self._path, self._unit = path, unit
        self._clock = clock or SystemClock()

    async def read(self, window: Window) -> Batch:
        """Return the newest entries of the window; see `JournalReader.read`."""
        return await asyncio.to_thread(self._read, window)

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        """Yield what is recorded after the place or since the time, or all of it, then end."""
        whole = await self.read(Window(since, after, entries=_EVERYTHING, deadline_s=60.0))
        for start in range(0, max(1, len(whole.entries)), BATCH_ENTRIES):
            is_first = start == 0
            yield Batch(
                whole.entries[start : start + BATCH_ENTRIES],
                whole.gaps if is_first else (),
                is_partial=whole.is_partial and is_first,
                unreadable=whole.unreadable if is_first else 0,
            )

    def _read(self, window: Window) -> Batch:
        taken = OldestFirst(window, self._unit, self._clock)
        try:
            with self._path.open("rb") as stream:
                for fields in _entries(stream):
                    if fields is None:
                        taken.skip()
                    elif not taken.take(fields):
                        break
        except OSError as problem:
            raise HostError(f"The recording {self._path} cannot be read: {problem.strerror}.") from problem
        return taken.batch()


def _entries(stream: BinaryIO) -> Iterator[dict[str, object] | None]:
    """Yield each entry, None for one that makes no sense."""
    if stream.read(1) == b"{":
        stream.seek(0)
        yield from _from_json(stream)
        return
    stream.seek(0)
    try:
        yield from entries_from_export(stream)
    except ValueError:
        # Where its fields begin and end is unknown from here on.
        yield None


def _from_json(stream: BinaryIO) -> Iterator[dict[str, object] | None]:
    while line := stream.readline(_LINE_LIMIT_BYTES):
        try:
            yield fields_from_json(line)
        except ValueError:
            yield None

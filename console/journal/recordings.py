"""The door to journals that somebody recorded, whole or still growing."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from console.clock import Clock, SystemClock
from console.errors import HostError
from console.journal.parsing import entries_from_export, entry_from, fields_from_json
from console.journal.values import BATCH_ENTRIES, DEFAULT_UNIT, Batch, JournalEntry, JournalGap, Window
from console.journal.window import OldestFirst, is_before, vacuum_gap

_MODE = "Check the path, and who may read the file."
_LINE_LIMIT_BYTES = 1024 * 1024
_EVERYTHING = 2**31
POLL_S = 0.2


class RecordedJournal:
    """A recording in a file, for one unit. It does not grow: following it ends where it ends."""

    def __init__(self, path: Path, unit: str = DEFAULT_UNIT, clock: Clock | None = None) -> None:
        self._path, self._unit = path, unit
        self._clock = clock or SystemClock()

    async def read(self, window: Window) -> Batch:
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
        oldest = OldestFirst(window, self._unit, self._clock)
        try:
            with self._path.open("rb") as stream:
                for fields in _entries(stream):
                    if fields is None:
                        oldest.skip()
                    elif not oldest.take(fields):
                        break
        except OSError as problem:
            raise HostError(
                f"The recording {self._path} cannot be read: {problem.strerror}.", _MODE
            ) from problem
        return oldest.batch()


def _entries(stream: BinaryIO) -> Iterator[dict[str, object] | None]:
    """Yield each entry, None for one that is malformed."""
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


class GrowingJournal(RecordedJournal):
    """JSON lines in a file, for one unit. The file may be replaced by one that begins later."""

    def __init__(self, path: Path, unit: str = DEFAULT_UNIT, clock: Clock | None = None) -> None:
        super().__init__(path, unit, clock)
        self._path, self._unit = path, unit
        self._clock = clock or SystemClock()

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        tail = _FileTail(self._path, self._unit, after, since)
        try:
            while True:
                # Reading what is there of a file on this machine takes no time worth a thread.
                batch = tail.next_batch()
                if batch is None:
                    await self._clock.sleep(POLL_S)
                else:
                    yield batch
                    await asyncio.sleep(0)
        finally:
            tail.close()


class _FileTail:
    def __init__(self, path: Path, unit: str, after: str | None, since: datetime | None) -> None:
        self._path, self._unit = path, unit
        self._after, self._since = after, since
        self._is_from_now = after is None and since is None
        self._stream: BinaryIO | None = None
        self._rest = b""
        self._place: str | None = None

    def next_batch(self) -> Batch | None:
        """Return what is new, or None when nothing is."""
        gaps = self._open() if self._stream is None else ()
        entries: list[JournalEntry] = []
        unreadable = 0
        while len(entries) < BATCH_ENTRIES:
            line = self._line()
            if line is None:
                # What is left in the old file comes first.
                if entries or unreadable or gaps or not self._is_replaced():
                    break
                gaps = self._open()
                continue
            try:
                entry = entry_from(fields_from_json(line), self._unit)
            except ValueError:
                unreadable += 1
                continue
            if entry is not None and not is_before(entry, self._since):
                entries.append(entry)
        if entries:
            self._place = entries[-1].cursor
        if entries or unreadable or gaps:
            return Batch(tuple(entries), gaps, unreadable=unreadable)
        return None

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()

    def _is_replaced(self) -> bool:
        if self._stream is None:
            return True
        try:
            now, ours = self._path.stat(), os.fstat(self._stream.fileno())
        except OSError:
            # It is gone, and no other is there yet.
            return False
        return now.st_ino != ours.st_ino

    def _open(self) -> tuple[JournalGap, ...]:
        """Open the file, and go behind the place that was read last."""
        self.close()
        try:
            self._stream = self._path.open("rb")
        except OSError as problem:
            raise HostError(
                f"The recording {self._path} cannot be read: {problem.strerror}.", _MODE
            ) from problem
        self._rest = b""
        if self._is_from_now:
            self._is_from_now = False
            self._stream.seek(0, os.SEEK_END)
            return ()
        place = self._place or self._after
        if place is None:
            return ()
        while (line := self._line()) is not None:
            try:
                if fields_from_json(line).get("__CURSOR") == place:
                    return ()
            except ValueError:
                continue
        self._stream.seek(0)
        self._rest = b""
        return (vacuum_gap(place),)

    def _line(self) -> bytes | None:
        """Return the next whole line; half a line is waited for."""
        if self._stream is None:
            return None
        self._rest += self._stream.readline()
        if not self._rest.endswith(b"\n"):
            return None
        line, self._rest = self._rest, b""
        return line

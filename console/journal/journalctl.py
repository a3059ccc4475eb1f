"""The door to the journal through `journalctl`, for hosts without systemd's Python binding."""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from console.clock import Clock, SystemClock
from console.errors import HostError
from console.host.process import running_command
from console.journal.access import require_access
from console.journal.parsing import FIELDS, entry_from, fields_from_json, matches
from console.journal.values import BATCH_ENTRIES, DEFAULT_UNIT, Batch, JournalEntry, JournalGap, Window
from console.journal.window import NewestFirst, vacuum_gap

_CHUNK_BYTES = 65_536
_LINE_LIMIT_BYTES = 1024 * 1024
"""Longest line that is taken: a message of 64 KiB that is no UTF-8 takes five times that in JSON."""


class CommandJournal:
    """The journal of this host, or of a directory of journal files, for one unit."""

    def __init__(
        self,
        unit: str = DEFAULT_UNIT,
        directory: Path | None = None,
        clock: Clock | None = None,
        program: str = "journalctl",
    ) -> None:
        self._remote: tuple[str, ...] = ()
        self._environment: Mapping[str, str] | None = None
        self._unit, self._directory, self._program = unit, directory, program
        self._clock = clock or SystemClock()

    async def read(self, window: Window) -> Batch:
        newest = NewestFirst(window, self._unit, self._clock)
        options = ["--reverse"]
        if window.since is not None and window.after is None:
            options.append(_since(window.since))
        first: dict[str, object] | None = None
        try:
            async with asyncio.timeout(newest.remaining_s):
                async with self._open_lines(options) as lines:
                    await _take_all(lines, newest, may_greet=bool(self._remote))
                if window.since is not None:
                    first = await self._first()
        except TimeoutError:
            newest.stop()
        return newest.batch(first)

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        if after is not None:
            # Inclusive, so that the first entry tells whether the place is still there.
            options = ["--no-tail", f"--cursor={after}"]
        elif since is not None:
            options = ["--no-tail", _since(since)]
        else:
            options = ["--lines=0"]
        awaited_cursor = after
        async with self._open_lines(["--follow", *options]) as lines:
            while (chunk := await lines.next_chunk()) is not None:
                entries: list[JournalEntry] = []
                gaps: tuple[JournalGap, ...] = ()
                unreadable = lines.overlong()
                for line in chunk:
                    try:
                        fields = fields_from_json(line)
                        entry = entry_from(fields, self._unit)
                    except ValueError:
                        unreadable += 1
                        continue
                    if awaited_cursor is not None:
                        is_there = fields.get("__CURSOR") == awaited_cursor
                        gaps = () if is_there else (vacuum_gap(awaited_cursor),)
                        awaited_cursor = None
                        if is_there:
                            continue
                    if entry is not None:
                        entries.append(entry)
                for batch in _split_batches(entries, gaps, unreadable):
                    yield batch
        raise HostError(
            "journalctl ended while the journal was being followed.",
            "Start again; journald may be restarting.",
        )

    async def _first(self) -> dict[str, object] | None:
        """Return the oldest entry of any unit, or None when there is none."""
        async with self._open_lines([], of_any_unit=True) as lines:
            while (chunk := await lines.next_chunk()) is not None:
                for line in chunk:
                    with contextlib.suppress(ValueError):
                        return fields_from_json(line)
        return None

    @contextlib.asynccontextmanager
    async def _open_lines(self, options: list[str], *, of_any_unit: bool = False) -> AsyncIterator["_Lines"]:
        if not self._remote:
            require_access(self._directory)
        where = [] if self._directory is None else [f"--directory={self._directory}"]
        groups = [list(group) for group in matches(self._unit)]
        terms = [] if of_any_unit else [*groups[0], *(term for group in groups[1:] for term in ("+", *group))]
        command = [self._program, *where, *options, "--output=json", "--all", "--quiet", "--no-pager"]
        command += [f"--output-fields={','.join(FIELDS)}", *terms]
        if self._remote:
            # ssh joins its arguments, and a shell there takes them apart.
            command = [*self._remote, shlex.join(command)]
        async with running_command(command, self._environment) as running:
            lines = _Lines(running.out)
            yield lines
            if lines.is_at_end:
                await running.succeed()


class RemoteJournal(CommandJournal):
    """The journal of another host, for one unit.

    `remote` is what a command line for a shell there is put behind, such as ssh's, run with `environment`.
    """

    def __init__(
        self, remote: Sequence[str], environment: Mapping[str, str], unit: str, clock: Clock | None = None
    ) -> None:
        super().__init__(unit, clock=clock)
        self._remote, self._environment = tuple(remote), environment


class _Lines:
    """The lines of a stream, as many at a time as there are; a line that is too long is left out and counted."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._rest = b""
        self._is_too_long = False
        self._overlong = 0
        self.is_at_end = False

    def overlong(self) -> int:
        """Return how many lines were left out since the last time."""
        count, self._overlong = self._overlong, 0
        return count

    async def next_chunk(self) -> list[bytes] | None:
        """Return the next whole lines, or None at the end."""
        data = await self._stream.read(_CHUNK_BYTES)
        if not data:
            self.is_at_end = True
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._is_too_long and lines:
            lines = lines[1:]
            self._is_too_long = False
        if len(self._rest) > _LINE_LIMIT_BYTES:
            self._overlong += not self._is_too_long
            self._is_too_long, self._rest = True, b""
        return [line for line in lines if line]


async def _take_all(lines: _Lines, newest: NewestFirst, *, may_greet: bool) -> None:
    """Take entries until no older ones are wanted; a shell that `may_greet` writes lines that are none."""
    while (chunk := await lines.next_chunk()) is not None:
        for _ in range(lines.overlong()):
            newest.skip()
        for line in chunk:
            try:
                fields = fields_from_json(line)
            except ValueError:
                if line.startswith(b"{") or not may_greet:
                    newest.skip()
                continue
            if not newest.take(fields):
                return


def _split_batches(entries: list[JournalEntry], gaps: tuple[JournalGap, ...], unreadable: int) -> list[Batch]:
    batches = [
        Batch(tuple(entries[start : start + BATCH_ENTRIES]))
        for start in range(0, len(entries), BATCH_ENTRIES)
    ]
    if gaps or unreadable:
        first = batches[0].entries if batches else ()
        batches[:1] = [Batch(first, gaps, unreadable=unreadable)]
    return batches


def _since(moment: datetime) -> str:
    return f"--since=@{moment.timestamp():.6f}"

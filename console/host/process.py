"""The one door that runs processes, and the pipes that they write to."""

import asyncio
import os
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from console.errors import HostError
from console.host.root import search_path
from console.text import SENTENCE_LIMIT, clean, last_line

DRAIN_S = 1.0
"""Once the program has ended and nothing is in the pipe, nobody who still holds it open is waited for longer."""


MOST_AFTER_END_BYTES = 1024 * 1024
"""A pipe holds no more (/proc/sys/fs/pipe-max-size): what comes beyond it after the end is not the program's."""

PATH = search_path()
"""Where commands are looked for, whatever the caller's PATH says."""
SHOWN_OF_COMMAND = 120
"""So many characters of a command that failed are shown."""
NOT_STARTED_HINT = "Check that it is there, and that this user may run it."
TOO_SLOW_HINT = "Try it by hand: it may hang, or this machine is overloaded."
OUTPUT_HINT = "Free some room there, and check whose folder it is."
"""What helps where the output of a command cannot be written."""
MALFORMED_HINT = "Run it by hand, and see what it prints."
_CHUNK_BYTES = 65_536
_NOT_FOUND = 127
"""What env(1) ends with when there is no such command; a shell behind ssh does too, for a command of its own."""


class OutputPipe:
    """One pipe: a program is given `write_end`, and what it writes comes from `reader`."""

    def __init__(self, read_end: int, write_end: int) -> None:
        self.reader = asyncio.StreamReader()
        self.write_end = write_end
        self._read_end = read_end
        self._protocol = _Protocol(self.reader)
        self._transport: asyncio.BaseTransport | None = None
        self._is_held = True

    async def open(self) -> None:
        """Begin to read. To be called once."""
        file = os.fdopen(self._read_end, "rb", buffering=0)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self._protocol, file)

    def release(self) -> None:
        """Leave the write end to the program."""
        if self._is_held:
            os.close(self.write_end)
        self._is_held = False

    def close(self) -> None:
        """Stop reading: the reader gives what it has already, and then the end."""
        self.release()
        if self._transport is not None:
            self._transport.close()

    async def finish(self) -> bool:
        """Wait until all that a program wrote has been read, once it has ended; then the reader comes to its end.

        Return whether another process still holds the pipe. Nobody waits for that one; what it writes is lost.
        """
        at_end = self._protocol.received
        while not self._protocol.is_over.is_set():
            before = self._protocol.received
            over = asyncio.ensure_future(self._protocol.is_over.wait())
            await asyncio.wait((over,), timeout=DRAIN_S)
            over.cancel()
            # What is in the pipe while nothing is received waits for a slow listener.
            is_idle = self._protocol.received == before and not self._has_more()
            is_flooded = self._protocol.received - at_end > MOST_AFTER_END_BYTES
            if not self._protocol.is_over.is_set() and (is_idle or is_flooded):
                self.close()
                return True
        return False

    def _has_more(self) -> bool:
        poll = select.poll()
        poll.register(self._read_end, select.POLLIN)
        return bool(poll.poll(0))


@asynccontextmanager
async def output_pipe() -> AsyncIterator[OutputPipe]:
    """Give a pipe; both its ends are closed when this ends."""
    pipe = OutputPipe(*os.pipe())
    try:
        await pipe.open()
        yield pipe
    finally:
        pipe.close()


class _Protocol(asyncio.StreamReaderProtocol):
    """Counts what comes, and knows when the last of it has come."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.received = 0
        self.is_over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Count the bytes, so that `finish` sees whether anything still arrives."""
        self.received += len(data)
        super().data_received(data)

    def eof_received(self) -> Any:
        """Note that the other end of the pipe is closed."""
        self.is_over.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take in that the pipe is closed."""
        self.is_over.set()
        super().connection_lost(exc)


class CommandFailed(HostError):
    """A command ended with another exit code than 0; `complaint` is what it complained about, in one line.

    `last_line` is the last line of that: before it may stand banners and warnings.
    """

    def __init__(self, argv: Sequence[str], code: int, complaints: bytes) -> None:
        text = " ".join(complaints.decode("utf-8", "replace").split())
        self.code = code
        self.complaint = clean(text, SENTENCE_LIMIT) or f"exit code {code}"
        self.last_line = last_line(complaints.decode("utf-8", "replace")) or f"exit code {code}"
        # A line may hold whole environments and properties: its beginning tells which command it is.
        command = clean(" ".join(argv), SHOWN_OF_COMMAND)
        super().__init__(f"`{command}` failed: {self.complaint.removesuffix('.')}.")


def _is_here(command: str) -> bool:
    from shutil import which  # noqa: PLC0415 - it loads bz2 and lzma, and most commands are here

    return which(command, path=PATH) is not None


class RunningCommand:
    """A command that runs: what it writes comes from `out`."""

    def __init__(
        self, argv: Sequence[str], process: asyncio.subprocess.Process, out: OutputPipe, err: OutputPipe
    ) -> None:
        self.out = out.reader
        self._argv = argv
        self._process = process
        self._pipes = (out, err)
        self._complaints = b""
        self._listening = asyncio.create_task(self._listen(err.reader))
        self._ending = asyncio.create_task(self._end())

    @property
    def complaints(self) -> str:
        """What it has complained about so far, as it came."""
        return self._complaints.decode("utf-8", "replace")

    async def succeed(self) -> None:
        """Wait for its end; raise HostError unless it ended well."""
        code = await self._process.wait()
        await self._ending
        await self._listening
        if code == _NOT_FOUND and not _is_here(self._argv[0]):
            raise HostError(
                f"The command `{clean(self._argv[0])}` is not on this host.", "Install what brings it."
            )
        if code:
            raise CommandFailed(self._argv, code, self._complaints)

    async def kill(self) -> None:
        """Kill it, and return when it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        for pipe in self._pipes:
            pipe.close()
        await self._ending
        await self._listening

    async def _end(self) -> None:
        """End both streams soon after the command has ended: it may have left a process behind."""
        await self._process.wait()
        for pipe in self._pipes:
            await pipe.finish()

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_CHUNK_BYTES):
            self._complaints = _shorten(self._complaints + data)


def _shorten(complaints: bytes) -> bytes:
    """Return what was complained about without its middle where it is long: the end tells why a command failed."""
    if len(complaints) <= 2 * SENTENCE_LIMIT:
        return complaints
    return complaints[:SENTENCE_LIMIT] + b" \xe2\x80\xa6 " + complaints[-SENTENCE_LIMIT + 5 :]


@asynccontextmanager
async def running_command(
    argv: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningCommand]:
    """Run a command for as long as the block lasts; in every case it is gone when this ends.

    It gets no input, and only a C locale and a fixed PATH besides the environment that is given. Raises HostError when
    it cannot be started.
    """
    async with output_pipe() as out, output_pipe() as err:
        try:
            process = await asyncio.create_subprocess_exec(
                "/usr/bin/env",
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out.write_end,
                stderr=err.write_end,
                env={"PATH": PATH, "LC_ALL": "C", **(environment or {})},
            )
        except OSError as error:
            raise HostError(
                f"`{clean(argv[0])}` could not be started: {error.strerror}.",
                NOT_STARTED_HINT,
            ) from error
        out.release()
        err.release()
        command = RunningCommand(argv, process, out, err)
        try:
            yield command
        finally:
            await command.kill()


async def output_of(
    argv: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None
) -> bytes:
    """Return what a command wrote to its standard output; `environment` is as for `running_command`.

    A process that it left behind, and that still holds its output, is not waited for. Raises HostError when it cannot
    be started or is not done in time, and CommandFailed when it ends with another exit code than 0.
    """
    try:
        async with asyncio.timeout(timeout_s), running_command(argv, environment) as command:
            out = await command.out.read()
            await command.succeed()
            return out
    except TimeoutError as error:
        raise HostError(
            f"`{clean(argv[0])}` timed out after {timeout_s:g} s.",
            TOO_SLOW_HINT,
        ) from error

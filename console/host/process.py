"""The one door that runs processes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from console.errors import HostError
from console.host.pipes import OutputPipe, output_pipe
from console.text import SENTENCE_LIMIT, clean

PATH = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for, whatever the caller's PATH says; the first is NixOS's."""
SHOWN_OF_COMMAND = 120
"""So many characters of a command that failed are shown."""
_CHUNK_BYTES = 65_536
_NOT_FOUND = 127
"""What env(1) ends with when there is no such command."""


class CommandFailed(HostError):
    """A command ended with another exit code than 0; `said` is what it complained about, in one line."""

    def __init__(self, argv: Sequence[str], code: int, complaints: bytes) -> None:
        text = " ".join(complaints.decode("utf-8", "replace").split())
        self.code = code
        self.said = clean(text, SENTENCE_LIMIT) or f"exit code {code}"
        # A line may hold whole environments and properties: its beginning tells which command it is.
        shown = clean(" ".join(argv), SHOWN_OF_COMMAND)
        super().__init__(f"`{shown}` failed: {self.said.removesuffix('.')}.")


class Running:
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

    async def succeed(self) -> None:
        """Wait for its end; raise HostError unless it ended well."""
        code = await self._process.wait()
        await self._ending
        await self._listening
        if code == _NOT_FOUND:
            raise HostError(f"The command `{clean(self._argv[0])}` is not on this host.")
        if code:
            raise CommandFailed(self._argv, code, self._complaints)

    async def kill(self) -> None:
        """Kill it, and return when it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        for each in self._pipes:
            each.close()
        await self._ending
        await self._listening

    async def _end(self) -> None:
        """Let both streams come to their end soon after the command has: it may have left a process behind."""
        await self._process.wait()
        for each in self._pipes:
            await each.finish()

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_CHUNK_BYTES):
            self._complaints = (self._complaints + data)[:SENTENCE_LIMIT]


@asynccontextmanager
async def started(
    argv: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
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
            raise HostError(f"`{clean(argv[0])}` could not be started: {error.strerror}.") from error
        out.release()
        err.release()
        running = Running(argv, process, out, err)
        try:
            yield running
        finally:
            await running.kill()


async def output_of(
    argv: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None
) -> bytes:
    """Return what a command wrote to its standard output; `environment` is as for `started`.

    A process that it left behind, and that still holds its output, is not waited for. Raises HostError when it cannot
    be started or is not done in time, and CommandFailed when it ends with another exit code than 0.
    """
    try:
        async with asyncio.timeout(timeout_s), started(argv, environment) as running:
            out = await running.out.read()
            await running.succeed()
            return out
    except TimeoutError as error:
        raise HostError(f"`{clean(argv[0])}` was not done after {timeout_s:g} s.") from error

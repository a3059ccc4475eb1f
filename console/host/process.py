"""The one door that runs processes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from console.errors import HostError
from console.text import SENTENCE_LIMIT, clean

PATH = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for, whatever the caller's PATH says; the first is NixOS's."""
_CHUNK_BYTES = 65_536
_NOT_FOUND = 127
"""What env(1) ends with when there is no such command."""


class Running:
    """A command that runs: what it writes comes from `out`."""

    def __init__(
        self,
        argv: Sequence[str],
        process: asyncio.subprocess.Process,
        out: asyncio.StreamReader,
        complaints: asyncio.StreamReader,
    ) -> None:
        self.out = out
        self._argv = argv
        self._process = process
        self._complaints = b""
        self._listening = asyncio.create_task(self._listen(complaints))

    async def succeed(self) -> None:
        """Wait for its end; raise HostError unless it ended well."""
        code = await self._process.wait()
        await self._listening
        if code == _NOT_FOUND:
            raise HostError(f"The command `{clean(self._argv[0])}` is not on this host.")
        if code:
            said = clean(self._complaints.strip(), SENTENCE_LIMIT) or f"exit code {code}"
            raise HostError(f"`{clean(' '.join(self._argv), SENTENCE_LIMIT)}` failed: {said}.")

    async def kill(self) -> None:
        """Kill it, and return when it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        # What is still in the pipes must be read, or they stay open.
        while await self.out.read(_CHUNK_BYTES):
            pass
        await self._listening
        await self._process.wait()

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
    try:
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/env",
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": PATH, "LC_ALL": "C", **(environment or {})},
        )
    except OSError as error:
        raise HostError(f"`{clean(argv[0])}` could not be started: {error.strerror}.") from error
    if process.stdout is None or process.stderr is None:
        raise HostError(f"`{clean(argv[0])}` was started without pipes.")
    running = Running(argv, process, process.stdout, process.stderr)
    try:
        yield running
    finally:
        await running.kill()


async def output_of(
    argv: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None
) -> bytes:
    """Return what a command wrote to its standard output; `environment` is as for `started`.

    Raises HostError when it cannot be started, ends with another exit code than 0, or is not done in time.
    """
    try:
        async with asyncio.timeout(timeout_s), started(argv, environment) as running:
            out = await running.out.read()
            await running.succeed()
            return out
    except TimeoutError as error:
        raise HostError(f"`{clean(argv[0])}` was not done after {timeout_s:g} s.") from error

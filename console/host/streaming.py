"""Runs one program and hands on what it says while it runs: the part of the process door for programs that take long."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from console.errors import HostError
from console.host.process import PATH
from console.text import clean

LINE_LIMIT_BYTES = 8_192
"""Longer lines are cut into several."""
GRACE_S = 5.0
"""Between being asked to end and being killed."""
DRAIN_S = 1.0
"""For what is still in the pipe when the program has ended: a process that it left behind may hold it open for ever."""
_CHUNK_BYTES = 65_536
_LINE_END = re.compile(rb"\r\n|\n|\r")

Listen = Callable[[bytes], Awaitable[object]]
"""Is given each line, raw."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Besides a fixed PATH and the C locale, which it may replace. Nothing of this process's own is passed on."""
    folder: str = "/"


async def run_streaming(
    program: Program, timeout_s: float, listen: Listen, results: Listen | None = None
) -> int:
    """Return the exit code of a program (128 + signal for one that was killed); it gets no input.

    Its output and its complaints are one stream, unless its output has a listener of its own (`results`). At the time
    limit, and when this is cancelled, its whole process group is asked to end, and killed. Raises HostError when it
    cannot be started, and at the time limit.
    """
    async with AsyncExitStack() as stack:
        complaints = await stack.enter_async_context(_pipe(listen))
        output = complaints if results is None else await stack.enter_async_context(_pipe(results))
        process = await _started(program, output.write_end, complaints.write_end)
        output.let_go()
        complaints.let_go()
        hearing = {output.hearing, complaints.hearing}
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
                await asyncio.wait(hearing, timeout=DRAIN_S)
        except TimeoutError as error:
            raise HostError(
                f"`{clean(program.argv[0])}` was not done after {timeout_s:g} s, and was ended."
            ) from error
        finally:
            if process.returncode is None:
                await _end_group(process)
    return code if code >= 0 else 128 - code


@dataclass(slots=True)
class _Pipe:
    """A pipe of our own: asyncio would take a process for running as long as anybody holds the other end of one of its."""

    write_end: int
    hearing: "asyncio.Task[None]"
    is_held: bool = True

    def let_go(self) -> None:
        """Leave the write end to the process."""
        if self.is_held:
            os.close(self.write_end)
        self.is_held = False


@asynccontextmanager
async def _pipe(listen: Listen) -> AsyncIterator[_Pipe]:
    """Give a pipe that is listened to."""
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    hearing = asyncio.create_task(_hear(reader, listen))
    given = _Pipe(write_end, hearing)
    try:
        yield given
    finally:
        given.let_go()
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing
        pipe.close()


async def _started(program: Program, output: int, complaints: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            env={"PATH": PATH, "LC_ALL": "C", **program.environment},
            cwd=program.folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise HostError(f"`{clean(program.argv[0])}` could not be started: {said}.") from error


async def _end_group(process: asyncio.subprocess.Process) -> None:
    # It leads its session, so its process group bears its number.
    for each in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, each)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
            break
    # Its children may have outlived it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _hear(stream: asyncio.StreamReader, listen: Listen) -> None:
    left = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *lines, left = _LINE_END.split(left + chunk)
        for line in lines:
            await _tell(line, listen)
        while len(left) > LINE_LIMIT_BYTES:
            await listen(left[:LINE_LIMIT_BYTES])
            left = left[LINE_LIMIT_BYTES:]
    if left:
        await listen(left)


async def _tell(line: bytes, listen: Listen) -> None:
    for start in range(0, max(len(line), 1), LINE_LIMIT_BYTES):
        await listen(line[start : start + LINE_LIMIT_BYTES])

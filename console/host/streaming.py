"""Runs one program and passes on its output line by line: for programs that take long."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import field

from console.errors import HostError
from console.frozen import frozen
from console.host.process import NOT_STARTED_HINT, PATH, TOO_SLOW_HINT, OutputPipe, output_pipe
from console.text import clean

LINE_LIMIT_BYTES = 8_192
"""Longer lines are cut into several."""
GRACE_S = 5.0
"""Between being asked to end and being killed."""
RECEIVED_WITHIN_S = 60.0
"""After its end, for its last output: the listener may be slow."""
LEFT_BEHIND = b"... a process that it left behind still holds its output; what that one says is not shown ..."
TOO_SLOW = b"... the rest of its output is cut off: it was not taken in within a minute ..."
_CHUNK_BYTES = 65_536
_LINE_END = re.compile(rb"\r\n|\n|\r")

Listen = Callable[[bytes], Awaitable[object]]
"""Is given each line, raw."""


@frozen
class Program:
    """What to run."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Besides a fixed PATH and the C locale, which it may replace. Nothing of this process's own is passed on."""
    folder: str = "/"
    text: bytes | None = None
    """What it reads from its standard input; nothing where there is none."""


async def run_streaming(
    program: Program, timeout_s: float, listen: Listen, results: Listen | None = None
) -> int:
    """Return the exit code of a program (128 + signal for one that was killed); it gets no input but the program's text.

    Its output and its complaints are one stream, unless its output has a listener of its own (`results`). At the time
    limit, and when this is cancelled, its whole process group is asked to end, and killed. Raises HostError when it
    cannot be started, and at the time limit.
    """
    async with AsyncExitStack() as stack:
        complaints = await stack.enter_async_context(_open_pipe(listen))
        output = complaints if results is None else await stack.enter_async_context(_open_pipe(results))
        process = await _start(program, output.pipe.write_end, complaints.pipe.write_end)
        output.pipe.release()
        complaints.pipe.release()
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
        except TimeoutError as error:
            raise HostError(
                f"`{clean(program.argv[0])}` timed out after {timeout_s:g} s and was ended.", TOO_SLOW_HINT
            ) from error
        finally:
            if process.returncode is None:
                await _end_group(process)
        notice = await _rest_of(output, complaints)
        if notice:
            await listen(notice)
    return code if code >= 0 else 128 - code


@frozen
class _PipeReader:
    """A pipe, and the task that reads it."""

    pipe: OutputPipe
    reading: "asyncio.Task[None]"

    async def finish(self) -> bool:
        """Wait until all output of a program that has ended is read; return whether somebody holds its pipe."""
        is_held = await self.pipe.finish()
        await self.reading
        return is_held


async def _rest_of(*streams: _PipeReader) -> bytes:
    """Wait until all output of a program that has ended is passed on; return a line about what is missing, if any."""
    try:
        async with asyncio.timeout(RECEIVED_WITHIN_S):
            # One after the other: where both are one, the second time is over at once.
            is_held = [await stream.finish() for stream in streams]
    except TimeoutError:
        return TOO_SLOW
    return LEFT_BEHIND if any(is_held) else b""


@asynccontextmanager
async def _open_pipe(listen: Listen) -> AsyncIterator[_PipeReader]:
    """Give a pipe whose lines go to a listener."""
    async with output_pipe() as pipe:
        reading = asyncio.create_task(_receive(pipe.reader, listen))
        try:
            yield _PipeReader(pipe, reading)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


@contextmanager
def _input(text: bytes | None) -> Iterator[int]:
    """Give what a program reads: a file in memory, so that one which does not read it holds up nobody."""
    if text is None:
        yield asyncio.subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("input"), "w+b") as file:
        file.write(text)
        file.seek(0)
        yield file.fileno()


async def _start(program: Program, output: int, complaints: int) -> asyncio.subprocess.Process:
    with _input(program.text) as text:
        return await _start_with(program, text, output, complaints)


async def _start_with(
    program: Program, text: int, output: int, complaints: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=text,
            stdout=output,
            stderr=complaints,
            env={"PATH": PATH, "LC_ALL": "C", **program.environment},
            cwd=program.folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise HostError(
            f"`{clean(program.argv[0])}` could not be started: {reason}.",
            NOT_STARTED_HINT,
        ) from error


async def _end_group(process: asyncio.subprocess.Process) -> None:
    # It leads its session, so its process group bears its number.
    for signals in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signals)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
            break
    # Its children may have outlived it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _receive(stream: asyncio.StreamReader, listen: Listen) -> None:
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *lines, rest = _LINE_END.split(rest + chunk)
        for line in lines:
            await _pass_on(line, listen)
        while len(rest) > LINE_LIMIT_BYTES:
            await listen(rest[:LINE_LIMIT_BYTES])
            rest = rest[LINE_LIMIT_BYTES:]
    if rest:
        await listen(rest)


async def _pass_on(line: bytes, listen: Listen) -> None:
    for start in range(0, max(len(line), 1), LINE_LIMIT_BYTES):
        await listen(line[start : start + LINE_LIMIT_BYTES])

"""Programs that outlive their starter and the terminal: started, inspected, followed and removed by name.

Nothing is remembered in this process, so that another one can go on after a crash.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from console.clock import Clock
from console.errors import HostError
from console.host.streaming import LINE_LIMIT_BYTES, Listen, Program

POLL_S = 0.5
MAX_WAIT_S = 60.0
"""For this long a program that cannot be looked at is looked for again: systemd itself may be restarting."""
MOST_BYTES = 4 * 1024 * 1024
"""Of more than that which was written since the last poll only the end is passed on."""
_CHUNK_BYTES = 65_536
_LINE_END = re.compile(rb"\r\n|\n|\r")


class ProgramState(StrEnum):
    """How far a program is."""

    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    """It is not there, and how it ended is not known: it was never started, or the machine was."""


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """How far a program is, and how it ended."""

    state: ProgramState
    code: int | None = None
    """Its exit code, 128 + signal for one that was killed; known where it has ended."""
    reason: str = ""
    """Why it was ended, where it did not end by itself: `signal`, `timeout`, `oom-kill` …"""


class Outliving(Protocol):
    """One program, by its name."""

    @property
    def name(self) -> str:
        """What an operator can look for."""
        ...

    @property
    def log(self) -> Path:
        """The file that all its output goes to."""
        ...

    async def start(self, program: Program) -> None:
        """Start it. Raises HostError where it cannot be started, or has been."""
        ...

    async def status(self) -> ProgramStatus:
        """Return how far it is. Raises HostError where that cannot be asked."""
        ...

    async def forget(self) -> None:
        """Remove every trace of one that has ended, but for its log."""
        ...


def make_log(path: Path) -> None:
    """Make a log that only this user can read, before anybody else makes it. Raises HostError."""
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise HostError(f"The log {path} cannot be created: {error.strerror}.") from error


async def follow(program: Outliving, clock: Clock, listen: Listen) -> ProgramStatus:
    """Wait for the end of a program, hand on what it writes from its beginning, and return how it ended.

    When this is cancelled, the program goes on. Raises HostError when it cannot be looked at for `MAX_WAIT_S`.
    """
    lines = FileTail(program.log)
    blind_since_s: float | None = None
    while True:
        try:
            status = await program.status()
            blind_since_s = None
        except HostError:
            now_s = clock.monotonic()
            blind_since_s = now_s if blind_since_s is None else blind_since_s
            if now_s - blind_since_s >= MAX_WAIT_S:
                raise
            status = ProgramStatus(ProgramState.RUNNING)
        # Read after the poll, so that of one that has ended nothing is missing.
        is_last = status.state is not ProgramState.RUNNING
        for line in await asyncio.to_thread(lines.new, is_last=is_last):
            await listen(line)
        if is_last:
            return status
        await clock.sleep(POLL_S)


class FileTail:
    """The lines of a file that grows, each once; long ones are cut into several."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._rest = b""

    def new(self, *, is_last: bool = False) -> list[bytes]:
        """Return the lines since the last time; a last one without an end only when no more can come."""
        lines: list[bytes] = []
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if size - self._at > MOST_BYTES:
                    lines.append(b"... %d bytes are left out ..." % (size - self._at - MOST_BYTES))
                    self._at, self._rest = size - MOST_BYTES, b""
                file.seek(self._at)
                while chunk := file.read(_CHUNK_BYTES):
                    self._at += len(chunk)
                    *ended_lines, self._rest = _LINE_END.split(self._rest + chunk)
                    lines.extend(piece for line in ended_lines for piece in _pieces(line))
                    if len(self._rest) > LINE_LIMIT_BYTES:
                        lines.extend(_pieces(self._rest))
                        self._rest = b""
        except FileNotFoundError:
            return lines
        except OSError as error:
            raise HostError(f"The log {self._path} cannot be read: {error.strerror}.") from error
        if is_last and self._rest:
            lines.extend(_pieces(self._rest))
            self._rest = b""
        return lines


def _pieces(line: bytes) -> Sequence[bytes]:
    return [line[at : at + LINE_LIMIT_BYTES] for at in range(0, max(len(line), 1), LINE_LIMIT_BYTES)]

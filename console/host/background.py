"""Programs that somebody follows to their end: a command such as `nixos-rebuild`, with a log, a status and an exit code.

They outlive their starter and the terminal: a transient unit of systemd, or a process in a session of its own. What works on
by itself, and whose end nobody waits for, is started by `console.host.detached`.
They are started, inspected, followed and removed by name. Nothing is remembered in this process, so that another one can
go on after a crash.
"""

import asyncio
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from console.clock import Clock
from console.errors import HostError
from console.frozen import frozen
from console.host.process import MALFORMED_HINT, OUTPUT_HINT, CommandFailed, output_of
from console.host.reader import Run
from console.host.streaming import LINE_LIMIT_BYTES, Listen, Program
from console.text import clean

POLL_S = 0.5
MAX_WAIT_S = 60.0
"""For this long the status of a program is asked again after an error: systemd itself may be restarting."""
MOST_BYTES = 4 * 1024 * 1024
"""Of more than that which was written since the last poll only the end is passed on."""
_CHUNK_BYTES = 65_536
_LINE_END = re.compile(rb"\r\n|\n|\r")

_COMMAND_TIMEOUT_S = 30.0
_PROPERTIES = "LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus"
_EXITED = "1"
"""CLD_EXITED; every other way is by a signal."""
_OVER = ("inactive", "failed")

# Its process ID is on disk before it closes the pipe that its starter waits on.
_KEEPER = """
trap '' HUP
echo "$$" > "$2.new" && mv "$2.new" "$2" || exit 125
exec </dev/null >>"$1" 2>&1
exit_file=$3
cd "$4" && shift 4 && "$@"
code=$?
echo "$code" > "$exit_file.new" && mv "$exit_file.new" "$exit_file"
"""


class ProgramState(StrEnum):
    """How far a program is."""

    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"
    """It is not there, and how it ended is not known: it was never started, or the machine was."""


@frozen
class ProgramStatus:
    """How far a program is, and how it ended."""

    state: ProgramState
    code: int | None = None
    """Its exit code, 128 + signal for one that was killed; known where it has ended."""
    reason: str = ""
    """Why it was ended, where it did not end by itself: `signal`, `timeout`, `oom-kill` …"""


class BackgroundProgram(Protocol):
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
        raise HostError(
            f"The log {path} cannot be created: {error.strerror}.",
            OUTPUT_HINT,
        ) from error


async def follow(program: BackgroundProgram, clock: Clock, listen: Listen) -> ProgramStatus:
    """Wait for the end of a program, pass on what it writes from its beginning, and return how it ended.

    When this is cancelled, the program goes on. Raises HostError when its status cannot be read for `MAX_WAIT_S`.
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
            raise HostError(
                f"The log {self._path} cannot be read: {error.strerror}.", "`ls -l` shows whose it is."
            ) from error
        if is_last and self._rest:
            lines.extend(_pieces(self._rest))
            self._rest = b""
        return lines


def _pieces(line: bytes) -> Sequence[bytes]:
    return [line[at : at + LINE_LIMIT_BYTES] for at in range(0, max(len(line), 1), LINE_LIMIT_BYTES)]


class TransientUnit:
    """One transient service. `name` is without `.service`."""

    def __init__(self, name: str, log: Path, run: Run) -> None:
        self._name, self._log, self._run = name, log, run

    @property
    def name(self) -> str:
        return f"{self._name}.service"

    @property
    def log(self) -> Path:
        return self._log

    async def start(self, program: Program) -> None:
        if (await self.status()).state is not ProgramState.LOST:
            raise HostError(f"{self.name} has been started already.")
        make_log(self._log)
        try:
            await self._run(self._command(program), _COMMAND_TIMEOUT_S)
        except HostError as error:
            # It also fails where the program was over in an instant; then how it ended is known, and a poll shows it.
            if (await self.status()).state is not ProgramState.LOST:
                return
            if not isinstance(error, CommandFailed):
                raise
            raise HostError(
                f"systemd did not start {self.name}: {error.complaint.removesuffix('.')}.",
                f"`journalctl -u {self.name}` may say more.",
            ) from error

    def _command(self, program: Program) -> tuple[str, ...]:
        return (
            "systemd-run",
            f"--unit={self._name}",
            "--no-ask-password",
            "--quiet",
            # Without it a unit that ended well is gone before its result can be read.
            "--remain-after-exit",
            # Does not return before the program runs, so a missing program is reported at once.
            "--service-type=exec",
            f"--property=WorkingDirectory={program.folder}",
            f"--property=StandardOutput=append:{self._log}",
            f"--property=StandardError=append:{self._log}",
            *(f"--setenv={key}={value}" for key, value in program.environment.items()),
            "--",
            "/usr/bin/env",
            # systemd replaces variables in the arguments.
            *(argument.replace("$", "$$") for argument in program.argv),
        )

    async def status(self) -> ProgramStatus:
        output = await self._run(
            ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", self.name),
            _COMMAND_TIMEOUT_S,
        )
        properties = dict(line.partition("=")[::2] for line in output.decode("utf-8", "replace").splitlines())
        if "ActiveState" not in properties:
            raise HostError(f"`systemctl show` did not answer for {self.name}.", MALFORMED_HINT)
        if properties.get("LoadState") != "loaded":
            return ProgramStatus(ProgramState.LOST)
        if properties["ActiveState"] not in _OVER and properties.get("SubState") != "exited":
            return ProgramStatus(ProgramState.RUNNING)
        status = properties.get("ExecMainStatus", "")
        code = int(status) if status.isdecimal() else None
        if code is not None and properties.get("ExecMainCode") not in (_EXITED, None):
            code += 128
        result = clean(properties.get("Result", ""))
        return ProgramStatus(ProgramState.ENDED, code, "" if result in ("success", "exit-code") else result)

    async def forget(self) -> None:
        for verb in ("stop", "reset-failed"):
            # One that ended well has not failed, and the other way round.
            with suppress(HostError):
                await self._run(("systemctl", verb, "--", self.name), _COMMAND_TIMEOUT_S)


class DetachedSession:
    """One program in a session of its own. `log` lies in a folder that is there; what it notes lies beside it."""

    def __init__(self, name: str, log: Path, path: str) -> None:
        self._name, self._log, self._path = name, log, path
        self._pid = log.with_name(f"{log.name}.pid")
        self._exit = log.with_name(f"{log.name}.exit")

    @property
    def name(self) -> str:
        return self._name

    @property
    def log(self) -> Path:
        return self._log

    async def start(self, program: Program) -> None:
        if self._pid.exists():
            raise HostError(f"{self._name} has been started already.")
        make_log(self._log)
        files = (str(self._log), str(self._pid), str(self._exit), program.folder)
        await output_of(
            ("setsid", "--fork", "sh", "-c", _KEEPER, self._name, *files, *program.argv),
            _COMMAND_TIMEOUT_S,
            {"PATH": self._path, **program.environment},
        )
        if not self._pid.exists():
            raise HostError(
                f"{self._name} could not be started: its process ID could not be recorded.", OUTPUT_HINT
            )

    async def status(self) -> ProgramStatus:
        """Return how far it is."""
        # In this order: one that ends between the two has written down how.
        lives = self._lives()
        with suppress(FileNotFoundError, ValueError):
            return ProgramStatus(ProgramState.ENDED, int(self._exit.read_text("ascii")))
        return ProgramStatus(ProgramState.RUNNING if lives else ProgramState.LOST)

    async def forget(self) -> None:
        for path in (self._pid, self._exit):
            path.unlink(missing_ok=True)

    def _lives(self) -> bool:
        try:
            pid = int(self._pid.read_text("ascii"))
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        # Its number may have been given to another process since.
        return os.fsencode(self._log) in arguments

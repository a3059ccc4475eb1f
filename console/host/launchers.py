"""Programs that outlive their starter: as a transient unit of systemd, or as the leader of a session of its own."""

import os
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.host.outliving import ProgramState, ProgramStatus, make_log
from console.host.process import CommandFailed, output_of
from console.host.streaming import Program
from console.host.units import Run
from console.text import clean

_COMMAND_TIMEOUT_S = 30.0
_PROPERTIES = "LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus"
_EXITED = "1"
"""CLD_EXITED; every other way is by a signal."""
_OVER = ("inactive", "failed")


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
            # Without it a unit that ended well is gone before anybody has asked how.
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
            raise HostError(f"`systemctl show` did not answer for {self.name}.")
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


class Session:
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
            raise HostError(f"{self._name} could not be started: its process ID could not be recorded.")

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

"""Commands that change a swarm, as processes with a maintenance lock of their own."""

import os
import pty
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import ExitCode
from tests.support.forked import ForkedProgram, can_fork
from tests.support.program import PATIENT, PROGRAM, Outcome

# The lock is one for the whole host, and other tests run at the same time: in a mount namespace of its own a command
# finds another folder in its place.
LOCK_FOLDER = "/run/vipconsole"
ENTER = f'mkdir -p {LOCK_FOLDER} && mount --bind "$0" {LOCK_FOLDER} && exec "$@"'


@dataclass(frozen=True)
class Operator:
    """Someone who runs commands on a host: all commands of one operator share a lock and a state directory."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def lock(self) -> Path:
        return self.folder / "run" / "lock"

    def start(
        self, *arguments: str, terminal: int | None = None, program: Sequence[str] = (str(PROGRAM),)
    ) -> "subprocess.Popen[str]":
        """Start a command, and return the process: it is the program itself, whatever is signalled.

        With a terminal, its standard input and error are there.
        """
        (self.folder / "run").mkdir(exist_ok=True)
        run = str(self.folder / "run")
        stdin = subprocess.DEVNULL if terminal is None else terminal
        stderr = subprocess.PIPE if terminal is None else terminal
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "VIPCONSOLE_STATE_DIR": str(self.state),
            "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
            "LANG": "C.UTF-8",
            "COLUMNS": "1000",
            **PATIENT,
        }
        if program == (str(PROGRAM),) and can_fork(environment):
            return ForkedProgram(
                [*program, *arguments],
                environment=environment,
                stdin=stdin,
                stderr=stderr,
                text=True,
                mounts=[(run, LOCK_FOLDER)],
            )
        return subprocess.Popen(
            ["unshare", "-m", "sh", "-c", ENTER, run, *program, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
        )

    def on_a_terminal(
        self, typed: str, *arguments: str, meanwhile: Callable[[], object] = lambda: None
    ) -> tuple[int, str, str]:
        """Run a command with standard input and error on a terminal; return exit code, results and talk.

        It is typed when it is asked for, after what is to happen meanwhile; nothing means the end of input.
        """
        mine, theirs = pty.openpty()
        process = self.start(*arguments, terminal=theirs)
        os.close(theirs)
        with process:
            printer, is_typed = b"", False
            while True:
                try:
                    printer += os.read(mine, 4096)
                except OSError:
                    # The other end is closed.
                    break
                if not is_typed and b"to continue: " in printer:
                    is_typed = True
                    meanwhile()
                    os.write(mine, f"{typed}\n".encode() if typed else b"\x04")
            assert process.stdout is not None
            out = process.stdout.read()
        os.close(mine)
        return process.returncode, out, printer.decode()

    def run(self, *arguments: str, within_s: float = 110.0) -> Outcome:
        """Run a command to its end."""
        started = time.monotonic()
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=within_s)
            finally:
                process.kill()
        if process.returncode == ExitCode.BUG:
            # The folder is gone before anybody could read the report that the program names.
            err += "\n".join(report.read_text() for report in sorted(self.state.glob("report-*")))
        return Outcome(process.returncode, out, err, time.monotonic() - started)


@contextmanager
def operator() -> Iterator[Operator]:
    """Give an operator with nothing kept and nothing locked."""
    with tempfile.TemporaryDirectory(prefix="operator-") as folder:
        yield Operator(Path(folder))


@dataclass
class Background:
    """Something that is done again and again in a thread, until it is told to stop."""

    rounds: int = 0
    _ending: threading.Event = field(default_factory=threading.Event)

    def is_wanted(self) -> bool:
        return not self._ending.is_set()

    def end(self) -> None:
        self._ending.set()


def stop(process: "subprocess.Popen[str]", how: signal.Signals) -> tuple[int, str, str]:
    """Send a signal, and return exit code and output once the process has ended."""
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err

"""A program as the leader of a session of its own, for machines without systemd: it writes down how it ended."""

import os
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.host.outliving import Standing, State, make_log
from console.host.process import output_of
from console.host.streaming import Program

TIMEOUT_S = 30.0
# Its number is on disk before it lets go of the pipe that whoever starts it waits on.
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
        """What an operator can look for."""
        return self._name

    @property
    def log(self) -> Path:
        """The file that all its output goes to."""
        return self._log

    async def start(self, program: Program) -> None:
        """Start it. Raises HostError where it cannot be started, or has been."""
        if self._pid.exists():
            raise HostError(f"{self._name} has been started already.")
        make_log(self._log)
        files = (str(self._log), str(self._pid), str(self._exit), program.folder)
        await output_of(
            ("setsid", "--fork", "sh", "-c", _KEEPER, self._name, *files, *program.argv),
            TIMEOUT_S,
            {"PATH": self._path, **program.environment},
        )
        if not self._pid.exists():
            raise HostError(f"{self._name} could not be started: its number could not be noted.")

    async def look(self) -> Standing:
        """Return how far it is."""
        # In this order: one that ends between the two has written down how.
        lives = self._lives()
        with suppress(FileNotFoundError, ValueError):
            return Standing(State.ENDED, int(self._exit.read_text("ascii")))
        return Standing(State.RUNNING if lives else State.LOST)

    async def forget(self) -> None:
        """Remove every trace of one that has ended, but for its log."""
        for each in (self._pid, self._exit):
            each.unlink(missing_ok=True)

    def _lives(self) -> bool:
        try:
            pid = int(self._pid.read_text("ascii"))
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        # Its number may have been given to another process since.
        return os.fsencode(self._log) in arguments

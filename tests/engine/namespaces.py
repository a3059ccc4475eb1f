"""Namespaces of its own for one engine: network, mounts, processes, host name, IPC; and their certain end."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.forked import Inside

KEEPER = Path(__file__).with_name("keeper.sh")
"""Outlives a killed test run for as long as it takes to leave nothing behind."""


class LabError(Exception):
    """The lab could not do what a test asked of it: a fault of the lab or of the machine, not of the program."""


class Namespaces:
    """Namespaces with an idle init, and a directory that is removed with them.

    They end with `close()`, and as certainly when this process dies in any way: the init and the keeper read
    from a pipe that only this process holds.
    """

    def __init__(self, hostname: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="engine-"))
        self.hostname = hostname
        self._keeper = subprocess.Popen(
            [str(KEEPER), hostname, str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C reaches the whole foreground group; the keeper has work to do after it.
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise LabError(f"no namespaces for an engine: {self.close()}")
        self.init = only_child(only_child(self._keeper.pid))

    @property
    def cgroup(self) -> str:
        """The cgroup, below each hierarchy's root, that is removed at the end."""
        return f"/lab-{self.directory.name}"

    def entering(self, *command: str) -> list[str]:
        """Return the command line that runs a command inside."""
        return self.inside.entering(*command)

    @property
    def inside(self) -> Inside:
        """These namespaces, for a program that a test starts."""
        return Inside(self.init, "nmpui")

    def run(self, *command: str) -> str:
        """Run a command inside to its end, and return what it printed."""
        return run(self.entering(*command))

    def close(self) -> str:
        """Kill all that lives inside, remove what it left, and return the keeper's complaint, if any."""
        try:
            # Also closes the pipe that keeps everything alive.
            _, complaint = self._keeper.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.communicate()
            return f"something in {self.directory} does not die"
        if self._keeper.returncode:
            return complaint.decode() or f"the keeper ended with {self._keeper.returncode}"
        return ""


def run(command: Sequence[str], *, given: bytes = b"", environment: dict[str, str] | None = None) -> str:
    """Run a command to its end, and return what it printed; `LabError` with its own words if it failed."""
    done = subprocess.run(
        command, input=given, capture_output=True, check=False, env=environment, timeout=120
    )
    if done.returncode:
        raise LabError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode().strip()}")
    return done.stdout.decode()


def children(pid: int) -> list[int]:
    """Return the processes whose parent is this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The command's name, in parentheses, may itself hold spaces and parentheses.
            parent = int(each.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(each.parent.name))
    return found


def only_child(pid: int) -> int:
    """Return the one child of a process."""
    found = children(pid)
    if len(found) != 1:
        raise LabError(f"process {pid} should have one child, not {len(found)}")
    return found[0]

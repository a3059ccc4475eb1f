"""A process in an engine's namespaces, held by a descriptor that never means another process."""

import os
import select
import signal
import time
from pathlib import Path

from tests.engine.namespaces import LabError, Namespaces, children, run

# The shell ends at once, and so the daemon's parent is the namespaces' init: nobody outside has to reap it. A session
# of its own keeps a terminal's Ctrl-C from it.
START = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!'


class Daemon:
    """A running program; made by `start`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        """The process id, as seen from outside."""
        self._descriptor = os.pidfd_open(pid)

    @classmethod
    def start(
        cls, inside: Namespaces, log: Path, command: tuple[str, ...], environment: dict[str, str]
    ) -> "Daemon":
        """Start a program inside, in the background, with its output added to a file."""
        told = run(inside.entering("sh", "-c", START, "start", str(log), *command), environment=environment)
        for pid in children(inside.init):
            if inner_pid(pid) == int(told):
                return cls(pid)
        raise LabError(f"{command[0]} ended at once:\n{log.read_text(errors='replace')}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        signal.pidfd_send_signal(self._descriptor, number)

    def stand_still(self, within_s: float = 60.0) -> None:
        """Stop the program with SIGSTOP, and return once none of its threads runs any more.

        The signal is only sent when the call that sends it returns: a thread on another core may still answer somebody.
        """
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + within_s
        while moving := [each for each in Path(f"/proc/{self.pid}/task").iterdir() if not is_stopped(each)]:
            if time.monotonic() > deadline:
                raise LabError(
                    f"{len(moving)} threads of process {self.pid} did not stop within {within_s:g} s"
                )
            time.sleep(0.005)

    def has_ended(self, within_s: float = 0.0) -> bool:
        """Whether the program has ended, or ends within that much time."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def close(self) -> None:
        """Let go of the process, whatever becomes of it."""
        os.close(self._descriptor)


def inner_pid(pid: int) -> int:
    """Return a process's id in the innermost namespace that it lives in; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[-1]) for line in status.splitlines() if line.startswith("NSpid:")), 0)


def is_stopped(thread: Path) -> bool:
    """Whether a thread, by its directory in /proc, is stopped or gone."""
    try:
        # The name, in brackets, may hold anything; the state is the letter behind it (proc(5)).
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] in "TtXZ"
    except (FileNotFoundError, ProcessLookupError):
        return True

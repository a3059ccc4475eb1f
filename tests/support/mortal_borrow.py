"""The program, in which something dies at a moment of a borrowed manager: `mortal_borrow.py NUMBER VICTIM ARGUMENT…`.

A moment is right after a write of its record, or right after a change of a node or of the swarm's settings. VICTIM is
`program` (this one), `temporary` or `real` (that dockerd, and this one goes on), or `all` (all of them at once, as when the
machine loses its power).

With 0 as the number the dockerd `temporary` or `real` dies as it becomes a manager: once it has a log, and nothing is in it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from console.storage.borrow import BorrowRecord, BorrowStore
from console.storage.state import state_folder
from console.swarm.changer import EngineChanger
from screens.cli.main import main

write_record = BorrowStore.write
change_node = EngineChanger.update_node
change_swarm = EngineChanger.update_swarm
moments = 0


KILL_AS_IT_JOINS = """
import os, signal, sys
log, pid_file = sys.argv[1:]
while os.path.exists(log):
    pass
while not os.path.exists(log):
    pass
os.kill(int(open(pid_file).read()), signal.SIGKILL)
"""


def kill(pid_file: Path) -> None:
    """Kill the process whose ID is in a file, if it is there."""
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGKILL)


def die_joining(victim: str) -> None:
    """Let a dockerd die as it becomes a manager: the other one counts it as a member then, and it knows nothing."""
    engine = BorrowStore(state_folder()).engine_folder
    # The lab keeps the data of a host's engine in the home of its processes.
    data = engine / "data" if victim == "temporary" else Path(os.environ["HOME"]) / "data"
    pid_file = engine / "pid" if victim == "temporary" else Path("/run/docker.pid")

    # A process of its own is not late: a manager has its first entries some milliseconds after it began its log. One that is
    # demoted removes its log before that.
    subprocess.Popen(
        [sys.executable, "-c", KILL_AS_IT_JOINS, str(data / "swarm/raft/wal-v3-encrypted"), str(pid_file)]
    )


def die_at(number: int, victim: str) -> None:
    """Let the victim die at the moment of that number."""
    folder = BorrowStore(state_folder()).engine_folder

    def pass_moment() -> None:
        global moments  # noqa: PLW0603 - the process counts for itself
        moments += 1
        if moments != number:
            return
        if victim in ("temporary", "all"):
            kill(folder / "pid")
        if victim in ("real", "all"):
            kill(Path("/run/docker.pid"))
        if victim in ("program", "all"):
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self: BorrowStore, record: BorrowRecord) -> None:
        write_record(self, record)
        pass_moment()

    async def update_node(
        self: EngineChanger, node_id: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        await change_node(self, node_id, change)
        pass_moment()

    async def update_swarm(self: EngineChanger, change: Callable[[dict[str, Any]], None]) -> None:
        await change_swarm(self, change)
        pass_moment()

    BorrowStore.write = write  # type: ignore[method-assign]
    EngineChanger.update_node = update_node  # type: ignore[method-assign]
    EngineChanger.update_swarm = update_swarm  # type: ignore[method-assign]


if __name__ == "__main__":
    number, victim = int(sys.argv[1]), sys.argv[2]
    if number:
        die_at(number, victim)
    else:
        die_joining(victim)
    sys.argv = ["vipconsole", *sys.argv[3:]]
    code = main()
    # How many moments an undisturbed run has.
    print(f"moments: {moments}", file=sys.stderr)  # noqa: T201 - for the test
    sys.exit(code)

"""A private dockerd of a rehearsal, as its user sees it: an address, and commands that run on its side."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from console.errors import HostError
from console.frozen import frozen
from console.host.root import VARIABLE, search_path
from console.rehearsal.cgroups import command_in_group
from console.rehearsal.folder import host_of
from console.simulator.host.control import SOCKET
from console.text import SENTENCE_LIMIT, clean, last_line

REMOVED_WITHIN_S = 60.0


@frozen
class PrivateEngine:
    """An engine in namespaces of its own."""

    folder: Path
    init: int
    """The first process of its namespaces."""

    @property
    def host(self) -> str:
        """Its address."""
        return f"unix://{host_of(self.folder) / SOCKET}"

    def command(self, *argv: str) -> tuple[str, ...]:
        """Return the command line that runs a command in its network and its control group, where it ends with it."""
        return command_in_group(self.folder, ("nsenter", "-t", str(self.init), "-n", "--", *argv))

    def environment(self) -> dict[str, str]:
        """Return the environment of such a command: its host is the rehearsal's."""
        return {**own_environment(), VARIABLE: str(host_of(self.folder))}


def own_environment() -> dict[str, str]:
    """Return what it takes to start this program again, and nothing else of the caller's."""
    return {
        "PATH": search_path(),
        "LC_ALL": "C.UTF-8",
        "HOME": "/",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry.startswith("/")),
    }


@contextmanager
def private_engine(folder: Path, hostname: str, memory_bytes: int, lock: int) -> Iterator[PrivateEngine]:
    """Give an engine without a swarm, and remove it with its folder in the end, also when this process is killed.

    The process that removes it holds the lock until that is done. Raises HostError.
    """
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(  # noqa: S603 - this program itself
            (
                sys.executable,
                "-P",
                "-m",
                "console.rehearsal.keeper",
                str(folder),
                hostname,
                str(memory_bytes),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=own_environment(),
            # Ctrl-C reaches the whole foreground group; the keeper has work to do after it.
            start_new_session=True,
            pass_fds=(lock,),
        )
    try:
        line = (
            keeper.stdout.readline().decode("utf-8", "replace").strip() if keeper.stdout is not None else ""
        )
        word, _, init = line.partition(" ")
        if word != "ready":
            raise HostError(clean(line or _tail(folder / "keeper.log"), SENTENCE_LIMIT))
        yield PrivateEngine(folder, int(init))
    finally:
        for stream in (keeper.stdin, keeper.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        try:
            code = keeper.wait(REMOVED_WITHIN_S)
        except subprocess.TimeoutExpired:
            keeper.kill()
            code = keeper.wait()
        if code and sys.exception() is None:
            raise HostError(
                f"Something of the rehearsal stays in {folder}.", "The next rehearsal removes it."
            )


def _tail(path: Path) -> str:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        text = ""
    return last_line(text) or "The rehearsal's engine did not start."

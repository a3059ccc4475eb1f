"""`python -m console.rehearsal.keeper FOLDER HOSTNAME MEMORY`: holds a rehearsal's engine while its input stays open.

The input ends when the process that started this ends, by whatever death; then everything of the rehearsal is ended and removed.
If this process dies too, the first process of the engine still sees the end of the input, and all others end with that one.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from console.errors import HostError
from console.host.root import search_path
from console.rehearsal.cgroups import command_in_group, container_group, make_group
from console.rehearsal.folder import COVERED, host_of, remove
from console.simulator.dockerd_log import LogLine, journal_entry
from console.simulator.host.control import DOCKERD_PID, JOURNAL, SOCKET, answers
from console.simulator.host.processes import wait_until
from console.text import last_line

ENGINE_LOG = "dockerd.log"
STARTED_WITHIN_S = 60.0
FORKED_WITHIN_S = 5.0
AGAIN_AFTER_S = 0.2
"""A dockerd that ends at once whenever it starts must not take the whole processor."""
_COVERED = ("/run", "/opt", "/etc/docker")
"""What dockerd and containerd write to outside of their own directories: inside, each is empty and ends with them."""

# Links in /run lead to the commands on NixOS. The first process ends with the input; ignoring CHLD lets the kernel reap.
_INIT = """
links=$(find /run -maxdepth 1 -type l -printf '%f %l\\n')
for place in /run /opt /etc/docker; do mount -t tmpfs tmpfs "$place" || exit 1; done
echo "$links" | while read -r name target; do [ -z "$name" ] || ln -s "$target" "/run/$name"; done
mkdir -p /run/lock
ip link set lo up && echo "$1" >/proc/sys/kernel/hostname && echo ready && exec env --ignore-signal=CHLD cat >/dev/null
"""


class Keeper:
    """The namespaces of one engine, and its dockerd."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {"PATH": search_path(), "LC_ALL": "C"}
        self._lines = 0
        self._init = 0
        self._is_over = threading.Event()

    def start(self, hostname: str, memory_bytes: int) -> int:
        """Start the engine, and return the first process of its namespaces once it answers. Raises HostError."""
        make_group(self._folder, memory_bytes)
        self._make_covered()
        self._init = self._make_namespaces(hostname)
        threading.Thread(target=self._run_dockerd, daemon=True).start()
        host = host_of(self._folder)
        wait_until(lambda: answers(host) or self._is_over.is_set(), STARTED_WITHIN_S)
        if not answers(host):
            raise HostError(
                f"The rehearsal's dockerd does not answer: {self._last_line()}",
                "Try again when this machine has less to do.",
            )
        return self._init

    def _make_covered(self) -> None:
        missing = [name for name in _COVERED if not Path(name).is_dir()]
        (self._folder / COVERED).write_text("".join(f"{name}\n" for name in missing), "utf-8")
        for name in missing:
            Path(name).mkdir(parents=True)

    def _make_namespaces(self, hostname: str) -> int:
        command = (
            *("unshare", "-n", "-m", "-p", "-u", "-i", "--fork", "--mount-proc", "--kill-child=KILL"),
            *("sh", "-c", _INIT, "init", hostname),
        )
        with (self._folder / "namespaces.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - the commands above
                command_in_group(self._folder, command),
                stdin=sys.stdin.fileno(),
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )
        line = process.stdout.readline() if process.stdout is not None else b""
        if line != b"ready\n":
            reason = (self._folder / "namespaces.log").read_text("utf-8", "replace").strip()
            raise HostError(
                f"The namespaces of a rehearsal cannot be made: {reason or 'no reason given'}.",
                "A rehearsal needs root and user namespaces of its own; in most containers it cannot run.",
            )
        return only_child(process.pid)

    def _run_dockerd(self) -> None:
        """Run dockerd, and again whenever it was told to end, as a service manager does; an end with an error is the end."""
        host = host_of(self._folder)
        (self._folder / "daemon.json").write_text("{}", "utf-8")
        command = (
            *("nsenter", "-t", str(self._init), "-n", "-m", "-p", "-u", "-i", "--", "dockerd"),
            *("--config-file", str(self._folder / "daemon.json")),
            *("--data-root", str(self._folder / "data")),
            *("--exec-root", "/run/docker"),
            *("--pidfile", "/run/docker.pid"),
            *("--host", f"unix://{host / SOCKET}"),
            *("--cgroup-parent", container_group(self._folder)),
            *("--exec-opt", "native.cgroupdriver=cgroupfs"),
        )
        code = 0
        while code == 0:
            process = subprocess.Popen(  # noqa: S603 - the command above
                command_in_group(self._folder, command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environment,
            )
            with suppress(HostError):
                (host / DOCKERD_PID).write_text(str(only_child(process.pid)), "ascii")
            self._pass_on_log(process)
            code = process.wait()
            time.sleep(AGAIN_AFTER_S)
        self._is_over.set()

    def _pass_on_log(self, process: "subprocess.Popen[bytes]") -> None:
        """Write what dockerd logs into the journal of the rehearsal's host."""
        if process.stderr is None:
            return
        journal = host_of(self._folder) / JOURNAL
        with (self._folder / ENGINE_LOG).open("ab") as log, journal.open("a", encoding="utf-8") as entries:
            for line in process.stderr:
                log.write(line)
                log.flush()
                self._lines += 1
                text = line.decode("utf-8", "replace").rstrip("\n")
                entries.write(journal_entry(LogLine(self._lines, datetime.now(UTC), text)))
                entries.flush()

    def _last_line(self) -> str:
        try:
            text = (self._folder / ENGINE_LOG).read_text("utf-8", "replace")
        except OSError:
            text = ""
        return last_line(text) or "it wrote nothing"


def only_child(parent: int) -> int:
    """Return the one child of a process, which may take an instant to be there. Raises HostError."""
    children: list[int] = []

    def is_there() -> bool:
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The name, in brackets, may hold anything; the parent is the second word behind it (proc(5)).
                if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                    children.append(int(path.parent.name))
        return bool(children)

    if not wait_until(is_there, FORKED_WITHIN_S):
        raise HostError(f"Process {parent} has no child.")
    return children[0]


def main() -> int:
    """Start the engine, say so, and remove all of it when the input ends."""
    folder, hostname, memory_bytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        # The process that started this decides when it ends, by closing the pipe or by dying.
        signal.signal(number, signal.SIG_IGN)
    try:
        try:
            init = Keeper(folder).start(hostname, memory_bytes)
        except (HostError, OSError) as error:
            sys.stdout.write(f"{str(error).replace(chr(10), ' ')}\n")
        else:
            sys.stdout.write(f"ready {init}\n")
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        sys.stdin.buffer.read()
    finally:
        remove(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the simulated dockerd logs, in the words of the real one; also as a file that `journalctl -o json` could have written.

The sentences are those that `console.journal.signatures` knows, taken from dockerd's sources and recorded logs. Only what
has to do with addresses is written; as with the real one, a failure at its first time and not at every retry.
"""

import json
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from console.frozen import frozen
from console.simulator.objects import SimulatedTimeline

MAX_LINES = 2000
"""Lines that are kept for later listeners."""
NO_VIP = "could not find an available IP while allocating VIP"
NO_STATE = "networkallocator: could not find local network state"
_PLAIN = re.compile(r"[A-Za-z0-9._/@^+-]*")
_NODE = {"module": "node"}
UNIT = "docker.service"
MAX_FILE_LINES = 4000
"""After so many lines the file is rewritten with only the newest ones, so that it does not grow for ever."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT = "5ea1ed" + "0" * 26


@frozen
class LogLine:
    """One line. `number` counts from 1."""

    number: int
    at: datetime
    text: str


Listener = Callable[[LogLine], None]


class DockerdLog:
    """What one dockerd writes to its log; `node_id` is added once it is known."""

    def __init__(self, timeline: SimulatedTimeline) -> None:
        self._timeline = timeline
        self._listeners: list[Listener] = []
        self._count = 0
        self.lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self.node_id = ""

    def listen(self, listener: Listener) -> None:
        """Call a function with every line from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Call a function no longer."""
        self._listeners.remove(listener)

    def write(self, level: str, message: str, error: str = "", **more: str) -> None:
        """Write a line, as logrus does: keys after the first three in their order."""
        fields = {**({"error": error} if error else {}), **more}
        now = self._timeline.now
        text = f'time="{now:%Y-%m-%dT%H:%M:%S.%f}000Z" level={level} msg={_quote(message)}'
        for key, value in sorted(fields.items()):
            text += f" {key.replace('_', '.')}={_quote(value)}"
        self._count += 1
        line = LogLine(self._count, now, text)
        self.lines.append(line)
        for tell in tuple(self._listeners):
            tell(line)

    # What the leader's allocator says.

    def write_service_failure(self, service_id: str, error: str, *, is_update: bool, is_init: bool) -> None:
        """Say that a service got no address."""
        message = (
            f"failed allocating service {service_id} during init"
            if is_init
            else f"Failed allocation{' during update of' if is_update else ' for'} service {service_id}"
        )
        self.write("error", message, error, **self._here)

    def write_task_failure(self, task_id: str, error: str, *, is_init: bool) -> None:
        """Say that a task got no address."""
        message = f"failed allocating task {task_id} during init" if is_init else "task allocation failure"
        self.write("error", message, error, **self._here)

    def write_network_failure(self, network_id: str) -> None:
        """Say that a network's subnet overlaps another's."""
        error = (
            f"failed allocating pools and gateway IP for network {network_id}: "
            "Pool overlaps with other one on this address space"
        )
        self.write("error", f"Failed allocation for network {network_id}", error, **self._here)

    def write_missing_network_state(self, node_id: str, network_id: str) -> None:
        """Say what accompanies the leak: a node still has a network that was removed."""
        error = f"could not find network allocator state for network {network_id}"
        message = f"Failed to allocate network resources for node {node_id}"
        self.write("error", message, error, **self._here)

    # What a node says.

    def write_network_drop(self, network_id: str, name: str) -> None:
        """Say what comes whenever a node's last task leaves an overlay, and is no sign of anything."""
        endpoint = sha256(f"{network_id}{self._count}".encode()).hexdigest()
        self.write(
            "warning",
            "Error (Unable to complete atomic operation, key modified) deleting object "
            f"[endpoint {network_id} {endpoint}], retrying....",
        )
        message = f"network {name} remove failed: error while removing network: unknown network {name} id {network_id}"
        self.write("error", message, module="node/agent", node_id=self.node_id)

    def write_task_rejection(self, task_id: str, service_id: str, error: str) -> None:
        """Say that a task cannot be run here."""
        self.write(
            "error",
            "fatal task error",
            error,
            module="node/agent/taskmanager",
            node_id=self.node_id,
            service_id=service_id,
            task_id=task_id,
        )

    def write_shutdown(self) -> None:
        """Say what a dockerd says that was told to end."""
        self.write("info", "Processing signal 'terminated'")
        self.write("info", "Daemon shutdown complete")

    def write_startup(self) -> None:
        """Say what a dockerd says that was started."""
        self.write("info", "Starting up")
        self.write("info", "Loading containers: start.")
        self.write("info", "Loading containers: done.")
        self.write("info", "Daemon has completed initialization")

    def write_leader_change(self, before: str, now: str) -> None:
        """Say that another node leads, or the same one again after it was away."""
        message = f"leadership changed from {before or 'not yet part of a raft cluster'} to {now}"
        self.write("info", message, **self._here)

    @property
    def _here(self) -> dict[str, str]:
        return {**_NODE, "node_id": self.node_id}


def _quote(value: str) -> str:
    # Go's %q and JSON agree on everything that is written here.
    return value if value and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class JournalFile:
    """Writes what a simulated dockerd says to a file, from the lines that are kept on, until it is closed."""

    def __init__(self, log: DockerdLog, path: Path) -> None:
        self._log = log
        self._path = path
        self._count = 0
        self._file: TextIO = self._start_file()
        log.listen(self._write)

    def close(self) -> None:
        """Write no more."""
        self._log.leave(self._write)
        self._file.close()

    def _write(self, line: LogLine) -> None:
        if self._count >= MAX_FILE_LINES:
            self._file.close()
            self._file = self._start_file()
            return
        self._count += 1
        self._file.write(journal_entry(line))
        self._file.flush()

    def _start_file(self) -> TextIO:
        sibling = self._path.with_suffix(".new")
        file = sibling.open("w", encoding="utf-8")
        self._count = len(self._log.lines)
        file.writelines(journal_entry(line) for line in self._log.lines)
        file.flush()
        sibling.replace(self._path)
        return file


def journal_entry(line: LogLine) -> str:
    """Return a line as `journalctl -o json` writes it."""
    microseconds = round((line.at - _EPOCH).total_seconds() * 1_000_000)
    fields = {
        "__CURSOR": f"s={_BOOT};i={line.number:x}",
        "__REALTIME_TIMESTAMP": str(microseconds),
        "__MONOTONIC_TIMESTAMP": str(line.number * 1000),
        "_BOOT_ID": _BOOT,
        "_TRANSPORT": "stdout",
        "_SYSTEMD_UNIT": UNIT,
        "SYSLOG_IDENTIFIER": "dockerd",
        "_PID": "1",
        "MESSAGE": line.text,
    }
    return json.dumps(fields) + "\n"

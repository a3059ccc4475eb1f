"""Real journal files for tests, made from text by systemd-journal-remote."""

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

RECORDED = Path(__file__).parent / "recorded"
OLD, NEW = RECORDED / "dockerd-20.10.24.log", RECORDED / "dockerd-28.5.2.log"
UNIT = "docker.service"
BOOT = uuid.uuid4().hex
STREAM = uuid.uuid4().hex
_REMOTE = "/lib/systemd/systemd-journal-remote"

Fields = Mapping[str, str | bytes]


def daemon(message: str | bytes, **more: str | bytes) -> Fields:
    """Return the fields of a line of dockerd's standard output."""
    own = {"_TRANSPORT": "stdout", "_SYSTEMD_UNIT": UNIT, "SYSLOG_IDENTIFIER": "dockerd", "_PID": "812"}
    return {**own, "_STREAM_ID": STREAM, "PRIORITY": "6", "MESSAGE": message, **more}


def container(message: str) -> Fields:
    """Return the fields of a container's line under the journald log driver (moby: daemon/logger/journald)."""
    own = {"_TRANSPORT": "journal", "_SYSTEMD_UNIT": UNIT, "SYSLOG_IDENTIFIER": "dockerd", "_PID": "812"}
    return {**own, "PRIORITY": "3", "CONTAINER_ID": "0123456789ab", "MESSAGE": message}


def foreign(number: int) -> Fields:
    """Return the fields of a line of some other unit."""
    unit = f"app-{number % 40}.service"
    return {"_TRANSPORT": "stdout", "_SYSTEMD_UNIT": unit, "MESSAGE": f"request {number} answered in 3 ms"}


def suppressed(count: int) -> Fields:
    """Return the fields of journald's notice that it dropped messages of the unit (journald-server.c)."""
    return {
        "_TRANSPORT": "driver", "_SYSTEMD_UNIT": "systemd-journald.service", "_UID": "0",
        "OBJECT_SYSTEMD_UNIT": UNIT, "N_DROPPED": str(count),
        "MESSAGE_ID": "a596d6fe7bfa4994828e72309e95d61e",
        "MESSAGE": f"Suppressed {count} messages from {UNIT}",
    }  # fmt: skip


def recorded_lines(path: Path) -> list[Fields]:
    """Return dockerd's recorded standard error as entries."""
    return [daemon(line) for line in path.read_text().splitlines() if line]


def export_text(entries: Iterable[Fields], first_us: int | None = None) -> bytes:
    """Return entries a millisecond apart in the export format, the first at `first_us` (now by default)."""
    start = int(time.time() * 1e6) if first_us is None else first_us
    parts: list[bytes] = []
    for number, fields in enumerate(entries):
        moment = start + number * 1000
        parts.append(b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n" % (moment, moment % 10**12))
        parts.append(b"_BOOT_ID=" + BOOT.encode() + b"\n")
        parts += [_field(name, value) for name, value in fields.items()]
        parts.append(b"\n")
    return b"".join(parts)


def _field(name: str, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


def write_journal(path: Path, entries: Iterable[Fields], first_us: int | None = None) -> None:
    """Write a journal file."""
    subprocess.run(
        [_REMOTE, "--split-mode=none", "--compress=no", "-o", str(path), "-"],
        input=export_text(entries, first_us),
        check=True,
        capture_output=True,
    )


def record(directory: Path, path: Path, shape: str) -> None:
    """Let journalctl write what is in the directory to a file, as `export` or `json`."""
    journalctl = shutil.which("journalctl") or "journalctl"
    with path.open("wb") as file:
        subprocess.run(
            [journalctl, f"--directory={directory}", "-o", shape, "--all", "--quiet"], check=True, stdout=file
        )


class LiveJournal:
    """A journal file that is written to while it is open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [_REMOTE, "--split-mode=none", "-o", str(self._path), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def write(self, *entries: Fields) -> None:
        """Append entries, dated now."""
        if self._process.stdin is None:
            raise AssertionError("started without a pipe")
        self._process.stdin.write(export_text(entries))
        self._process.stdin.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)

"""The simulated dockerd's log as a file: JSON lines in the form of `journalctl -o json`, which grow while it says more."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from console.simulator.said import Said, SaidLine

UNIT = "docker.service"
LONGEST = 4000
"""Lines after which the file is begun anew with the newest that are kept, so that it does not grow for ever."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOOT = "5ea1ed" + "0" * 26


class JournalFile:
    """Writes what a simulated dockerd says to a file, from the lines that are kept on, until it is closed."""

    def __init__(self, said: Said, path: Path) -> None:
        self._said = said
        self._path = path
        self._count = 0
        self._file: TextIO = self._begun()
        said.listen(self._write)

    def close(self) -> None:
        """Write no more."""
        self._said.leave(self._write)
        self._file.close()

    def _write(self, line: SaidLine) -> None:
        if self._count >= LONGEST:
            self._file.close()
            self._file = self._begun()
            return
        self._count += 1
        self._file.write(_entry(line))
        self._file.flush()

    def _begun(self) -> TextIO:
        sibling = self._path.with_suffix(".new")
        file = sibling.open("w", encoding="utf-8")
        self._count = len(self._said.lines)
        file.writelines(_entry(each) for each in self._said.lines)
        file.flush()
        sibling.replace(self._path)
        return file


def _entry(line: SaidLine) -> str:
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

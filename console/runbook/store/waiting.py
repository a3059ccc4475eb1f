"""What a run waits for now: a small file beside the log, replaced as a whole.

Like the pulse it is no part of the log: a kill loses at most the last moment of it, and one that cannot be written is
left out. Every viewer reads it, also one that comes later. When the wait is over, how long what blocked is in the log.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.runbook.run.codec import plain, value_from
from console.runbook.run.waits import Waiting

WAITING = "waiting.json"
_MOST_BYTES = 256 * 1024


def write_waiting(folder: Path, waiting: Waiting) -> None:
    """Replace what a run waits for."""
    sibling = folder / f".{WAITING}.new"
    with suppress(OSError):
        descriptor = os.open(
            sibling, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(plain(waiting), file, separators=(",", ":"))
        sibling.replace(folder / WAITING)


def read_waiting(folder: Path) -> Waiting | None:
    """Return what a run waits for, or waited for when its runner was killed; None where nothing is known of that."""
    try:
        with (folder / WAITING).open("rb") as file:
            waiting: Waiting = value_from(Waiting, json.loads(file.read(_MOST_BYTES)))
            return waiting
    except (OSError, ValueError, HostError):
        return None


def clear_waiting(folder: Path) -> None:
    """Remove it: the run waits no longer."""
    with suppress(OSError):
        (folder / WAITING).unlink(missing_ok=True)


def waiting_mark(folder: Path) -> int:
    """Return a number that differs whenever the file was replaced; 0 where there is none."""
    try:
        return (folder / WAITING).stat().st_mtime_ns
    except OSError:
        return 0

"""Small files beside the log: the runner's heartbeat, and what the run waits for now.

It is no part of the log and proves nothing: losing it loses nothing, and a full disk does not keep it from being written.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.host.identity import boot_id
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


PULSE = "pulse"
_SIZE = 128


def beat(folder: Path) -> None:
    """Write a sign of life. One that cannot be written is left out: viewers then see that it is missing."""
    told = json.dumps({"boot": boot_id(), "monotonic": time.monotonic(), "pid": os.getpid()})
    with suppress(OSError):
        descriptor = os.open(folder / PULSE, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, told.ljust(_SIZE).encode(), 0)
        finally:
            os.close(descriptor)


def pulse_age_s(folder: Path) -> float | None:
    """Return how long ago the last sign of life was; None where there is none of this boot."""
    try:
        told = json.loads((folder / PULSE).read_bytes())
        # CLOCK_MONOTONIC is one for all processes of a boot.
        return max(0.0, time.monotonic() - told["monotonic"]) if told["boot"] == boot_id() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None

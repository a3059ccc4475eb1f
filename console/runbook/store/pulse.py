"""Signs of life of a runner: a small file beside the log, written over at most every second.

It is no part of the log and proves nothing: losing it loses nothing, and a full disk does not keep it from being written.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from console.host.identity import boot_id

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

"""Space on disk that a run holds back: should the disk become full in its midst, it can still be told what came of it."""

import os
from pathlib import Path

from console.errors import HostError
from console.text import clean

RESERVE = "reserve"
RESERVE_BYTES = 4 * 1024 * 1024
"""Enough for every event of the largest step, and for what SQLite writes beside them."""


def hold_reserve(folder: Path, size: int = RESERVE_BYTES) -> None:
    """Take the space, so that it is there; that it was taken proves too that the folder can be written.

    Raises HostError where there is not so much, or the folder cannot be written.
    """
    try:
        descriptor = os.open(folder / RESERVE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            os.pwrite(descriptor, b"held back for the end of this run\n", 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HostError(
            f"There is no room for a run in {clean(str(folder), 300)}: {error.strerror}.",
            f"It needs {size // (1024 * 1024)} MiB that can be written; free them, or name another folder (--state-dir).",
        ) from error


def release_reserve(folder: Path) -> bool:
    """Give the space back for what must still be written; return whether there was any."""
    try:
        (folder / RESERVE).unlink()
    except OSError:
        return False
    return True

"""Whether somebody holds the maintenance lock of this host. It is tried, never kept."""

import fcntl
import os
from pathlib import Path

from console.errors import HostError, LockHeld
from console.host.root import under_root
from console.text import clean

LOCK = under_root("/run/vipconsole/lock")


NOTE_LIMIT = 200


def decline_if_locked(path: Path = LOCK) -> None:
    """Raise LockHeld where somebody holds the maintenance lock now, HostError where that cannot be seen."""
    holder = holder_of_lock(path)
    if holder:
        raise LockHeld(holder)


def holder_of_lock(path: Path = LOCK) -> str:
    """Return what the holder of a `flock` wrote into the file, `somebody` if nothing, or "" where it is free.

    The probe asks for a shared lock and drops it at once: two probes do not meet, and a run that begins in that very
    instant sees a lock that is gone when it looks again. Raises HostError when the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostError(
            f"The lock {clean(str(path))} cannot be checked: {error.strerror}.", "Run this as root."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return clean(os.read(descriptor, 4 * NOTE_LIMIT).strip(), NOTE_LIMIT) or "somebody"
    else:
        return ""
    finally:
        os.close(descriptor)

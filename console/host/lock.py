"""The maintenance lock: on one host, one command at a time changes the swarm."""

import fcntl
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from console.clock import Clock
from console.concurrency import until
from console.durations import stamp
from console.errors import HostError, LockHeld
from console.host.lock_probe import LOCK, NOTE_LIMIT
from console.host.who import Who
from console.text import clean

MAX_WAIT_S = 1.0
"""For this long a held lock is tried again: a probe (`lock_probe`) holds it for an instant."""
_TRY_S = 0.05


@asynccontextmanager
async def maintenance_lock(command: str, who: Who, clock: Clock, path: Path = LOCK) -> AsyncIterator[None]:
    """Hold the lock of this host, with a note of who holds it and for what.

    The kernel frees it when this process ends, by whatever death; the file stays. Raises LockHeld with the note of the
    holder, or HostError when the lock cannot be made.
    """
    descriptor = _open(path)
    try:

        async def try_lock() -> bool:
            return _try_lock(descriptor)

        if not await until(try_lock, clock, MAX_WAIT_S, _TRY_S):
            note = clean(os.pread(descriptor, 4 * NOTE_LIMIT, 0).strip(), NOTE_LIMIT)
            raise LockHeld(note or "its name is not recorded yet")
        try:
            _write_note(descriptor, _note(command, who, clock.now()))
            yield
        finally:
            # Else the next holder would bear this one's name until it has written its own.
            _write_note(descriptor, "")
    finally:
        os.close(descriptor)


def _note(command: str, who: Who, since: datetime) -> str:
    return f"{command}, process {os.getpid()}, by {who}, since {stamp(since)}"


def _open(path: Path) -> int:
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o755)
        may_enter = path.parent.stat().st_mode & stat.S_IXOTH
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        # Whatever its maker keeps to itself otherwise, as a runner does: who may enter the folder may see who holds the lock.
        if may_enter and os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, 0o644)
    except OSError as error:
        raise HostError(
            f"The maintenance lock {path} cannot be created: {error.strerror}.", "Run this as root."
        ) from error
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_note(descriptor: int, note: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, clean(note, NOTE_LIMIT).encode(), 0)

"""Who records: one process for each state directory. The kernel frees the lock when that process ends, by whatever death."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from console.clock import Clock
from console.concurrency import until
from console.durations import stamp
from console.errors import HostError
from console.host.lock_probe import NOTE_LIMIT, holder_of_lock
from console.storage.state import OWNER_HINT, make_private
from console.text import clean

FILE = "record.lock"
MAX_WAIT_S = 1.0
"""For this long a held lock is tried again: a console that asks who records holds it for an instant."""
_TRY_S = 0.05


def recorder_of(state: Path) -> str:
    """Return who records into a state directory, or "" where nobody does or it cannot be seen."""
    try:
        return holder_of_lock(state / FILE)
    except HostError:
        return ""


@asynccontextmanager
async def recording(state: Path, clock: Clock) -> AsyncIterator[None]:
    """Be the one that records into a state directory. Raises HostError where another process is, or it cannot be."""
    make_private(state)
    path = (state / FILE).absolute()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(
            f"{clean(str(path), 300)} cannot be created: {error.strerror}.", OWNER_HINT
        ) from error
    try:

        async def try_lock() -> bool:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not await until(try_lock, clock, MAX_WAIT_S, _TRY_S):
            holder = clean(os.pread(descriptor, 4 * NOTE_LIMIT, 0).strip(), NOTE_LIMIT)
            raise HostError(
                f"Another recorder is at work in {clean(str(path.parent), 300)}: {holder or 'its name is not there yet'}.",
                "One is enough: consoles and `glance` read what it keeps. Another swarm needs another --state-dir.",
            )
        _write_note(descriptor, f"process {os.getpid()} since {stamp(clock.now())}")
        try:
            yield
        finally:
            _write_note(descriptor, "")
    finally:
        os.close(descriptor)


def _write_note(descriptor: int, note: str) -> None:
    # A full disk must not keep anybody from recording: the lock holds without its note.
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
    except OSError:
        return

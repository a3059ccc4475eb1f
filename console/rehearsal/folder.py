"""Where a rehearsal lives: one folder below the state directory, with everything in it, and its certain end."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from console.errors import Declined, HostError
from console.rehearsal.cgroups import end_group
from console.storage.state import make_private
from console.text import clean

FOLDER = "rehearsal"
HOST = "host"
"""The folder of the host that the runbook works on: all but its engine is the demo's."""
COVERED = "covered"
"""The folders of this machine that were made only to be covered inside."""


def host_of(folder: Path) -> Path:
    """Return the root of the rehearsal's host."""
    return folder / HOST


@contextmanager
def locked_folder(state: Path) -> Iterator[tuple[Path, int]]:
    """Give the folder of a rehearsal, empty, and the lock that lasts as long as anybody holds its descriptor.

    What a killed rehearsal left is removed first. Raises Declined while another rehearsal is under way, and HostError.
    """
    make_private(state)
    folder = state.absolute() / FOLDER
    try:
        lock = os.open(state / f"{FOLDER}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(
            f"The rehearsal's lock cannot be created: {error.strerror}.",
            "Run it as root, or choose another folder with `--state-dir`.",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Declined(
                "Another rehearsal of this host is under way, or is being removed.",
                "Wait until it has ended.",
            ) from None
        remove(folder)
        make_private(folder)
        yield folder, lock
    finally:
        os.close(lock)


def remove(folder: Path) -> None:
    """End every process of a rehearsal and remove all that is left of it. Raises HostError where something stays."""
    end_group(folder)
    with suppress(FileNotFoundError):
        for name in (folder / COVERED).read_text("utf-8").splitlines():
            with suppress(OSError):
                # Only where it is empty: somebody else may use it since.
                Path(name).rmdir()
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    if folder.exists():
        raise HostError(
            f"What a rehearsal left in {clean(str(folder), 300)} cannot be removed.",
            "`findmnt` and `lsof` show what is still used there; the next rehearsal tries again.",
        )

"""Examines the state directory: whether it can be used, whether its disk has room, and whether what is in it can be read."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from console.doctor.values import DoctorArea, Examination, failed, passed, unexamined, warned
from console.errors import HostError, Unknown
from console.storage.history import HistoryStore
from console.storage.record import RecordStore
from console.storage.state import OWNER_HINT
from console.text import clean, listed

AREA = DoctorArea.HOST
LOW_MB, VERY_LOW_MB = 500, 50
"""Free space where the state is: less makes a run refuse to write, sooner or later."""
MOST_NAMES = 5
_ELSEWHERE = "Move it away, or name another directory with --state-dir."


def examine_state(state: Path) -> Iterator[Examination]:
    """Yield what was found. Reads only."""
    found = _folder(state)
    yield found
    yield from _disk(state)
    if _is_dir(state) and os.access(state, os.R_OK | os.X_OK):
        yield from _files(state)
        yield from _databases(state)


def _folder(state: Path) -> Examination:
    shown = clean(str(state), 300)
    try:
        about = state.stat()
    except OSError as error:
        return _absent(state, shown, error)
    trouble = ""
    if not stat.S_ISDIR(about.st_mode):
        return failed(AREA, "state", Unknown(f"{shown} is not a directory.", _ELSEWHERE))
    if not os.access(state, os.R_OK | os.X_OK):
        return failed(AREA, "state", Unknown(f"{shown} cannot be read by this user.", OWNER_HINT))
    if not os.access(state, os.W_OK):
        trouble = "can be read, and not written, by this user."
    elif os.geteuid() == 0 and about.st_uid != 0:
        trouble = f"is of another user (number {about.st_uid}), who cannot use what root keeps in it."
    if trouble:
        return warned(AREA, "state", f"{shown} {trouble}", OWNER_HINT)
    return passed(AREA, "state", f"Runs, censuses and history are kept in {shown}.")


def _absent(state: Path, shown: str, error: OSError) -> Examination:
    if isinstance(error, PermissionError):
        where = f"This user may not enter the directory in which {shown} is."
        return failed(AREA, "state", Unknown(where, OWNER_HINT))
    if not isinstance(error, FileNotFoundError):
        return failed(AREA, "state", Unknown(f"{shown} cannot be used: {error.strerror}.", _ELSEWHERE))
    if os.path.lexists(state):
        return failed(AREA, "state", Unknown(f"{shown} is a link that leads nowhere.", _ELSEWHERE))
    if os.access(_existing(state), os.W_OK | os.X_OK):
        return passed(AREA, "state", f"{shown} is not there yet, and can be made when something is kept.")
    return warned(AREA, "state", f"{shown} is not there, and this user may not make it.", OWNER_HINT)


def _disk(state: Path) -> Iterator[Examination]:
    place = _existing(state)
    try:
        free_mb = shutil.disk_usage(place).free / 1e6
        file_system = os.statvfs(place)
    except OSError as error:
        yield unexamined(
            AREA, "disk", Unknown(f"The free space of {place} cannot be read: {error.strerror}.")
        )
        return
    shown = f"{free_mb / 1000:.1f} GB" if free_mb >= 1000 else f"{free_mb:.0f} MB"
    hint = f"`df -h {place}`; `docker system df` shows what Docker takes."
    if free_mb < VERY_LOW_MB:
        yield failed(AREA, "disk", Unknown(f"Only {shown} are free where the state is kept.", hint))
    # Some file systems count no inodes, and say 0 of 0.
    elif file_system.f_files and not file_system.f_favail:
        full = "No further file can be made where the state is kept: it has no free inode."
        yield failed(AREA, "disk", Unknown(full, f"`df -i {place}`, and remove files there."))
    elif free_mb < LOW_MB:
        yield warned(AREA, "disk", f"Only {shown} are free where the state is kept.", hint)
    else:
        yield passed(AREA, "disk", f"{shown} are free where the state is kept.")


def _files(state: Path) -> Iterator[Examination]:
    """Yield a line where something in the directory is another user's, as after a command with sudo."""
    names = sorted(
        entry.name
        for entry in state.iterdir()
        if not os.access(entry, os.R_OK | os.W_OK | (os.X_OK if entry.is_dir() else 0))
    )
    if names:
        more = " and others" if len(names) > MOST_NAMES else ""
        yield warned(
            AREA,
            "state files",
            f"In {clean(str(state), 300)} this user cannot use {listed(list(map(clean, names[:MOST_NAMES])))}{more}.",
            OWNER_HINT,
        )


def _databases(state: Path) -> Iterator[Examination]:
    """Yield a line for each database that is damaged, or that another version wrote."""
    reads: tuple[tuple[str, Callable[[], object]], ...] = (
        ("history", lambda: HistoryStore(state).load("", "")),
        ("record", lambda: RecordStore(state).spans("")),
    )
    for subject, read in reads:
        try:
            read()
        except HostError as error:
            yield warned(AREA, subject, error.sentence, error.hint)


def _existing(path: Path) -> Path:
    """Return the nearest folder above a path that can be seen."""
    return next((folder for folder in (path, *path.absolute().parents) if _is_dir(folder)), Path("/"))


def _is_dir(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir() raises where a folder above may not be entered

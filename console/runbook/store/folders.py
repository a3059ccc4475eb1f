"""The directories of runs in the state directory, the files in them, and the disk space that a run holds back."""

import os
import shutil
import time
from datetime import datetime
from pathlib import Path

from console.errors import HostError, UsageError
from console.runbook.run.events import Began
from console.runbook.store.database import append, create
from console.runbook.store.finished import LOG, RUNS
from console.storage.state import OWNER_HINT, ROOM_HINT, make_private
from console.text import clean, listed

RESERVE = "reserve"
RESERVE_BYTES = 4 * 1024 * 1024
"""Enough for every event of the largest step, and for what SQLite writes beside them."""

RUNNER_LOCK = "runner.lock"
"""Held by the runner while it works on the run, or waits for the operator."""
RUNNER_OUTPUT = "runner.log"
"""A detached runner's standard output and error."""
_NEW_PREFIX = ".new-"
_STALE_S = 3600.0


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
            f"Not enough space for a run in {clean(str(folder), 300)}: {error.strerror}.",
            f"It needs {size // (1024 * 1024)} MiB of writable space. Free some, or name another folder "
            "(--state-dir).",
        ) from error


def release_reserve(folder: Path) -> bool:
    """Give the space back for what must still be written; return whether there was any."""
    try:
        (folder / RESERVE).unlink()
    except OSError:
        return False
    return True


def runbook_path(folder: Path, digest: str) -> Path:
    """Return where the runbook of a digest is kept with the run."""
    return folder / f"runbook-{digest[:16]}.yaml"


def new_run_id(state: Path, runbook_id: str, now: datetime) -> str:
    """Return a name for a new run that sorts by time, is safe in file names, units and labels, and is not taken."""
    name = f"{now:%Y%m%d-%H%M%S}-{runbook_id}"
    others = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(other for other in others if not (state / RUNS / other).exists())


def create_run(state: Path, first_event: Began, runbook: bytes, now: datetime) -> Path:
    """Make the folder of a run, with its first event and its runbook, and return it.

    It appears in one step, whole and on disk, or not at all. Raises HostError.
    """
    runs = _own_runs(state)
    new_folder = runs / f"{_NEW_PREFIX}{os.getpid()}-{first_event.header.run_id}"
    try:
        new_folder.mkdir(mode=0o700)
        _write(runbook_path(new_folder, first_event.header.digest), runbook)
        connection = create(new_folder / LOG)
        try:
            append(connection, first_event, now)
        finally:
            connection.close()
        hold_reserve(new_folder)
        _sync(new_folder)
        folder = runs / first_event.header.run_id
        new_folder.rename(folder)
        _sync(runs)
    except OSError as error:
        shutil.rmtree(new_folder, ignore_errors=True)
        raise HostError(
            f"The folder of the run cannot be created in {clean(str(runs), 300)}: {error.strerror}.",
            "Check the disk, its free space and the folder's permissions.",
        ) from error
    except HostError:
        shutil.rmtree(new_folder, ignore_errors=True)
        raise
    return folder


def store_runbook(folder: Path, digest: str, runbook: bytes) -> None:
    """Keep another version of the runbook with the run. Raises HostError."""
    try:
        path = runbook_path(folder, digest)
        if not path.exists():
            _write(path, runbook)
            _sync(folder)
    except OSError as error:
        raise HostError(
            f"The runbook cannot be stored with the run: {error.strerror}.",
            ROOM_HINT,
        ) from error


def run_folders(state: Path) -> tuple[Path, ...]:
    """Return the folders of all runs, oldest first; none where there never was any. Raises HostError."""
    try:
        names = sorted(os.listdir(state / RUNS))  # noqa: PTH208 - iterdir() hides why a folder cannot be read
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HostError(
            f"The runs in {clean(str(state), 300)} cannot be read: {error.strerror}.", OWNER_HINT
        ) from error
    return tuple(state / RUNS / name for name in names if not name.startswith("."))


def run_names(state: Path) -> frozenset[str]:
    """Return the names of all runs. Raises HostError."""
    return frozenset(folder.name for folder in run_folders(state))


def folder_of(state: Path, name: str) -> Path:
    """Return the folder of the run whose name is, begins or ends with what is wanted. Raises UsageError, HostError."""
    folders = run_folders(state)
    matches = [folder for folder in folders if folder.name == name] or [
        folder for folder in folders if folder.name.startswith(name) or folder.name.endswith(name)
    ]
    if not matches:
        raise UsageError(f"Run {clean(name)} not found.", "`vipconsole runs` lists them.")
    if len(matches) > 1:
        raise UsageError(
            f"{clean(name)} matches several runs: {listed([folder.name for folder in matches])}.",
            "Type more of the name.",
        )
    return matches[0]


def _own_runs(state: Path) -> Path:
    runs = state / RUNS
    make_private(runs)
    try:
        status = runs.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise HostError(
                f"Others can write to {clean(str(runs), 300)}.",
                "It must belong to this user, and only this user may write to it.",
            )
        for path in runs.glob(f"{_NEW_PREFIX}*"):
            # Its creator was killed before it was complete.
            if time.time() - path.stat().st_mtime > _STALE_S:
                shutil.rmtree(path, ignore_errors=True)
    except OSError as error:
        raise HostError(f"{clean(str(runs), 300)} cannot be read: {error.strerror}.", OWNER_HINT) from error
    return runs


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

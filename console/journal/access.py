"""Whether the journal of this host can be read at all."""

import os
from collections.abc import Sequence
from pathlib import Path

from console.errors import HostError
from console.host.root import under_root

SYSTEM_DIRECTORIES = (under_root("/var/log/journal"), under_root("/run/log/journal"))
"""Where journald keeps its files, each in a directory named after the machine (systemd-journald.service(8))."""


_PATH = (
    "`--journal` takes a recording, or a directory with journal files: /var/log/journal or /run/log/journal."
)
_HINT = "Run it as root or as a member of the group systemd-journal or adm."


def require_access(directory: Path | None, roots: Sequence[Path] = SYSTEM_DIRECTORIES) -> None:
    """Return when journal files can be read: those of `directory`, or the system's.

    Raises HostError when there are none, or none that this user may read.
    """
    if directory is not None:
        _require_directory(directory)
        return
    unreadable = readable = 0
    for root in roots:
        for machine in _folders(root):
            if not _is_accessible(machine, os.R_OK | os.X_OK):
                unreadable += 1
                continue
            for path in machine.glob("system*.journal"):
                if _is_accessible(path, os.R_OK):
                    readable += 1
                else:
                    unreadable += 1
    if readable:
        return
    if unreadable:
        raise HostError("The journal of this host cannot be read by this user.", _HINT)
    raise HostError(
        "This host has no system journal.",
        "journald does not run here, or keeps nothing (Storage=none in journald.conf).",
    )


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    except PermissionError as problem:
        raise HostError(f"The journal in {root} cannot be read by this user.", _HINT) from problem


def _require_directory(directory: Path) -> None:
    try:
        paths = list(directory.iterdir())
    except FileNotFoundError as problem:
        raise HostError(f"There is no journal in {directory}: it does not exist.", _PATH) from problem
    except NotADirectoryError as problem:
        raise HostError(f"There is no journal in {directory}: it is not a directory.", _PATH) from problem
    except PermissionError as problem:
        raise HostError(f"The journal in {directory} cannot be read by this user.", _HINT) from problem
    files = [path for path in paths if path.suffix in {".journal", ".journal~"}]
    if files and not any(_is_accessible(file, os.R_OK) for file in files):
        raise HostError(f"The journal in {directory} cannot be read by this user.", _HINT)


def _is_accessible(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=True)

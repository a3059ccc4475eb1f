"""Where a runbook comes from: which file, its bytes, and whether others than its owner could have written it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from console.errors import RunbookError
from console.host.root import under_root
from console.text import clean

SYSTEM_FILE = under_root("/etc/vipconsole/runbook.yaml")


MAX_BYTES = 65_536


_MOST_LINKS = 40


_OTHERS = stat.S_IWGRP | stat.S_IWOTH


_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def shipped_runbook() -> Path:
    """Return where the runbook is that comes with the program: in the package, or at the top of the repository."""
    here = Path(__file__).resolve()
    in_package = here.parents[1] / "runbook.yaml"
    return in_package if in_package.exists() else here.parents[3] / "runbook.yaml"


def default_runbook() -> Path:
    """Return the runbook to use where none is named: this host's own, else the shipped one; never one that lies about."""
    return SYSTEM_FILE if os.path.lexists(SYSTEM_FILE) else shipped_runbook()


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, at once, whatever it is. Raises RunbookError for what is no small regular file."""
    name = clean(str(path), 300)
    try:
        # Looked at before it is opened: opening a device may already do something.
        _require_small_file(name, path.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            _require_small_file(name, os.fstat(descriptor))
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name holds a NUL"
        raise RunbookError(
            f"The runbook {name} cannot be read: {reason}.", "Name a file that this user may read."
        ) from error
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    return data


def distrust(path: Path) -> str:
    """Return why root must not follow a runbook, a sentence, or nothing: somebody else could have written it.

    Everything on the way is checked, links and what they lead to. Trusted owners are root and the user who called
    sudo. The shipped runbook is as trustworthy as the program that it is a part of.
    """
    try:
        if path.resolve() == shipped_runbook().resolve():
            return ""
        owners = _trusted_owners()
        for entry, status, is_sticky in _on_the_way(path.absolute()):
            name = clean(str(entry), 300)
            if status.st_uid not in owners:
                return f"{name} belongs to another user (uid {status.st_uid})."
            if status.st_mode & _OTHERS and not stat.S_ISLNK(status.st_mode) and not is_sticky:
                return f"Others than its owner can write {name} (mode {stat.S_IMODE(status.st_mode):04o})."
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or clean(str(error), 100)
        return f"Who may have written {clean(str(path), 300)} is unknown: {reason}."
    return ""


def _trusted_owners() -> frozenset[int]:
    caller = os.environ.get("SUDO_UID", "")
    return frozenset((0, os.geteuid(), *([int(caller)] if caller.isascii() and caller.isdecimal() else [])))


def _on_the_way(path: Path) -> Iterator[tuple[Path, os.stat_result, bool]]:
    """Yield every directory, link and file that decides what a path leads to, and whether it is a sticky directory.

    In a sticky directory nobody can put something else in the place of what belongs to another user.
    """
    parts, here, links = list(path.parts[1:]), Path("/"), 0
    yield here, here.lstat(), False
    while parts:
        part = parts.pop(0)
        if part == "..":
            here = here.parent
            continue
        entry = here / part
        status = entry.lstat()
        is_folder = stat.S_ISDIR(status.st_mode)
        yield entry, status, is_folder and bool(status.st_mode & stat.S_ISVTX)
        if not stat.S_ISLNK(status.st_mode):
            here = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise RuntimeError("too many links")
        target = entry.readlink()
        here = Path("/") if target.is_absolute() else here
        parts = [*(target.parts[1:] if target.is_absolute() else target.parts), *parts]


def _require_small_file(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise RunbookError(f"The runbook {name} is {kind}.", "Name a regular file.")
    if status.st_size > MAX_BYTES:
        raise _too_large(name)


def _too_large(name: str) -> RunbookError:
    return RunbookError(
        f"The runbook {name} is larger than {MAX_BYTES // 1024} KiB.", "Split it into several runbooks."
    )

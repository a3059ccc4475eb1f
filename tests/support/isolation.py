"""Keeps everything of this host away from tests: its settings, what the program keeps on it, and its environment."""

import ctypes
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

# What is needed to start programs at all, and what the tests and their runner are told on purpose.
_KEPT = frozenset(("PATH", "TMPDIR", "UPDATE_FRAMES"))
_KEPT_PREFIXES = ("PYTEST_", "PYTHON", "HYPOTHESIS_", "COV_")
_DROPPED = frozenset(("PYTHONDONTWRITEBYTECODE",))
"""Every program that a test starts would compile all its modules again: half of the time of such a test."""
HIDDEN = tuple(
    Path(each)
    for each in (
        "/etc/vipconsole",
        "/var/lib/vipconsole",
        "/run/vipconsole",
        "/etc/docker",
        "/var/log/journal",
    )
)
"""Folders in which the program, an engine or the journal find what belongs to this host."""
_WRITTEN = frozenset((Path("/var/lib/vipconsole"), Path("/run/vipconsole")))
"""Those that the program makes where they are missing. An empty one stays on the host: others may have it covered too."""
_SYSTEM_GIT = Path("/etc/gitconfig")
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_MS_BIND, _MS_REC, _MS_SLAVE = 1 << 12, 1 << 14, 1 << 19


def clean_environment() -> Path:
    """Leave nothing of the caller's environment but what starts programs; return the empty folder that is now home."""
    home = Path(tempfile.mkdtemp(prefix="home-"))
    for name in set(os.environ) - _KEPT:
        if name in _DROPPED or not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    sys.dont_write_bytecode = False
    state = str(home / "state")
    os.environ.update(
        HOME=str(home), LANG="C.UTF-8", TZ="UTC", VIPCONSOLE_STATE_DIR=state, XDG_STATE_HOME=state
    )
    time.tzset()
    return home


def remove_home(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)


def hide_host() -> None:
    """Cover the folders of this host with empty ones, for this process and all that it starts.

    They are the same for every process that tests start, so they are covered once, before the first: in a namespace of
    mounts of its own, which ends with the last of them. Raises UsageError where they hold something and cannot be.
    """
    shown = [each for each in (*HIDDEN, _SYSTEM_GIT) if _holds_something(each)]
    is_root = os.geteuid() == 0
    if not (is_root or shown):
        return
    try:
        _enter_namespaces(is_root=is_root)
        if is_root:
            for each in _WRITTEN:
                each.mkdir(parents=True, exist_ok=True)
        for each in HIDDEN:
            if each.is_dir():
                _mount("tmpfs", each, "tmpfs")
        if _SYSTEM_GIT.exists():
            _mount("/dev/null", _SYSTEM_GIT, "", _MS_BIND)
    except OSError as problem:
        if shown:
            where = ", ".join(map(str, shown))
            raise pytest.UsageError(
                f"Tests would find this host's {where}, and it cannot be covered: {problem}."
            ) from problem


def _holds_something(path: Path) -> bool:
    try:
        return any(path.iterdir()) if path.is_dir() else path.exists()
    except PermissionError:
        # What this user cannot read reaches no test of theirs.
        return False


def _enter_namespaces(*, is_root: bool) -> None:
    user, group = os.geteuid(), os.getegid()
    _require(_LIBC.unshare(_CLONE_NEWNS | (0 if is_root else _CLONE_NEWUSER)))
    if not is_root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    # What is mounted here is not seen outside; what this host mounts is still seen here.
    _mount("", Path("/"), "", _MS_REC | _MS_SLAVE)


def _mount(source: str, target: Path, kind: str, flags: int = 0) -> None:
    data = b"mode=755" if kind == "tmpfs" else None
    _require(_LIBC.mount(source.encode(), bytes(target), kind.encode(), ctypes.c_ulong(flags), data))


def _require(returned: int) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))

"""The state directory, and how files in it are written: a reader sees the old one or the new one, never half of one."""

import os
from contextlib import suppress
from pathlib import Path

from console.errors import HostError
from console.host.root import has_own_root, under_root
from console.text import clean

OWNER_HINT = (
    "Run this as the owner (root for /var/lib/vipconsole), or name another directory with --state-dir."
)
"""What helps where the state directory, or what is in it, cannot be used."""
ROOM_HINT = "Free some room, or choose another folder with `--state-dir`."
"""What helps where something new cannot be written there."""

RECORD_FILE = "record.sqlite"
"""What a recorder keeps, in a state directory."""
BORROW_FOLDER, BORROW_FILE = "borrow", "record.json"
"""Where the record of a borrowed manager is, in a state directory."""
SYSTEM_STATE = Path("/var/lib/vipconsole")
"""Where the state of root lies, and that of the services of this host."""


def write_atomically(
    path: Path, content: str | bytes, mode: int, owner: tuple[int, int] | None = None
) -> None:
    """Write a whole file in one step that survives a crash: a sibling is written, synced and renamed over it.

    It gets its mode, and the user and group where they are given, before it gets its name. Raises HostError when it
    cannot be written; then the old file is as it was.
    """
    if not path.name:
        raise HostError(f"{clean(str(path))} is not a writable file.", "Name a file.")
    # The leading dot and the ending keep collectors of `*.prom` away from the unfinished file.
    sibling = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if owner is not None:
                    os.fchown(file.fileno(), *owner)
                os.fchmod(file.fileno(), mode)
                file.write(content if isinstance(content, bytes) else content.encode())
                file.flush()
                os.fsync(file.fileno())
            sibling.replace(path)
        except BaseException:
            # An interruption too leaves no half-written sibling; it is raised again.
            with suppress(OSError):
                sibling.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise HostError(
            f"{clean(str(path))} cannot be written: {error.strerror}.",
            "Check the directory, its permissions and its free space.",
        ) from error


def state_folder() -> Path:
    """Return where this user's state lives; it need not be there yet."""
    if has_own_root():
        # What the environment says is about this machine.
        return under_root("/var/lib/vipconsole")
    override = os.environ.get("VIPCONSOLE_STATE_DIR")
    if override:
        return Path(override)
    if os.geteuid() == 0:
        return SYSTEM_STATE
    base = os.environ.get("XDG_STATE_HOME") or f"{os.environ.get('HOME', '/tmp')}/.local/state"  # noqa: S108 - no home
    return Path(base) / "vipconsole"


def state_failure(error: OSError) -> HostError | None:
    """Return the sentence for an error on the state directory or on something in it; None for every other error.

    The doors to what is kept say what cannot be read. This is for what none of them foresaw.
    """
    folder = state_folder().absolute()
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or not Path(name).absolute().is_relative_to(folder):
        return None
    return HostError(f"The state in {clean(name, 300)} cannot be used: {error.strerror}.", OWNER_HINT)


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, which only this user can enter. Raises HostError when it cannot be made."""
    try:
        # mkdir() gives its mode to the last folder only.
        for parent in (*reversed(folder.parents), folder):
            if not parent.is_dir():
                parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"The directory {clean(str(folder))} cannot be created: {error.strerror}.",
            OWNER_HINT,
        ) from error

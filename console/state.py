"""Where this program keeps what it must remember."""

import os
from pathlib import Path

from console.errors import HostError
from console.text import clean


def state_folder() -> Path:
    """Return where this user's state lives; it need not be there yet."""
    override = os.environ.get("VIPCONSOLE_STATE_DIR")
    if override:
        return Path(override)
    if os.geteuid() == 0:
        return Path("/var/lib/vipconsole")
    base = os.environ.get("XDG_STATE_HOME") or f"{os.environ.get('HOME', '/tmp')}/.local/state"  # noqa: S108 - no home
    return Path(base) / "vipconsole"


def make_private(folder: Path) -> None:
    """Make a folder, and those above it, which only this user can enter. Raises HostError when it cannot be made."""
    try:
        # mkdir() gives its mode to the last folder only.
        for each in (*reversed(folder.parents), folder):
            if not each.is_dir():
                each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"The folder {clean(str(folder))} cannot be made: {error.strerror}.",
            "VIPCONSOLE_STATE_DIR names another place.",
        ) from error

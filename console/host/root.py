"""The root of the host: `/`, or the folder that `VIPCONSOLE_ROOT` names, as with `systemctl --root`.

Every path of this host that the program reads or writes is taken from here, and so are its commands: `<root>/bin` comes
first where they are searched. What the kernel says of processes that really run (`/proc`) has no other root.
"""

import os
import socket
from pathlib import Path

VARIABLE = "VIPCONSOLE_ROOT"
_PATH = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The first is NixOS's."""
_used: list[str] = []


def host_root() -> Path:
    """Return the root of the host."""
    return Path(os.environ.get(VARIABLE) or "/").absolute()


def has_own_root() -> bool:
    """Whether the host is a folder, and not this machine: the demo's."""
    # Asked for every line that is printed: where nothing is named, no path is made for the answer.
    return bool(os.environ.get(VARIABLE)) and host_root() != Path("/")


def under_root(path: str) -> Path:
    """Return an absolute path of the host."""
    _used.append(path)
    return host_root() / path.lstrip("/")


def search_path() -> str:
    """Return where commands are searched, whatever the caller's PATH says."""
    return f"{host_root() / 'bin'}:{_PATH}" if has_own_root() else _PATH


def host_name() -> str:
    """Return what the host is called."""
    if has_own_root():
        try:
            return under_root("/etc/hostname").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
    return socket.gethostname()


def choose_root(folder: Path) -> None:
    """Make a folder the root of the host, for this process and all that it starts.

    Many modules take their paths when they are loaded: raises RuntimeError where one has taken a path of another root.
    """
    if _used and host_root() != folder.absolute():
        raise RuntimeError(f"the root of the host cannot change any more: {_used[0]} was used")
    os.environ[VARIABLE] = str(folder.absolute())

"""Whether an engine runs on this very host, so that what this host says belongs to it."""

import socket
import struct
from pathlib import Path

from console.parts import Unknown

UNIX = "unix://"


def doubt_that_engine_is_ours(host: str, engine_name: str) -> Unknown | None:
    """Return why an engine cannot be taken for this host's own, or None when it is.

    It is when it is reached through a unix socket, bears this host's name, and the process that listens on the
    socket shares this host's network namespace (a daemon in a container or a rootless one does not). Whose process
    it is comes from the socket itself (SO_PEERCRED); where this user may not look at that process, the name decides.
    """
    if not host.startswith(UNIX):
        return Unknown(f"The engine at {host} is not on this host.")
    if engine_name != socket.gethostname():
        return Unknown(f"The engine calls itself {engine_name}, and this host is {socket.gethostname()}.")
    try:
        listener = _listener(host.removeprefix(UNIX))
        theirs = Path(f"/proc/{listener}/ns/net").readlink()
        ours = Path("/proc/self/ns/net").readlink()
    except PermissionError:
        return None
    except OSError as error:
        return Unknown(f"Who listens at {host} could not be found out: {error.strerror}.")
    return (
        None
        if theirs == ours
        else Unknown(f"The engine at {host} has a network of its own, not this host's.")
    )


def _listener(path: str) -> int:
    """Return the process ID behind a listening unix socket, in this process's PID namespace."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        probe.connect(path)
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", credentials)
    return int(pid)

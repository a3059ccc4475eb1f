"""Which machine this is, whether an engine runs on it, and what that engine and the kernel say of its networks."""

import json
import socket
import struct
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path

from console.errors import HostError, Unknown
from console.host.activity import Route
from console.host.process import output_of
from console.host.root import host_name, under_root
from console.text import clean

MACHINE_ID = under_root("/etc/machine-id")
BOOT_ID = under_root("/proc/sys/kernel/random/boot_id")

UNIX = "unix://"


async def read_routes(timeout_s: float) -> tuple[Route, ...]:
    """Return the unicast routes of all tables and the host's own addresses, default and loopback left out.

    Raises HostError when `ip` (iproute2) is not there or says something else than its JSON.
    """
    output = await output_of(("ip", "-4", "-json", "route", "show", "table", "all"), timeout_s)
    try:
        rows = json.loads(output or b"[]")
        routes = [
            Route(IPv4Network(row["dst"]), clean(row.get("dev") or ""))
            for row in rows
            if row["dst"] != "default" and row.get("type", "unicast") in ("unicast", "local")
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`ip -json route` gave a malformed reply.", "It comes with iproute2.") from error

    return tuple(dict.fromkeys(route for route in routes if route.device != "lo" and route.network.prefixlen))


def machine_id(path: Path = MACHINE_ID) -> str:
    """Return the ID that systemd gave this machine (machine-id(5)), or its host name where there is none."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    return clean(text) or clean(host_name())


def boot_id(path: Path = BOOT_ID) -> str:
    """Return the ID that the kernel gave this boot (random(4)); nothing where it does not tell."""
    try:
        return clean(path.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        return ""


def static_addresses(root: Path, container_ids: Iterable[str], network: str) -> Mapping[str, bool]:
    """Return for each container whether its address on a network was given by hand; absent where that cannot be read."""
    is_static: dict[str, bool] = {}
    for id_ in container_ids:
        try:
            data = json.loads((root / "containers" / id_ / "config.v2.json").read_text("utf-8"))
            endpoint = data["NetworkSettings"]["Networks"][network]
            is_allocated = endpoint["IPAMOperational"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(is_allocated, bool):
            is_static[id_] = bool(endpoint.get("IPAMConfig")) and not is_allocated
    return is_static


def why_engine_is_foreign(host: str, engine_name: str) -> Unknown | None:
    """Return why an engine cannot be taken for this host's own, or None when it is.

    It is when it is reached through a unix socket, bears this host's name, and the process that listens on the
    socket shares this host's network namespace (a daemon in a container or a rootless one does not). Whose process
    it is comes from the socket itself (SO_PEERCRED); where this user may not look at that process, the name decides.
    """
    if not host.startswith(UNIX):
        return Unknown(f"The engine at {host} is not on this host.")
    if engine_name != host_name():
        return Unknown(f"The engine calls itself {engine_name}, and this host is {host_name()}.")
    try:
        listener = _listener(host.removeprefix(UNIX))
        theirs = Path(f"/proc/{listener}/ns/net").readlink()
        ours = Path("/proc/self/ns/net").readlink()
    except PermissionError:
        return None
    except OSError as error:
        return Unknown(f"The process that listens at {host} is not known: {error.strerror}.")
    return None if theirs == ours else Unknown(f"The engine at {host} has its own network, not this host's.")


def _listener(path: str) -> int:
    """Return the process ID behind a listening unix socket, in this process's PID namespace."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        probe.connect(path)
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, _, _ = struct.unpack("3i", credentials)
    return int(pid)

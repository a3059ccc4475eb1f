"""Which engine is asked: its address as an operator names it, or as the environment does."""

import os
import shlex
from pathlib import Path

from console.errors import UsageError
from console.host.root import has_own_root
from console.swarm.contexts import LOCAL, context_address
from console.text import clean

DEFAULT_HOST = LOCAL


def resolve_host(address: str = "") -> str:
    """Return the engine's address: the one asked for, else `DOCKER_HOST`, else the local socket.

    The current Docker context is never followed: an operator must not look at another host than the one that is shown. `/path` and `unix:/path` become
    `unix:///path`, as the docker command takes them. Raises UsageError for what is no address of an engine.
    """
    # With a root of its own the host has an engine of its own.
    named = "" if has_own_root() else os.environ.get("DOCKER_HOST", "")
    host = (address or named).strip() or DEFAULT_HOST
    path = host.removeprefix("unix://").removeprefix("unix:")
    if host.startswith(("unix:", "/")) and path.startswith("/") and path.strip("/"):
        return f"unix:///{path.lstrip('/')}"
    if host.startswith("tcp://") and host.removeprefix("tcp://").strip("/"):
        return host
    if host.startswith("ssh://"):
        raise UsageError(
            "ssh:// addresses are not supported.",
            "Forward the socket with `ssh -nNT -L /run/remote.sock:/run/docker.sock HOST &`, then use "
            "--host unix:///run/remote.sock.",
        )
    raise UsageError(
        f"{clean(host)} is not an engine address.",
        "Write it as unix:///path or tcp://host:port (--host, DOCKER_HOST).",
    )


def engine_or_context(name: str) -> str:
    """Return the address of an engine that is named by it, or by a docker context. Raises UsageError."""
    if "://" in name or name.startswith("/"):
        return resolve_host(name)
    address = context_address(name)
    if address.certificates and address.certificates.ca and not os.environ.get("DOCKER_CERT_PATH"):
        raise UsageError(
            f"The certificates of the docker context {clean(name)} are not taken from it here.",
            f"`export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={shlex.quote(str(Path(address.certificates.ca).parent))}` first.",
        )
    return resolve_host(address.host)

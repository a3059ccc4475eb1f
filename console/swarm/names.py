"""The names of what is in a swarm, for an operator who types one: asked for once, quickly, and none where nobody answers."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from console.errors import VipconsoleError
from console.swarm.engine_client import EngineClient, SocketClient, socket_of
from console.swarm.failures import FAILURES
from console.swarm.parse import STACK_LABEL
from console.text import clean


def overlay_names(host: str, within_s: float) -> tuple[str, ...]:
    """Return the names of the overlays."""
    return _names(
        host, "/networks", lambda row: row["Name"] if row.get("Driver") == "overlay" else "", within_s
    )


def service_names(host: str, within_s: float) -> tuple[str, ...]:
    """Return the names of the services."""
    return _names(host, "/services", lambda row: row["Spec"]["Name"], within_s)


def stack_names(host: str, within_s: float) -> tuple[str, ...]:
    """Return the names of the stacks that have a service."""
    return _names(
        host, "/services", lambda row: (row["Spec"].get("Labels") or {}).get(STACK_LABEL, ""), within_s
    )


def _names(host: str, path: str, name_of: Callable[[Any], str], within_s: float) -> tuple[str, ...]:
    names: list[str] = []

    def ask() -> None:
        try:
            client = _client(host, within_s)
            try:
                rows: Iterable[Any] = json.loads(client.get(path)) or ()
                names.extend(clean(name_of(row)) for row in rows)
            finally:
                client.close()
        except (VipconsoleError, *FAILURES):
            # An error would break the line that is typed: the command itself says what is wrong.
            return

    # An engine may answer a little at a time, and each part in time.
    thread = threading.Thread(target=ask, name="names", daemon=True)
    thread.start()
    thread.join(within_s)
    return tuple(sorted({name for name in names if name}))


def _client(host: str, within_s: float) -> EngineClient:
    path = socket_of(host)
    if path is None:
        # Over TCP it takes what it takes to load the docker SDK, and often too long.
        from console.swarm.client import EngineConnection  # noqa: PLC0415 - see above

        return EngineConnection(host, within_s).streaming_client()
    first = SocketClient(path, "", within_s)
    try:
        version = first.newest_version()
    finally:
        first.close()
    return SocketClient(path, version, within_s)

"""Calls to the engine of a host in a folder: whether it answers, and that its dockerd restarts."""

import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from console.simulator.host.processes import wait_until
from console.swarm.engine_client import UnixConnection

SOCKET = "run/docker.sock"
JOURNAL = "var/log/journal.json"
DOCKERD_PID = "run/dockerd.pid"
"""There where the engine is a real dockerd, which is started again when it ends by what started it."""
JOURNAL_SOCKET = "run/systemd/journal/socket"
DOWN_S = 2.0
"""How long dockerd is away when it is restarted."""
_TIMEOUT_S = 10.0
_RESTARTED_WITHIN_S = 90.0
"""A real dockerd stops its containers first."""


def answers(root: Path) -> bool:
    """Return whether the engine of a demo host answers."""
    try:
        return _ask(root / SOCKET, "GET", "/_ping")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def send(socket_path: Path, path: str, body: Any) -> Any:
    """Make a control call on the socket of a simulated engine, and return its answer. Raises OSError."""
    try:
        status, answer = _ask(socket_path, "POST", path, body)
        found = json.loads(answer)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(str(error)) from error
    if status != 200:
        raise OSError(found["message"])
    return found


def restart_engine(root: Path) -> None:
    """Restart the dockerd of a host, and return when it is up again. Raises OSError, HTTPException."""
    if (root / DOCKERD_PID).exists():
        _restart_dockerd(root)
        return
    _ask(root / SOCKET, "POST", "/_simulator/restart", {})
    _ask(root / SOCKET, "POST", "/_simulator/down", {"seconds": DOWN_S})
    # It still answers for an instant, and that is not the answer of the new one.
    time.sleep(DOWN_S / 2)
    wait_until(lambda: answers(root), DOWN_S + _TIMEOUT_S)


def _restart_dockerd(root: Path) -> None:
    before = (root / DOCKERD_PID).read_text("ascii")
    os.kill(int(before), signal.SIGTERM)

    def is_back() -> bool:
        return (root / DOCKERD_PID).read_text("ascii") not in ("", before) and answers(root)

    if not wait_until(is_back, _RESTARTED_WITHIN_S):
        raise TimeoutError(f"dockerd is not back within {_RESTARTED_WITHIN_S:g} s")


def _ask(socket_path: Path, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    connection = UnixConnection(str(socket_path), _TIMEOUT_S)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()

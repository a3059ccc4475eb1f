"""What a client of an engine raises, and what keeps an engine from showing a swarm, as this program's own errors."""

import errno
import json
from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException
from typing import Any

from console.errors import (
    DAMAGE,
    EngineError,
    EngineForbidden,
    EngineNotFound,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    MalformedReply,
    NoSwarm,
    NotManager,
    SwarmError,
    VipconsoleError,
)
from console.swarm.engine_client import ErrorReply
from console.text import clean, clean_error, listed

GARBAGE = (*DAMAGE, MemoryError)
"""What reading an answer raises that is not as the API promises: also one that names a length which no memory holds."""
FAILURES = (ErrorReply, HTTPException, OSError, *GARBAGE)
"""Everything that a call of a client has been seen to raise."""

NOT_A_MANAGER = "This node is not a swarm manager."
"""How every engine begins its answer to a swarm question that it cannot answer (moby daemon/cluster/errors.go)."""


PLAIN_TO_TLS = "Client sent an HTTP request to an HTTPS server."
"""What an engine that wants TLS answers to a client that speaks without (Go's net/http/server.go)."""


def engine_error(error: Exception, host: str, purpose: str, *, is_tls: bool = False) -> VipconsoleError:
    """Return the error that a failed call becomes.

    `host` is the engine's address and `purpose` what was asked, as in `list the tasks`; both go into the sentence.
    `is_tls` says that certificates were used.
    """
    if is_tls:
        # TLS is spoken with few engines, and its library takes long to load.
        from console.swarm.tls_failures import tls_failure  # noqa: PLC0415 - see above

        for cause in causes_of(error):
            if failure := tls_failure(cause, host):
                return failure
    return _plain_error(error, host, purpose)


def _plain_error(error: Exception, host: str, purpose: str) -> VipconsoleError:
    match error:
        case ErrorReply():
            return _refusal(error, host, purpose)
        case TimeoutError():
            return timeout_error(host, purpose)
    unreachable = _unreachable(error, host, purpose)
    if unreachable is not None:
        return unreachable
    if isinstance(error, OSError):
        return EngineUnreachable(
            f"The engine at {host} could not be asked to {purpose}: {clean(str(error), 200)}.",
            "Check the address: unix:///path or tcp://host:port.",
        )
    return MalformedReply(
        f"What answers at {host} does not speak the Docker Engine API (asked to {purpose}: {clean(str(error), 120)}).",
        "Check that --host or DOCKER_HOST names a Docker engine.",
    )


def timeout_error(host: str, purpose: str) -> EngineTimeout:
    """Return the error of a call that was not answered in time."""
    return EngineTimeout(
        f"The engine at {host} did not answer in time (asked to {purpose}).",
        "dockerd may be overloaded or hanging: check `systemctl status docker`, then try again.",
    )


def not_a_manager(info: Mapping[str, Any], host: str) -> SwarmError | None:
    """Return why the engine's answer to `GET /info` shows no swarm, or None for a working manager."""
    swarm = info.get("Swarm") or {}
    match swarm.get("LocalNodeState"):
        case "active" if swarm.get("ControlAvailable"):
            return None
        case "active":
            return NotManager(
                f"The node at {host} is a worker, and only managers see the swarm.",
                f"Run this on a manager, or name one with --host{_managers(swarm.get('RemoteManagers'))}.",
            )
        case "locked":
            return NoSwarm(f"The swarm at {host} is locked.", "`docker swarm unlock` with its unlock key.")
        case "error" | "pending":
            return NoSwarm(
                f"The node at {host} is in its swarm but cannot work in it (state {swarm['LocalNodeState']}).",
                "`docker info` tells the error; quorum may be lost.",
            )
    return NoSwarm(
        f"The engine at {host} is not part of a swarm.", "`docker swarm init`, or name a manager with --host."
    )


def _refusal(error: ErrorReply, host: str, purpose: str) -> VipconsoleError:
    status, explanation = error.status, clean_error(error.explanation)
    if explanation.startswith(PLAIN_TO_TLS):
        return EngineUnreachable(
            f"The engine at {host} wants TLS, and no certificates are set for it.",
            "Set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a docker context that has them (ca=…,cert=…,key=…).",
        )
    if explanation.startswith(NOT_A_MANAGER):
        return NotManager(
            f"The node at {host} is not a swarm manager, and only managers see the swarm.",
            "Run this on a manager, or name one with --host.",
        )
    kind = EngineNotFound if status == 404 else EngineRefused
    return kind(
        f"The engine at {host} refused to {purpose}: {explanation or 'no reason given'} (HTTP {status}).",
        "Read dockerd's log around this moment." if status >= 500 else "",
        status=status,
    )


def _unreachable(error: Exception, host: str, purpose: str) -> EngineError | None:
    for cause in causes_of(error):
        match getattr(cause, "errno", None):
            case errno.ENOENT:
                return EngineUnreachable(
                    f"There is no engine at {host}: the socket does not exist.",
                    "Is Docker installed and running? `systemctl status docker`; another socket: --host or DOCKER_HOST.",
                )
            case errno.ECONNREFUSED:
                return EngineUnreachable(
                    f"Nothing listens at {host}: the Docker daemon is not running.",
                    "`systemctl status docker`, then `journalctl -u docker -e` for why it ended.",
                )
            case errno.EACCES | errno.EPERM:
                return EngineForbidden(
                    f"This user may not use the engine's socket {host}.",
                    "Run as root, or join the group that owns the socket (usually `docker`) and log in again.",
                )
        if isinstance(cause, ConnectionResetError | BrokenPipeError) or "IncompleteRead" in repr(cause)[:200]:
            return MalformedReply(
                f"The engine at {host} closed the connection in the middle of its reply (asked to {purpose}).",
                "It may be restarting: try again.",
            )
        if "RemoteDisconnected" in type(cause).__name__ or isinstance(cause, json.JSONDecodeError):
            return MalformedReply(
                f"The engine at {host} closed the connection without a valid reply (asked to {purpose}).",
                "It may be restarting: try again. If this repeats, read dockerd's log.",
            )
    return None


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that lies behind it."""
    # requests and urllib3 carry the true cause in their arguments as often as in __cause__.
    waiting, visited_ids = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in visited_ids:
            continue
        visited_ids.add(id(cause))
        yield cause
        candidates = (cause.__cause__, cause.__context__, *cause.args)
        waiting.extend(candidate for candidate in candidates if isinstance(candidate, BaseException))


def _managers(remote: Iterable[Mapping[str, Any]] | None) -> str:
    addresses = [clean(str(manager.get("Addr", ""))) for manager in remote or ()]
    return f" (managers: {listed(addresses)})" if addresses else ""

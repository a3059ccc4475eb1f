"""The connection to one Docker engine: the only place that builds clients of it."""

import asyncio
import os
import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from console.concurrency import OwningThreads
from console.errors import MalformedReply, UsageError, VipconsoleError
from console.host.root import has_own_root
from console.swarm.contexts import LOCAL, EngineAddress, context_address
from console.swarm.engine_client import EngineClient, Refusal, SocketClient
from console.swarm.failures import FAILURES, engine_error, timeout_error
from console.text import SENTENCE_LIMIT, clean

DEFAULT_HOST = LOCAL
NO_VERSION = (0, 0)
COUNTING_API = (1, 52)
"""From it on the engine tells how many addresses its allocator has handed out (Docker 29)."""
THREADS = 6
"""Enough to hide the engine's latency; more only queue inside dockerd."""

R = TypeVar("R")


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


def parse_version(text: str) -> tuple[int, int]:
    """Return `1.41` as (1, 41), and anything else as (0, 0)."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if minor.isdecimal() and major.isdecimal() else NO_VERSION


class EngineConnection:
    """Asks one engine, on a few threads, each call within `timeout_s`; `address` is a host alone, or one with certificates."""

    def __init__(self, address: str | EngineAddress, timeout_s: float) -> None:
        engine = EngineAddress(address) if isinstance(address, str) else address
        self.host = clean(engine.host, SENTENCE_LIMIT)
        """The address, fit to be shown."""
        self._address = engine.host
        self._certificates = engine.certificates
        self._is_tls = False
        self._timeout_s = timeout_s
        self._negotiation = threading.Lock()
        self._api_version = ""
        self._failure: Exception | None = None
        self._failures = 0
        self._open_calls = 0
        self.silent_since_s: float | None = None
        """Since when the engine owes an answer, by the monotonic clock; None where it owes none."""
        self._threads: OwningThreads[EngineClient] = OwningThreads(
            self._client, lambda client: client.close(), THREADS
        )

    @property
    def api_version(self) -> tuple[int, int]:
        """The API version that was agreed on with the engine; (0, 0) before the first call."""
        return parse_version(self._api_version)

    async def ask(self, purpose: str, question: Callable[[EngineClient], R]) -> R:
        """Return the engine's answer to a question put through a client.

        `purpose` says in words what is asked, for errors. Raises an `EngineError` or `SwarmError` for whatever goes
        wrong between here and a parsed answer.
        """
        if self.silent_since_s is None:
            self.silent_since_s = time.monotonic()
        self._open_calls += 1
        has_answered = False
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._threads.call(question)
            has_answered = True
        except TimeoutError as error:
            raise timeout_error(self.host, purpose) from error
        except asyncio.CancelledError:
            # Nobody waits for the answer any more.
            has_answered = not self._open_calls - 1
            raise
        except VipconsoleError:
            has_answered = True
            raise
        except FAILURES as error:
            has_answered = isinstance(error, Refusal)
            raise engine_error(error, self.host, purpose, is_tls=self._is_tls) from error
        finally:
            self._open_calls -= 1
            if has_answered:
                self.silent_since_s = time.monotonic() if self._open_calls else None
        return answer

    def streaming_client(self) -> EngineClient:
        """Return a client of the caller's own, for an answer that does not end; blocks while the version is agreed on."""
        return self._client()

    def close(self) -> None:
        """Let go of the engine. Calls that hang are left to their threads."""
        self._threads.close()

    def _client(self) -> EngineClient:
        # One thread asks for the version, the others wait for it, and for its failure too: an engine that hangs is not
        # asked again by each of them in turn.
        failures_before = self._failures
        with self._negotiation:
            if not self._api_version:
                if self._failure is not None and self._failures != failures_before:
                    raise self._failure
                try:
                    self._api_version = self._negotiate()
                except Exception as error:
                    self._failure, self._failures = error, self._failures + 1
                    raise
        return self._new_client(self._api_version)

    def _negotiate(self) -> str:
        first = self._new_client("")
        try:
            version = first.newest_version()
        finally:
            first.close()
        if parse_version(version) == NO_VERSION:
            raise MalformedReply(
                f"The engine at {self.host} does not report its API version.",
                "Check that --host or DOCKER_HOST names a Docker engine.",
            )
        return version

    def _new_client(self, version: str) -> EngineClient:
        if self._address.startswith("unix://"):
            return SocketClient(self._address.removeprefix("unix://"), version, self._timeout_s)
        # Only now: what it is made of takes a tenth of a second to load.
        from console.swarm.sdk_client import SdkClient, tls_config  # noqa: PLC0415 - see above

        # Where files are missing, they were asked for.
        self._is_tls = self._certificates is not False
        tls = self._certificates is not False and tls_config(self._certificates)
        self._is_tls = bool(tls)
        return SdkClient(self._address, tls, version, self._timeout_s)

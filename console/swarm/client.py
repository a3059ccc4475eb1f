"""The connection to one Docker engine: the only place that builds clients of it."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from console.concurrency import OwningThreads
from console.errors import MalformedReply, VipconsoleError
from console.swarm.contexts import EngineAddress
from console.swarm.engine_client import EngineClient, ErrorReply, SocketClient, socket_of
from console.swarm.failures import FAILURES, engine_error, timeout_error
from console.text import SENTENCE_LIMIT, clean

NO_VERSION = (0, 0)
THREADS = 6
"""Enough to hide the engine's latency; more only queue inside dockerd."""

R = TypeVar("R")


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
            has_answered = isinstance(error, ErrorReply)
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
        path = socket_of(self._address)
        if path is not None:
            return SocketClient(path, version, self._timeout_s)
        # Only now: what it is made of takes a tenth of a second to load.
        from console.swarm.sdk_client import SdkClient, tls_config  # noqa: PLC0415 - see above

        # Where files are missing, they were asked for.
        self._is_tls = self._certificates is not False
        tls = self._certificates is not False and tls_config(self._certificates)
        self._is_tls = bool(tls)
        return SdkClient(self._address, tls, version, self._timeout_s)

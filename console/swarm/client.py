"""The connection to one Docker engine: the only place that builds clients of the docker SDK."""

import asyncio
import os
import shlex
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import urllib3
from docker import APIClient
from docker.errors import APIError, create_api_error_from_http_exception
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env
from requests import HTTPError

from console.concurrency import OwningThreads
from console.errors import MalformedReply, UsageError, VipconsoleError
from console.host.root import has_own_root
from console.swarm.contexts import LOCAL, EngineAddress, context_address
from console.swarm.failures import FAILURES, engine_error, timeout_error
from console.text import SENTENCE_LIMIT, clean

DEFAULT_HOST = LOCAL
OLDEST_API = "1.25"
"""Spoken until the engine has told its own version; `GET /version` is the same in all."""
NO_VERSION = (0, 0)
COUNTING_API = (1, 52)
"""From it on the engine tells how many addresses its allocator has handed out (Docker 29)."""
THREADS = 6
"""Enough to hide the engine's latency; more only queue inside dockerd."""

R = TypeVar("R")


def resolve_host(address: str = "") -> str:
    """Return the engine's address: the one asked for, else `DOCKER_HOST`, else the local socket.

    Named here in every case, because the docker SDK would otherwise follow the current Docker context, and an
    operator must never look at another host than the one that is shown. `/path` and `unix:/path` become
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
    if address.tls and address.tls.ca_cert and not os.environ.get("DOCKER_CERT_PATH"):
        raise UsageError(
            f"The certificates of the docker context {clean(name)} are not taken from it here.",
            f"`export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={shlex.quote(str(Path(address.tls.ca_cert).parent))}` first.",
        )
    return resolve_host(address.host)


def parse_version(text: str) -> tuple[int, int]:
    """Return `1.41` as (1, 41), and anything else as (0, 0)."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if minor.isdecimal() and major.isdecimal() else NO_VERSION


def answer_of(client: APIClient, path: str) -> bytes:
    """Return the engine's answer to `GET path`, as it came; raise what the SDK raises."""
    # The SDK's own calls give JSON only after it was read, and so never tell whether an answer is the same as before.
    response = client.get(f"{client.base_url}/v{client.api_version}{path}", timeout=client.timeout)
    try:
        response.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)
    return response.content


def send(
    client: APIClient,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> Any:
    """Send a request as it is, and return the answer's JSON; raise what the SDK raises.

    The SDK's own methods rebuild specifications and would lose fields unknown to them.
    """
    url = f"{client.base_url}/v{client.api_version}{path}"
    answer = client.request(method, url, json=body, params=params, timeout=client.timeout)
    try:
        answer.raise_for_status()
    except HTTPError as error:
        create_api_error_from_http_exception(error)
    return answer.json() if answer.content else None


class EngineConnection:
    """Asks one engine, on a few threads, each call within `timeout_s`; `address` is a host alone, or one with certificates."""

    def __init__(self, address: str | EngineAddress, timeout_s: float) -> None:
        engine = EngineAddress(address) if isinstance(address, str) else address
        self.host = clean(engine.host, SENTENCE_LIMIT)
        """The address, fit to be shown."""
        self._address = engine.host
        self._tls = engine.tls
        self._is_tls = False
        self._timeout_s = timeout_s
        self._negotiation = threading.Lock()
        self._api_version = ""
        self._failure: Exception | None = None
        self._failures = 0
        self._open_calls = 0
        self.silent_since_s: float | None = None
        """Since when the engine owes an answer, by the monotonic clock; None where it owes none."""
        self._threads: OwningThreads[APIClient] = OwningThreads(self._client, APIClient.close, THREADS)

    @property
    def api_version(self) -> tuple[int, int]:
        """The API version that was agreed on with the engine; (0, 0) before the first call."""
        return parse_version(self._api_version)

    async def ask(self, purpose: str, question: Callable[[APIClient], R]) -> R:
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
            has_answered = isinstance(error, APIError)
            raise engine_error(error, self.host, purpose, is_tls=self._is_tls) from error
        finally:
            self._open_calls -= 1
            if has_answered:
                self.silent_since_s = time.monotonic() if self._open_calls else None
        return answer

    def streaming_client(self) -> APIClient:
        """Return a client of the caller's own, for an answer that does not end; blocks while the version is agreed on."""
        return self._client()

    def close(self) -> None:
        """Let go of the engine. Calls that hang are left to their threads."""
        self._threads.close()

    def _client(self) -> APIClient:
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
        self._knock()
        first = self._new_client(OLDEST_API)
        try:
            answer: Any = first.version(api_version=False)
        finally:
            first.close()
        version = str(answer["ApiVersion"])
        if parse_version(version) == NO_VERSION:
            raise MalformedReply(
                f"The engine at {self.host} does not report its API version.",
                "Check that --host or DOCKER_HOST names a Docker engine.",
            )
        return version

    def _knock(self) -> None:
        """Raise what the operating system says when nobody listens on a unix socket."""
        # The SDK buries that error, and leaves its own socket open behind it.
        if self._address.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as knock:
                knock.settimeout(self._timeout_s)
                knock.connect(self._address.removeprefix("unix://"))

    def _new_client(self, version: str) -> APIClient:
        tls = self._certificates() or False
        client = _Client(
            base_url=self._address,
            version=version,
            timeout=max(1, round(self._timeout_s)),
            tls=tls,
        )
        if self._address.startswith("unix://"):
            # requests reads the environment for proxies, and ~/.netrc for a password of `localhost`, before each call: a
            # socket has neither, and that reading costs as much as many an answer.
            client.trust_env = False
        return client

    def _certificates(self) -> TLSConfig | Literal[False] | None:
        if not self._address.startswith("tcp://"):
            return None
        tls: TLSConfig | Literal[False] | None = self._tls
        # It raises where a file is not there.
        self._is_tls = True
        if tls is None:
            tls = kwargs_from_env().get("tls")
        self._is_tls = bool(tls)
        if tls and not tls.verify:
            # Who chose it need not be warned at each call.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return tls


class _Client(APIClient):
    """The SDK's client, which trusts the CA that it was given, whatever the environment says (`REQUESTS_CA_BUNDLE`)."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return what a call goes by: the environment may name a proxy, and never another CA."""
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)

"""What asks an engine: what every client of one gives and raises, and the client of an engine on a unix socket.

That one is made of the standard library: the docker SDK takes longer to load than most answers to come.
"""

import json
import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlencode

JSON = "application/json"
_CHUNK = 65536
PART_BYTES = 1 << 20
LONGEST_ANSWER_BYTES = 1 << 30
"""The tasks of a full /16 take a fifth of that."""
VERSION_HEADER = "API-Version"
"""Stands in every answer of an engine (moby daemon/server/middleware/version.go)."""


class ErrorReply(Exception):
    """The engine answered with an HTTP error; `explanation` is its message, as it came."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(status, explanation)
        self.status = status
        self.explanation = explanation

    @classmethod
    def of(cls, status: int, content: bytes) -> "ErrorReply":
        """Return what an answer with an error's status says."""
        try:
            return cls(status, str(json.loads(content)["message"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(status, content.decode(errors="replace").strip())


def read_body(parts: Iterable[bytes], timeout_s: float) -> bytes:
    """Return the body of an answer, of which parts come.

    One without an end, such as a broken proxy sends, would fill the memory long after its caller has given up: TimeoutError is
    raised where it has not ended in time, HTTPException where it is longer than any answer.
    """
    end_s, body = monotonic() + timeout_s, bytearray()
    for part in parts:
        body += part
        if len(body) > LONGEST_ANSWER_BYTES:
            raise HTTPException(f"its answer is longer than {LONGEST_ANSWER_BYTES >> 20} MB")
        if monotonic() > end_s:
            raise TimeoutError("its answer does not end")
    return bytes(body)


class EventStream(Protocol):
    """The engine's events, as they come."""

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Yield them until the engine or `close` ends the stream."""
        ...

    def close(self) -> None:
        """End the stream from any thread: who waits for the next event waits no longer."""
        ...


class EngineClient(ABC):
    """One connection to an engine, for one thread. `version` is the API version that both speak; empty before it is known.

    A call raises ErrorReply for an HTTP error of the engine, TimeoutError where it does not answer in time, and OSError or
    HTTPException for whatever else goes wrong on the way; ValueError and the like where an answer is not what it should be.
    """

    def __init__(self, version: str) -> None:
        self._version = version

    @abstractmethod
    def call(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
        """Return the engine's answer to a request, and the API version that it names; `path` is the whole path."""

    @abstractmethod
    def events(self, since: str, filters: Mapping[str, list[str]]) -> EventStream:
        """Return the engine's events from a moment of its clock on: seconds and nine decimals."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the engine, from the thread that asks."""

    def newest_version(self) -> str:
        """Return the newest API version that the engine speaks; what stands there may be no version."""
        # A ping costs the engine nothing. `/version` runs runc and docker-init on older ones.
        answer, version = self.call("GET", "/_ping", None, "")
        if version:
            return version
        answer, _ = self.call("GET", "/version", None, "")
        return str(json.loads(answer)["ApiVersion"])

    def get(self, path: str) -> bytes:
        """Return the engine's answer to `GET path`, as it came."""
        return self.call("GET", self._versioned(path), None, "")[0]

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a body as it is, and return the answer's JSON; None where the answer is empty."""
        content = None if body is None else json.dumps(body).encode()
        answer, _ = self.call(method, self._versioned(path, params), content, JSON if content else "")
        return json.loads(answer) if answer else None

    def upload(self, path: str, archive: bytes, params: Mapping[str, str]) -> None:
        """Send a tar archive. What becomes of it is told line by line, also that it failed: then ErrorReply is raised."""
        answer, _ = self.call("POST", self._versioned(path, params), archive, "application/x-tar")
        for line in answer.splitlines():
            if failure := json.loads(line).get("error"):
                raise ErrorReply(200, str(failure))

    def _versioned(self, path: str, params: Mapping[str, str] | None = None) -> str:
        return f"/v{self._version}{path}" + (f"?{urlencode(params)}" if params else "")


UNIX = "unix://"


def socket_of(host: str) -> str | None:
    """Return the path of a host's unix socket; None for one that is reached in another way."""
    return host.removeprefix(UNIX) if host.startswith(UNIX) else None


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket, each step within `timeout_s`."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket. Raises OSError."""
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.settimeout(self.timeout)
            stream.connect(self._path)
        except OSError:
            stream.close()
            raise
        self.sock = stream


class SocketClient(EngineClient):
    """Asks the engine behind a socket, over one connection that is kept from call to call."""

    def __init__(self, path: str, version: str, timeout_s: float) -> None:
        super().__init__(version)
        self._timeout_s = timeout_s
        self._connection = UnixConnection(path, timeout_s)

    def call(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
        # An answer that halts keeps its own hold of the socket.
        with self._closed_on_failure(), self._ask(method, path, body, content_type) as response:
            answer = self._body_of(response)
        if response.status >= 400:
            raise ErrorReply.of(response.status, answer)
        return answer, response.headers.get(VERSION_HEADER, "")

    def events(self, since: str, filters: Mapping[str, list[str]]) -> EventStream:
        query = urlencode({"since": since, "filters": json.dumps(filters)})
        with self._closed_on_failure():
            self._send("GET", f"{self._versioned('/events')}?{query}", None, "")
            # A proxy that closes the connection after its answer lets the client forget the socket.
            stream = self._connection.sock
            response = self._connection.getresponse()
            if response.status >= 400:
                raise ErrorReply.of(response.status, self._body_of(response))
        # Hours may pass between two events.
        stream.settimeout(None)
        return _SocketEvents(stream, response)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, content_type: str) -> HTTPResponse:
        self._send(method, path, body, content_type)
        return self._connection.getresponse()

    def _body_of(self, response: HTTPResponse) -> bytes:
        body = read_body(iter(lambda: response.read(PART_BYTES), b""), self._timeout_s)
        if response.length:
            # Read in parts, it ends without an error wherever the engine hangs up.
            raise IncompleteRead(body, response.length)
        return body

    def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> None:
        if self._connection.sock is not None and _has_ended(self._connection.sock):
            # An engine that was restarted has closed it.
            self._connection.close()
        headers = {"Content-Type": content_type} if content_type else {}
        self._connection.request(method, path, body, headers)

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        """Let no half of an answer stay in the connection, not even after an interruption."""
        try:
            yield
        except BaseException:
            self._connection.close()
            raise


class _SocketEvents:
    def __init__(self, stream: socket.socket, response: HTTPResponse) -> None:
        self._stream = stream
        self._response = response
        self._is_closed = False

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        text = b""
        while chunk := self._next():
            # Each is a line of its own (moby daemon/server/router/system/system_routes.go).
            *lines, text = (text + chunk).split(b"\n")
            for line in filter(None, map(bytes.strip, lines)):
                yield json.loads(line)

    def _next(self) -> bytes:
        try:
            return self._response.read1(_CHUNK)
        except (HTTPException, OSError):
            if self._is_closed:
                return b""
            raise

    def close(self) -> None:
        self._is_closed = True
        with suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)


def _has_ended(idle: socket.socket) -> bool:
    """Whether there is something to read where no answer is waited for: the other side's end of the connection."""
    poll = select.poll()
    poll.register(idle, select.POLLIN)
    return bool(poll.poll(0))

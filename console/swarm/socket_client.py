"""An engine on a unix socket, asked with the standard library: the docker SDK takes longer to load than most answers to come."""

import json
import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from console.swarm.wire import VERSION_HEADER, EngineClient, EventStream, Refusal

_CHUNK = 65536


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
        except BaseException:
            stream.close()
            raise
        self.sock = stream


class SocketClient(EngineClient):
    """Asks the engine behind a socket, over one connection that is kept from call to call."""

    def __init__(self, path: str, version: str, timeout_s: float) -> None:
        super().__init__(version)
        self._connection = UnixConnection(path, timeout_s)

    def call(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
        response = self._ask(method, path, body, content_type)
        try:
            answer = response.read()
        except BaseException:
            self._connection.close()
            raise
        if response.status >= 400:
            raise Refusal.of(response.status, answer)
        return answer, response.headers.get(VERSION_HEADER, "")

    def events(self, since: str, filters: Mapping[str, list[str]]) -> EventStream:
        query = urlencode({"since": since, "filters": json.dumps(filters)})
        response = self._ask("GET", f"{self._versioned('/events')}?{query}", None, "")
        if response.status >= 400:
            raise Refusal.of(response.status, response.read())
        stream = self._connection.sock
        # Hours may pass between two events.
        stream.settimeout(None)
        return _SocketEvents(stream, response)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, content_type: str) -> HTTPResponse:
        if self._connection.sock is not None and _has_ended(self._connection.sock):
            # An engine that was restarted has closed it.
            self._connection.close()
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            self._connection.request(method, path, body, headers)
            return self._connection.getresponse()
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

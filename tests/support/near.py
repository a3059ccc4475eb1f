"""A simulated engine that this process serves is answered without its socket: `pytest --near`, as `make quick` does.

Most of what a call to a simulated engine costs is its way over HTTP: two threads, two parsers, and a connection between them.
What asks stays as it is, the program's own client and the docker SDK of the tests, and so does what answers; only HTTP and the
socket between them are left out, and the caller does the engine's work itself, while the engine's own thread waits. Whatever is not plain goes over the socket all the same: calls that meet a fault, streams of
events, an engine that is down or not yet up. A test that looks at what requests sends sees it: then only the socket is left out.
Of a response nobody reads its `request`, and the query in the `url` of one that succeeded: these are not there.

`make test` does so too, but for the tests that are about the socket: `tests/support/nearness.py`.
"""

import asyncio
import json
import re
import threading
from collections.abc import Mapping
from functools import cache
from http.client import responses
from typing import Any, cast
from urllib.parse import unquote

import pytest
import requests
from aiohttp import web
from docker import APIClient
from docker.transport.unixconn import UnixHTTPAdapter
from requests.structures import CaseInsensitiveDict
from yarl import URL

from console.simulator import door, server
from console.simulator.api import Request
from console.swarm.engine_client import ErrorReply, SocketClient

far: Any = UnixHTTPAdapter.send
far_call: Any = SocketClient.call
_request: Any = APIClient.request
_send: Any = APIClient.send
_READ = frozenset(("params", "data", "json", "headers", "timeout", "stream", "allow_redirects"))
"""What the SDK gives with a request; its headers and time limit say nothing that a simulated engine looks at."""
_PLAIN_PATH = re.compile(r"(/\w([\w%:~-]|\.(?!\.))*)+", re.ASCII)
"""A path that requests writes as it is."""
_served: dict[str, "NearEngine"] = {}
"""The engines of this process whose sockets listen."""


class NearEngine:
    """An engine of this process. Its thread and those of its callers take turns; its own turn ends only where it waits.

    The loop waits in its selector's `select` and nowhere else, so a lock that is free just then keeps the model and its
    listeners from being used twice at once, as the loop does for calls over the socket.
    """

    def __init__(self, service: server.EngineServer) -> None:
        """Begin the turn of this thread, which runs the engine's loop."""
        self._service = service
        self._loop = cast("Any", asyncio.get_running_loop())
        self._turn = threading.Lock()
        self._turn.acquire()
        self._select = self._loop._selector.select
        self._loop._selector.select = self._wait

    def _wait(self, timeout: float | None = None) -> Any:
        self._turn.release()
        try:
            return self._select(timeout)
        finally:
            self._turn.acquire()

    def end(self) -> None:
        """Let the loop wait as loops do; nobody else takes a turn after this."""
        self._loop._selector.select = self._select
        self._turn.release()

    def answer(self, call: Request, socket: str) -> web.Response | None:
        """Return the response, or None where the socket has to tell: the engine went down meanwhile, or a fault is met."""
        with self._turn:
            if _served.get(socket) is not self:
                return None
            response = self._service.respond(call)
            # Somebody who listens has something to tell: the loop waits and does not know it yet.
            if self._loop._ready:
                self._loop.call_soon_threadsafe(int)
            return response


class NearDoor(door.Door):
    """A socket that lets this process know while it listens."""

    _near: NearEngine | None = None

    async def listen(self) -> None:
        await super().listen()
        self._loop = asyncio.get_running_loop()
        self._near = self._near or NearEngine(cast("server.EngineServer", self.service))
        _served[str(self.socket)] = self._near

    def shut_for(self, seconds: float) -> None:
        _served.pop(str(self.socket), None)
        # Whose turn it is may be another thread's, and only the loop's own can begin a task.
        self._loop.call_soon_threadsafe(super().shut_for, seconds)

    async def close(self) -> None:
        # A call that comes while connections end is still answered near: over the socket it would open another one.
        await super().close()
        _served.pop(str(self.socket), None)
        if self._near is not None:
            self._near.end()


def send(adapter: Any, request: requests.PreparedRequest, **more: Any) -> requests.Response:
    """Send what requests has prepared as the SDK's adapter does, or answer it here."""
    found = _served.get(adapter.socket_path)
    if found is not None and not more.get("stream"):
        url = URL(request.path_url, encoded=True)
        body = server.parse_body(request.body or b"")
        given = found.answer(
            Request(request.method or "", url.path, dict(url.query), body), adapter.socket_path
        )
        if given is not None:
            return _response(given, request.url or "", request)
    response: requests.Response = far(adapter, request, **more)
    return response


def call(client: Any, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
    """Make a call as the program's own client does, or answer it here."""
    socket = client._connection._path
    found = _served.get(socket)
    url = URL(path, encoded=True)
    asked = Request(method, url.path, dict(url.query), server.parse_body(body or b""))
    given = None if found is None else found.answer(asked, socket)
    if given is None:
        answer: tuple[bytes, str] = far_call(client, method, path, body, content_type)
        return answer
    content = cast("bytes", given.body)
    if given.status >= 400:
        raise ErrorReply.of(given.status, content)
    return content, given.headers["API-Version"]


def request(client: Any, method: str, url: str, **more: Any) -> requests.Response:
    """Make a request as requests does, or answer it here where nothing about it is unusual."""
    # One that asks over TCP has no adapter of the SDK's.
    socket = getattr(getattr(client, "_custom_adapter", None), "socket_path", "")
    found = _served.get(socket)
    call = None if found is None or APIClient.send is not _send else _call(client, method, url, more)
    given = None if found is None or call is None else found.answer(call, socket)
    if given is None:
        response: requests.Response = _request(client, method, url, **more)
        return response
    if given.status >= 400:
        # The error will name it.
        url = requests.Request(method, url, params=more.get("params")).prepare().url or url
    return _response(given, url)


def _call(client: Any, method: str, url: str, more: Mapping[str, Any]) -> Request | None:
    """Return a request as the engine will read it; None for one that requests has to write first."""
    path = url.removeprefix(client.base_url)
    query, data = more.get("params") or {}, more.get("data")
    is_plain = (
        more.keys() <= _READ
        and not more.get("stream")
        and _PLAIN_PATH.fullmatch(path)
        and isinstance(query, dict)
        and all(value is None or isinstance(value, str | int) for value in query.values())
        and (data is None or isinstance(data, str))
    )
    if not is_plain:
        return None
    body = data if more.get("json") is None else json.dumps(more["json"])
    read = {str(key): str(value) for key, value in query.items() if value is not None}
    return Request(method.upper(), unquote(path), read, server.parse_body(body or b""))


def _response(
    given: web.Response, url: str, asked: requests.PreparedRequest | None = None
) -> requests.Response:
    response: Any = requests.Response()
    response.request, response.url = asked, url
    response.status_code, response.reason = given.status, responses[given.status]
    response.headers = CaseInsensitiveDict(given.headers)
    response.encoding = _encoding(given.headers["Content-Type"])
    response._content, response._content_consumed = given.body, True
    answered: requests.Response = response
    return answered


@cache
def _encoding(content_type: str) -> str | None:
    return requests.utils.get_encoding_from_headers(CaseInsensitiveDict({"content-type": content_type}))


def install(patch: pytest.MonkeyPatch) -> None:
    """Answer without sockets from here on."""
    patch.setattr(server, "Door", NearDoor)
    patch.setattr(UnixHTTPAdapter, "send", send)
    patch.setattr(APIClient, "request", request)
    patch.setattr(SocketClient, "call", call)

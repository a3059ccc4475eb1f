"""A simulated engine that this process serves is answered without its socket: `pytest --near`, as `make quick` does.

Most of what a call to a simulated engine costs is its way over HTTP: two threads, two parsers, and a connection between them.
The docker SDK and requests stay as they are, and so does what answers: only the adapter between them is left out. What a
connection has to do with goes over the socket all the same: calls that meet a fault, streams of events, an engine that is
down or not yet up. `make test` goes over the socket always.
"""

import asyncio
from concurrent.futures import Future
from http.client import responses
from typing import Any

import pytest
import requests
from aiohttp import web
from docker.transport.unixconn import UnixHTTPAdapter
from requests.structures import CaseInsensitiveDict
from yarl import URL

from console.simulator import server
from console.simulator.api import Call

NEVER_S = 120.0
"""Longer than a loop that answers other calls ever needs; whoever waits so long fails."""

far: Any = UnixHTTPAdapter.send
_served: dict[str, tuple[server.Service, asyncio.AbstractEventLoop]] = {}
"""The engines of this process whose sockets listen."""


class Door(server.Door):
    """A socket that lets this process know while it listens."""

    async def listen(self) -> None:
        await super().listen()
        _served[str(self.socket)] = (self.service, asyncio.get_running_loop())

    def shut_for(self, seconds: float) -> None:
        _served.pop(str(self.socket), None)
        super().shut_for(seconds)

    async def close(self) -> None:
        _served.pop(str(self.socket), None)
        await super().close()


def send(adapter: Any, request: requests.PreparedRequest, **more: Any) -> requests.Response:
    """Send a request as the SDK's adapter does, or answer it here."""
    found = _served.get(adapter.socket_path)
    given = None if found is None or more.get("stream") else _asked(*found, request)
    return far(adapter, request, **more) if given is None else _response(request, given)


def _asked(
    service: server.Service, loop: asyncio.AbstractEventLoop, request: requests.PreparedRequest
) -> web.Response | None:
    """Ask in the engine's own thread, where its model and its listeners live."""
    url = URL(request.path_url, encoded=True)
    call = Call(request.method or "", url.path, dict(url.query), server.parsed(request.body or b""))
    done: Future[web.Response | None] = Future()

    def ask() -> None:
        try:
            done.set_result(service.respond(call))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(ask)
    except RuntimeError:
        # It ended this moment: the socket tells how that looks.
        return None
    return done.result(NEVER_S)


def _response(request: requests.PreparedRequest, given: web.Response) -> requests.Response:
    response = requests.Response()
    response.request, response.url = request, request.url or ""
    response.status_code, response.reason = given.status, responses[given.status]
    response.headers = CaseInsensitiveDict(given.headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    body: Any = response
    body._content, body._content_consumed = given.body, True
    return response


def install(patch: pytest.MonkeyPatch) -> None:
    """Answer without sockets from here on."""
    patch.setattr(server, "Door", Door)
    patch.setattr(UnixHTTPAdapter, "send", send)

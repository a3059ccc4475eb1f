"""The unix socket of a simulated engine."""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Protocol

from console.errors import SimulatorError

try:
    from aiohttp import web
except ImportError as error:
    _SUDO = "" if os.access(sysconfig.get_path("purelib"), os.W_OK) else "sudo "
    raise SimulatorError(
        "The simulated engine needs aiohttp, which is not installed.",
        f"`{_SUDO}{sys.executable} -m pip install aiohttp`; after pipx: `pipx inject vipconsole aiohttp`.",
    ) from error

__all__ = ["Door", "RequestHandler", "web"]

_END_WITHIN_S = 0.1
_ROUNDS = 3
"""In so many rounds of the loop asyncio makes a connection of a client that connected."""
_ANNOUNCE_S = 0.05
_STAYS: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""The socket of a daemon that is down is still there, as that of systemd's docker.socket is."""


class RequestHandler(Protocol):
    """What answers the calls that come in."""

    def handle(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Answer one request."""
        ...


class Door:
    """The socket, which can be shut for a while: then connecting is refused, as with a daemon that is down."""

    def __init__(self, service: RequestHandler, socket: Path) -> None:
        self.service = service
        self.socket = socket
        self._server = web.Server(service.handle, handler_cancellation=True, access_log=None)
        self._listener: asyncio.Server | None = None
        self._pause: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make the socket, and let clients connect."""
        try:
            await self.listen()
        except OSError as error:
            raise SimulatorError(f"The simulated engine cannot listen on {self.socket}: {error}.") from error

    async def listen(self) -> None:
        """Let clients connect, at first or again."""
        create = asyncio.get_running_loop().create_unix_server
        self._listener = await create(self._server, str(self.socket), **_STAYS)

    def shut_for(self, seconds: float) -> None:
        """Refuse connections for a while, and end those that there are."""
        if self._pause is None or self._pause.done():
            self._pause = asyncio.create_task(self._shut(seconds))

    async def _shut(self, seconds: float) -> None:
        # The answer that announces it still goes out.
        await asyncio.sleep(_ANNOUNCE_S)
        await self._refuse()
        for connection in self._server.connections:
            connection.force_close()
        await asyncio.sleep(seconds)
        await self.listen()

    async def _refuse(self) -> None:
        """Let no client connect any more."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        loop = asyncio.get_running_loop()
        for listening in listener.sockets:
            loop.remove_reader(listening.fileno())
        # A client that connected a moment ago becomes a connection in the loop's next rounds. Where the listener is closed
        # before, asyncio (of Python 3.11) leaves its socket open.
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        listener.close()

    async def close(self) -> None:
        """End every connection, and remove the socket."""
        if self._pause is not None:
            self._pause.cancel()
            await asyncio.gather(self._pause, return_exceptions=True)
        await self._refuse()
        self._server.pre_shutdown()
        await self._server.shutdown(_END_WITHIN_S)
        await asyncio.to_thread(self.socket.unlink, missing_ok=True)

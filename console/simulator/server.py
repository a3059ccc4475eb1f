"""The simulated engine on a unix socket. The only module here that needs aiohttp."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from console.clock import Clock
from console.errors import SimulatorError
from console.simulator.api import Request, Response, answer, strip_version
from console.simulator.controls import PREFIX, Fault, Faults, control
from console.simulator.engine import SimulatedEngine
from console.simulator.filters import event_passes, filters_of
from console.simulator.objects import SimEvent
from console.simulator.store import event_line

try:
    from aiohttp import web
except ImportError as error:
    raise SimulatorError(
        "The simulated engine needs aiohttp, which is not installed.", "pip install 'vipconsole[demo]'"
    ) from error

T = TypeVar("T")

_PIECES = 20
_END_WITHIN_S = 0.1
_ROUNDS = 3
"""In so many rounds of the loop asyncio makes a connection of a client that connected."""
_ANNOUNCE_S = 0.05
_START_TIMEOUT_S = 10.0
_TICK_S = 0.1


class EngineServer:
    """Answers requests from a model. With a clock the model follows it; without, only control calls let time pass."""

    def __init__(self, engine: SimulatedEngine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._faults = Faults()
        self._clock = clock
        self._last_sync_s = clock.monotonic() if clock else 0.0
        self.calls = 0
        """How many came so far."""
        self._awake = asyncio.Event()
        self._awake.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or fail it as a fault wants."""
        self.calls += 1
        await self._awake.wait()
        call = Request(request.method, request.path, dict(request.query), parse_body(await request.read()))
        response = self.respond(call)
        if response is not None:
            return response
        fault = self._faults.take(call.method, strip_version(call.path))
        if fault is not None:
            return await self._fail(request, call, fault)
        return await self._stream_events(request, call)

    def respond(self, call: Request) -> web.Response | None:
        """Return the response to a call that does not use its connection.

        None for a call that meets a fault and for a stream of events: nothing was done then, and no fault counted.
        """
        if call.path.startswith(PREFIX):
            return _response(self.control(call))
        self.follow_clock()
        path = strip_version(call.path)
        if path == "/events" or self._faults.meets(call.method, path):
            return None
        # Faults that let some calls through before count this one.
        self._faults.take(call.method, path)
        response = _response(answer(self._engine, call))
        # Clients that negotiate read this from the answer to a ping.
        response.headers["Api-Version"] = self._engine.identity.api_version
        response.headers["Ostype"] = "linux"
        return response

    def control(self, call: Request) -> Response:
        """Carry out a call to the simulation itself."""
        self.follow_clock()
        return control(self._engine, self._faults, self._engine.go_down, call)

    def hang_for(self, seconds: float) -> None:
        """Answer no call for a while; those that come meanwhile are answered late."""
        self._awake.clear()
        asyncio.get_running_loop().call_later(seconds, self._awake.set)

    async def _stream_events(self, request: web.BaseRequest, call: Request) -> web.StreamResponse:
        """Tell what was kept and asked for, and then what happens, until the client or the simulation goes.

        With `until` it ends after the stored events: later ones are not sent.
        """
        reply = answer(self._engine, call)
        if reply.status != 200:
            return _response(reply)
        lines: asyncio.Queue[str] = asyncio.Queue()
        filters = filters_of(call.query, "events")

        def tell(event: SimEvent) -> None:
            if event_passes(event, filters):
                lines.put_nowait(event_line(event))

        log = self._engine.store.events
        log.listen(tell)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            await response.write(_encode(reply))
            while "until" not in call.query:
                await response.write((await lines.get()).encode())
        except ConnectionResetError:
            # The client has gone; there is nobody to tell.
            return response
        else:
            return response
        finally:
            log.leave(tell)

    def follow_clock(self) -> None:
        """Let as much time pass in the model as passed by the clock."""
        if self._clock is not None:
            now_s = self._clock.monotonic()
            self._engine.advance(now_s - self._last_sync_s)
            self._last_sync_s = now_s

    async def _fail(self, request: web.BaseRequest, call: Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "refuse":
            return _drop(request)
        if fault.kind == "hang":
            await asyncio.Event().wait()
        if fault.kind == "garbage":
            return web.Response(
                status=200, body=b"<html>\xff\xfe not what was promised", content_type="application/json"
            )
        if fault.status:
            return _response(Response(fault.status, {"message": "a simulated failure"}))
        reply = answer(self._engine, call)
        if fault.kind == "lose_answer":
            return _drop(request)
        return await _trickle(request, reply, fault)


def parse_body(body: bytes | str) -> object:
    """Return the JSON of a request's body; None for an empty one and for what is no JSON."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _encode(reply: Response) -> bytes:
    if reply.body is None:
        return b""
    if isinstance(reply.body, str):
        return reply.body.encode()
    # As Go writes it: without spaces.
    return json.dumps(reply.body, separators=(",", ":")).encode()


def _response(reply: Response) -> web.Response:
    kind = "text/plain" if isinstance(reply.body, str) else "application/json"
    return web.Response(status=reply.status, body=_encode(reply), content_type=kind)


def _drop(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _trickle(request: web.BaseRequest, reply: Response, fault: Fault) -> web.StreamResponse:
    body = _encode(reply)
    response = web.StreamResponse(status=reply.status, headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    if fault.kind == "cut":
        await response.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response
    size = max(1, -(-len(body) // _PIECES))
    for at in range(0, len(body), size):
        await asyncio.sleep(fault.seconds / _PIECES)
        await response.write(body[at : at + size])
    return response


class Door:
    """The socket, which can be shut for a while: then connecting is refused, as with a daemon that is down."""

    def __init__(self, service: EngineServer, socket: Path) -> None:
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
        self._listener = await asyncio.get_running_loop().create_unix_server(self._server, str(self.socket))

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


@asynccontextmanager
async def serve(
    engine: SimulatedEngine, socket: Path, clock: Clock | None = None
) -> AsyncIterator[EngineServer]:
    """Serve a model on a unix socket, which is removed at the end. With `clock`, its time follows that clock."""
    service = EngineServer(engine, clock)
    door = Door(service, socket)
    engine.go_down = door.shut_for
    ticking = asyncio.create_task(_tick(service))
    try:
        await door.open()
        yield service
    finally:
        ticking.cancel()
        await door.close()
        with suppress(asyncio.CancelledError):
            await ticking


async def _tick(service: EngineServer) -> None:
    # What happens is told when it happens, and not when somebody asks next.
    while True:
        await asyncio.sleep(_TICK_S)
        service.follow_clock()


class RunningEngine:
    """A model that is served by a thread of its own."""

    def __init__(
        self, engine: SimulatedEngine, service: EngineServer, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._engine = engine
        self._service = service
        self._loop = loop

    def control(self, name: str, body: object, method: str = "POST") -> Response:
        """Carry out a call under `/_simulator/` between two requests, without the socket."""
        return self.run(lambda _: self._service.control(Request(method, PREFIX + name, {}, body)))

    def run(self, act: Callable[[SimulatedEngine], T]) -> T:
        """Do something with the model between two requests, and return what came of it."""
        future: Future[T] = Future()

        def do() -> None:
            try:
                future.set_result(act(self._engine))
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
                future.set_exception(error)

        self._loop.call_soon_threadsafe(do)
        return future.result()


@contextmanager
def serve_in_thread(
    engine: SimulatedEngine, socket: Path, clock: Clock | None = None
) -> Iterator[RunningEngine]:
    """Serve a model from a thread with a loop of its own; the socket answers when the block begins."""
    ready: Future[tuple[RunningEngine, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        ending = asyncio.Event()
        try:
            async with serve(engine, socket, clock) as service:
                loop = asyncio.get_running_loop()
                ready.set_result((RunningEngine(engine, service, loop), loop, ending))
                await ending.wait()
        except SimulatorError as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="simulated-engine", daemon=True)
    thread.start()
    try:
        running, loop, ending = ready.result(_START_TIMEOUT_S)
    except BaseException:
        # Even where a test is interrupted, no engine's thread is left behind; it is raised again.
        thread.join(_START_TIMEOUT_S)
        raise
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()

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
from console.simulator.door import Door, web
from console.simulator.engine import SimulatedEngine
from console.simulator.filters import event_passes, filters_of
from console.simulator.joining import AnyEngine
from console.simulator.objects import SimEvent
from console.simulator.store import event_line
from console.simulator.temporary import TemporaryMachine

T = TypeVar("T")

_PIECES = 20
_START_TIMEOUT_S = 10.0
_TICK_S = 0.1


class Pace:
    """The time of a model. With a clock it follows that; without, it passes by control calls, and by calls that take time."""

    def __init__(self, engine: SimulatedEngine, clock: Clock | None) -> None:
        self._engine = engine
        self._clock = clock
        self._last_sync_s = clock.monotonic() if clock else 0.0

    def follow(self) -> None:
        """Let as much time pass in the model as passed by the clock."""
        if self._clock is not None:
            now_s = self._clock.monotonic()
            self._engine.advance(now_s - self._last_sync_s)
            self._last_sync_s = now_s

    def skip(self, seconds: float) -> None:
        """Let so much time pass for a call, where no clock does it."""
        if self._clock is None and seconds:
            self._engine.advance(seconds)

    async def wait(self, seconds: float) -> None:
        """Wait for so much time to pass for a call, where a clock does it."""
        if self._clock is not None and seconds:
            await self._clock.sleep(seconds)
            self.follow()


class EngineServer:
    """Answers requests from a model, whose time passes by its pace: that of the swarm that it shows."""

    def __init__(self, engine: AnyEngine, pace: Pace) -> None:
        self._engine = engine
        self._faults = Faults()
        self.pace = pace
        self.calls = 0
        """How many came so far."""
        self._awake = asyncio.Event()
        self._awake.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or fail it as a fault wants."""
        self.calls += 1
        await self._awake.wait()
        call = Request(request.method, request.path, dict(request.query), parse_body(await request.read()))
        if not self._engine.is_up and not call.path.startswith(PREFIX):
            return _drop(request)
        response, seconds = self._respond(call)
        if response is not None:
            await self.pace.wait(seconds)
            return response
        fault = self._faults.take(call.method, strip_version(call.path))
        if fault is not None:
            return await self._fail(request, call, fault)
        return await self._stream_events(request, call)

    def respond(self, call: Request) -> web.Response | None:
        """Return the response to a call that does not use its connection.

        None for a call that meets a fault and for a stream of events: nothing was done then, and no fault counted.
        """
        if not self._engine.is_up and not call.path.startswith(PREFIX):
            return None
        return self._respond(call)[0]

    def _respond(self, call: Request) -> tuple[web.Response | None, float]:
        if call.path.startswith(PREFIX):
            return _response(self.control(call)), 0.0
        self.pace.follow()
        path = strip_version(call.path)
        if path == "/events" or self._faults.meets(call.method, path):
            return None, 0.0
        # Faults that let some calls through before count this one.
        self._faults.take(call.method, path)
        reply = answer(self._engine, call)
        self.pace.skip(reply.seconds)
        response = _response(reply)
        # Clients that negotiate read this from the answer to a ping.
        response.headers["Api-Version"] = self._engine.identity.api_version
        response.headers["Ostype"] = "linux"
        return response, reply.seconds

    def control(self, call: Request) -> Response:
        """Carry out a call to the simulation itself."""
        self.pace.follow()
        return control(self._engine, self._faults, call)

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
        self.pace.skip(reply.seconds)
        await self.pace.wait(reply.seconds)
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


@asynccontextmanager
async def serve(
    engine: SimulatedEngine, socket: Path, clock: Clock | None = None
) -> AsyncIterator[EngineServer]:
    """Serve a model on a unix socket, which is removed at the end. With `clock`, its time follows that clock."""
    pace = Pace(engine, clock)
    service = EngineServer(engine, pace)
    door = Door(service, socket)
    engine.go_down = door.shut_for
    temporary = TemporaryMachine(engine, lambda second: EngineServer(second, pace))
    engine.temporary = temporary.act
    ticking = asyncio.create_task(_tick(service))
    try:
        await door.open()
        yield service
    finally:
        ticking.cancel()
        await temporary.close()
        await door.close()
        with suppress(asyncio.CancelledError):
            await ticking


async def _tick(service: EngineServer) -> None:
    # What happens is told when it happens, and not when somebody asks next.
    while True:
        await asyncio.sleep(_TICK_S)
        service.pace.follow()


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

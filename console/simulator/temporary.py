"""The machine of the temporary manager: a second engine of the simulated world, on a socket of its own.

What it is told comes as a control call (`POST /_simulator/temporary`) with `act`: `start` (with `socket`, `address` and
`cable`), `kill` (with `back_after_s`, it is started again by its unit after so long), `remove`, `lose_data`, or `tell`.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from console.errors import SimulatorError
from console.simulator.door import Door, RequestHandler
from console.simulator.engine import SimulatedEngine
from console.simulator.joining import JoiningEngine
from console.simulator.objects import Json


class TemporaryMachine:
    """Runs the second engine. It is called by the thread whose turn it is; its socket belongs to the loop that it began in."""

    def __init__(self, swarm: SimulatedEngine, serve: Callable[[JoiningEngine], RequestHandler]) -> None:
        self._swarm = swarm
        self._serve = serve
        self._loop = asyncio.get_running_loop()
        self._engine: JoiningEngine | None = None
        """What is on its disk."""
        self._is_running = False
        self._is_coming_back = False
        """Whether its unit is about to start it again."""
        self._socket = Path()
        self._cable: Json | None = None
        self._error = ""
        self._door: Door | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changes = 0
        """How many times the socket is yet to be opened or closed."""

    def act(self, body: Json) -> Json:
        """Do what a control call asks for, and return what there is. Raises SimulatorError."""
        match body.get("act"):
            case "start":
                self._socket, self._cable = Path(str(body["socket"])), dict(body.get("cable") or {})
                self._start(str(body["address"]))
            case "kill":
                # A unit that is gone starts nothing.
                is_wanted = self._is_running or self._is_coming_back
                self._stop()
                if is_wanted and body.get("back_after_s") is not None:
                    self._is_coming_back = True
                    self._swarm.store.timeline.after(float(body["back_after_s"]), self._come_back)
            case "remove":
                self._stop()
                self._lose_data()
                self._cable = None
            case "lose_data":
                if self._is_running:
                    raise SimulatorError("The temporary manager runs.", "Kill it first.")
                self._lose_data()
            case "tell":
                pass
            case other:
                raise SimulatorError(f"The temporary manager cannot {other}.")
        return {
            "is_running": self._is_running or self._is_coming_back,
            "is_settled": not self._changes,
            "has_data": self._engine is not None,
            "cable": self._cable,
            "error": self._error,
        }

    def _start(self, address: str) -> None:
        self._is_coming_back = False
        if self._is_running:
            return
        if self._engine is None:
            self._engine = JoiningEngine(self._swarm, address=address)
        self._is_running, self._error = True, ""
        self._engine.run()
        self._set_door(self._serve(self._engine))

    def _come_back(self) -> None:
        if self._is_coming_back and self._cable is not None:
            self._start(str(self._cable["address"]))

    def _stop(self) -> None:
        self._is_coming_back = False
        if self._is_running and self._engine is not None:
            self._is_running = False
            self._engine.stop()
            self._set_door(None)

    def _lose_data(self) -> None:
        if self._engine is not None:
            self._engine.lose_data()
            self._engine = None

    # The socket.

    def _set_door(self, service: RequestHandler | None) -> None:
        """Open the socket, or close it: one after the other, as it was told."""

        def begin() -> None:
            task = asyncio.create_task(self._change_door(service))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._changes += 1
        self._loop.call_soon_threadsafe(begin)

    async def _change_door(self, service: RequestHandler | None) -> None:
        async with self._turn:
            if self._door is not None:
                await self._door.close()
                self._door = None
            if service is not None:
                door = Door(service, self._socket)
                try:
                    await door.open()
                except SimulatorError as error:
                    self._error = error.sentence
                else:
                    self._door = door
            self._changes -= 1

    async def close(self) -> None:
        """Remove the socket, when the simulation ends."""
        self._changes += 1
        await self._change_door(None)

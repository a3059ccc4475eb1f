"""The temporary manager of a simulated host: what `console.host.temporary` does to a real one, through controls."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from console.clock import Clock, SystemClock
from console.concurrency import until
from console.errors import HostError
from console.simulator.host.control import send
from console.simulator.objects import Json

TEMPORARY_SOCKET = "temporary.sock"
SETTLED_WITHIN_S, POLL_S = 10.0, 0.02

Control = Callable[[Json], Json]
"""Makes the call `POST /_simulator/temporary`; raises OSError where the simulation does not answer."""


class CableLike(Protocol):
    """The cable between the host and the temporary manager."""

    @property
    def interface(self) -> str:
        """The host's end of it."""
        ...

    @property
    def address(self) -> str:
        """The address of the temporary manager."""
        ...

    @property
    def manager_address(self) -> str:
        """The address of the manager that it reaches through it."""
        ...


class SimulatedTemporaryEngine:
    """A temporary manager in the simulated world. It stays when this program ends, as a unit does."""

    def __init__(self, control: Control, socket: Path, clock: Clock | None = None) -> None:
        """`socket` is where it listens; `clock` is waited by until it does."""
        self._control = control
        self._socket = socket
        self._clock = clock or SystemClock()

    @property
    def host(self) -> str:
        """Its address, whether or not it runs."""
        return f"unix://{self._socket}"

    async def start(self, cable: CableLike) -> None:
        """Start it, with the data that it has, unless it runs; return once it answers. Raises HostError."""
        ends = {
            "interface": cable.interface,
            "address": cable.address,
            "manager_address": cable.manager_address,
        }
        state = await self._change("start", socket=str(self._socket), address=cable.address, cable=ends)
        if state["error"]:
            raise HostError(str(state["error"]))

    async def is_running(self) -> bool:
        """Return whether it runs, or is about to be started again by its unit. Raises HostError."""
        return bool((await self._act("tell"))["is_running"])

    async def remove(self) -> None:
        """End it, and remove it with its data. Raises HostError."""
        await self._change("remove")

    async def leftovers(self) -> tuple[str, ...]:
        """Return in words what there is of it. Raises HostError."""
        state = await self._act("tell")
        found = (
            ("the unit of the temporary manager", state["is_running"]),
            ("the data of the temporary manager", state["has_data"]),
            (f"the interface {(state['cable'] or {}).get('interface')}", state["cable"]),
        )
        return tuple(words for words, is_there in found if is_there)

    # What may happen to it.

    async def kill(self, back_after_s: float | None = None) -> None:
        """Kill it on the spot; its unit starts it again after so long, or nobody does."""
        await self._change("kill", back_after_s=back_after_s)

    async def lose_data(self) -> None:
        """Let its data be gone. It must not run."""
        await self._act("lose_data")

    async def _change(self, act: str, **more: object) -> Json:
        """Do something, and return what there is once its socket is open or closed."""
        await self._act(act, **more)

        async def settled() -> Json | None:
            state = await self._act("tell")
            return state if state["is_settled"] else None

        state = await until(settled, self._clock, SETTLED_WITHIN_S, POLL_S)
        if state is None:
            raise HostError(f"Timed out after {SETTLED_WITHIN_S:g} s waiting for the temporary manager.")
        return state

    async def _act(self, act: str, **more: object) -> Json:
        try:
            return await asyncio.to_thread(self._control, {"act": act, **more})
        except OSError as error:
            raise HostError(f"The simulated host does not answer: {error}.") from error


def temporary_engine(socket: Path) -> SimulatedTemporaryEngine:
    """Return the temporary manager beside the engine that is simulated behind a socket: `run/docker.sock` of a demo's host."""
    return SimulatedTemporaryEngine(
        lambda body: send(socket, "/_simulator/temporary", body), socket.with_name(TEMPORARY_SOCKET)
    )

"""The temporary manager of a simulated swarm that is served from this process, and what borrowing it comes to."""

from dataclasses import dataclass
from pathlib import Path

from console.clock import Clock
from console.simulator.host.temporary import SimulatedTemporaryEngine
from console.simulator.objects import Json
from tests.support.engines import Simulation


@dataclass(frozen=True)
class ACable:
    """A cable, as far as a simulation asks about it."""

    interface: str = "vipconsole0"
    address: str = "198.18.0.2"
    manager_address: str = "192.0.2.10"


def temporary_of(running: Simulation, clock: Clock | None = None) -> SimulatedTemporaryEngine:
    """Return the temporary manager of a simulation, beside its socket."""

    def control(body: Json) -> Json:
        answer = running.running.control("temporary", body)
        if answer.status != 200:
            raise OSError(answer.body["message"])
        return dict(answer.body)

    return SimulatedTemporaryEngine(control, Path(running.socket).with_name("temporary.sock"), clock)

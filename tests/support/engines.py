"""Simulated engines for tests, and a reader on them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from console.clock import Clock
from console.simulator.engine import SimulatedEngine
from console.simulator.scenarios import build
from console.simulator.server import RunningEngine, serve_in_thread
from console.swarm.client import EngineConnection
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader


@dataclass(frozen=True)
class Simulation:
    """A simulated engine that listens."""

    model: SimulatedEngine
    socket: Path
    running: RunningEngine

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def control(self, name: str, body: object, method: str = "POST") -> None:
        """Do something to the simulation itself, such as `faults`."""
        given = self.running.control(name, body, method)
        assert given.status == 200, given.body

    def mend(self) -> None:
        """Let no call fail any more."""
        self.control("faults", [], "DELETE")

    def break_call(self, path: str, kind: str, times: int = 1000) -> None:
        """Let calls whose path matches the glob fail in a way of `console.simulator.controls`."""
        self.control("faults", [{"method": "*", "path": path, "kind": kind, "times": times}])


@contextmanager
def simulation(
    model: SimulatedEngine | str, api_version: str | None = None, clock: Clock | None = None
) -> Iterator[Simulation]:
    """Serve a model, or a scenario by its name; with a clock, time passes in it."""
    engine = build(model, api_version=api_version) if isinstance(model, str) else model
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        socket = Path(folder) / "engine.sock"
        with serve_in_thread(engine, socket, clock) as running:
            yield Simulation(engine, socket, running)


@contextmanager
def reader_of(host: str, timeout_s: float = 30) -> Iterator[EngineReader]:
    """Give a reader on an engine's address."""
    connection = EngineConnection(host, timeout_s)
    try:
        yield EngineReader(connection)
    finally:
        connection.close()


async def read_swarm(host: str, timeout_s: float = 30, deadline_s: float = 60) -> SwarmState:
    """Take one look at the engine behind an address."""
    with reader_of(host, timeout_s) as reader:
        return await reader.state(deadline_s)

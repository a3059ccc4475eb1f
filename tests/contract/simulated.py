"""The simulated world: the model behind a socket, its clock advanced by hand."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.server import serve_in_thread
from tests.contract.world import IMAGE, World


@contextmanager
def simulated_world(api_version: str = "1.41") -> Iterator[World]:
    """Start an empty simulated swarm of one manager, and end it."""
    identity = EngineInfo(api_version, host="simulated", images=frozenset({IMAGE}))
    engine = SimulatedEngine(identity, datetime(2026, 6, 1, tzinfo=UTC))
    with tempfile.TemporaryDirectory(prefix="simulated-") as directory:
        socket = Path(directory) / "engine.sock"
        with serve_in_thread(engine, socket) as running:

            def pass_time(seconds: float) -> None:
                running.run(lambda model: model.advance(seconds))

            def restart() -> None:
                running.run(lambda model: model.restart())

            with World(socket, pass_time, restart, "simulator") as world:
                world.log = lambda: running.run(
                    lambda model: "".join(f"{each.text}\n" for each in model.store.dockerd_log.lines)
                )
                yield world

"""The simulated world: the model behind a socket, its clock advanced by hand."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.host.temporary import SimulatedTemporaryEngine
from console.simulator.server import serve_in_thread
from tests.contract.calls import Calls
from tests.contract.pair import ADDRESSES, Pair
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


@contextmanager
def simulated_pair(api_version: str = "1.41") -> Iterator[Pair]:
    """Start a simulated swarm of one manager, and a second engine beside it that is in none."""
    identity = EngineInfo(api_version, host="node1", images=frozenset({IMAGE}))
    engine = SimulatedEngine(identity, datetime(2026, 6, 1, tzinfo=UTC))
    engine.node.address = ADDRESSES[0]
    cable: Any = SimpleNamespace(interface="cable", address=ADDRESSES[1], manager_address=ADDRESSES[0])
    with tempfile.TemporaryDirectory(prefix="simulated-") as folder:
        first, second = Path(folder) / "first.sock", Path(folder) / "second.sock"
        with serve_in_thread(engine, first) as running:
            temporary = SimulatedTemporaryEngine(
                lambda body: dict(running.control("temporary", body).body), second
            )

            def pass_time(seconds: float) -> None:
                running.run(lambda model: model.advance(seconds))

            def start() -> None:
                asyncio.run(temporary.start(cable))

            start()
            with World(first, pass_time, lambda: None, "simulator") as world, Calls(second) as other:
                yield Pair(world, other, lambda: asyncio.run(temporary.kill()), start)

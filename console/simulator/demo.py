"""The simulated engine behind `--demo`: on a private socket, for as long as it is shown."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from console.clock import Clock, SystemClock
from console.frozen import frozen
from console.simulator.dockerd_log import JournalFile
from console.simulator.engine import SimulatedEngine
from console.simulator.past import keep_past, keep_record
from console.simulator.scenarios import build
from console.simulator.server import serve_in_thread


@frozen
class Demo:
    """A simulated engine that listens."""

    host: str
    """Its address, `unix://…`."""
    journal: Path
    """Its log, for `console.journal.recordings.GrowingJournal`; the unit is `docker.service`."""
    state: Path
    """A state directory with the history of its networks, and nothing else."""


@contextmanager
def demo_engine(scenario: str = "evening", clock: Clock | None = None) -> Iterator[Demo]:
    """Serve a scenario in which it is now, and give its address and where it logs.

    Time stands still in it, unless it is to follow a clock.

    Raises SimulatorError where aiohttp is missing or the socket cannot be made.
    """
    with _serve(scenario, clock) as (_, demo):
        yield demo


@contextmanager
def remembering_demo(scenario: str = "evening") -> Iterator[Demo]:
    """Serve a scenario in which time stands still, and give its address, the history of its networks, and a record.

    Raises SimulatorError as `demo_engine` does.
    """
    with _serve(scenario, None) as (engine, demo):
        asyncio.run(keep_past(engine, demo.host, demo.state))
        keep_record(engine, demo.state)
        yield demo


@contextmanager
def living_demo(scenario: str = "living", clock: Clock | None = None) -> Iterator[Demo]:
    """Serve a scenario in which time passes, and give its address, where it logs, and the history of its networks.

    Raises SimulatorError as `demo_engine` does.
    """
    with _serve(scenario, clock or SystemClock()) as (engine, demo):
        asyncio.run(keep_past(engine, demo.host, demo.state))
        yield demo


@contextmanager
def _serve(scenario: str, clock: Clock | None) -> Iterator[tuple[SimulatedEngine, Demo]]:
    engine = build(scenario, date=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="vipconsole-demo-") as directory:
        folder = Path(directory)
        socket, journal = folder / "engine.sock", folder / "journal.json"
        with (
            closing(JournalFile(engine.store.dockerd_log, journal)),
            serve_in_thread(engine, socket, clock),
        ):
            yield engine, Demo(f"unix://{socket}", journal, folder / "state")

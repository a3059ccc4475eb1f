"""The simulated engine behind `--demo`: on a private socket, for as long as it is shown."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from console.clock import Clock, SystemClock
from console.simulator.dockerd_log import JournalFile
from console.simulator.scenarios import build
from console.simulator.server import serve_in_thread


@dataclass(frozen=True, slots=True)
class Demo:
    """A simulated engine that listens."""

    host: str
    """Its address, `unix://…`."""
    journal: Path
    """Its log, for `console.journal.recordings.GrowingJournal`; the unit is `docker.service`."""


@contextmanager
def demo_engine(scenario: str = "evening", clock: Clock | None = None) -> Iterator[Demo]:
    """Serve a scenario in which it is now, and give its address and where it logs.

    Time stands still in it, unless it is to follow a clock.

    Raises SimulatorError where aiohttp is missing or the socket cannot be made.
    """
    with _serve(scenario, clock) as demo:
        yield demo


@contextmanager
def living_demo(scenario: str = "living", clock: Clock | None = None) -> Iterator[Demo]:
    """Serve a scenario in which time passes, and give its address and where it logs.

    Raises SimulatorError as `demo_engine` does.
    """
    with _serve(scenario, clock or SystemClock()) as demo:
        yield demo


@contextmanager
def _serve(scenario: str, clock: Clock | None) -> Iterator[Demo]:
    engine = build(scenario, date=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="vipconsole-demo-") as directory:
        socket, journal = Path(directory) / "engine.sock", Path(directory) / "journal.json"
        with (
            closing(JournalFile(engine.store.dockerd_log, journal)),
            serve_in_thread(engine, socket, clock),
        ):
            yield Demo(f"unix://{socket}", journal)

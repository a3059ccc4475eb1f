"""`python -m console.simulator`: a simulated engine on a socket, until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from console.clock import SystemClock
from console.errors import SimulatorError
from console.simulator.dockerd_log import JournalFile
from console.simulator.engine import DEFAULT_DATE, ENGINES, SimulatedEngine
from console.simulator.scenarios import SCENARIOS, build
from console.simulator.server import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a scenario; return 1 where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m console.simulator", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="path of the unix socket")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="evening")
    parser.add_argument("--api-version", choices=sorted(ENGINES), help="instead of the scenario's own")
    parser.add_argument("--clock", choices=("manual", "real"), default="manual")
    parser.add_argument(
        "--journal", type=Path, help="write what dockerd would log to this file, as JSON lines"
    )
    parser.add_argument("--date", type=datetime.fromisoformat, help="the date when the scenario begins")
    options = parser.parse_args(arguments)
    date = options.date or (datetime.now(UTC) if options.clock == "real" else DEFAULT_DATE)
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    try:
        engine = build(options.scenario, date=date, api_version=options.api_version)
        with (
            closing(JournalFile(engine.store.dockerd_log, options.journal))
            if options.journal
            else nullcontext()
        ):
            asyncio.run(_serve(engine, options.socket, SystemClock() if options.clock == "real" else None))
    except SimulatorError as error:
        sys.stderr.write(f"{error.sentence} {error.hint}\n")
        return 1
    return 0


async def _serve(engine: SimulatedEngine, socket: Path, clock: SystemClock | None) -> None:
    ending = asyncio.Event()
    for signals in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signals, ending.set)
    async with serve(engine, socket, clock):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await ending.wait()


if __name__ == "__main__":
    sys.exit(main())

"""The pictures of the first page: the console over the simulated evening, as PNG. The same each time they are drawn."""

import asyncio
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from textual.app import App

from console.addresses.forecast import trend_of
from console.addresses.leaks import Census, LeakLog, allocator_of
from console.diagnosis.assess import assess
from console.diagnosis.quiescence.checks import judge
from console.diagnosis.quiescence.values import Changes, CheckInputs, PreviousChecks, QuiescenceRules
from console.diagnosis.values import Snapshot
from console.journal.recordings import RecordedJournal
from console.journal.summary import summarise
from console.journal.values import Window
from console.monitor.history import add_point
from console.monitor.values import AssessedSnapshot, Feed, Log, MonitorState
from console.settings import Settings
from console.simulator.dockerd_log import UNIT, JournalFile
from console.simulator.engine import DEFAULT_DATE
from console.simulator.scenarios import build
from console.swarm.snapshots import object_names
from tests.support.console_driver import ManualClock, console
from tests.support.engines import read_swarm, simulation
from tests.support.hosts import activity
from tests.support.png import CannotDrawError, png_of

SIZE = (100, 30)
AT_S = 100.0


_drawn: list[MonitorState] = []


async def evening() -> MonitorState:
    """Return what the monitor shows of the simulated evening: of all who ask, the first lets those days pass."""
    if not _drawn:
        _drawn.append(await _evening())
    return _drawn[0]


async def _evening() -> MonitorState:
    model, settings = build("evening", date=DEFAULT_DATE), Settings()
    with tempfile.TemporaryDirectory() as folder, simulation(model) as running:
        path = Path(folder) / "journal.json"
        with closing(JournalFile(model.store.dockerd_log, path)):
            batch = await RecordedJournal(path, UNIT).read(Window(since=DEFAULT_DATE - timedelta(hours=1)))
        swarm = await read_swarm(running.host)
    summary = summarise([batch], object_names(swarm), settings.snapshot.journal_s)
    records = model.use_records
    if records is None:
        raise AssertionError("the evening notes how its networks were used")
    leak_log = LeakLog(DEFAULT_DATE - timedelta(hours=1), records.leaks)
    allocator = allocator_of(swarm)
    if allocator is None:
        raise AssertionError("the simulated engine tells what hands its addresses out")
    census = Census(
        model.networks.find("proxy").id,
        "proxy",
        DEFAULT_DATE - timedelta(minutes=20),
        allocator,
        tuple(IPv4Address(each) for each in model.addresses_of("proxy", "leaked")),
        0,
    )
    seen = Snapshot(
        "unix:///var/run/docker.sock", DEFAULT_DATE, 0.1, swarm, swarm, (), summary, (census,), leak_log
    )
    rules = QuiescenceRules(settings.quiet, settings.thresholds, settings.quiet.dwell_s)
    quiet = judge(CheckInputs(seen, activity(), Changes((), None), AT_S), PreviousChecks(), rules).report
    assessment = assess(seen, settings.thresholds)
    trends = {}
    for account in assessment.accounts:
        points = add_point(records.points_of(account.network.id), account.used_at_least, DEFAULT_DATE)
        trend = trend_of(points, account.free_at_most, leak_log.on(account.network.id))
        trends[account.network.id] = trend
    seen = replace(seen, trends=trends)
    snapshot = AssessedSnapshot(seen, assess(seen, settings.thresholds))
    return MonitorState(
        1,
        Feed(snapshot, AT_S),
        Feed(Log(summary), AT_S),
        Feed(quiet, AT_S),
        leak_log=leak_log,
        trends=trends,
    )


async def draw(folder: Path) -> None:
    """Write the pictures."""
    monitor_state = await evening()
    async with console(monitor_state, size=SIZE, clock=ManualClock(DEFAULT_DATE, AT_S)) as shown:
        _write(folder / "overview.png", shown.app)
        await shown.press("enter", "n")
        _write(folder / "network.png", shown.app)
        await shown.press("7", "t")
        _write(folder / "history.png", shown.app)
        await shown.press("6")
        _write(folder / "stacks.png", shown.app)
        await shown.press("w")
        _write(folder / "why.png", shown.app)
        await shown.press("d")
        _write(folder / "journal.png", shown.app)


def _write(path: Path, app: App[Any]) -> None:
    path.write_bytes(png_of(app.export_screenshot(title="vipconsole")))


if __name__ == "__main__":
    try:
        asyncio.run(draw(Path(sys.argv[1])))
    except CannotDrawError as error:
        sys.exit(f"The pictures are not drawn. {error}")

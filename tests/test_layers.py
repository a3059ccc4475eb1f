"""What a deferred import could hide from import-linter is looked at in a process of its own."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from console.simulator.scenarios import build
from tests.support.engines import simulation
from tests.support.program import PROGRAM


def modules_after(code: str, *arguments: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running some code."""
    listing = f"{code}\nimport sys; print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    said = subprocess.run(
        [sys.executable, "-c", listing, *arguments], capture_output=True, check=True, text=True, timeout=100
    )
    return set(said.stderr.split())


def own_modules(loaded: set[str]) -> set[str]:
    """Return those of this program, packages left out."""
    packages = {name.rpartition(".")[0] for name in loaded if name.startswith(("console", "screens"))}
    return {name for name in loaded if name.startswith(("console.", "screens."))} - packages


SNAPSHOT = """
import asyncio
from console.clock import SystemClock
from console.journal.reader import DaemonLog
from console.diagnosis.assess import assess
from console.journal.reader import open_journal
from console.monitor.snapshot import take_snapshot
from console.settings import Settings
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
reader = EngineReader(EngineConnection("unix:///nonexistent", 1))
log = DaemonLog(open_journal())
seen = asyncio.run(take_snapshot(reader, log, SystemClock(), Settings().snapshot))
assess(seen, Settings().thresholds)
"""


def test_a_whole_snapshot_loads_nothing_that_shows_anything() -> None:
    assert not modules_after(SNAPSHOT) & {"rich", "textual", "screens", "aiohttp"}


@pytest.mark.parametrize("package", ["console.addresses.accounting", "console.diagnosis.assess"])
def test_what_is_pure_loads_no_door(package: str) -> None:
    assert not modules_after(f"import {package}") & {"docker", "requests", "asyncio", "systemd", "subprocess"}


def test_asking_for_help_waits_for_no_library() -> None:
    code = "import contextlib, screens.cli.main\nwith contextlib.suppress(SystemExit): screens.cli.main.main(['--help'])"
    assert not modules_after(code) & {"docker", "requests", "rich", "textual", "aiohttp", "asyncio"}


FOR_GLANCE = """
console.addresses.accounting console.addresses.daily_trend console.addresses.earlier_snapshot console.addresses.forecast console.addresses.holder_groups
console.addresses.holders console.addresses.leaks console.addresses.outlook console.addresses.settling console.alerts.alert
console.causes.addresses console.causes.images console.causes.networks console.causes.nodes console.causes.registry
console.causes.values console.clock console.concurrency console.diagnosis.assess console.diagnosis.findings.networks
console.diagnosis.findings.nodes console.diagnosis.findings.sources console.diagnosis.findings.unfinished
console.diagnosis.findings.waiting console.diagnosis.values console.durations console.errors console.frozen
console.host.activity console.host.identity console.host.process console.host.root console.journal.access console.journal.failures
console.journal.gossip console.journal.journalctl console.journal.matching console.journal.native console.journal.parsing
console.journal.reader console.journal.recordings console.journal.signatures console.journal.summary console.journal.tallies
console.journal.values console.journal.window console.monitor.history console.monitor.snapshot console.monitor.trends
console.nodes.address console.nodes.settings console.nodes.values console.runbook.store.finished console.settings
console.storage.alerts console.storage.census console.storage.database console.storage.history console.storage.state
console.swarm.address console.swarm.client console.swarm.contexts console.swarm.engine_client console.swarm.failures console.swarm.managers console.swarm.model console.swarm.parse
console.swarm.parse_engine console.swarm.paths console.swarm.reader console.swarm.replies console.swarm.snapshots
console.text screens.cli.arguments screens.cli.common screens.cli.commands.glance screens.cli.host_arguments screens.cli.main screens.cli.run_arguments
screens.cli.service_arguments screens.output.plain screens.present.text
"""
"""All of this program that a glance loads, in whatever form. What is added here is paid for by every glance."""
FOR_TEXT = """
console.addresses.details console.addresses.map screens.output.glance screens.output.rows screens.present.addresses
screens.present.findings screens.present.header
console.monitor.watching screens.present.recording
"""
FOR_JSON = "console.monitor.watching screens.output.snapshot_json"
FOR_METRICS = "screens.output.metrics"
NO_FORM_OF_A_GLANCE = {"aiohttp", "docker", "pydantic", "requests", "textual", "yaml"}


@pytest.mark.parametrize(
    ("form", "own", "spared"),
    [
        ((), FOR_TEXT, {"bz2", "hashlib", "prometheus_client"}),
        (("--json",), FOR_JSON, {"bz2", "hashlib", "prometheus_client", "rich"}),
        (("--prometheus",), FOR_METRICS, {"rich"}),
    ],
)
def test_a_glance_loads_what_it_uses_and_no_more(
    form: tuple[str, ...], own: str, spared: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that is over has to be told from one that is not, and that needs nothing of what reads runs.
    (tmp_path / "runs/20260612-020000-past").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "runs/20260612-020000-past/log.db")) as log:
        log.execute("CREATE TABLE events (number INTEGER PRIMARY KEY, at TEXT, kind TEXT, body TEXT)")
        log.execute("""INSERT INTO events VALUES (1, '', 'Ended', '{"is_undone":false,"left":[]}')""")
        log.commit()
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path))
    arguments = ["glance", *form, "--host", "unix:///nonexistent"]
    loaded = modules_after(f"import screens.cli.main\nscreens.cli.main.main({arguments!r})")
    assert own_modules(loaded) <= set(f"{FOR_GLANCE} {own}".split())
    assert not loaded & (NO_FORM_OF_A_GLANCE | spared)


def test_a_command_that_is_there_loads_nothing_to_look_for_it() -> None:
    code = "import asyncio\nfrom console.host.process import output_of\nasyncio.run(output_of(['true'], 60))"
    assert "bz2" not in modules_after(code)


@pytest.mark.parametrize(
    "arguments",
    [
        ("journal", "--host", "unix:///nonexistent"),
        ("why", "--host", "unix:///nonexistent"),
        ("quiet", "--for", "0", "--host", "unix:///nonexistent"),
    ],
)
def test_a_command_that_only_reads_loads_nothing_that_changes(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(f"import screens.cli.main\nscreens.cli.main.main({list(arguments)!r})")
    assert "console.swarm.client" in loaded
    assert not {each for each in loaded if each.startswith("console.operations")}
    assert not loaded & {"console.swarm.changer", "console.host.audit", "console.host.lock"}


def test_the_recorder_and_its_alerts_load_nothing_that_changes_and_no_server_until_one_is_wanted() -> None:
    loaded = modules_after("import screens.cli.commands.record, screens.cli.commands.alert")
    assert "console.alerts.listener" in loaded
    assert not {each for each in loaded if each.startswith("console.operations")}
    assert not loaded & {
        "console.swarm.changer",
        "console.host.audit",
        "prometheus_client",
        "rich",
        "textual",
    }


FOR_FIRST_DATA = """
console.addresses.details console.addresses.leak_tracker console.addresses.map console.addresses.removal_order
console.addresses.tracked_tasks console.addresses.use_history console.host.lock_probe console.monitor.assessor
console.monitor.event_memory console.monitor.monitor console.monitor.nodes_feed console.monitor.pace console.monitor.poller
console.monitor.schedule console.monitor.values console.monitor.watching console.storage.recorder_lock console.swarm.events
console.swarm.repeated screens.cli.commands.console screens.cli.live_console screens.present.addresses
screens.present.chart screens.present.findings screens.present.header screens.present.matching screens.present.no_engine
screens.present.recording screens.present.sorting screens.tui.app screens.tui.collector
screens.tui.colours screens.tui.environment
screens.tui.first_frame screens.tui.keys screens.tui.later screens.tui.overview screens.tui.panes.arrangement
screens.tui.panes.lists screens.tui.panes.no_engine screens.tui.panes.overlay_orders screens.tui.panes.overlays
screens.tui.partial_update screens.tui.screen screens.tui.terminal screens.tui.widgets.fair screens.tui.widgets.find_line
screens.tui.widgets.heading screens.tui.widgets.line_view screens.tui.widgets.pane screens.tui.widgets.row_view
screens.tui.widgets.rows
"""
"""What the console adds to that before its first data. What is added here is waited for by everybody who opens it."""
FIRST_DATA = """
import asyncio, sys
from argparse import Namespace
import screens.cli.main, screens.cli.commands.console
from screens.cli import live_console
from screens.tui import terminal

seen = set()

async def shown(make):
    app = make()

    def note():
        seen.update(sys.modules)
        app.exit(0)

    app._load_rest = note
    await app.run_async(headless=True, size=(80, 24))

terminal.show = lambda make: asyncio.run(shown(make)) or 0
arguments = screens.cli.main.console_arguments(["--host", sys.argv[1]])
assert live_console.run_console(arguments, lambda: None) == 0
for name in set(sys.modules) - seen:
    del sys.modules[name]
"""


def test_the_console_loads_what_its_first_data_needs_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path))
    with simulation(build("quiet")) as simulated:
        loaded = own_modules(modules_after(FIRST_DATA, simulated.host))
    assert loaded <= set(f"{FOR_GLANCE} {FOR_FIRST_DATA}".split())


CONSOLE = """
import asyncio, gc, sys
from datetime import UTC
from console.clock import SystemClock
from console.journal.reader import DaemonLog
from console.journal.reader import open_journal
from console.settings import Settings
from console.swarm.client import EngineConnection
from console.monitor.monitor import Monitor, Sources
from screens.tui.app import ConsoleApp
from screens.present.text import UNICODE
from screens.tui.environment import ConsoleEnvironment
import screens.cli.live_console

async def show():
    sources = Sources(EngineConnection("unix:///nonexistent", 1), DaemonLog(open_journal()), None)
    around = ConsoleEnvironment(Settings(), "unix:///nonexistent", UNICODE, UTC, SystemClock())
    app = ConsoleApp(Monitor(sources, Settings()), around)
    async with app.run_test() as pilot:
        for key in ("w", "d", "o", "question_mark", "escape", "ctrl+p"):
            await pilot.press(key)
    assert app.failure is None

asyncio.run(show())
"""


def test_the_live_console_has_nothing_that_changes() -> None:
    loaded = modules_after(CONSOLE)
    assert "textual" in loaded
    assert not {each for each in loaded if each.startswith("console.operations")}
    assert not loaded & {"console.swarm.changer", "console.host.audit", "console.host.lock", "aiohttp"}


def test_the_program_starts_under_its_own_name() -> None:
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True, text=True, timeout=100)
    assert said.stdout.startswith("vipconsole ")


def test_the_recorder_has_nothing_that_changes() -> None:
    loaded = modules_after("import screens.cli.commands.record")
    assert "console.recorder.recorder" in loaded
    assert not {each for each in loaded if each.startswith("console.operations")}
    assert not loaded & {
        *("console.swarm.changer", "console.host.audit", "console.host.lock"),
        *("rich", "textual", "pydantic", "aiohttp"),
    }

"""What a deferred import could hide from import-linter is looked at in a process of its own."""

import subprocess
import sys

import pytest

from tests.support.program import PROGRAM


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after running some code."""
    listing = f"{code}\nimport sys; print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    said = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, check=True, text=True, timeout=100
    )
    return set(said.stderr.split())


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


def test_json_needs_nothing_to_draw_with_and_without_a_settings_file_nothing_to_check_it_with() -> None:
    code = "import screens.cli.main\nscreens.cli.main.main(['glance', '--json', '--host', 'unix:///nonexistent'])"
    assert not modules_after(code) & {"rich", "aiohttp", "pydantic", "prometheus_client"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("glance", "--host", "unix:///nonexistent"),
        ("glance", "--json", "--host", "unix:///nonexistent"),
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
import screens.cli.commands.live_console

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

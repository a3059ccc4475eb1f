"""What is printed on a terminal: no colour but red and magenta, which can be read on a dark and on a light background."""

import re
from pathlib import Path

import pytest

from screens.cli.main import COMMANDS
from tests.support.demo import DemoHost, demo_host
from tests.support.terminal import on_terminal

READABLE = {"", "0", "1", "2", "31", "35"}
"""Nothing, bold, dim, red and magenta. Every terminal has its own red and magenta; no other colour may be sent."""
STYLE = re.compile(rb"\x1b\[([0-9;]*)m")
LOOKING = (
    ("glance", "--all"),
    ("glance", "proxy", "--holders"),
    ("why",),
    ("why", "ghost_app", "drone"),
    ("history",),
    ("history", "proxy", "--since", "11d"),
    ("history", "--events", "--since", "11d"),
    ("quiet",),
    ("journal", "--all"),
)
CHANGING = (
    ("census", "proxy", "--yes"),
    ("guard", "--dry-run"),
    ("reclaim", "--yes"),
    ("stack-rm", "drone", "gone", "--yes"),
)
RUNNING = (
    ("runs",),
    ("report",),
    ("attach", "--headless"),
    ("resume", "--headless"),
    ("decide", "none", "none", "retry"),
    ("abandon", "none"),
)
SAYS_NOTHING_OF_A_SWARM = {
    "console",
    "rehearse",
    "validate",
    "schema",
    "record",
    "alert",
    "config",
    "completion",
    "doctor",
}
"""The console has colours of its own; a rehearsal needs root and an engine, and prints what `run` prints; the others print no
state at all, the recorder only messages. The doctor says by words how things are, and in the demo all is well."""


def test_every_command_is_looked_at() -> None:
    looked_at = {command[0] for command in (*LOOKING, *CHANGING, *RUNNING, ("run",))}
    assert looked_at == set(COMMANDS) - SAYS_NOTHING_OF_A_SWARM


def codes_of(*command: str, folder: Path, host: DemoHost | None = None) -> set[str]:
    """Return the codes of styles and colours that a command sends to its terminal."""
    environment = host.environment if host else {}
    with on_terminal(
        *command, "--demo", folder=folder, size=(120, 50), environment=environment, is_forked=True
    ) as shown:
        shown.end()
    assert len(shown.got) > 10
    return {code for codes in STYLE.findall(bytes(shown.got)) for code in codes.decode().split(";")}


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_what_only_looks_prints_no_colour_but_red_and_magenta(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    codes = codes_of(*command, folder=tmp_path)
    assert codes <= READABLE
    assert codes - {"", "0"}, "nothing stands out"


def test_what_changes_and_runs_prints_no_colour_but_red_and_magenta(tmp_path: Path) -> None:
    host = demo_host(tmp_path, "recreate")
    run = ("run", str(host.runbook), *host.words)
    for command in (*CHANGING, ("run", str(host.runbook), "--check", "--calls"), run, *RUNNING):
        assert codes_of(*command, folder=tmp_path, host=host) <= READABLE, command

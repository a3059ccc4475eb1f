"""How a runner is started: as a unit where systemd runs, else in a session of its own."""

import os
import sys
from pathlib import Path

import pytest

from console.errors import HostError
from console.host.detached import Program, start, unit_command

ABOUT = Program(
    ("/usr/bin/python3", "-m", "x", "/var/lib/vipconsole/runs/1"),
    {"PATH": "/bin", "DOCKER_HOST": "unix:///run/docker.sock"},
    "vipconsole-run-1",
    "vipconsole run 1",
    Path("/nonexistent"),
    "docker.service",
)


def test_a_unit_says_everything_explicitly() -> None:
    command = unit_command(ABOUT)
    assert command[:2] == ("systemd-run", "--unit=vipconsole-run-1")
    assert "--working-directory=/" in command
    assert "--setenv=DOCKER_HOST=unix:///run/docker.sock" in command
    assert "--property=After=docker.service" in command
    assert "--property=KillMode=mixed" in command
    assert command[command.index("--") + 1 :] == ABOUT.argv


async def test_without_systemd_it_is_started_with_nothing_of_ours(tmp_path: Path) -> None:
    script = "import os, sys; print(os.getsid(0) == os.getpid(), sorted(os.environ), sys.stdin.read() == '', os.getcwd())"
    output = tmp_path / "output"
    program = Program(
        (sys.executable, "-c", script), {"ONLY": "this", "LC_ALL": "C"}, "unit", "about", output
    )
    await start(program, tmp_path / "no-systemd")
    # The program is waited for: it is one that detaches itself and ends at once.
    assert output.read_text().strip() == "True ['LC_ALL', 'ONLY'] True /"
    assert output.stat().st_mode & 0o777 == 0o600


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    output = tmp_path / "output"
    for argv, said in (
        (("/nonexistent/program",), "could not be started: No such file"),
        ((sys.executable, "-c", "raise SystemExit('it is broken')"), "exit code 1: it is broken"),
    ):
        with pytest.raises(HostError, match=said):
            await start(Program(argv, dict(os.environ), "unit", "about", output), tmp_path / "none")

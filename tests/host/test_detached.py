"""How a runner is started: as a unit where systemd runs, else in a session of its own."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.errors import HostError
from console.host import detached
from console.host.detached import DetachedProgram, UnitExists, has_ended, start, unit_command
from console.host.process import CommandFailed

ABOUT = DetachedProgram(
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
    program = DetachedProgram(
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
            await start(DetachedProgram(argv, dict(os.environ), "unit", "about", output), tmp_path / "none")


@dataclass
class Systemd:
    """A systemd that answers as it is told to."""

    answer: bytes | HostError

    async def run(self, argv: Sequence[str], timeout_s: float) -> bytes:
        assert argv[0].startswith("system")
        assert timeout_s > 0
        if isinstance(self.answer, HostError):
            raise self.answer
        return self.answer


def refused(said: bytes) -> Systemd:
    return Systemd(CommandFailed(unit_command(ABOUT), 1, said))


@pytest.mark.parametrize(
    "said",
    [
        b"Failed to start transient service unit: Unit vipconsole-run-1.service already exists.\n",
        b"Failed to start transient service unit: Unit vipconsole-run-1.service was already loaded or has a fragment file.\n",
    ],
)
async def test_a_unit_whose_name_is_taken_is_told_apart(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(UnitExists, match=r"The unit vipconsole-run-1\.service still exists\."):
        await start(ABOUT, tmp_path, refused(said).run)


async def test_a_unit_that_systemd_does_not_start_is_told_with_its_reason_and_not_with_the_command(
    tmp_path: Path,
) -> None:
    said = b'Job for vipconsole-run-1.service failed.\nSee "systemctl status" for details.\n'
    with pytest.raises(HostError) as raised:
        await start(ABOUT, tmp_path, refused(said).run)
    assert not isinstance(raised.value, UnitExists)
    assert raised.value.sentence == (
        "systemd did not start vipconsole-run-1.service: Job for vipconsole-run-1.service failed. "
        'See "systemctl status" for details.'
    )


async def test_systemd_tells_whether_a_unit_has_ended(tmp_path: Path) -> None:
    def unit(state: str, detail: str) -> Systemd:
        told = f"Id=x.service\nLoadState=loaded\nActiveState={state}\nSubState={detail}\nResult=success\n"
        return Systemd(told.encode())

    assert await has_ended(ABOUT, tmp_path, unit("inactive", "dead").run)
    assert await has_ended(ABOUT, tmp_path, unit("failed", "failed").run)
    assert not await has_ended(ABOUT, tmp_path, unit("active", "running").run)
    # Killed, it is started again.
    assert not await has_ended(ABOUT, tmp_path, unit("activating", "auto-restart").run)
    assert not await has_ended(ABOUT, tmp_path / "no-systemd", refused(b"").run)


async def test_what_does_not_detach_itself_in_time_is_killed_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "START_WITHIN_S", 0.5)
    output, pid_file = tmp_path / "output", tmp_path / "pid"
    script = f"echo $$ > {pid_file}; echo begun; sleep 1000"
    program = DetachedProgram(("/bin/sh", "-c", script), dict(os.environ), "unit", "about", output)
    with pytest.raises(HostError, match=r"`/bin/sh` did not detach itself within 0\.5 s, and was killed\."):
        await start(program, tmp_path / "none")
    # On a loaded machine it may have been killed before it did anything.
    if pid_file.exists() and pid_file.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)

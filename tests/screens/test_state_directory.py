"""Whatever is wrong with the state directory is said, with what to do; it is never called a bug, in any command."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.storage.history import FILE
from screens.cli.commands import glance
from screens.cli.main import main
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import Simulation, simulation
from tests.support.forked import ForkedProgram
from tests.support.program import PATIENT, PROGRAM

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")

NOBODY = 65534
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
AS_ANYBODY = (DAC_OVERRIDE, DAC_READ_SEARCH)
"""What it is without: root that may not read what is not its own: as every other user, and yet the one who may change a swarm."""


@pytest.fixture(scope="module")
def small() -> Iterator[Simulation]:
    model = a_swarm("1.41")
    a_network(model)
    with simulation(model) as running:
        yield running


def another_users(state: Path) -> None:
    (state / "runs").mkdir(parents=True)
    state.chmod(0o700)
    os.chown(state, NOBODY, NOBODY)


def a_file(state: Path) -> None:
    state.write_text("")


def files_in_it(state: Path) -> None:
    """Everything that is expected in it is there, and is something else."""
    state.mkdir()
    (state / FILE).mkdir()
    for each in ("runs", "censuses"):
        (state / each).write_text("")


KINDS: dict[str, Callable[[Path], None]] = {
    "another user's": another_users, "a file": a_file, "nonsense in it": files_in_it,
}  # fmt: skip
LOOKING = ("glance", "guard --dry-run", "history")
"""They tell it among what they found."""
OF_RUNS = (
    "runs", "report", "attach --headless", "resume --headless", "decide x y skip", "abandon --yes x",
)  # fmt: skip


def said_by(small: Simulation, state: Path, command: str) -> "subprocess.CompletedProcess[str]":
    where = () if command in OF_RUNS else ("--host", small.host)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **PATIENT}
    command_line = [str(PROGRAM), *command.split(), *where, "--state-dir", str(state)]
    with ForkedProgram[str](command_line, environment=environment, text=True, without=AS_ANYBODY) as process:
        try:
            out, err = process.communicate(timeout=250)
        finally:
            process.kill()
    said = subprocess.CompletedProcess(command_line, process.returncode, out, err)
    assert "this is a bug" not in said.stderr, said.stderr
    assert "Traceback" not in said.stderr
    return said


@pytest.mark.parametrize("command", [*LOOKING, *OF_RUNS])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_said_what_cannot_be_used_and_what_helps(
    small: Simulation, tmp_path: Path, kind: str, command: str
) -> None:
    state = tmp_path / "state"
    KINDS[kind](state)
    said = said_by(small, state, command)
    # A path may be longer than a line; then it goes on in the next one.
    told = "".join((said.stdout + said.stderr).split())
    assert said.returncode == 3, told
    assert str(state) in told
    assert "--state-dir" in told


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_changed_where_it_is_not_known_whether_a_run_is_unfinished(
    small: Simulation, tmp_path: Path, kind: str
) -> None:
    state = tmp_path / "state"
    KINDS[kind](state)
    said = said_by(small, state, "census --yes proxy")
    assert said.returncode == 3, said.stderr
    assert "Whether a maintenance run is unfinished is unknown: The runs in" in said.stderr
    assert not small.model.store.services


def test_what_needs_no_state_does_not_ask_for_it(small: Simulation, tmp_path: Path) -> None:
    a_file(tmp_path / "state")
    assert said_by(small, tmp_path / "state", "why").returncode == 0


@pytest.mark.parametrize("number", [13, 20, 28, 30])
def test_what_no_door_foresaw_is_said_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def fail(_: object) -> int:
        raise OSError(number, os.strerror(number), str(tmp_path / "state" / "something"))

    monkeypatch.setattr(glance, "run", fail)
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "1000")
    assert main(["glance"]) == 3
    told = capsys.readouterr().err
    assert f"{tmp_path / 'state' / 'something'} cannot be used: {os.strerror(number)}." in told
    assert "--state-dir" in told


def test_an_error_elsewhere_is_still_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory", "/nonexistent/elsewhere")

    monkeypatch.setattr(glance, "run", fail)
    monkeypatch.setenv("VIPCONSOLE_STATE_DIR", str(tmp_path / "state"))
    assert main(["glance"]) == 70

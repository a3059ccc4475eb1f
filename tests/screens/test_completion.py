"""What a shell offers when TAB is pressed."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.runbook.language.values import Effect
from console.runbook.run.events import Began
from console.runbook.run.header import StepHeader
from console.runbook.store.database import append, create
from console.runbook.store.finished import LOG, RUNS
from screens.cli.commands.completion import COMPLETERS, script
from screens.cli.main import COMMANDS, main
from tests.support.engines import Simulation, simulation
from tests.support.program import PROGRAM, program_environment, vipconsole
from tests.support.runs import ALICE, START, header

pytestmark = pytest.mark.process
RUN = "20260612-020000-proxy-16"
TRIES = 30
"""An engine has a moment only to say what it has (`screens.cli.commands.completion`)."""


@pytest.fixture(scope="module")
def served() -> Iterator[Simulation]:
    with simulation("evening") as running:
        yield running


def offered(line: str, home: Path, **more: str) -> list[str]:
    """Return what is offered at the end of a line."""
    out = home / "offered"
    out.touch()
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line.encode())),
        **more,
    }
    said = vipconsole(environment=environment, home=home)
    assert (said.out, said.err) == ("", "")
    return [word.strip() for word in out.read_text().splitlines()]


def test_commands_and_options_are_those_of_the_parser(tmp_path: Path) -> None:
    assert offered("vipconsole gl", tmp_path) == ["glance"]
    assert set(offered("vipconsole ", tmp_path)) >= set(COMMANDS) - {"console"}
    assert {"--json", "--watch", "--host"} <= set(offered("vipconsole glance --", tmp_path))
    assert offered("vipconsole reclaim --by ", tmp_path) == ["handover", "borrow", "restart"]


def offered_in_time(line: str, home: Path, *words: str) -> list[str]:
    """Return what is offered once these are: names that do not come at once are left out, as on a loaded machine."""
    found: list[str] = []
    for _ in range(TRIES):
        found = offered(line, home)
        if set(words) <= set(found):
            break
    return found


def test_networks_services_and_stacks_are_those_of_the_engine(served: Simulation, tmp_path: Path) -> None:
    at = f"vipconsole --host {served.host}"
    for command in ("glance", "census", "history"):
        assert offered_in_time(f"{at} {command} prox", tmp_path, "proxy") == ["proxy"]
    assert offered_in_time(f"{at} stack-rm tra", tmp_path, "traefik") == ["traefik"]
    services = offered_in_time(f"{at} why traefik", tmp_path, "traefik", "traefik_app")
    assert {"traefik", "traefik_app"} <= set(services)
    accepted = [service for service in services if "_" in service]
    assert offered_in_time(f"{at} quiet --accept traefik_", tmp_path, *accepted) == accepted


@pytest.mark.parametrize("kind", ["refuse", "hang", "garbage", "slow_body"])
def test_an_engine_that_fails_or_hangs_offers_nothing_and_says_nothing(kind: str, tmp_path: Path) -> None:
    with simulation("quiet") as running:
        running.control("faults", [{"path": "*", "kind": kind, "seconds": 30, "times": 99}])
        began_s = time.monotonic()
        assert offered(f"vipconsole --host {running.host} census prox", tmp_path) == []
        assert time.monotonic() - began_s < 20


def test_runs_their_steps_and_the_answers_to_them_are_those_of_the_store(tmp_path: Path) -> None:
    folder = tmp_path / RUNS / RUN
    folder.mkdir(parents=True)
    steps = tuple(StepHeader(name, name, "test.do", Effect.READ) for name in ("quiet", "recreate"))
    with closing(create(folder / LOG)) as log:
        append(log, Began(header(), steps, ALICE), START)
    assert offered("vipconsole report 2026", tmp_path) == [RUN]
    assert offered(f"vipconsole decide {RUN} ", tmp_path)[-2:] == ["quiet", "recreate"]
    assert offered("vipconsole decide proxy-16 re", tmp_path) == ["recreate"]
    assert offered(f"vipconsole decide {RUN} recreate un", tmp_path) == ["undo"]
    # The line may name another place than the environment.
    elsewhere = {"VIPCONSOLE_STATE_DIR": f"{tmp_path}/none"}
    assert offered("vipconsole report 2026", tmp_path, **elsewhere) == []
    line = f"vipconsole report --state-dir {tmp_path} 2026"
    assert offered(line, tmp_path, **elsewhere) == [RUN]
    demo = tmp_path / "vipconsole" / "demo" / "var/lib/vipconsole" / RUNS / "20260613-020000-proxy-16"
    demo.mkdir(parents=True)
    assert offered("vipconsole --demo report 2026", tmp_path, XDG_STATE_HOME=str(tmp_path)) == [demo.name]
    assert offered("vipconsole run --demo --fail-at sw", tmp_path) == ["switch"]
    (folder / LOG).write_bytes(b"no log")
    assert offered(f"vipconsole decide {RUN} re", tmp_path) == []


def test_alerts_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[[alert]]\nname = "ops"\ncommand = ["/bin/true"]\n')
    assert offered(f"vipconsole --config {tmp_path}/config.toml alert o", tmp_path) == ["ops"]
    (tmp_path / "config.toml").write_text("networc = 1\n")
    assert offered(f"vipconsole --config {tmp_path}/config.toml alert o", tmp_path) == []


def test_each_completer_belongs_to_an_argument_that_is_there() -> None:
    assert {command for command, _ in COMPLETERS} - {""} <= set(COMMANDS)


def test_bash_completes_a_line_with_the_script_that_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == script("bash")
    (tmp_path / "script").write_text(script("bash"))
    code = (
        'source "$1"; COMP_LINE="vipconsole sta"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; '
        '_python_argcomplete vipconsole; echo "${COMPREPLY[@]}"'
    )
    environment = program_environment(home=tmp_path)
    environment["PATH"] = f"{PROGRAM.parent}:{os.environ['PATH']}"
    said = subprocess.run(
        ["bash", "-c", code, "bash", str(tmp_path / "script")],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        env=environment,
    )
    assert said.stdout.split() == ["stack-rm"]

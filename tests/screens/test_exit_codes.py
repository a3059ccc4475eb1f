"""`exit_code` in a JSON document is what the process exits with: in every command, on every branch."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.errors import Unknown
from console.operations.borrow.plan import BorrowFacts
from console.operations.reclaim import ReclaimMethod, ReclaimPlan
from console.runbook.language.values import Answer, Call, CheckResult, Effect
from console.runbook.run import events
from console.runbook.run.header import StepHeader
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import create_run
from console.swarm.model import SwarmState
from screens.cli.commands import reclaim
from screens.cli.main import main
from tests.journal.journals import daemon, export_text, foreign
from tests.journal.lines import START_LINE, VIP_LINE
from tests.simulator.swarms import a_network, a_swarm
from tests.support.changes import operator
from tests.support.engines import Simulation, simulation
from tests.support.program import Outcome, vipconsole
from tests.support.runs import ALICE, START, header
from tests.support.swarms import swarm

GONE = ("--host", "unix:///nonexistent")
NOT_DONE = CheckResult(Answer.NO, "It is not done.")


@pytest.fixture(scope="module")
def small() -> Iterator[Simulation]:
    model = a_swarm("1.41")
    a_network(model)
    with simulation(model, clock=SystemClock()) as running:
        yield running


def assert_agrees(said: Outcome, code: int) -> None:
    assert said.code == code, said.out + said.err
    assert said.json["exit_code"] == code


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ("glance", "--demo")),
        (2, ("glance", "--demo", "nosuch")),
        (3, ("glance", *GONE)),
        (0, ("why", "--demo", "drone")),
        (2, ("why", "--demo")),
        (3, ("why", *GONE)),
        (2, ("quiet", "--demo")),
        (3, ("quiet", "--for", "0", "--timeout", "0", *GONE)),
        (3, ("census", "--demo", "--yes", "proxy")),
        (1, ("stack-rm", "--demo", "--yes", "drone", "gone")),
        (2, ("guard", "--demo", "--dry-run")),
        (3, ("guard", *GONE)),
        (2, ("journal", "--demo")),
    ],
)
def test_of_the_demo_and_of_an_engine_that_is_gone(code: int, arguments: tuple[str, ...]) -> None:
    assert_agrees(vipconsole(*arguments, "--json"), code)


@pytest.mark.parametrize(
    ("code", "command"),
    [(0, "glance"), (3, "glance --require journal"), (0, "why"), (0, "guard"), (0, "quiet")],
)
def test_of_a_swarm_that_is_well(small: Simulation, tmp_path: Path, code: int, command: str) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[quiet]\ndeploy_tools = ["no-such-tool"]\n')
    where = ("--host", small.host, "--config", str(settings), "--json")
    more = ("--for", "0") if command == "quiet" else ()
    said = vipconsole(*command.split(), *more, *where)
    if command == "quiet":
        # Whether this machine is quiet is not the test's to say.
        code = said.code
    assert_agrees(said, code)


@pytest.mark.parametrize(("code", "line"), [(0, START_LINE), (2, VIP_LINE), (3, "")], ids=["0", "2", "3"])
def test_of_what_dockerd_logged(small: Simulation, tmp_path: Path, code: int, line: str) -> None:
    lines = [{"__CURSOR": "1", **foreign(1)}, *([{"__CURSOR": "2", **daemon(line)}] if line else [])]
    recording = tmp_path / "recording"
    recording.write_bytes(export_text(lines))
    where = ("--host", small.host, "--journal", str(recording))
    assert_agrees(vipconsole("journal", *where, "--json"), code)


@pytest.mark.parametrize(("code", "behind"), [(0, ()), (1, ("web_app",))])
def test_of_a_reclaim(
    small: Simulation,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    behind: tuple[str, ...],
) -> None:
    async def plan(*_: object) -> tuple[SwarmState, ReclaimPlan, BorrowFacts]:
        facts = BorrowFacts(swarm(), Path("/nowhere"), Unknown("This is a test."))
        return swarm(), ReclaimPlan(ReclaimMethod.RESTART, "It costs something.", (), "", ""), facts

    async def done(*_: object) -> reclaim.ReclaimResult:
        return reclaim.ReclaimResult("dockerd was restarted.", not behind, behind)

    # No engine of a test is restarted by systemd.
    monkeypatch.setattr(reclaim, "_plan", plan)
    monkeypatch.setattr(reclaim, "_reclaim", done)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["reclaim", "--yes", "--json", "--host", small.host]) == code
    assert json.loads(capsys.readouterr().out)["exit_code"] == code


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes a swarm")
def test_of_a_census_that_could_not_be_kept(small: Simulation) -> None:
    with operator() as someone:
        someone.state.mkdir()
        (someone.state / "censuses").write_text("")
        said = someone.run("census", "--yes", "--json", "proxy", "--host", small.host)
    assert_agrees(said, 3)
    assert said.json["addresses"] == []
    assert not said.json["is_stored"]
    assert not any("Stored for glance" in each for each in said.json["notes"])
    assert "censuses" in said.err


STEP = StepHeader("only", "Only", "test.do", Effect.CHANGE)
CALL = Call("exec", {})
ASKED = events.Asked(
    "only", 1, events.QuestionKind.GO_AHEAD, "digest", "", (events.Choice.CONFIRM, events.Choice.STOP)
)
RUNS: dict[int, tuple[events.Event, ...]] = {
    0: (events.Intended("only", 1, CALL, "d", NOT_DONE), events.Succeeded("only", 1, {}, 1.5),
        events.Verified("only", 1, Answer.YES, ()), events.Ended()),
    1: (events.Abandoned(ALICE, "It was given up."),),
    3: (events.RunnerStarted(1, "boot", "0"),),
    4: (ASKED,),
}  # fmt: skip


@pytest.mark.parametrize("code", RUNS)
@pytest.mark.parametrize("form", ["--json", "--markdown"])
def test_of_the_report_of_a_run(tmp_path: Path, code: int, form: str) -> None:
    folder = create_run(tmp_path, events.Began(header(), (STEP,), ALICE), b"", START)
    connection = database.connect(folder / LOG)
    for each in RUNS[code]:
        database.append(connection, each, START)
    connection.close()
    said = vipconsole("report", form, home=tmp_path)
    if form == "--json":
        assert_agrees(said, code)
    else:
        assert (said.code, f"(exit code {code})" in said.out) == (code, True)

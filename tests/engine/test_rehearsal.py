"""Rehearsals beside a real swarm: the private engine, what it foretells, and that nothing stays, whatever is killed."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import HostError
from console.rehearsal.cgroups import ROOT, group_name
from console.rehearsal.engine import private_engine
from console.rehearsal.folder import FOLDER, host_of, locked_folder
from console.simulator.host.control import answers, restart_engine
from console.simulator.host.tree import make_tree
from console.swarm.client import EngineConnection
from tests.contract.world import World
from tests.engine.lab import running_engine
from tests.engine.recreations import Stage, small_stacks
from tests.engine.test_window import listening, quick, report, run_of
from tests.support.changes import Operator, operator

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(600)]

OLD = "10.0.1.0/26"
"""A quarter of a usual one, so that a census takes a quarter as long."""
ONLY_OUTAGE = frozenset(("preflight", "before", "quiescent", "recreate"))
MEMORY_BYTES = 512 * 1_048_576
WITHIN_S = 60.0
KEEPER = "console.rehearsal.keeper"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a swarm with six services on one overlay."""
    with (
        running_engine() as engine,
        World(engine.socket, time.sleep, engine.restart, "engine") as world,
    ):
        connection = EngineConnection(engine.host, 30)
        try:
            folder = tmp_path_factory.mktemp("stage")
            stage = Stage(engine, world, connection, folder, "proxy", OLD, small_stacks())
            stage.deploy()
            yield stage
        finally:
            connection.close()


@pytest.fixture
def root() -> Iterator[Operator]:
    with operator() as someone:
        yield someone


def arguments(stage: Stage, runbook: str = "") -> tuple[str, ...]:
    variables = ("--set", "may_change_address=proxy-*", "--set", "first=*_web")
    return (runbook or quick(stage.folder), "--host", stage.engine.host, *variables)


def only_outage(stage: Stage) -> str:
    """Return the shipped runbook with the outage and what it needs; its other steps are carried out in other tests."""
    whole = Path(quick(stage.folder)).read_text()
    head, *steps = re.split(r"(?m)^(?=  - id: )", whole)
    path = stage.folder / "outage.yaml"
    path.write_text(head + "".join(step for step in steps if step.split(maxsplit=3)[2] in ONLY_OUTAGE))
    return str(path)


def groups(folder: Path) -> list[Path]:
    name = group_name(folder)
    return [path for path in (ROOT / name, *ROOT.glob(f"*/{name}")) if path.exists()]


def processes_of(folder: Path) -> dict[int, str]:
    """Return the command lines that name a folder, of processes that still run."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(folder) in command:
            found[int(path.parent.name)] = command
    return found


def wait_until_gone(folder: Path) -> None:
    """Return once nothing of a rehearsal is left."""
    end_s = time.monotonic() + WITHIN_S
    while folder.exists() or groups(folder) or processes_of(folder):
        assert time.monotonic() < end_s, (list(folder.glob("*")), groups(folder), processes_of(folder))
        time.sleep(0.05)


def wait_for_line(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return
    out, _ = process.communicate()
    pytest.fail(f"the rehearsal never said {words!r}:\n{''.join(lines)}{out}")


def test_it_foretells_the_outage_of_each_service_and_the_report_of_the_true_run_shows_both(
    stage: Stage, root: Operator
) -> None:
    before = stage.facts()
    with listening(stage.engine, stage.folder / "rehearsal.events") as seen:
        said = root.run("rehearse", *arguments(stage), "--json", within_s=300)
    assert said.code == 0, said.out + said.err
    assert seen.path.read_text() == ""
    assert stage.facts() == before
    assert stage.subnets() == [OLD]
    wait_until_gone(root.state / FOLDER)
    forecast = said.json
    assert (forecast["outcome"], forecast["refusals"], forecast["is_exact"]) == ("done", [], True)
    down = {name for name, count in before["running"].items() if count}
    assert {service["name"] for service in forecast["services"]} == down
    assert all(service["seconds"] > 1 for service in forecast["services"])
    assert forecast["planned"][0]["service"].endswith("_web")

    confirmed = ("--headless", "--confirm", "recreate=proxy")
    done = root.run("run", *arguments(stage, only_outage(stage)), *confirmed, within_s=300)

    assert done.code == 0, done.out
    downtime = report(root, run_of(done.err))["downtime"]
    assert (downtime["foretold_by"], downtime["foretold_whole_s"]) == ("rehearsal", forecast["whole_s"])
    foretold = {service["name"]: service["seconds"] for service in forecast["services"]}
    assert {row["name"]: row["foretold_s"] for row in downtime["services"]} == foretold
    assert "Foretold" in root.run("report", run_of(done.err)).out


def test_what_the_plan_refuses_for_the_swarm_is_told_and_the_shape_can_be_read(
    stage: Stage, root: Operator, tmp_path: Path
) -> None:
    shape = tmp_path / "shape.json"
    refused = ("--set", "subnet=10.0.0.0/24", "--save-shape", str(shape))
    said = root.run("rehearse", *arguments(stage), *refused, within_s=300)
    assert said.code == 2, said.out + said.err
    assert "REFUSED" in said.out
    assert "in the swarm as it is now" in said.out
    assert "in the rehearsal" in said.out
    text = shape.read_text()
    assert "hunter2" not in text
    assert len(json.loads(text)["services"]) == 6
    wait_until_gone(root.state / FOLDER)


def test_a_killed_rehearsal_leaves_nothing(stage: Stage, root: Operator) -> None:
    # Where the network has the subnet already, nothing is recreated, and the step is over before anybody sees it.
    other = ("--set", "subnet=10.20.0.0/16")
    with root.start("rehearse", *arguments(stage, only_outage(stage)), *other) as process:
        wait_for_line(process, "step recreate")
        assert processes_of(root.state / FOLDER)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    wait_until_gone(root.state / FOLDER)
    assert stage.subnets() != []


def engine_whose_keeper_is_killed(state: Path) -> None:
    with locked_folder(state) as (folder, lock):
        make_tree(host_of(folder), "")
        with private_engine(folder, "lab", MEMORY_BYTES, lock) as engine:
            (keeper,) = (pid for pid, command in processes_of(folder).items() if KEEPER in command)
            os.kill(keeper, signal.SIGKILL)
            assert groups(folder)
            assert Path(f"/proc/{engine.init}").exists()


def test_what_is_left_where_its_keeper_was_killed_too_is_removed_by_the_next_one(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="stays"):
        engine_whose_keeper_is_killed(tmp_path)
    assert (tmp_path / FOLDER / "data").exists()

    with locked_folder(tmp_path) as (folder, _):
        assert list(folder.iterdir()) == []
        assert groups(folder) == []
        assert processes_of(folder) == {}


def test_its_dockerd_restarts_as_a_unit_does(tmp_path: Path) -> None:
    with locked_folder(tmp_path) as (folder, lock):
        host = host_of(folder)
        make_tree(host, "")
        with private_engine(folder, "lab", MEMORY_BYTES, lock):
            restart_engine(host)
            assert answers(host)
            journal = (host / "var/log/journal.json").read_text()
    assert journal.count("Daemon has completed initialization") == 2
    wait_until_gone(folder)

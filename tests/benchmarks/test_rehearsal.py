"""What a rehearsal foretells for twenty services of all shapes, beside what the true run then takes and what the plan says."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from console.swarm.client import EngineConnection
from tests.contract.world import JSON, World
from tests.engine.lab import Engine, running_engine
from tests.engine.namespaces import children
from tests.engine.recreations import Stage, twenty_services
from tests.engine.test_window import OLD, quick, report, run_of
from tests.support.changes import Operator, operator

pytestmark = [pytest.mark.benchmark, pytest.mark.engine, pytest.mark.timeout(900)]

AIM = 0.25
"""By so much of the true outage a rehearsal may be off."""
GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
STOPS_ON_TERM = ["sh", "-c", "trap exit TERM; sleep 86400 & wait"]


def services_of_all_shapes() -> dict[str, JSON]:
    """Return twenty services: besides their other differences some stop at once, and some have a grace of their own."""
    stacks = twenty_services()
    for number in (1, 3, 5):
        stacks[f"recipe{number}"]["app"].update(command=STOPS_ON_TERM, stop_grace_period="30s")
    stacks["recipe2"]["worker"].update(stop_grace_period="5s")
    stacks["recipe4"]["app"].update(deploy={"replicas": 3})
    return stacks


@contextmanager
def as_a_service(engine: Engine) -> Iterator[None]:
    """Give an engine a share of the processors of its own, as a service has it."""
    root = next(path for path in GROUPS if (path / "cgroup.procs").exists())
    group = root / f"benchmark-{os.getpid()}"
    group.mkdir()
    for pid in (engine.pid, *children(engine.pid)):
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        for process in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (root / "cgroup.procs").write_text(process)
        group.rmdir()


@pytest.fixture
def root() -> Iterator[Operator]:
    with operator() as someone:
        yield someone


def test_a_rehearsal_beside_the_true_run(tmp_path: Path, root: Operator) -> None:
    with (
        running_engine() as engine,
        as_a_service(engine),
        World(engine.socket, time.sleep, engine.restart, "engine") as world,
    ):
        connection = EngineConnection(engine.host, 30)
        try:
            stage = Stage(engine, world, connection, tmp_path, "proxy", OLD, services_of_all_shapes())
            stage.deploy()
            compare(stage, root)
        finally:
            connection.close()


def compare(stage: Stage, root: Operator) -> None:
    variables = ("--set", "may_change_address=proxy-*", "--set", "first=*_web")
    common = (quick(stage.folder), "--host", stage.engine.host, *variables)
    began_s, load = time.monotonic(), os.getloadavg()[0]
    said = root.run("rehearse", *common, "--json", within_s=500)
    assert said.code == 0, said.out + said.err
    forecast = said.json
    print(f"\nrehearsal: {time.monotonic() - began_s:.0f} s, load {load:.0f} to {os.getloadavg()[0]:.0f}")
    confirmed = ("--headless", "--confirm", "recreate=proxy", "--confirm", "switch=switch")
    done = root.run("run", *common, *confirmed, within_s=400)
    assert done.code == 0, done.out
    downtime = report(root, run_of(done.err))["downtime"]
    assert downtime["foretold_by"] == "rehearsal"
    planned = {row["service"]: row["seconds"] for row in forecast["planned"]}
    print(f"true run: load {os.getloadavg()[0]:.0f}")
    rows = [
        (row["name"], row["foretold_s"], planned[row["name"]], row["down_s"]) for row in downtime["services"]
    ]
    rows.append(("in all", downtime["foretold_whole_s"], max(planned.values()), downtime["whole_s"]))
    for name, foretold_s, planned_s, true_s in rows:
        print(
            f"{name:28} foretold {foretold_s:5.1f} s ({foretold_s / true_s - 1:+.0%})  "
            f"plan {planned_s:5.1f} s ({planned_s / true_s - 1:+.0%})  true {true_s:5.1f} s"
        )
    good = sum(abs(foretold_s / true_s - 1) <= AIM for _, foretold_s, _, true_s in rows[:-1])
    print(f"{good} of {len(rows) - 1} services within {AIM:.0%}")

"""The runner is killed at any touch of a recreation on a real engine: resumed, or begun again, it ends where it should."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.runbook.language.file import parse_runbook
from console.runbook.run.view import RunState
from console.swarm.client import EngineConnection
from tests.contract.world import JSON, World
from tests.engine.lab import Engine
from tests.engine.recreations import Stage, small_stacks
from tests.faults.sweeping import Fault, Lives, begun

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

SUBNETS = ("10.0.210.0/26", "10.0.211.0/26")
"""It goes from one to the other, and back with the next point: so everything is deployed only once."""
SAMPLE = (20, 45)
"""Points of `make test`, of nearly seventy: `make faults` takes every one."""
RUNBOOK = """\
schema: vipconsole.runbook/1
id: killed
title: Recreate, and nothing else
steps:
  - id: recreate
    uses: network.recreate
    with: {{network: killed, subnet: {subnet}, may_change_address: ["*"]}}
    confirm: killed
    timeout: 10m
    on_failure: ask
"""


@pytest.fixture(scope="module")
def stage(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    connection = EngineConnection(engine.host, 30)
    with World(engine.socket, time.sleep, engine.restart, "engine") as world:
        folder = tmp_path_factory.mktemp("stacks")
        ready = Stage(engine, world, connection, folder, "killed", SUBNETS[0], small_stacks())
        try:
            ready.deploy()
            yield ready
        finally:
            connection.close()


def run_to(subnet: str, stage: Stage, folder: Path) -> Lives:
    """Begin a run that gives the network a subnet."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "runbook.yaml"
    source.write_text(RUNBOOK.format(subnet=subnet))
    runbook = parse_runbook(source.read_bytes(), str(source))
    run = begun(folder / "state", runbook, stage.engine.host)
    return Lives(run, folder / "lock", folder / "calls", linger_s=60)


def other(stage: Stage) -> str:
    (now,) = stage.subnets()
    return SUBNETS[1 - SUBNETS.index(now)]


def check(stage: Stage, before: JSON, folder: Path, at: int = 0, *, forgets: bool = False) -> Lives:
    """Let a recreation go to the other subnet, killed at a touch, and hold the end of it to what was before.

    One that forgets has lost everything that was kept of it: only the labels in the swarm tell the next run.
    """
    # Stopped, it knows the new network by name only, and needs no touch; once it has run there it does again.
    stage.engine.docker("start", "killed-stopped")
    stage.engine.docker("stop", "killed-stopped")
    subnet = other(stage)
    run = run_to(subnet, stage, folder)
    if at and run.work(Fault("touch", at)) == -signal.SIGKILL:
        run.deaths += 1
        if forgets:
            shutil.rmtree(folder)
            fresh = run_to(subnet, stage, folder)
            fresh.deaths = run.deaths
            run = fresh
        else:
            run.resume()
    view = run.finish()
    where = (at, forgets, view)
    assert view.state is RunState.DONE, where
    assert not view.blocks, where
    assert stage.subnets() == [subnet], where
    stage.wait_until_running()
    assert stage.facts() == before, where
    return run


def counted(stage: Stage, before: JSON, folder: Path) -> int:
    """Return at how many points an undisturbed recreation records a touch: before each change and after it."""
    run = check(stage, before, folder)
    assert run.deaths == 0
    return int(run.change_records.value)


def test_killed_at_a_few_touches_it_ends_where_an_undisturbed_one_ends(stage: Stage, tmp_path: Path) -> None:
    before = stage.facts()
    for number, at in enumerate(SAMPLE):
        run = check(stage, before, tmp_path / str(at), at, forgets=number == 1)
        assert run.deaths == 1
    assert stage.leaked() == {}


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_killed_at_every_touch(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began_s, before = time.monotonic(), stage.facts()
    count = counted(stage, before, tmp_path / "calm")
    points, died = [*range(1, count + 1)], list[int]()
    for number, at in enumerate(points):
        run = check(stage, before, tmp_path / str(at), at, forgets=number % 3 == 2)
        died += [at] * run.deaths
    assert stage.leaked() == {}
    with capsys.disabled():
        took_s = time.monotonic() - began_s
        print(  # noqa: T201 - the number is what is asked for
            f"\nrecreation on a real engine: {count} points swept (before and after each touch), "
            f"{len(died)} deaths, all ended alike, in {took_s:.0f} s"
        )
    assert died[: count - 2] == points[: count - 2]

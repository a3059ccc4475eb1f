"""A real overlay is recreated under running stacks: everything is on it afterwards as before, and nothing has leaked."""

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from console.errors import Declined
from console.operations.claims import Claimant, clear_the_way
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.parse import PARKED_LABEL
from console.swarm.reader import EngineReader
from tests.contract.world import JSON, World
from tests.engine.lab import Engine
from tests.engine.recreations import WHOSE, Stage, small_stacks
from tests.support.change_records import ChangeRecordList, Killed

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(400)]

OLD = "10.0.200.0/26"


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture(scope="module")
def deployed(engine: Engine, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    connection = EngineConnection(engine.host, 30)
    folder = tmp_path_factory.mktemp("stage")
    stage = Stage(engine, world, connection, folder, "proxy", OLD, small_stacks())
    try:
        stage.deploy()
        yield stage
    finally:
        connection.close()


@pytest.fixture
def stage(deployed: Stage) -> Stage:
    """Give a network with stacks on it, of which no recreation is under way; they are deployed once for all tests."""
    forget(deployed.folder)
    deployed.when_said, deployed.when_waiting = print, len
    return deployed


def roll_back(world: World, service: str) -> JSON:
    seen = world.service(service)
    path = f"/services/{service}/update?version={seen['Version']['Index']}&rollback=previous"
    world.call("POST", path, seen["Spec"])
    return dict(world.service(service)["Spec"])


def wait_until_rolled_back(world: World, service: str) -> None:
    def is_over() -> bool:
        status = world.service(service).get("UpdateStatus") or {}
        return bool(status.get("State") == "rollback_completed")

    world.wait_until(is_over, "the rollback is over", 60)


def forget(folder: Path) -> None:
    """Lose everything that a run has kept."""
    shutil.rmtree(folder)
    folder.mkdir()


async def test_every_kind_of_service_moves_to_a_sixteen_and_back_and_nothing_leaks(
    engine: Engine, world: World, stage: Stage
) -> None:
    before = stage.facts()
    assert len(before["specs"]) == 6
    assert stage.leaked() == {}
    settled: list[dict[str, set[str]]] = []

    def receive(said: str) -> None:
        if said.startswith("resetting the rollback target"):
            settled.append(stage.tasks())

    stage.when_said = receive
    there = await stage.forward("10.10.0.0/16")

    assert (stage.subnets(), there.sentences, there.newcomers) == (["10.10.0.0/16"], (), ())
    assert stage.facts() == before
    assert {each.name for each in there.outages} == {
        name for name, count in before["running"].items() if count
    }
    assert there.rolls_back_to_parked == ()
    whole, floor = there.whole or (0, 0)
    print(f"\n6 services: {whole:.1f} s down in all, at least {floor:.1f} s")  # noqa: T201 - a figure for -s
    # No task was replaced by the settling, and a rollback replaces none either.
    assert settled == [stage.tasks()]
    for each in stage.services():
        assert roll_back(world, each["ID"]) == each["Spec"]
    for each in stage.services():
        wait_until_rolled_back(world, each["ID"])
    assert settled == [stage.tasks()]
    assert stage.facts() == before
    assert stage.leaked() == {}

    back = await stage.back()

    assert (stage.subnets(), back.sentences) == ([OLD], ())
    assert stage.facts() == before
    assert stage.address("proxy-fixed") == stage.given_address
    assert stage.leaked() == {}
    engine.docker("start", "proxy-stopped")
    engine.docker("stop", "proxy-stopped")


async def killed(stage: Stage, subnet: str, line: str, *, after: int) -> None:
    """Let a recreation end as if its process were killed, so many records after it said a line."""
    change_records = stage.change_records = ChangeRecordList()

    def arm(said: str) -> None:
        if said.startswith(line):
            change_records.kill_at = change_records.records + after

    stage.when_said = arm
    with pytest.raises((Killed, BaseExceptionGroup)):
        await stage.forward(subnet)
    stage.change_records, stage.when_said = ChangeRecordList(), print


async def as_another_machine(stage: Stage) -> None:
    """Do what every changing command of another manager does before its first change."""
    changer = EngineChanger(stage.connection, lambda _: None)
    await clear_the_way(EngineReader(stage.connection), changer, Claimant("another", frozenset()), 60)


async def test_killed_in_the_middle_it_is_resumed_undone_and_mended_by_hand(
    stage: Stage,
) -> None:
    new = "10.11.0.0/16"
    (old,) = stage.subnets()
    before = stage.facts()

    # Some are parked, and nothing but their labels tells of it.
    await killed(stage, new, "parking", after=7)
    forget(stage.folder)
    assert (await stage.back(from_labels=True)).sentences == ()
    assert (stage.subnets(), stage.facts()) == ([old], before)

    # The network is gone, and there is nothing left to work with but docker.
    await killed(stage, new, "creating", after=1)
    assert any(PARKED_LABEL in each["Spec"]["Labels"] for each in stage.services())
    with pytest.raises(Declined, match=f"by run {WHOSE.run} of machine {WHOSE.machine}"):
        await as_another_machine(stage)
    said = stage.way_back()
    assert said.returncode == 0, said.stderr
    stage.wait_until_running()
    after = stage.facts()
    assert stage.subnets() == [old]
    # The command line sorts a service's networks by their IDs.
    for each in (before, after):
        for spec in each["specs"].values():
            spec["TaskTemplate"]["Networks"].sort(key=lambda one: one["Target"])
    assert after == before
    assert stage.way_back().returncode == 0

    # Some are back on the new network already; the labels of the others tell how to go on.
    await killed(stage, new, "bringing back", after=5)
    forget(stage.folder)
    assert (await stage.forward(new)).sentences == ()
    assert stage.subnets() == [new]
    assert stage.facts()["running"] == before["running"]
    assert stage.facts()["containers"] == before["containers"]
    assert stage.leaked() == {}


async def test_dockerd_is_killed_and_somebody_updates_a_service_in_the_middle(
    engine: Engine, world: World, stage: Stage
) -> None:
    new = "10.12.0.0/16"
    before = stage.facts()
    label: JSON = {"by": "somebody"}
    (careful,) = [each["ID"] for each in stage.services() if each["Spec"]["Name"].endswith("careful")]

    def shake(names: Sequence[str]) -> None:
        if names:
            stage.when_waiting = len
            world.update_service(
                careful, lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Labels=label)
            )
            engine.kill()
            engine.start()

    stage.when_waiting = shake
    result = await stage.forward(new)

    assert stage.subnets() == [new]
    # A container without a restart policy does not outlive the daemon; it is attached all the same.
    assert result.sentences == tuple(
        f"The container proxy-{each} is no longer running." for each in ("fixed", "shell")
    )
    after = stage.facts()
    assert after["running"] == before["running"]
    spec = after["specs"].pop("proxy-mixed_careful")
    assert spec["TaskTemplate"]["ContainerSpec"].pop("Labels") == label
    was = before["specs"].pop("proxy-mixed_careful")
    was["TaskTemplate"]["ContainerSpec"].pop("Labels")
    assert spec == was
    assert after["specs"] == before["specs"]
    assert [each[1] for each in after["containers"].values()] == [
        [f"{each}-alias"] for each in ("shell", "stopped", "fixed")
    ]

"""A real engine while nobody looks: stacks are removed; the record names what leaked and by which stack, and tells once."""

import json
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.recorder.values import EventKind, RecordedEvent
from console.storage.record import RecordStore
from tests.contract.world import Stack, World
from tests.engine.lab import Engine
from tests.support.program import PROGRAM, Outcome, program_environment, start_program, vipconsole

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

GRACE_S = 3.0
"""So long what leaks is there to be seen."""
SETTINGS = """
[thresholds]
leak_warning = 0.01

[[alert]]
name = "ops"
at = "warning"
command = ["/bin/sh", "-c", 'tr -d "\\n" < /dev/stdin >> "$1"; echo >> "$1"', "sh", "TOLD"]
"""


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@contextmanager
def recorder(engine: Engine, state: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Let the program record until the block ends; it ends by SIGTERM, with code 0."""
    command = [str(PROGRAM), "record", "--host", engine.host, *options]
    with start_program(command, program_environment(home=state), text=True) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if "Watching since" in line:
                    break
            assert "Watching since" in said[-1], said
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in rest) == (0, False), rest


def addresses_in(events: tuple[RecordedEvent, ...]) -> set[str]:
    sentences = (event.sentence for event in events if event.kind is EventKind.LEAK)
    return {address for sentence in sentences for address in re.findall(r"\d+\.\d+\.\d+\.\d+", sentence)}


def removed_in(events: tuple[RecordedEvent, ...]) -> set[str]:
    return {event.subject for event in events if event.kind is EventKind.REMOVAL}


def remove_safely(world: World, stacks: Sequence[Stack]) -> None:
    """Remove stacks so that it is seen that their tasks ended before their networks."""
    for stack in stacks:
        world.remove_service(stack.services[0])
    world.wait_until_gone([stack.services[0] for stack in stacks])
    world.pass_time(2)
    for stack in stacks:
        world.remove_network(stack.networks[0])


# Five show all that is promised; twenty at once are a burst besides.
@pytest.mark.parametrize(("count", "leaking"), [(5, 3), pytest.param(20, 12, marks=pytest.mark.sweep)])
def test_removals_with_no_console_open(
    engine: Engine, world: World, tmp_path: Path, count: int, leaking: int
) -> None:
    def program(*arguments: str) -> Outcome:
        return vipconsole(*arguments, "--host", engine.host, home=tmp_path, environment={"COLUMNS": "80"})

    name = world.fresh("proxy")
    proxy = world.create_overlay(name, world.fresh_subnet(26), attachable=True)
    before = world.free_addresses(proxy)
    cluster_id = world.client.info()["Swarm"]["Cluster"]["ID"]
    began = datetime.now(UTC)

    def events() -> tuple[RecordedEvent, ...]:
        return RecordStore(tmp_path).events(cluster_id, began - timedelta(minutes=1))

    told = tmp_path / "told"
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS.replace("TOLD", str(told)))
    with recorder(engine, tmp_path, "--config", str(settings)):
        second = program("record")
        assert second.code == 3
        assert "Another recorder is at work" in second.err
        stacks: list[Stack] = []
        for _ in range(count):
            stack = world.deploy_stack([proxy], stop_grace_s=GRACE_S)
            stacks.append(stack)
        for stack in stacks:
            world.wait_for_state(stack.services[0], "running")
        for stack in stacks[:leaking]:
            # What leaks is what still stops when its network goes.
            world.remove_stack(stack)
        remove_safely(world, stacks[leaking:])
        world.wait_until_gone([stack.services[0] for stack in stacks])
        lost = world.wait_until(
            lambda: addresses if len(addresses := addresses_in(events())) == leaking else set(),
            "the record has every address",
        )
        assert "recorded since" in program("glance").out
        world.wait_until(told.exists, "somebody is told")
        networks = {f"{stack.name}_internal" for stack in stacks}
        world.wait_until(
            lambda: networks <= removed_in(events()), "the record has the removal of every network"
        )

    # Once, however many leaked after the first.
    (alert,) = (json.loads(line) for line in told.read_text().splitlines())
    assert (alert["code"], alert["subject"], alert["occasion"]) == ("leaked", name, "rise")

    # The ring, walked by somebody else, lacks exactly those.
    assert before - world.free_addresses(proxy) == lost
    leaked_by = [stack.name for stack in stacks[:leaking]]
    recorded = events()
    assert Counter(event.stack for event in recorded if event.kind is EventKind.LEAK) == Counter(leaked_by)
    removed = Counter(event.subject for event in recorded if event.kind is EventKind.REMOVAL)
    for stack in stacks:
        assert removed[f"{stack.name}_app"] == removed[f"{stack.name}_internal"] == 1
    deployed = Counter(event.subject for event in recorded if event.kind is EventKind.DEPLOY)
    assert all(deployed[f"{stack.name}_app"] == 1 for stack in stacks)
    assert not [event for event in recorded if event.kind is EventKind.WATCHING], recorded

    # `history` names each of them afterwards.
    (network,) = program("history", name, "--json").json["networks"]
    assert sorted(leak["stack"] for leak in network["leaks"]) == sorted(leaked_by)
    assert {address for leak in network["leaks"] for address in leak["addresses"]} == lost
    assert "not recorded since" in " ".join(program("glance").out.split())


def test_a_stack_that_goes_while_no_recorder_is_at_work_is_in_the_record(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    cluster_id = world.client.info()["Swarm"]["Cluster"]["ID"]
    began = datetime.now(UTC)

    def events() -> tuple[RecordedEvent, ...]:
        return RecordStore(tmp_path).events(cluster_id, began - timedelta(minutes=1))

    shared = world.create_overlay("shared", world.fresh_subnet(28))
    before = world.free_addresses(shared)
    other = world.create_service(world.fresh("other"), [], replicas=0)
    with recorder(engine, tmp_path):
        stack = world.deploy_stack([shared], replicas=2)
        tasks = world.wait_for_state(stack.services[0], "running", 2)
        # A removal makes the recorder look at once, and write what it sees.
        world.remove_service(other)

        def are_kept() -> bool:
            return all(task["ID"] in RecordStore(tmp_path).baseline(cluster_id) for task in tasks)

        world.wait_until(are_kept, "the recorder knows the tasks")
    world.remove_stack(stack)
    world.wait_until_gone(stack.services)
    with recorder(engine, tmp_path):
        lost = world.wait_until(lambda: addresses_in(events()), "the record has the leaks")
    assert before - world.free_addresses(shared) == lost
    assert len(lost) == 2
    assert Counter(event.stack for event in events() if event.kind is EventKind.LEAK) == {stack.name: 2}
    assert not [event for event in events() if "their order" in event.sentence]


def test_a_restart_of_dockerd_is_in_the_record(engine: Engine, world: World, tmp_path: Path) -> None:
    cluster_id = world.client.info()["Swarm"]["Cluster"]["ID"]
    began = datetime.now(UTC)

    def restarts() -> list[RecordedEvent]:
        events = RecordStore(tmp_path).events(cluster_id, began - timedelta(minutes=1))
        return [event for event in events if event.kind is EventKind.RESTART]

    with recorder(engine, tmp_path):
        world.restart_engine()
        (restart,) = world.wait_until(restarts, "the restart is in the record", 60)
    assert restart.subject == "dockerd"
    assert abs(restart.at - began) < timedelta(minutes=2)

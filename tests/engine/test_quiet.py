"""When a real engine is quiet, and how soon it is known that it is not."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.world import NOWHERE, World
from tests.engine.lab import running_engine
from tests.support.program import PROGRAM, vipconsole
from tests.support.quiet_command import quiet_process

pytestmark = [pytest.mark.engine, pytest.mark.long]

DWELL_S = 4.0
SOON_S = 2.0
"""The aim for telling that it is no longer quiet; a loaded machine may take ten times as long."""

COMPOSE = """
version: "3.8"
services:
  app:
    image: lab/box:1
    command: ["sleep", "86400"]
    stop_grace_period: 1s
"""


@pytest.fixture
def world() -> Iterator[World]:
    with running_engine() as engine, World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture
def engine(world: World) -> str:
    return f"unix://{world.socket}"


@pytest.fixture
def impatient(tmp_path: Path) -> str:
    """Settings by which a second in New is long enough."""
    path = tmp_path / "config.toml"
    path.write_text("[thresholds]\nnew_task_s = 1\nunallocated_s = 1\n")
    return str(path)


def blockers(document: Any, code: str) -> dict[str, Any]:
    (check,) = (each for each in document["checks"] if each["code"] == code)
    return {each["name"]: each for each in check["blockers"]}


def test_busy_within_two_seconds_of_an_update_and_quiet_again_only_after_the_dwell_time(
    world: World, engine: str
) -> None:
    service = world.create_service("web", [world.create_overlay("net", world.fresh_subnet(24))])
    world.wait_for_state(service, "running")
    with quiet_process("--host", engine, "--for", f"{DWELL_S:g}", "--timeout", "90") as wait:
        wait.wait_for("quiet so far", within_s=60)
        began = time.monotonic()
        world.force("web")
        busy = wait.wait_for("web", after=began) - began
        code, said = wait.end()
        ended = time.monotonic()
    calm = max(at for at, line in wait.said if line.startswith("waiting") and "web" in line)
    print(f"busy {busy:.2f} s after an update; quiet {ended - calm:.2f} s after the last change")  # noqa: T201 - for -s
    assert busy < 10 * SOON_S
    assert (code, said["outcome"]) == (0, "quiet")
    assert said["quiet_for_s"] >= DWELL_S
    assert ended - calm >= DWELL_S


def test_busy_within_two_seconds_of_a_stack_being_deployed(tmp_path: Path) -> None:
    compose = tmp_path / "compose.yml"
    compose.write_text(COMPOSE)
    dwell_s = 60.0
    with running_engine() as engine, quiet_process("--host", engine.host, "--for", f"{dwell_s:g}") as wait:
        # A new engine may still make its ingress network: a change, after which it is quiet so far.
        wait.wait_for("quiet so far", within_s=60)
        began = time.monotonic()
        engine.docker("stack", "deploy", "-c", str(compose), "shop")
        busy = wait.wait_for("shop", after=began) - began
    print(f"busy {busy:.2f} s after `docker stack deploy` began")  # noqa: T201 - for -s
    assert busy < 10 * SOON_S


def test_a_crash_loop_is_stuck_and_can_be_accepted(world: World, engine: str) -> None:
    # On no network: a container that ends at once costs half as much there, and there are many of them.
    crash = world.create_service("crash", [], command=("false",))
    # By now it is a loop, whatever a loaded machine makes of its period.
    world.wait_until(lambda: world.states(crash).count("failed") >= 3, "it has failed three times", 120)
    arguments = ("--host", engine, "--for", "5", "--timeout")
    with quiet_process(*arguments, "7") as wait:
        code, said = wait.end()
    assert (code, said["outcome"]) == (2, "busy")
    assert blockers(said, "stuck")["crash"]["what"].startswith("keeps failing (task: non-zero exit (1))")
    assert blockers(said, "tasks") == blockers(said, "changes") == blockers(said, "replicas") == {}

    with quiet_process(*arguments, "90", "--accept", "crash") as wait:
        code, said = wait.end(100)
    assert (code, said["outcome"]) == (0, "quiet")
    assert blockers(said, "stuck")["crash"]["accepted"]
    print(f"quiet with an accepted crash loop after {said['waited_s']:.1f} s (dwell 5 s)")  # noqa: T201 - for -s

    # What the containers of an accepted service do is passed over; that somebody changes it is not.
    with quiet_process("--host", engine, "--for", "60", "--accept", "crash") as wait:
        wait.wait_for("quiet so far", within_s=100)
        began = time.monotonic()
        world.force("crash")
        wait.wait_for("crash", after=began)


def test_who_waits_for_an_address_is_stuck_and_not_busy(world: World, engine: str, impatient: str) -> None:
    full = world.create_overlay("full", world.fresh_subnet(29))
    holders = world.create_service("holders", [full], replicas=4, constraints=NOWHERE)
    world.wait_for_state(holders, "pending", 4)
    late = world.create_service("late", [full], mode="dnsrr", replicas=3, constraints=NOWHERE)
    world.wait_until(lambda: "new" in world.states(late), "a task waits in New")

    def stuck() -> str:
        said = vipconsole("quiet", "--host", engine, "--config", impatient, "--json", "--for", "0").json
        return str(blockers(said, "stuck").get("late", {}).get("what", ""))

    assert world.wait_until(stuck, "the waiting service is stuck", 60) == "waits for an address on full"
    said = vipconsole(
        *("quiet", "--host", engine, "--config", impatient, "--json", "--for", "0"),
        *("--accept", "late", "--accept", "holders"),
    )
    assert blockers(said.json, "stuck")["late"]["accepted"]


def test_an_engine_that_is_gone_is_unknown_and_begins_the_time_anew() -> None:
    with running_engine() as engine:
        with quiet_process("--host", engine.host, "--for", "6", "--timeout", "110") as wait:
            wait.wait_for("quiet so far", within_s=60)
            engine.restart()
            began = time.monotonic()
            wait.wait_for("the engine's events could not be received", within_s=60)
            code, said = wait.end(100)
            took_s = time.monotonic() - began
        assert (code, said["outcome"]) == (0, "quiet")
        assert took_s >= 6
        engine.stop()
        gone = vipconsole("quiet", "--host", engine.host, "--json")
    assert (gone.code, gone.json["outcome"]) == (3, "unknown")
    assert "There is no engine at" in gone.out
    assert gone.took_s < 60


def test_an_engine_without_a_swarm_can_never_be_known() -> None:
    with running_engine(swarm=False) as engine:
        said = vipconsole("quiet", "--host", engine.host, "--json")
    assert said.code == 3
    assert "is not part of a swarm" in said.out
    assert said.took_s < 60


def test_on_the_engines_own_host_a_deploy_tool_blocks_and_the_one_that_asks_does_not(tmp_path: Path) -> None:
    asking, other = tmp_path / "abra", tmp_path / "nixos-rebuild"
    asking.write_text(f'#!/bin/bash\n{PROGRAM} "$@"\nexit $?\n')
    other.write_text("#!/bin/bash\nsleep 600\nexit\n")
    with running_engine() as engine:
        command = tuple(engine.namespaces.entering("bash", str(asking)))
        wanted = ("--host", engine.host, "--for", "2", "--timeout")
        with quiet_process(*wanted, "90", command=command) as wait:
            code, alone = wait.end()
        assert (code, state(alone, "tools"), state(alone, "run")) == (0, "quiet", "quiet")
        assert state(alone, "jobs") == "not checked"
        engine.namespaces.run("sh", "-c", f"bash {other} switch </dev/null >/dev/null 2>&1 &")
        with quiet_process(*wanted, "8", command=command) as wait:
            code, beside = wait.end()
    assert (code, state(beside, "tools")) == (2, "busy")
    (name,) = blockers(beside, "tools")
    assert name.startswith("nixos-rebuild (pid ")


def state(document: Any, code: str) -> str:
    return next(str(each["state"]) for each in document["checks"] if each["code"] == code)

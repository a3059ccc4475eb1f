"""Stacks removed from a real engine: `docker stack rm` loses addresses, `vipconsole stack-rm` none."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.contract.world import JSON, LIVE, Stack, World
from tests.engine.lab import Engine
from tests.support.forked import Inside
from tests.support.program import PATIENT, PROGRAM, Outcome, run_to_its_end, start_program

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(300)]

STACKS, TASKS = 2, 2
LOST = STACKS * TASKS


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture
def proxy(world: World) -> Iterator[str]:
    """Give a network that stacks share; afterwards nothing is left of any network of theirs."""
    yield world.create_overlay(world.fresh("proxy"), world.fresh_subnet(27), attachable=True)
    wait_for_networks(world)


def command(engine: Engine, *arguments: str) -> list[str]:
    return [str(PROGRAM), *arguments[:1], "--host", engine.host, *arguments[1:]]


def own_run(engine: Engine) -> Inside:
    """Return where the program finds a `/run` of its own: the host's lock is not for tests."""
    return Inside(engine.namespaces.init, "m")


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "VIPCONSOLE_STATE_DIR": os.environ["VIPCONSOLE_STATE_DIR"],
        "LANG": "C.UTF-8",
        "COLUMNS": "1000",
        **PATIENT,
    }


def stack_rm(engine: Engine, *arguments: str) -> Outcome:
    return run_program(engine, "stack-rm", *arguments)


def run_program(engine: Engine, *arguments: str) -> Outcome:
    return run_to_its_end(command(engine, *arguments), environment(), own_run(engine))


def deploy(
    world: World, proxy: str, count: int = STACKS, tasks: int = TASKS, stop_grace_s: float = 1.0
) -> list[Stack]:
    stacks = [world.deploy_stack([proxy], replicas=tasks, stop_grace_s=stop_grace_s) for _ in range(count)]
    for each in stacks:
        world.wait_for_state(each.services[0], "running", tasks)
    return stacks


def names(stacks: Sequence[Stack]) -> list[str]:
    return [each.name for each in stacks]


def wait_for_end(world: World, stacks: Sequence[Stack]) -> None:
    world.wait_until_gone([service for each in stacks for service in each.services])


def own_networks(world: World) -> set[str]:
    """Return the stacks' networks that the swarm has, or of which this node still has a copy."""
    return {each["Name"] for each in world.client.networks() if each["Name"].startswith("stack")}


def wait_for_networks(world: World, *left: str) -> None:
    """Wait until there are only these networks of stacks: the node's own copy goes some time after the swarm's."""
    world.wait_until(lambda: own_networks(world) == set(left), f"only {left} are left", 60)


def whole_again(world: World, proxy: str, before: set[str]) -> None:
    """Fail unless every address that could be handed out before can be again."""
    # The node's load balancer gives its address back a moment after the last task.
    world.wait_until(lambda: world.free_addresses(proxy) == before, "every address is free again", 30)


def test_where_docker_stack_rm_loses_addresses_this_loses_none(
    engine: Engine, world: World, proxy: str
) -> None:
    before = world.free_addresses(proxy)
    doomed = deploy(world, proxy)
    for each in doomed:
        world.remove_stack(each)
    wait_for_end(world, doomed)
    world.wait_until(
        lambda: len(world.free_addresses(proxy)) == len(before) - LOST, "an address of each task is lost", 60
    )
    left = world.free_addresses(proxy)
    name = world.network(proxy)["Name"]
    census = run_program(engine, "census", "--yes", "--json", name)
    assert census.code == 1, census.err
    assert set(census.json["addresses"]) == before - left
    assert len(before - left) == LOST

    stacks = deploy(world, proxy)
    said = stack_rm(engine, "--yes", "--json", "--census", *names(stacks))

    assert said.code == 0, said.err
    assert {each["state"] for each in said.json["stacks"]} == {"removed"}
    assert not any(each in LIVE for stack in stacks for each in world.states(stack.services[0]))
    wait_for_networks(world)
    whole_again(world, proxy, left)
    assert said.json["proof"]["verdict"] == "no leak"
    counted = {"leaked": LOST, "why_unknown": ""}
    assert said.json["proof"]["networks"] == [{"name": name, "before": counted, "after": counted}]


def test_slow_stoppers_are_waited_for(engine: Engine, world: World, proxy: str) -> None:
    before = world.free_addresses(proxy)
    stacks = deploy(world, proxy, 2, tasks=1, stop_grace_s=10)

    hasty = stack_rm(engine, "--yes", "--timeout", "2", *names(stacks))
    assert hasty.code == 2
    assert re.search(rf"{stacks[0].name} +unfinished", hasty.out)
    assert f"{stacks[0].name}_app.1" in hasty.out.replace("\n", "")
    assert "to finish  vipconsole stack-rm --host" in hasty.out
    assert own_networks(world) == {f"{each}_internal" for each in names(stacks)}

    patient = stack_rm(engine, "--yes", *names(stacks))
    assert patient.code == 0, patient.err
    wait_for_networks(world)
    whole_again(world, proxy, before)


def killed_after(engine: Engine, line: str, stacks: Sequence[Stack], how: signal.Signals) -> tuple[int, str]:
    """Begin a removal, end it once it has said a line, and return its exit code and what else it said."""
    removal = command(engine, "stack-rm", "--yes", *names(stacks))
    with start_program(removal, environment(), own_run(engine), text=True) as process:
        assert process.stderr is not None
        for said in process.stderr:
            if line in said:
                break
        else:
            raise AssertionError(f"it never said {line!r}")
        process.send_signal(how)
        rest = process.stderr.read()
        return process.wait(60), rest


@pytest.mark.parametrize("line", ["waiting for its tasks to end", "all tasks have ended"])
def test_killed_in_the_middle_and_called_again_it_finishes(
    engine: Engine, world: World, proxy: str, line: str
) -> None:
    before = world.free_addresses(proxy)
    stacks = deploy(world, proxy, 2, stop_grace_s=2)

    killed_after(engine, line, stacks, signal.SIGKILL)

    again = stack_rm(engine, "--yes", *names(stacks))
    # Of a stack that was done with before the kill nothing is there any more; with all of them none is to be removed.
    assert again.code in (0, 1) or "not found, so nothing was changed" in again.err, again.err
    wait_for_networks(world)
    whole_again(world, proxy, before)


def test_interrupted_it_says_what_is_done_and_how_to_finish(engine: Engine, world: World, proxy: str) -> None:
    before = world.free_addresses(proxy)
    stacks = deploy(world, proxy, 1, stop_grace_s=3)
    (stack,) = stacks

    code, said = killed_after(engine, "waiting for its tasks to end", stacks, signal.SIGINT)

    assert code == 130
    assert "interrupted; nothing more was started" in said
    assert re.search(rf"To finish: vipconsole stack-rm .*{stack.name}", said)
    # Its services are gone already: it is finished, and then it is no stack.
    assert own_networks(world) == {f"{stack.name}_internal"}
    assert stack_rm(engine, "--yes", stack.name).code == 0
    whole_again(world, proxy, before)
    gone = stack_rm(engine, "--yes", stack.name)
    assert gone.code == 64
    assert f"Stack {stack.name} not found, so nothing was changed." in gone.err


def test_a_network_that_others_use_is_kept_and_they_are_named(
    engine: Engine, world: World, proxy: str
) -> None:
    first, second = deploy(world, proxy, 2, tasks=1)
    third = world.create_overlay(
        f"{second.name}_open", attachable=True, labels={"com.docker.stack.namespace": second.name}
    )
    outsider = world.create_service(world.fresh("outsider"), [first.networks[0]])
    world.wait_for_state(outsider, "running")
    name = world.service(outsider)["Spec"]["Name"]
    shell = world.attach_container("shell", third)

    said = stack_rm(engine, "--yes", "--json", first.name, second.name)

    assert said.code == 1, said.err
    kept = {each["name"]: each for stack in said.json["stacks"] for each in stack["kept"]}
    assert {each: kept[each]["reason"] for each in kept} == {
        f"{first.name}_internal": f"service {name} uses it",
        f"{second.name}_open": "container shell uses it",
    }
    assert world.states(outsider) == ["running"]
    wait_for_networks(world, *kept)
    world.remove_container(shell)
    world.remove_service(outsider)
    world.wait_until_gone([outsider])
    assert stack_rm(engine, "--yes", first.name, second.name).code == 0
    wait_for_networks(world)


def test_secrets_and_configs_are_removed_and_those_in_use_elsewhere_are_kept(
    engine: Engine, world: World, proxy: str
) -> None:
    (stack,) = deploy(world, proxy, 1, tasks=1)
    labels = {"com.docker.stack.namespace": stack.name}
    data: JSON = {"Labels": labels, "Data": "aGk="}
    secret = world.call("POST", "/secrets/create", {**data, "Name": f"{stack.name}_key"})["ID"]
    config = world.call("POST", "/configs/create", {**data, "Name": f"{stack.name}_conf"})["ID"]
    elsewhere = world.create_service(world.fresh("elsewhere"), [proxy], replicas=0)
    file = {"Name": "key", "UID": "0", "GID": "0", "Mode": 292}
    entry = {"SecretID": secret, "SecretName": f"{stack.name}_key", "File": file}
    world.update_service(
        elsewhere, lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Secrets=[entry])
    )

    said = stack_rm(engine, "--yes", "--json", stack.name)

    assert said.code == 1, said.err
    (told,) = said.json["stacks"]
    assert [each["kind"] for each in told["removed"]] == ["service", "network", "config"]
    assert told["removed"][2]["id"] == config
    assert [each["id"] for each in told["kept"]] == [secret]
    world.remove_service(elsewhere)
    assert stack_rm(engine, "--yes", stack.name).code == 0
    assert not world.call("GET", "/secrets")
    assert not world.call("GET", "/configs")


def test_the_script_that_it_explains_itself_with_does_the_same(
    engine: Engine, world: World, proxy: str, tmp_path: Path
) -> None:
    before = world.free_addresses(proxy)
    stacks = deploy(world, proxy, 2, tasks=1, stop_grace_s=8)
    labels = {"com.docker.stack.namespace": stacks[0].name}
    for kind in ("secrets", "configs"):
        world.call("POST", f"/{kind}/create", {"Name": "x", "Labels": labels, "Data": "aGk="})
    script = tmp_path / "remove.sh"
    script.write_text(stack_rm(engine, "--explain", *names(stacks)).out)

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(script)],
            capture_output=True,
            check=False,
            text=True,
            timeout=200,
            env={**environment(), "DOCKER_HOST": engine.host, **more},
        )

    hasty = run(LIMIT_S="1")
    assert hasty.returncode == 2, hasty.stderr
    assert "so no network was removed" in hasty.stderr
    assert len(own_networks(world)) == 2
    done = run()
    assert done.returncode == 0, done.stderr
    wait_for_networks(world)
    assert not world.call("GET", "/secrets")
    assert not world.call("GET", "/configs")
    whole_again(world, proxy, before)
    assert run().returncode == 0

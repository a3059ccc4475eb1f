"""`vipconsole stack-rm` of eight stacks beside `docker stack rm`: until it is done, and until the last task has ended."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.contract.world import Stack, World
from tests.engine.lab import Engine, running_engine
from tests.support.program import PROGRAM

pytestmark = [pytest.mark.benchmark, pytest.mark.engine, pytest.mark.timeout(600)]

ROUNDS = 3
STACKS, TASKS = 8, 2
AIM = 2.0


@pytest.fixture(scope="module")
def world_on() -> Iterator[tuple[Engine, World]]:
    with running_engine() as engine, World(engine.socket, time.sleep, engine.restart, "engine") as world:
        yield engine, world


def deploy(world: World, proxy: str) -> list[Stack]:
    stacks = [world.deploy_stack([proxy], replicas=TASKS) for _ in range(STACKS)]
    for each in stacks:
        world.wait_for_state(each.services[0], "running", TASKS)
    return stacks


def docker_seconds(engine: Engine, world: World, proxy: str) -> float:
    """Return how long `docker stack rm` takes until the last task has ended, and end what it left."""
    stacks = deploy(world, proxy)
    began = time.perf_counter()
    # Too early for a network it is refused; only the tasks count here.
    subprocess.run(
        ["docker", "stack", "rm", *(each.name for each in stacks)],
        capture_output=True,
        check=False,
        timeout=200,
        env={**os.environ, "DOCKER_HOST": engine.host},
    )
    world.wait_until_gone([service for each in stacks for service in each.services])
    return time.perf_counter() - began


def own_seconds(engine: Engine, world: World, proxy: str) -> float:
    """Return how long the whole program takes, from its start to its end."""
    stacks = deploy(world, proxy)
    inside = ["nsenter", "-t", str(engine.namespaces.init), "-m", "--"]
    began = time.perf_counter()
    subprocess.run(
        [*inside, str(PROGRAM), "stack-rm", "--yes", "--host", engine.host, *(each.name for each in stacks)],
        capture_output=True,
        check=True,
        timeout=200,
    )
    return time.perf_counter() - began


def test_eight_stacks_beside_docker_stack_rm(world_on: tuple[Engine, World]) -> None:
    engine, world = world_on
    proxy = world.create_overlay("proxy", world.fresh_subnet(22))
    # In turns, so that whatever else the machine does falls on both alike.
    rounds = [
        (docker_seconds(engine, world, proxy), own_seconds(engine, world, proxy)) for _ in range(ROUNDS)
    ]
    theirs, ours = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"\n{STACKS} stacks of {TASKS} tasks, median of {ROUNDS}:")
    print(f"  docker stack rm, until the last task has ended  {theirs:.1f} s")
    print(f"  vipconsole stack-rm, until all is removed       {ours:.1f} s")
    print(f"  ratio {ours / theirs:.2f} (aim: at most {AIM:g})")

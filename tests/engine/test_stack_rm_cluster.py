"""Stacks removed from a swarm of two real nodes: what runs on the other one is waited for, too."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from console.operations.stack_removal.steps import SETTLING_S
from tests.contract.world import JSON, Stack, World
from tests.engine.lab import Engine, require_engine
from tests.engine.switch import Switch
from tests.support.forked import Inside
from tests.support.program import Outcome, vipconsole

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

GRACE_S = 4.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Engine, Engine]]:
    """A manager and a worker."""
    require_engine()
    with ExitStack() as ending:
        switch = ending.enter_context(Switch())
        engines = []
        for number in (1, 2):
            engine = Engine(f"node{number}", switch=switch, address=f"10.99.1.{number + 1}")
            ending.callback(engine.close)
            engine.start()
            engines.append(engine)
        manager, worker = engines
        manager.create_swarm()
        worker.join_swarm(manager)
        yield manager, worker


@pytest.fixture(scope="module")
def world(cluster: tuple[Engine, Engine]) -> Iterator[World]:
    manager, _ = cluster
    with World(manager.socket, time.sleep, manager.restart, "manager") as real:
        yield real


def stack_rm(manager: Engine, stack: Stack) -> Outcome:
    own_run = Inside(manager.namespaces.init, "m")
    return vipconsole("stack-rm", "--yes", "--host", manager.host, stack.name, inside=own_run)


def spread(world: World, proxy: str, grace_s: float = GRACE_S) -> Stack:
    stack = world.deploy_stack([proxy], replicas=4, stop_grace_s=grace_s)
    tasks = world.wait_for_state(stack.services[0], "running", 4)
    assert len({each["NodeID"] for each in tasks}) == 2
    return stack


def containers(engine: Engine, stack: Stack) -> str:
    return engine.docker("ps", "--quiet", "--filter", f"label=com.docker.stack.namespace={stack.name}")


def test_tasks_of_another_node_are_waited_for_and_nothing_leaks(
    cluster: tuple[Engine, Engine], world: World
) -> None:
    manager, worker = cluster
    proxy = world.create_overlay(world.fresh("proxy"), world.fresh_subnet(27))
    before = world.free_addresses(proxy)
    stack = spread(world, proxy)

    said = stack_rm(manager, stack)

    assert said.code == 0, said.err
    assert not containers(worker, stack)
    assert "on node2)" in said.err
    assert "updated" not in said.err
    world.wait_until(lambda: world.free_addresses(proxy) == before, "every address is free again", 30)


def park(spec: JSON) -> None:
    """Leave a service without tasks in one update; engines before 29 then forget the tasks at once."""
    spec["TaskTemplate"]["Networks"] = []
    spec["Mode"]["Replicated"]["Replicas"] = 0


def test_a_stack_that_was_parked_a_moment_before_may_run_on_unseen(
    cluster: tuple[Engine, Engine], world: World
) -> None:
    manager, worker = cluster
    proxy = world.create_overlay(world.fresh("proxy"), world.fresh_subnet(27))
    before = world.free_addresses(proxy)
    # Long enough for a loaded machine to begin the removal while containers still stop.
    stack = spread(world, proxy, grace_s=5 * GRACE_S)
    # A younger service may have been changed by the swarm alone.
    deployed = time.monotonic()
    world.wait_until(lambda: time.monotonic() > deployed + SETTLING_S, "the service is old enough")
    world.update_service(stack.services[0], park)
    world.wait_until(lambda: not world.states(stack.services[0]), "its tasks are listed no more")
    assert containers(worker, stack)

    said = stack_rm(manager, stack)

    assert said.code == 0, said.err
    assert not containers(worker, stack)
    assert "may still stop tasks on other nodes" in said.err
    world.wait_until(lambda: world.free_addresses(proxy) == before, "every address is free again", 30)

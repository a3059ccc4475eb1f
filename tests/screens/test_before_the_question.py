"""What keeps a command from changing the swarm is said before anybody is shown a plan and asked."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import Part, deploy
from tests.screens.test_one_verdict import RUN, a_run, parked_by
from tests.simulator.swarms import a_network
from tests.support.changes import Operator, operator
from tests.support.engines import Simulation, simulation
from tests.support.program import Outcome
from tests.support.swarms import NOW

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes a swarm")

COMMANDS = (("stack-rm", "web"), ("census", "proxy"), ("reclaim",))


@pytest.fixture
def someone() -> Iterator[Operator]:
    with operator() as one:
        yield one


@pytest.fixture
def running() -> Iterator[Simulation]:
    others = [("two", "manager"), ("three", "manager")]
    model = SimulatedEngine(EngineInfo("1.41", host="one"), NOW, others=others, leader="two")
    a_network(model)
    deploy(model, "web", (Part("app", ("proxy",)),))
    model.advance(20)
    with simulation(model) as listening:
        yield listening


def refused(said: Outcome, why: str) -> None:
    """Hold that a command said why it does nothing, and neither a plan nor a question."""
    assert said.err.startswith(f"vipconsole: {why}"), said.err
    assert "confirmation" not in said.err
    assert said.out == ""
    assert said.code == 3


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        lock.write("vipconsole guard, process 7, by alice")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_unfinished_run(someone: Operator, running: Simulation, command: tuple[str, ...]) -> None:
    a_run()(running.model, someone.state)
    refused(someone.run(*command, "--host", running.host), f"The maintenance run {RUN} was interrupted")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_command_at_work(someone: Operator, running: Simulation, command: tuple[str, ...]) -> None:
    with locked(someone.lock):
        said = someone.run(*command, "--host", running.host)
    refused(said, "Another command is changing the swarm: vipconsole guard, process 7, by alice")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_services_parked_by_another_machine(
    someone: Operator, running: Simulation, command: tuple[str, ...]
) -> None:
    running.running.run(lambda engine: parked_by("elsewhere")(engine, someone.state))
    refused(someone.run(*command, "--host", running.host), "Another machine is changing this swarm")

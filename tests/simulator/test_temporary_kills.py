"""A borrowing in a simulated swarm, one of whose engines dies between any two steps and comes back with its data."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from console.simulator.engine import EngineInfo, SimulatedEngine
from tests.contract.calls import Refused
from tests.simulator.borrowing import HERE, THERE, Borrowing
from tests.simulator.swarms import START, a_network, a_service
from tests.support.engines import simulation
from tests.support.simulated_handovers import containers, leader_of, roles
from tests.support.temporary import ACable, temporary_of

STEPS: tuple[Callable[[Borrowing], None], ...] = (
    Borrowing.join,
    Borrowing.pause_here,
    Borrowing.demote_here,
    Borrowing.promote_here,
    Borrowing.activate_here,
    Borrowing.demote_there,
    Borrowing.leave_there,
    Borrowing.remove_there,
)
AWAY_S = 40.0
PATIENCE_S = 90.0


def insist(borrowing: Borrowing, step: Callable[[Borrowing], None]) -> None:
    """Take a step, again and again while the swarm has no leader or the node is between two roles."""
    waited_s = 0.0
    while True:
        try:
            step(borrowing)
        except (Refused, StopIteration):
            waited_s += 1.0
            assert waited_s < PATIENCE_S
            borrowing.pass_time(1.0)
        else:
            borrowing.pass_time(8.0)
            return


@pytest.mark.parametrize("after", range(len(STEPS)))
@pytest.mark.parametrize("victim", ["temporary", "real", "both"])
async def test_it_can_be_finished_whatever_died(victim: str, after: int) -> None:
    engine = SimulatedEngine(EngineInfo("1.41"), START)
    proxy = a_network(engine, subnet="10.0.1.0/26")
    a_service(engine, proxy, name="traefik", replicas=3, constraint="node.role==manager")
    engine.advance(10.0)
    before = containers(engine)
    with simulation(engine) as running, ExitStack() as ending:
        temporary = temporary_of(running)
        await temporary.start(ACable())
        borrowing = Borrowing(running, temporary)
        ending.callback(borrowing.close)
        for number, step in enumerate(STEPS):
            insist(borrowing, step)
            if number == after:
                if victim != "real":
                    await temporary.kill()
                if victim != "temporary":
                    running.control("stop", {})
                borrowing.pass_time(AWAY_S)
                if victim != "temporary":
                    running.control("restart", {})
                await temporary.start(ACable())
                borrowing.pass_time(20.0)
        await temporary.remove()
        borrowing.pass_time(60.0)
    assert roles(engine) == {HERE: "manager"}
    assert leader_of(engine) == HERE
    now = containers(engine)
    assert (engine.node.state, engine.node.availability, len(now)) == ("ready", "active", 3)
    if victim == "temporary":
        assert now == before
    assert not any(held.state == "new" for held in engine.store.tasks.values())
    assert engine.addresses_of("proxy", "leaked") == []
    assert THERE not in roles(engine)

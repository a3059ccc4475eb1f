"""A hand-over of the leadership, on a simulated swarm of three managers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from console.errors import Declined, EngineError
from console.remedies.handover import Handover, refusal, roles_of
from console.simulator.engine import Identity, SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.connection import EngineConnection
from console.swarm.parse import HANDOVER_LABEL
from console.swarm.reader import EngineReader
from console.swarm.values import Node
from tests.simulator.swarms import a_network, a_service
from tests.support.engines import Simulation, simulation
from tests.support.model_time import ModelTime
from tests.support.swarms import NOW

MARK = "this-machine/77"


def three(leader: str = "two") -> SimulatedEngine:
    """Three managers; `one` is asked."""
    others = [("two", "manager"), ("three", "manager")]
    return SimulatedEngine(Identity("1.52", host="one"), NOW, others=others, leader=leader)


class Steps(EngineChanger):
    """A changer that dies in front of a certain change, or after it."""

    def __init__(self, connection: EngineConnection, dies_at: float = 1e9) -> None:
        super().__init__(connection, lambda _: None)
        self._left = dies_at

    async def update_node(self, node_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        if self._left <= 0:
            raise KeyboardInterrupt
        await super().update_node(node_id, change)
        self._left -= 1


@contextmanager
def handing_over(running: Simulation, mark: str = MARK, dies_at: float = 1e9) -> Iterator[Handover]:
    connection = EngineConnection(running.host, 10)
    try:
        yield Handover(
            EngineReader(connection),
            Steps(connection, dies_at),
            ModelTime(running.model),
            mark,
            lambda _: None,
        )
    finally:
        connection.close()


def leader_of(engine: SimulatedEngine) -> str:
    return next(each.hostname for each in engine.store.nodes.values() if each.is_leader)


def roles(engine: SimulatedEngine) -> dict[str, str]:
    return {each.hostname: each.role for each in engine.store.nodes.values()}


def leak(engine: SimulatedEngine) -> str:
    """Lose two addresses of a shared network, and return its ID."""
    shared = a_network(engine, "proxy", "10.0.9.0/27")
    own = a_network(engine, "own", "10.9.0.0/24")
    service = a_service(engine, shared, own, name="leaky", replicas=2, constraint="node.labels.none==x")
    engine.advance(1.0)
    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)
    return shared


async def test_what_leaked_is_free_again_and_every_manager_is_one_again() -> None:
    engine = three()
    leak(engine)
    assert len(engine.addresses_of("proxy", "leaked")) == 2
    with simulation(engine) as running, handing_over(running) as handover:
        done = await handover.run()
    assert (done.old_leader, done.resumed) == ("two", False)
    assert leader_of(engine) == done.new_leader != "two"
    assert roles(engine) == {"one": "manager", "two": "manager", "three": "manager"}
    assert engine.addresses_of("proxy", "leaked") == []
    assert not any(HANDOVER_LABEL in each.labels for each in engine.store.nodes.values())


async def test_one_that_was_killed_after_the_demotion_is_finished_by_the_next_call() -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=1) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        assert roles(engine)["two"] == "worker"
        with (
            handing_over(running, "another-machine/1") as handover,
            pytest.raises(Declined, match="Another machine"),
        ):
            await handover.run()
        assert roles(engine)["two"] == "worker"
        with handing_over(running, "this-machine/99") as handover:
            done = await handover.run()
    assert done.resumed
    assert roles(engine)["two"] == "manager"
    assert leader_of(engine) == done.new_leader


async def test_killed_before_anything_it_has_done_nothing() -> None:
    engine = three()
    with (
        simulation(engine) as running,
        handing_over(running, dies_at=0) as handover,
        pytest.raises(KeyboardInterrupt),
    ):
        await handover.run()
    assert roles(engine)["two"] == "manager"
    assert leader_of(engine) == "two"


async def test_an_answer_that_was_lost_is_looked_for() -> None:
    engine = three()
    with simulation(engine) as running, handing_over(running) as handover:
        running.break_call("/nodes/*/update", "lose_answer", times=1)
        done = await handover.run()
    assert leader_of(engine) == done.new_leader != "two"
    assert set(roles(engine).values()) == {"manager"}


async def test_an_engine_that_refuses_for_ever_is_told_with_how_to_go_on() -> None:
    engine = three()
    with simulation(engine) as running, handing_over(running) as handover:
        running.break_call("/nodes/*/update", "status:500")
        with pytest.raises(EngineError):
            await handover.run()
    assert set(roles(engine).values()) == {"manager"}


async def test_it_is_refused_through_the_leader_itself() -> None:
    with (
        simulation(three("one")) as running,
        handing_over(running) as handover,
        pytest.raises(Declined) as told,
    ):
        await handover.run()
    assert "cannot promote itself" in told.value.sentence
    assert "Run it on" in told.value.hint


def manager(name: str, reachability: str = "reachable", *, leads: bool = False) -> Node:
    return Node(name, name, "ready", "active", True, leads, reachability, "manager")


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ((manager("a"), manager("b")), "has no leader"),
        ((manager("a"), manager("b", leads=True)), "needs 3 reachable managers, and there are 2"),
        ((manager("a"), manager("b", leads=True), manager("c", "unreachable")), "there are 2"),
        (
            (manager("a"), manager("b", leads=True), manager("c"), manager("d", "unreachable")),
            "1 manager cannot be reached (d)",
        ),
    ],
)
def test_the_quorum_is_never_put_at_risk(nodes: tuple[Node, ...], says: str) -> None:
    found = refusal(roles_of(nodes, "a"))
    assert found is not None
    assert says in found[0]
    assert found[1]


def test_three_managers_of_which_another_leads_are_enough() -> None:
    assert refusal(roles_of((manager("a"), manager("b", leads=True), manager("c")), "a")) is None

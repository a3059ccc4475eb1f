"""A hand-over whose snapshots are older than its changes, or that somebody works against."""

from dataclasses import replace

import pytest

from console.errors import Declined, EngineTimeout
from console.operations.handover import WORKER_FOR_S, WORKER_WITHIN_S, Ending
from console.simulator.engine import SimulatedEngine
from console.swarm.client import EngineConnection
from console.swarm.model import Node
from console.swarm.reader import EngineReader
from tests.support.engines import Simulation, simulation
from tests.support.simulated_handovers import (
    containers,
    for_managers,
    handing_over,
    leader_of,
    node_two,
    roles,
    three,
)


@pytest.mark.parametrize(
    ("shown_leader", "third", "lags_for", "ending"),
    [
        # It is looked at once before the write where it leads, and where the hand-over cannot be made …
        ("two", "reachable", 1, Ending.MADE),
        ("two", "unreachable", 1, Ending.FINISHED),
        # … and twice where it is a manager again, to see whether it votes.
        ("three", "reachable", 2, Ending.FINISHED),
    ],
)
async def test_a_demotion_that_the_snapshot_does_not_show_yet_is_met_by_the_write_and_undone(
    shown_leader: str, third: str, lags_for: int, ending: Ending
) -> None:
    engine = three()
    before = for_managers(engine)
    with simulation(engine) as running:
        with handing_over(running, dies_at=1) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        seen = await nodes_of(running)
        with handing_over(running, dies_at=2) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.advance(30.0)
        assert node_two(engine).role == "worker"
        earlier = tuple(
            replace(
                node,
                is_leader=node.hostname == shown_leader,
                reachability=third if node.hostname == "three" else node.reachability,
            )
            for node in seen
        )
        with handing_over(running, earlier=earlier, lags_for=lags_for) as handover:
            done = await handover.run()
        engine.advance(30.0)
    assert (done.old_leader, done.ending) == ("two", ending)
    assert leader_of(engine) == done.new_leader != "two"
    assert set(roles(engine).values()) == {"manager"}
    assert (node_two(engine).availability, node_two(engine).labels) == ("active", {})
    assert containers(engine) == before


async def nodes_of(running: Simulation) -> tuple[Node, ...]:
    connection = EngineConnection(running.host, 10)
    try:
        nodes = (await EngineReader(connection).lists(10)).nodes
    finally:
        connection.close()
    assert isinstance(nodes, tuple)
    return nodes


def demote_by_hand(engine: SimulatedEngine) -> None:
    node = node_two(engine)
    spec = {"Role": "worker", "Availability": node.availability, "Labels": node.labels}
    engine.nodes.update(node.id, node.index, spec)


async def test_a_node_that_somebody_demotes_again_and_again_is_left_to_them() -> None:
    engine = three()
    restores = [0]

    def meddle(number: int) -> None:
        # Every change after the pause and the demotion is a promotion or a restoring, in turn.
        if number >= 3 and node_two(engine).role == "manager":
            restores[0] += 1
            demote_by_hand(engine)

    with (
        simulation(engine) as running,
        handing_over(running, meanwhile=meddle) as handover,
        pytest.raises(Declined, match="stays paused until it is a manager again"),
    ):
        await handover.run()
    assert restores[0] == 3
    assert node_two(engine).availability == "pause"


class Registration:
    """How a new leader shows the former one after its demotion: a state for so many seconds, then the next one.

    The first is what its predecessor knew. Only the last is of a node that has registered with it, or is lost.
    """

    def __init__(self, engine: SimulatedEngine, states: tuple[tuple[str, float], ...], last: str) -> None:
        self._engine = engine
        self._states = states
        self._last = last
        self.began_s: float | None = None
        self.registered_s = 0.0
        self.promoted_s: float | None = None
        self.restored_as = ""
        """The state in which it was when it was made what it was before."""

    def meanwhile(self, number: int) -> None:
        now_s = self._engine.store.timeline.elapsed_s
        if number == 1:
            self.began_s = now_s
            self.registered_s = now_s + sum(lasts_s for _, lasts_s in self._states)
        if number == 2:
            self.promoted_s = now_s
        if number == 3:
            self.restored_as = self.state()

    def state(self) -> str:
        passed_s = self._engine.store.timeline.elapsed_s - (self.began_s or 0.0)
        for state, lasts_s in self._states:
            if passed_s < lasts_s:
                return state
            passed_s -= lasts_s
        return self._last

    def show(self, node: Node) -> Node:
        if node.hostname != "two" or self.began_s is None:
            return node
        return replace(node, state=self.state())


@pytest.mark.parametrize(
    "states",
    [
        (("ready", 1.5), ("unknown", 20.0)),
        # It is about to count as a worker, and is taken for down at the last moment.
        (("ready", WORKER_FOR_S - 0.1), ("down", 8.0)),
        # It registers, is taken for down once more, and registers again.
        (("ready", 1.5), ("unknown", 2.0), ("ready", 3.0), ("down", 4.0)),
    ],
)
async def test_a_former_leader_that_is_ready_by_hearsay_is_not_promoted_before_it_has_registered(
    states: tuple[tuple[str, float], ...],
) -> None:
    engine = three()
    registration = Registration(engine, states, "ready")
    with (
        simulation(engine) as running,
        handing_over(running, meanwhile=registration.meanwhile, shown=registration.show) as handover,
    ):
        await handover.run()
    assert registration.promoted_s is not None
    assert registration.promoted_s >= registration.registered_s + WORKER_FOR_S
    assert registration.restored_as == "ready"
    assert (node_two(engine).role, node_two(engine).availability) == ("manager", "active")


async def test_a_manager_that_has_not_registered_yet_is_not_made_active_before_it_has() -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=3) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.advance(30.0)
        # It votes already, and the leader that knows of that has not heard from it as a node.
        registration = Registration(engine, (("unknown", 12.0),), "ready")
        registration.began_s = began_s = engine.store.timeline.elapsed_s
        restored_s: list[float] = []

        def restore(_number: int) -> None:
            restored_s.append(engine.store.timeline.elapsed_s)

        with handing_over(running, meanwhile=restore, shown=registration.show) as handover:
            await handover.run()
    assert restored_s[0] >= began_s + 12.0
    assert (node_two(engine).availability, node_two(engine).labels) == ("active", {})


async def test_a_former_leader_that_stays_down_is_promoted_and_stays_paused() -> None:
    engine = three()
    registration = Registration(engine, (), "down")
    with (
        simulation(engine) as running,
        handing_over(running, meanwhile=registration.meanwhile, shown=registration.show) as handover,
        pytest.raises(EngineTimeout, match="two is ready"),
    ):
        await handover.run()
    assert registration.promoted_s is not None
    assert registration.promoted_s >= (registration.began_s or 0.0) + WORKER_WITHIN_S
    assert (node_two(engine).role, node_two(engine).availability) == ("manager", "pause")
    assert registration.restored_as == ""

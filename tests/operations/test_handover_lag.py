"""A hand-over whose snapshots are older than its changes, or that somebody works against."""

from dataclasses import replace

import pytest

from console.errors import Declined
from console.operations.handover import Ending
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

"""Hand-overs of the lead on a simulated swarm of three managers: killed, disturbed, or through a manager that lags behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from console.errors import Result, Unknown
from console.operations.handover import Handover
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.objects import SimNode
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.model import Node
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_service
from tests.support.engines import Simulation
from tests.support.model_time import ModelTime
from tests.support.swarms import NOW

MARK = "this-machine/77"


def three(leader: str = "two") -> SimulatedEngine:
    """Three managers; `one` is asked."""
    others = [("two", "manager"), ("three", "manager")]
    return SimulatedEngine(EngineInfo("1.52", host="one"), NOW, others=others, leader=leader)


class Steps(EngineChanger):
    """A changer that dies in front of a certain change; before each, something may happen."""

    def __init__(
        self, connection: EngineConnection, dies_at: float, meanwhile: Callable[[int], object]
    ) -> None:
        super().__init__(connection, lambda _: None)
        self._dies_at = dies_at
        self._meanwhile = meanwhile
        self._made = 0

    async def update_node(self, node_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        if self._made >= self._dies_at:
            raise KeyboardInterrupt
        self._meanwhile(self._made)
        await super().update_node(node_id, change)
        self._made += 1


class LaggingReader(EngineReader):
    """Reads through a manager that lags behind: for so many calls it shows the nodes as they were before.

    After that `shown` says how it shows a node, which may be known to it only as its predecessor knew it.
    """

    def __init__(
        self,
        connection: EngineConnection,
        nodes: tuple[Node, ...],
        calls: int,
        shown: Callable[[Node], Node],
    ) -> None:
        super().__init__(connection)
        self._earlier = nodes
        self._calls = calls
        self._shown = shown

    async def nodes(self, deadline_s: float) -> Result[tuple[Node, ...]]:
        nodes = await super().nodes(deadline_s)
        self._calls -= 1
        if self._calls >= 0:
            return self._earlier
        return nodes if isinstance(nodes, Unknown) else tuple(self._shown(node) for node in nodes)

    async def manager_ids(self) -> frozenset[str]:
        if self._calls > 0:
            return frozenset(node.id for node in self._earlier)
        return await super().manager_ids()


@contextmanager
def handing_over(
    running: Simulation,
    mark: str = MARK,
    dies_at: float = 1e9,
    meanwhile: Callable[[int], object] = lambda _: None,
    *,
    earlier: tuple[Node, ...] = (),
    lags_for: int = 0,
    shown: Callable[[Node], Node] = lambda node: node,
) -> Iterator[Handover]:
    """Give a hand-over; `earlier` is how its manager shows the nodes for the first `lags_for` snapshots.

    After those it shows a node as `shown` makes it, by default as it is.
    """
    connection = EngineConnection(running.host, 10)
    try:
        yield Handover(
            LaggingReader(connection, earlier, lags_for, shown),
            Steps(connection, dies_at, meanwhile),
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


def node_two(engine: SimulatedEngine) -> SimNode:
    return engine.store.find_node("two")


def for_managers(engine: SimulatedEngine) -> dict[str, str]:
    """Run a service on managers only, and return the nodes of its containers."""
    proxy = a_network(engine)
    a_service(engine, proxy, name="traefik", replicas=6, constraint="node.role==manager")
    engine.advance(10.0)
    there = containers(engine)
    assert len(there) == 6
    assert set(there.values()) == set(engine.store.nodes)
    return there


def containers(engine: SimulatedEngine) -> dict[str, str]:
    running = [each for each in engine.store.tasks.values() if each.state == "running"]
    return {each.container_id: each.node_id for each in running}

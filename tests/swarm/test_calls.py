"""What a snapshot of a hundred overlays asks of the engine: no call twice, none after the other where the order does not matter."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from console.errors import known
from console.simulator.scenarios import hundred
from console.swarm.client import EngineConnection
from console.swarm.model import SwarmState
from console.swarm.reader import EngineReader
from tests.support.engines import simulation

T = TypeVar("T")
CLOCK, NETWORKS = "describe itself", "list the networks"
HOLDERS = {"list the services", "list the tasks", "list the nodes"}


class TimedConnection(EngineConnection):
    """Knows in which order calls were made and answered, and how many were under way at once."""

    def __init__(self, host: str, timeout_s: float) -> None:
        super().__init__(host, timeout_s)
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.most_at_once = 0

    async def ask(self, purpose: str, question: Callable[[Any], T]) -> T:
        self.asked.append(purpose)
        self.most_at_once = max(self.most_at_once, len(self.asked) - len(self.answered))
        answer = await super().ask(purpose, question)
        self.answered.append(purpose)
        return answer


async def snapshot(api_version: str) -> tuple[TimedConnection, list[str]]:
    """Return the connection after one snapshot, and the purposes of the inspections that are due."""
    with simulation(hundred(api_version=api_version)) as running:
        connection = TimedConnection(running.host, 60)
        try:
            state: SwarmState = await EngineReader(connection).state(60)
        finally:
            connection.close()
    # Which version they speak is agreed on once for all snapshots.
    assert connection.asked.pop(0) == connection.answered.pop(0) == CLOCK
    overlays = [network.name for network in known(state.networks, ()) if network.is_overlay]
    assert len(overlays) > 100
    return connection, [f"inspect the network {name}" for name in overlays]


@pytest.mark.parametrize("api_version", ["1.51", "1.52"])
async def test_a_snapshot_asks_for_five_lists_and_for_every_overlay_once(api_version: str) -> None:
    # The list of networks has neither peers nor counts: only an inspection tells them.
    connection, inspections = await snapshot(api_version)
    assert sorted(connection.asked) == sorted([CLOCK, NETWORKS, *HOLDERS, *inspections])


async def test_nothing_waits_for_what_it_does_not_need() -> None:
    connection, inspections = await snapshot("1.51")
    assert connection.asked[:5] == [CLOCK, NETWORKS, *connection.asked[2:5]]
    assert set(connection.asked[2:5]) == HOLDERS
    # Which overlays there are only the list tells.
    assert connection.most_at_once >= len(inspections)


async def test_where_the_engine_counts_the_clock_comes_first_and_the_holders_last() -> None:
    connection, inspections = await snapshot("1.52")
    assert connection.asked[:2] == connection.answered[:2] == [CLOCK, NETWORKS]
    assert sorted(connection.asked[2:-3]) == sorted(connection.answered[2:-3]) == sorted(inspections)
    assert set(connection.asked[-3:]) == HOLDERS
    assert connection.most_at_once == len(inspections)

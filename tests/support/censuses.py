"""Censuses of simulated swarms in their own time, and what they are held against."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from console.operations.census import CensusDependencies, take_census
from console.operations.census_walk import CensusResult
from console.operations.probes import ProbeOwner
from console.simulator.engine import SimulatedEngine
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.parse import PROBE_LABEL
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_service
from tests.support.engines import Simulation, simulation
from tests.support.model_time import ModelTime

MARK = ProbeOwner("this-machine", 77)


@contextmanager
def means_for(
    running: Simulation, meanwhile: Callable[[], None] = lambda: None
) -> Iterator[CensusDependencies]:
    connection = EngineConnection(running.host, 10)
    try:
        changer = EngineChanger(connection, lambda _: None)
        yield CensusDependencies(
            EngineReader(connection), changer, ModelTime(running.model, meanwhile), MARK, 20
        )
    finally:
        connection.close()


async def census(
    engine: SimulatedEngine, name: str = "proxy", meanwhile: Callable[[], None] = lambda: None
) -> CensusResult:
    with simulation(engine) as running, means_for(running, meanwhile) as dependencies:
        try:
            return await take_census(dependencies, name)
        finally:
            assert probes(engine) == []


def probes(engine: SimulatedEngine) -> list[str]:
    return [
        each.spec["Name"]
        for each in engine.store.services.values()
        if PROBE_LABEL in (each.spec.get("Labels") or {})
    ]


def leak(engine: SimulatedEngine, network: str, count: int) -> None:
    """Lose addresses of a network: another one is removed under tasks that wait for a node."""
    own = a_network(engine, "own", "10.9.0.0/24")
    service = a_service(engine, network, own, name="leaky", replicas=count, constraint="node.labels.none==x")
    engine.advance(1.0)
    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)


def names(result: CensusResult) -> list[str]:
    return [str(each) for each in result.unaccounted]

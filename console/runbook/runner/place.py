"""Where a run is at home, and whether this is still there."""

from dataclasses import dataclass

from console.host.identity import machine_id
from console.runbook.run.header import Header
from console.swarm.reader import EngineReader
from console.swarm.values import Engine


@dataclass(frozen=True, slots=True)
class Place:
    """A machine, and the swarm that is seen from it."""

    machine_id: str
    engine: Engine


async def where_this_is(reader: EngineReader) -> Place:
    """Return where this process is. Raises EngineError or SwarmError where the engine does not tell."""
    return Place(machine_id(), await reader.engine())


def misplaced(header: Header, place: Place) -> str:
    """Return why a run must not go on here, a sentence, or nothing. No option overrides it."""
    if place.machine_id != header.machine_id:
        return f"The run began on another machine ({header.machine_id}), and this is {place.machine_id}."
    if place.engine.cluster_id != header.cluster_id:
        return (
            f"The engine at {header.host} is part of another swarm than the one that the run began in: "
            f"{place.engine.cluster_id or 'none'} instead of {header.cluster_id}."
        )
    return ""


def moved(header: Header, place: Place) -> str:
    """Return what is different here and worth knowing, a sentence, or nothing."""
    engine = place.engine
    if engine.version != header.engine_version:
        return f"The engine is {engine.version} by now; when the run began, it was {header.engine_version}."
    if engine.node_id != header.node_id:
        return f"The run began at another node of the swarm ({header.engine_name})."
    return ""

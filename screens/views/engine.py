"""The engine that is looked at, in words."""

from console.errors import Unknown, known
from console.swarm.values import SwarmState
from console.text import plural


def role_of(swarm: SwarmState) -> str:
    """Return what the engine is in its swarm: `manager, leader of 1 node`; nothing where it is not known."""
    if isinstance(swarm.engine, Unknown):
        return ""
    leader = next((each for each in known(swarm.nodes, ()) if each.is_leader), None)
    role = "manager"
    if leader is not None:
        role += (
            ", leader" if leader.id == swarm.engine.node_id else f", not the leader ({leader.hostname} is)"
        )
    return f"{role} of {plural(swarm.engine.nodes, 'node')}"

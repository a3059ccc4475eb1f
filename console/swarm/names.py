"""Names of a swarm's objects by their IDs, for whatever knows them by ID only."""

from collections.abc import Mapping

from console.errors import known
from console.swarm.values import SwarmState


def object_names(swarm: SwarmState) -> Mapping[str, str]:
    """Return the names of services, networks and nodes by ID; what could not be read is absent."""
    return {
        **{each.id: each.name for each in known(swarm.networks, ())},
        **{each.id: each.name for each in known(swarm.services, ())},
        **{each.id: each.hostname for each in known(swarm.nodes, ())},
    }


def task_names(swarm: SwarmState) -> Mapping[str, str]:
    """Return the names of tasks by ID, as `docker service ps` shows them: `shop_app.1`."""
    services = {each.id: each.name for each in known(swarm.services, ())}
    return {
        each.id: f"{services[each.service_id]}.{each.slot or each.node_id[:12]}"
        for each in known(swarm.tasks, ())
        if each.service_id in services
    }

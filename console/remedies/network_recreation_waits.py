"""What is still on an overlay and must end before it can be removed, as far as one look shows. Pure.

That no task is listed does not mean that no container runs: engines before 29 forget a task that is ending as soon as its
service is updated again, while its container takes its stop grace to end and holds this node's copy of the network.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from console.remedies.network_recreation_label import Parked
from console.remedies.network_recreation_spec import is_emptied
from console.swarm.definitions import NetworkDefinition
from console.swarm.overlays import HereContainer, OverlayLook, SpecifiedService, live_on

ELSEWHERE_MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node, whose container cannot be seen from here."""


def still_on(
    look: OverlayLook,
    network: NetworkDefinition,
    watched: Collection[str],
    parked: Collection[Parked],
    emptied: Mapping[str, datetime],
) -> tuple[str, ...]:
    """Return what of services still lives on a network, by name.

    `watched` are containers that were on it before; `emptied` tells by ID of a parked service when it was updated by
    whoever parked it.
    """
    return (
        *_tasks(look, network),
        *(
            f"container {each.name}"
            for each in look.containers
            if each.task_id and each.is_running and (each.is_on(network.id) or each.id in watched)
        ),
        *_elsewhere(look, parked, emptied),
    )


def _tasks(look: OverlayLook, network: NetworkDefinition) -> Iterator[str]:
    names = {each.id: each.name for each in look.services}
    here = {each.id for each in look.containers if each.is_running}
    for each in live_on(look, network.id):
        use = each.use
        # What runs here is named as a container.
        if not use.is_standalone and use.container_id not in here:
            node = look.nodes.get(use.node_id)
            where = f" on {node.name}" if node else ""
            yield f"{names.get(use.service_id, 'a task')}.{use.slot or use.node_id[:12]} ({use.state}{where})"


def _elsewhere(
    look: OverlayLook, parked: Collection[Parked], emptied: Mapping[str, datetime]
) -> Iterator[str]:
    """Yield the services that were updated since they were parked, or may have been: their tasks may run on unlisted."""
    if len(look.nodes) < 2:
        return
    for each in parked:
        updated = each.service.updated
        until = updated + timedelta(seconds=each.record.grace_s + ELSEWHERE_MARGIN_S)
        if each.record.is_elsewhere and emptied.get(each.service.id) != updated and look.now < until:
            yield f"{each.service.name} (may still stop on another node)"


def services_on(look: OverlayLook, network: NetworkDefinition) -> tuple[SpecifiedService, ...]:
    """Return the services that ask for a network."""
    return tuple(each for each in look.services if each.is_on(network.id, network.name))


def in_use_on(look: OverlayLook, network: NetworkDefinition) -> tuple[SpecifiedService, ...]:
    """Return the services that ask for a network and are not parked; one that somebody gave tasks again is not."""
    return tuple(each for each in services_on(look, network) if not is_emptied(dict(each.spec)))


def attached_here(look: OverlayLook, network: NetworkDefinition) -> tuple[HereContainer, ...]:
    """Return the containers of this node that are attached to a network by hand, stopped ones too."""
    return tuple(each for each in look.by_hand(network.name) if each.networks[network.name] == network.id)


def attached_elsewhere(look: OverlayLook, network: NetworkDefinition) -> tuple[str, ...]:
    """Return the containers that are attached to a network by hand on other nodes, by the beginning of their IDs."""
    return tuple(
        each.use.container_id[:12]
        for each in live_on(look, network.id)
        if each.use.is_standalone and each.use.node_id != look.here
    )


def containers_of_tasks(look: OverlayLook, network: NetworkDefinition) -> frozenset[str]:
    """Return the IDs of the containers of tasks that are on a network now."""
    listed = {each.use.container_id for each in live_on(look, network.id) if not each.use.is_standalone}
    here = {
        each.id for each in look.containers if each.task_id and each.is_running and each.is_on(network.id)
    }
    return frozenset((listed | here) - {""})

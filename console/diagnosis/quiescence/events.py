"""Which of the changes that an engine tells disturb the quiet."""

from collections.abc import Iterable, Mapping

from console.diagnosis.quiescence.values import Change
from console.errors import known
from console.swarm.values import Event, SwarmState
from console.text import plural

SERVICE_OF_CONTAINER = "com.docker.swarm.service.id"
"""Label of every container that Swarm starts; events of containers carry its labels."""

VERBS = {
    "create": "created",
    "update": "updated",
    "remove": "removed",
    "destroy": "removed",
    "connect": "got a container",
    "disconnect": "lost a container",
    "start": "started",
    "die": "ended",
}
"""The actions that count, and how they are told. Executing in a container, its health and its clearing away do not."""

ACTIONS: Mapping[str, frozenset[str]] = {
    "service": frozenset(("create", "update", "remove")),
    "secret": frozenset(("create", "update", "remove")),
    "config": frozenset(("create", "update", "remove")),
    "node": frozenset(("create", "update", "remove")),
    "network": frozenset(("create", "update", "remove", "destroy", "connect", "disconnect")),
    "container": frozenset(("create", "start", "die")),
}


def disturbing(heard: Iterable[Change], swarm: SwarmState, excused: frozenset[str]) -> list[Change]:
    """Return the changes that count, gaps among them, oldest first.

    What the containers of excused services (IDs) do does not count, nor that the node makes and drops its copy of a
    network that only such services are on. A node whose update tells nothing new has only counted its resources
    (measured: the engine tells one each time a task starts or ends).
    """
    heard = tuple(heard)
    service_of = {each.container_id: each.service_id for each in known(swarm.tasks, ()) if each.container_id}
    for each in heard:
        event = each.event
        if event is not None and event.kind == "container" and SERVICE_OF_CONTAINER in event.attributes:
            service_of[event.id] = event.attributes[SERVICE_OF_CONTAINER]
    lonely = _networks_of_only(excused, swarm)
    return [each for each in heard if each.event is None or _counts(each.event, service_of, lonely, excused)]


def _counts(
    event: Event, service_of: Mapping[str, str], lonely: frozenset[str], excused: frozenset[str]
) -> bool:
    if event.action not in ACTIONS.get(event.kind, ()):
        return False
    match event.kind, event.action:
        case "node", "update":
            return any(key.endswith(".new") for key in event.attributes)
        case "container", _:
            return service_of.get(event.id, "") not in excused
        case "network", "connect" | "disconnect":
            return service_of.get(event.attributes.get("container", ""), "") not in excused
        case "network", "create" | "destroy" if event.scope == "local":
            return event.id not in lonely
    return True


def _networks_of_only(excused: frozenset[str], swarm: SwarmState) -> frozenset[str]:
    services = known(swarm.services, ())
    theirs = {network for each in services if each.id in excused for network in each.network_ids}
    others = {network for each in services if each.id not in excused for network in each.network_ids}
    return frozenset(theirs - others)


def described(changes: Iterable[Change]) -> dict[str, tuple[str, Change]]:
    """Return the changes by the name of what changed: in words, and the last of them."""
    found: dict[str, list[Change]] = {}
    for each in changes:
        event = each.event
        name = "the engine's events" if event is None else f"{event.kind} {event.name or event.id[:12]}"
        found.setdefault(name, []).append(each)
    told = {}
    for name, group in found.items():
        event = group[-1].event
        what = "could not be heard for a while" if event is None else VERBS[event.action]
        told[name] = (what if len(group) == 1 else f"{what}, {plural(len(group), 'change')}", group[-1])
    return told

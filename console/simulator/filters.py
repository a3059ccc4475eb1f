"""The `filters` of the list calls and of the stream of events, as the engine understands them; and how it refuses a call."""

import json
from collections.abc import Mapping

from console.errors import SimulatorError
from console.simulator.objects import (
    RANK,
    Json,
    SimContainer,
    SimData,
    SimEvent,
    SimNode,
    SimService,
    SimTask,
)

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
"""What an engine outside any swarm answers (moby, daemon/cluster/errors.go)."""
NOT_MANAGER = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this "
    "command on a manager node or promote the current node to a manager."
)
"""What a worker answers (moby, daemon/cluster/errors.go)."""
NOT_PREPARED = (
    "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster."
)
"""What a node answers that has just been made a manager."""
LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.'
"""What a manager answers that was started again in a swarm that locks its managers."""
_FILTER_NAMES = {
    "networks": {"driver", "type", "name", "id", "label", "scope", "dangling"},
    "services": {"name", "id", "label", "mode", "runtime"},
    "tasks": {"name", "id", "label", "service", "node", "desired-state", "runtime"},
    "nodes": {"id", "name", "label", "node.label", "role", "membership"},
    "data": {"name", "names", "id", "label"},
    "containers": {"id", "name", "label", "status", "network", "is-task"},
}
Filters = dict[str, list[str]]


class Refusal(SimulatorError):
    """The engine's own error: its text, the HTTP `status` it comes with, and how long the engine tried before."""

    def __init__(self, sentence: str, status: int, seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.status = status
        self.seconds = seconds


def not_found(kind: str, reference: str) -> Refusal:
    """Return the refusal for an object that does not exist."""
    return Refusal(f"{kind} {reference} not found", 404)


def failed_precondition(sentence: str) -> Refusal:
    """Return what swarmkit's FailedPrecondition becomes on the way through the engine."""
    return Refusal(f"rpc error: code = FailedPrecondition desc = {sentence}", 400)


def filters_of(query: Mapping[str, str], kind: str) -> Filters:
    """Return a query's filters: lists, also where they were sent as `{value: true}`."""
    try:
        filters = json.loads(query.get("filters") or "{}")
    except ValueError as error:
        raise Refusal(f"invalid filter: {error}", 400) from error
    if not isinstance(filters, dict):
        raise Refusal("invalid filter", 400)
    for name in filters:
        # Engines pass over what they do not know among the filters of events.
        if kind in _FILTER_NAMES and name not in _FILTER_NAMES[kind]:
            raise Refusal(f"Invalid filter '{name}'", 400)
    return {name: [str(value) for value in values] for name, values in filters.items()}


def network_passes(network: Json, filters: Filters) -> bool:
    """Whether a network, as shown, passes: names and IDs by a part of them."""
    types = ["builtin" if network["Name"] in ("bridge", "host", "none") else "custom"]
    return (
        _has_part(network["Name"], filters.get("name"))
        and _begins(network["Id"], filters.get("id"))
        and _is_one(network["Driver"], filters.get("driver"))
        and _is_one(network["Scope"], filters.get("scope"))
        and _is_one(types[0], filters.get("type"))
        and _has_labels(network["Labels"] or {}, filters.get("label"))
    )


def service_passes(service: SimService, filters: Filters) -> bool:
    """Whether a service passes: names and IDs by their beginning."""
    mode = "global" if "Global" in service.spec["Mode"] else "replicated"
    return (
        _begins(service.name, filters.get("name"))
        and _begins(service.id, filters.get("id"))
        and _is_one(mode, filters.get("mode"))
        and _has_labels(service.spec["Labels"], filters.get("label"))
    )


def node_passes(node: SimNode, filters: Filters) -> bool:
    """Whether a node passes: its role is the one that it has, whatever its specification asks for."""
    return (
        _begins(node.hostname, filters.get("name"))
        and _begins(node.id, filters.get("id"))
        and _is_one(node.role, filters.get("role"))
        and _has_labels(node.labels, filters.get("node.label"))
    )


def task_passes(task: SimTask, filters: Filters) -> bool:
    """Whether a task passes; without a `runtime` filter the tasks behind standalone containers do not."""
    runtimes = filters.get("runtime", ["container", ""])
    if ("attachment" if task.is_attachment else "container") not in runtimes:
        return False
    filter_states = {"running": "running", "shutdown": "shutdown", "accepted": "accepted"}
    states = filters.get("desired-state")
    if states is not None:
        for state in states:
            if state not in filter_states:
                raise Refusal(f"Invalid filter 'desired-state={state}'", 400)
        # Tasks that are to be ready count as running ones, as with the engine.
        own = "running" if RANK[task.desired] <= RANK["running"] else "shutdown"
        if own not in states:
            return False
    return (
        _is_one(task.service_id, filters.get("service"))
        and _is_one(task.node_id, filters.get("node"))
        and _begins(task.id, filters.get("id"))
        and _begins(task.service_name, filters.get("name"))
        and _has_labels(task.service_labels, filters.get("label"))
    )


def data_passes(thing: SimData, filters: Filters) -> bool:
    """Whether a secret or a config passes: names and IDs by their beginning."""
    return (
        _begins(thing.name, filters.get("name"))
        and _is_one(thing.name, filters.get("names"))
        and _begins(thing.id, filters.get("id"))
        and _has_labels(thing.labels, filters.get("label"))
    )


def container_passes(container: SimContainer, filters: Filters) -> bool:
    """Whether a container passes: names by a part of them, IDs by their beginning."""
    networks = [name for network, _ in container.attachments for name in (network.name, network.id)]
    is_task = "true" if container.task_id else "false"
    return (
        _has_part("/" + container.name, filters.get("name"))
        and _begins(container.id, filters.get("id"))
        and _is_one(container.state, filters.get("status"))
        and _has_labels(container.labels, filters.get("label"))
        and _is_one(is_task, filters.get("is-task"))
        and (filters.get("network") is None or any(network in networks for network in filters["network"]))
    )


def event_passes(event: SimEvent, filters: Filters) -> bool:
    """Whether an event passes the filters `type`, `event`, `scope`, and those of a kind by ID or name."""
    reference = filters.get(event.kind)
    return (
        event.kind in filters.get("type", [event.kind])
        and event.action in filters.get("event", [event.action])
        and event.scope in filters.get("scope", [event.scope])
        and (reference is None or event.id in reference or event.attributes.get("name") in reference)
    )


def _is_one(value: str, values: list[str] | None) -> bool:
    return values is None or value in values


def _begins(value: str, values: list[str] | None) -> bool:
    return values is None or any(value.startswith(beginning) for beginning in values)


def _has_part(value: str, values: list[str] | None) -> bool:
    return values is None or any(part in value for part in values)


def _has_labels(labels: Mapping[str, str], values: list[str] | None) -> bool:
    for label in values or []:
        key, has_value, value = label.partition("=")
        if key not in labels or (has_value and labels[key] != value):
            return False
    return True

"""The `filters` of the list calls, as the engine understands them; and how it refuses a call."""

import json
from collections.abc import Mapping

from console.errors import SimulatorError
from console.simulator.objects import RANK, Json, SimContainer, SimData, SimNode, SimService, SimTask


class Refusal(SimulatorError):
    """The engine's own error: its text, and the HTTP `status` it comes with."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


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


def not_found(kind: str, reference: str) -> Refusal:
    """Return the refusal for an object that does not exist."""
    return Refusal(f"{kind} {reference} not found", 404)


def failed_precondition(sentence: str) -> Refusal:
    """Return what swarmkit's FailedPrecondition becomes on the way through the engine."""
    return Refusal(f"rpc error: code = FailedPrecondition desc = {sentence}", 400)


_KNOWN = {
    "networks": {"driver", "type", "name", "id", "label", "scope", "dangling"},
    "services": {"name", "id", "label", "mode", "runtime"},
    "tasks": {"name", "id", "label", "service", "node", "desired-state", "runtime"},
    "nodes": {"id", "name", "label", "node.label", "role", "membership"},
    "data": {"name", "names", "id", "label"},
    "containers": {"id", "name", "label", "status", "network", "is-task"},
}

Filters = dict[str, list[str]]


def filters_of(query: Mapping[str, str], kind: str) -> Filters:
    """Return a query's filters: lists, also where they were sent as `{value: true}`."""
    try:
        sent = json.loads(query.get("filters") or "{}")
    except ValueError as error:
        raise Refusal(f"invalid filter: {error}", 400) from error
    if not isinstance(sent, dict):
        raise Refusal("invalid filter", 400)
    for name in sent:
        # Engines pass over what they do not know among the filters of events.
        if kind in _KNOWN and name not in _KNOWN[kind]:
            raise Refusal(f"Invalid filter '{name}'", 400)
    return {name: [str(value) for value in values] for name, values in sent.items()}


def network_passes(shown: Json, wanted: Filters) -> bool:
    """Whether a network, as shown, passes: names and IDs by a part of them."""
    types = ["builtin" if shown["Name"] in ("bridge", "host", "none") else "custom"]
    return (
        _has_part(shown["Name"], wanted.get("name"))
        and _begins(shown["Id"], wanted.get("id"))
        and _is_one(shown["Driver"], wanted.get("driver"))
        and _is_one(shown["Scope"], wanted.get("scope"))
        and _is_one(types[0], wanted.get("type"))
        and _has_labels(shown["Labels"] or {}, wanted.get("label"))
    )


def service_passes(service: SimService, wanted: Filters) -> bool:
    """Whether a service passes: names and IDs by their beginning."""
    mode = "global" if "Global" in service.spec["Mode"] else "replicated"
    return (
        _begins(service.name, wanted.get("name"))
        and _begins(service.id, wanted.get("id"))
        and _is_one(mode, wanted.get("mode"))
        and _has_labels(service.spec["Labels"], wanted.get("label"))
    )


def node_passes(node: SimNode, wanted: Filters) -> bool:
    """Whether a node passes: its role is the one that it has, whatever its specification asks for."""
    return (
        _begins(node.hostname, wanted.get("name"))
        and _begins(node.id, wanted.get("id"))
        and _is_one(node.role, wanted.get("role"))
        and _has_labels(node.labels, wanted.get("node.label"))
    )


def task_passes(task: SimTask, wanted: Filters) -> bool:
    """Whether a task passes; without a `runtime` filter the tasks behind standalone containers do not."""
    runtimes = wanted.get("runtime", ["container", ""])
    if ("attachment" if task.is_attachment else "container") not in runtimes:
        return False
    desired = {"running": "running", "shutdown": "shutdown", "accepted": "accepted"}
    states = wanted.get("desired-state")
    if states is not None:
        for state in states:
            if state not in desired:
                raise Refusal(f"Invalid filter 'desired-state={state}'", 400)
        # Tasks that are to be ready count as running ones, as with the engine.
        own = "running" if RANK[task.desired] <= RANK["running"] else "shutdown"
        if own not in states:
            return False
    return (
        _is_one(task.service_id, wanted.get("service"))
        and _is_one(task.node_id, wanted.get("node"))
        and _begins(task.id, wanted.get("id"))
        and _begins(task.service_name, wanted.get("name"))
        and _has_labels(task.service_labels, wanted.get("label"))
    )


def data_passes(thing: SimData, wanted: Filters) -> bool:
    """Whether a secret or a config passes: names and IDs by their beginning."""
    return (
        _begins(thing.name, wanted.get("name"))
        and _is_one(thing.name, wanted.get("names"))
        and _begins(thing.id, wanted.get("id"))
        and _has_labels(thing.labels, wanted.get("label"))
    )


def container_passes(container: SimContainer, wanted: Filters) -> bool:
    """Whether a container passes."""
    networks = [name for network, _ in container.attachments for name in (network.name, network.id)]
    is_task = "true" if container.task_id else "false"
    return (
        _has_part("/" + container.name, wanted.get("name"))
        and _begins(container.id, wanted.get("id"))
        and _is_one(container.state, wanted.get("status"))
        and _has_labels(container.labels, wanted.get("label"))
        and _is_one(is_task, wanted.get("is-task"))
        and (wanted.get("network") is None or any(each in networks for each in wanted["network"]))
    )


def _is_one(value: str, wanted: list[str] | None) -> bool:
    return wanted is None or value in wanted


def _begins(value: str, wanted: list[str] | None) -> bool:
    return wanted is None or any(value.startswith(each) for each in wanted)


def _has_part(value: str, wanted: list[str] | None) -> bool:
    return wanted is None or any(each in value for each in wanted)


def _has_labels(labels: Mapping[str, str], wanted: list[str] | None) -> bool:
    for each in wanted or []:
        key, has_value, value = each.partition("=")
        if key not in labels or (has_value and labels[key] != value):
            return False
    return True

"""The Engine API over a model: a call goes in, an answer comes out, nothing else happens."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.simulator.engine import SimulatedEngine
from console.simulator.filters import (
    NO_SWARM,
    NOT_MANAGER,
    Refusal,
    container_passes,
    data_passes,
    event_passes,
    filters_of,
    network_passes,
    node_passes,
    not_found,
    service_passes,
    task_passes,
)
from console.simulator.networks import LabelledData
from console.simulator.objects import Json
from console.simulator.store import event_line
from console.simulator.wire_networks import (
    copy_json,
    local_networks_json,
    network_detail_json,
    network_json,
)
from console.simulator.wire_swarm import (
    cluster_json,
    container_detail_json,
    container_json,
    data_json,
    info_json,
    minimum_api,
    node_json,
    service_json,
    service_status_json,
    task_json,
    version_json,
)

_VERSION_PREFIX = re.compile(r"^/v(\d+)\.(\d+)(/.*)$")


@dataclass(frozen=True, slots=True)
class Request:
    """A request: method, path as sent (with or without `/v1.xx`), query and parsed body."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response: `body` is JSON, text, or None for no content."""

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class _Context:
    engine: SimulatedEngine
    call: Request
    api: tuple[int, int]
    reference: str


def answer(engine: SimulatedEngine, call: Request) -> Response:
    """Answer a call as the engine would, errors in the engine's shape."""
    try:
        return _route(engine, call)
    except Refusal as refusal:
        return Response(refusal.status, {"message": refusal.sentence})


def strip_version(path: str) -> str:
    """Return a path without the version before it."""
    match = _VERSION_PREFIX.match(path)
    return match[3] if match else path


def _route(engine: SimulatedEngine, call: Request) -> Response:
    version = _VERSION_PREFIX.match(call.path)
    api = (int(version[1]), int(version[2])) if version else engine.identity.api
    _check_version(engine, api)
    path = strip_version(call.path)
    for method, pattern, needs_manager, act in _ROUTES:
        if method == call.method and (match := pattern.match(path)):
            if needs_manager:
                _check_manager(engine)
            return act(_Context(engine, call, api, match[1] if match.lastindex else ""))
    raise Refusal("page not found", 404)


def _check_version(engine: SimulatedEngine, api: tuple[int, int]) -> None:
    oldest = minimum_api(engine)
    if api > engine.identity.api:
        raise Refusal(
            f"client version {api[0]}.{api[1]} is too new. Maximum supported API version is "
            f"{engine.identity.api_version}",
            400,
        )
    if api < tuple(int(part) for part in oldest.split(".")):
        raise Refusal(
            f"client version {api[0]}.{api[1]} is too old. Minimum supported API version is {oldest}, please "
            "upgrade your client to a newer version",
            400,
        )


def _check_manager(engine: SimulatedEngine) -> None:
    if engine.identity.membership == "none":
        raise Refusal(NO_SWARM, 503)
    if engine.identity.membership == "worker":
        raise Refusal(NOT_MANAGER, 503)


def _list_networks(context: _Context) -> Response:
    engine = context.engine
    filters = filters_of(context.call.query, "networks")
    swarm_networks = engine.store.networks if engine.identity.membership == "manager" else {}
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    rows = [
        network_json(engine, network) if key in swarm_networks else copy_json(engine, network)
        for key, network in {**swarm_networks, **copies}.items()
    ]
    return Response(
        200,
        [network for network in [*rows, *local_networks_json(engine)] if network_passes(network, filters)],
    )


def _inspect_network(context: _Context) -> Response:
    engine, reference = context.engine, context.reference
    for network_data in local_networks_json(engine):
        if reference in (network_data["Name"], network_data["Id"]):
            return Response(200, {**network_data, "Containers": {}})
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    network = engine.networks.find(reference)
    if engine.identity.membership != "manager" and network.id not in copies:
        raise not_found("network", reference)
    if (
        engine.identity.unallocated_breaks_names
        and context.api >= (1, 52)
        and reference == network.name
        and engine.allocator.has_unallocated_networks
    ):
        raise not_found("network", reference)
    by_full_id = reference == network.id
    return Response(200, network_detail_json(engine, network, by_full_id=by_full_id, api=context.api))


def _create_network(context: _Context) -> Response:
    return Response(201, {"Id": context.engine.networks.create(_body(context)), "Warning": ""})


def _remove_network(context: _Context) -> Response:
    context.engine.networks.remove(context.reference)
    return Response(204)


def _connect(context: _Context) -> Response:
    body = _body(context)
    context.engine.containers.connect(context.reference, body["Container"], body.get("EndpointConfig") or {})
    return Response(200)


def _disconnect(context: _Context) -> Response:
    context.engine.containers.disconnect(context.reference, _body(context)["Container"])
    return Response(200)


def _list_services(context: _Context) -> Response:
    filters = filters_of(context.call.query, "services")
    store = context.engine.store
    services = [service for service in store.services.values() if service_passes(service, filters)]
    if context.call.query.get("status", "").lower() not in ("1", "true"):
        return Response(200, [service_json(service) for service in services])
    return Response(
        200,
        [
            {**service_json(service), "ServiceStatus": service_status_json(service, store)}
            for service in services
        ],
    )


def _inspect_service(context: _Context) -> Response:
    return Response(200, service_json(context.engine.store.find_service(context.reference)))


def _create_service(context: _Context) -> Response:
    return Response(201, {"ID": context.engine.services.create(_body(context))})


def _update_service(context: _Context) -> Response:
    version = context.call.query.get("version", "")
    if not version.isdigit():
        raise Refusal(
            f"invalid service version '{version}': strconv.ParseUint: parsing \"\": invalid syntax", 400
        )
    if context.call.query.get("rollback") == "previous":
        context.engine.services.roll_back(context.reference, int(version))
    else:
        context.engine.services.update(context.reference, int(version), _body(context))
    return Response(200, {"Warnings": None})


def _remove_service(context: _Context) -> Response:
    context.engine.services.remove(context.reference)
    return Response(200)


def _list_tasks(context: _Context) -> Response:
    filters = filters_of(context.call.query, "tasks")
    store = context.engine.store
    if "service" in filters:
        filters["service"] = [store.find_service(reference).id for reference in filters["service"]]
    if "node" in filters:
        own = context.engine.node.id
        filters["node"] = [
            own if reference == "self" else store.find_node(reference).id for reference in filters["node"]
        ]
    network_cache: dict[str, Json] = {}
    tasks = [task for task in store.tasks.values() if task_passes(task, filters)]
    return Response(200, [task_json(task, network_cache) for task in tasks])


def _inspect_task(context: _Context) -> Response:
    return Response(200, task_json(context.engine.store.find_task(context.reference), {}))


def _list_nodes(context: _Context) -> Response:
    filters = filters_of(context.call.query, "nodes")
    nodes = [node for node in context.engine.store.nodes.values() if node_passes(node, filters)]
    return Response(200, [node_json(context.engine, node) for node in nodes])


def _inspect_node(context: _Context) -> Response:
    reference = context.engine.node.id if context.reference == "self" else context.reference
    return Response(200, node_json(context.engine, context.engine.store.find_node(reference)))


def _update_node(context: _Context) -> Response:
    version = context.call.query.get("version", "")
    context.engine.nodes.update(context.reference, int(version) if version.isdigit() else 0, _body(context))
    return Response(200)


def _list_secrets(context: _Context) -> Response:
    return _list_data(context, context.engine.secrets)


def _list_configs(context: _Context) -> Response:
    return _list_data(context, context.engine.configs)


def _list_data(context: _Context, kind: LabelledData) -> Response:
    filters = filters_of(context.call.query, "data")
    return Response(
        200,
        [
            data_json(secret_or_config)
            for secret_or_config in kind.list_all()
            if data_passes(secret_or_config, filters)
        ],
    )


def _create_secret(context: _Context) -> Response:
    return Response(201, {"ID": context.engine.secrets.create(_body(context))})


def _create_config(context: _Context) -> Response:
    return Response(201, {"ID": context.engine.configs.create(_body(context))})


def _remove_secret(context: _Context) -> Response:
    context.engine.secrets.remove(context.reference)
    return Response(204)


def _remove_config(context: _Context) -> Response:
    context.engine.configs.remove(context.reference)
    return Response(204)


def _replay_events(context: _Context) -> Response:
    filters = filters_of(context.call.query, "events")
    events = context.engine.store.events.replay(context.call.query)
    return Response(200, "".join(event_line(event) for event in events if event_passes(event, filters)))


def _list_containers(context: _Context) -> Response:
    filters = filters_of(context.call.query, "containers")
    shows_all = context.call.query.get("all", "").lower() in ("1", "true") or "status" in filters
    return Response(
        200,
        [
            container_json(context.engine, container)
            for container in context.engine.store.containers.values()
            if (shows_all or container.state == "running") and container_passes(container, filters)
        ],
    )


def _inspect_container(context: _Context) -> Response:
    return Response(
        200, container_detail_json(context.engine, context.engine.store.find_container(context.reference))
    )


def _create_container(context: _Context) -> Response:
    identity = context.engine.containers.create(context.call.query.get("name", ""), _body(context))
    return Response(201, {"Id": identity, "Warnings": []})


def _start_container(context: _Context) -> Response:
    return Response(204 if context.engine.containers.start(context.reference) else 304)


def _stop_container(context: _Context) -> Response:
    return Response(204 if context.engine.containers.stop(context.reference) else 304)


def _remove_container(context: _Context) -> Response:
    force = context.call.query.get("force", "").lower() in ("1", "true")
    context.engine.containers.remove(context.reference, force=force)
    return Response(204)


def _body(context: _Context) -> Json:
    if not isinstance(context.call.body, dict):
        raise Refusal("invalid JSON: got EOF while reading request body", 400)
    return context.call.body


Route = tuple[str, re.Pattern[str], bool, Callable[[_Context], Response]]


def _at(method: str, path: str, act: Callable[[_Context], Response], *, manager: bool = True) -> Route:
    return method, re.compile("^" + path.replace("{id}", "([^/]+)") + "/?$"), manager, act


_ROUTES: tuple[Route, ...] = (
    _at("GET", "/_ping", lambda _: Response(200, "OK"), manager=False),
    _at("HEAD", "/_ping", lambda _: Response(200), manager=False),
    _at("GET", "/version", lambda context: Response(200, version_json(context.engine)), manager=False),
    _at("GET", "/info", lambda context: Response(200, info_json(context.engine)), manager=False),
    _at("GET", "/swarm", lambda context: Response(200, cluster_json(context.engine))),
    _at("GET", "/networks", _list_networks, manager=False),
    _at("POST", "/networks/create", _create_network),
    _at("POST", "/networks/{id}/connect", _connect),
    _at("POST", "/networks/{id}/disconnect", _disconnect),
    _at("GET", "/networks/{id}", _inspect_network, manager=False),
    _at("DELETE", "/networks/{id}", _remove_network),
    _at("GET", "/services", _list_services),
    _at("POST", "/services/create", _create_service),
    _at("POST", "/services/{id}/update", _update_service),
    _at("GET", "/services/{id}", _inspect_service),
    _at("DELETE", "/services/{id}", _remove_service),
    _at("GET", "/tasks", _list_tasks),
    _at("GET", "/tasks/{id}", _inspect_task),
    _at("GET", "/nodes", _list_nodes),
    _at("GET", "/nodes/{id}", _inspect_node),
    _at("POST", "/nodes/{id}/update", _update_node),
    _at("GET", "/secrets", _list_secrets),
    _at("POST", "/secrets/create", _create_secret),
    _at("DELETE", "/secrets/{id}", _remove_secret),
    _at("GET", "/configs", _list_configs),
    _at("POST", "/configs/create", _create_config),
    _at("DELETE", "/configs/{id}", _remove_config),
    _at("GET", "/events", _replay_events, manager=False),
    _at("GET", "/containers/json", _list_containers, manager=False),
    _at("POST", "/containers/create", _create_container, manager=False),
    _at("POST", "/containers/{id}/start", _start_container, manager=False),
    _at("POST", "/containers/{id}/stop", _stop_container, manager=False),
    _at("POST", "/containers/{id}/kill", _stop_container, manager=False),
    _at("GET", "/containers/{id}/json", _inspect_container, manager=False),
    _at("DELETE", "/containers/{id}", _remove_container, manager=False),
)

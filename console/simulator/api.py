"""The Engine API over a model: a call goes in, an answer comes out, nothing else happens."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.simulator.engine import SimulatedEngine
from console.simulator.events import event_line, event_passes
from console.simulator.filters import (
    NO_SWARM,
    NOT_MANAGER,
    Refusal,
    container_passes,
    data_passes,
    filters_of,
    network_passes,
    node_passes,
    not_found,
    service_passes,
    task_passes,
)
from console.simulator.networks import LabelledData
from console.simulator.objects import Json
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
class _Asked:
    engine: SimulatedEngine
    call: Request
    api: tuple[int, int]
    reference: str


_VERSIONED = re.compile(r"^/v(\d+)\.(\d+)(/.*)$")


def answer(engine: SimulatedEngine, call: Request) -> Response:
    """Answer a call as the engine would, errors in the engine's shape."""
    try:
        return _route(engine, call)
    except Refusal as refusal:
        return Response(refusal.status, {"message": refusal.sentence})


def unversioned(path: str) -> str:
    """Return a path without the version before it."""
    found = _VERSIONED.match(path)
    return found[3] if found else path


def _route(engine: SimulatedEngine, call: Request) -> Response:
    found = _VERSIONED.match(call.path)
    api = (int(found[1]), int(found[2])) if found else engine.identity.api
    _check_version(engine, api)
    path = unversioned(call.path)
    for method, pattern, needs_manager, act in _ROUTES:
        if method == call.method and (match := pattern.match(path)):
            if needs_manager:
                _check_manager(engine)
            return act(_Asked(engine, call, api, match[1] if match.lastindex else ""))
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


def _list_networks(asked: _Asked) -> Response:
    engine = asked.engine
    wanted = filters_of(asked.call.query, "networks")
    known = engine.store.networks if engine.identity.membership == "manager" else {}
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    shown = [
        network_json(engine, each) if key in known else copy_json(engine, each)
        for key, each in {**known, **copies}.items()
    ]
    return Response(
        200, [each for each in [*shown, *local_networks_json(engine)] if network_passes(each, wanted)]
    )


def _inspect_network(asked: _Asked) -> Response:
    engine, reference = asked.engine, asked.reference
    for each in local_networks_json(engine):
        if reference in (each["Name"], each["Id"]):
            return Response(200, {**each, "Containers": {}})
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    network = engine.networks.find(reference)
    if engine.identity.membership != "manager" and network.id not in copies:
        raise not_found("network", reference)
    if (
        engine.identity.unallocated_breaks_names
        and asked.api >= (1, 52)
        and reference == network.name
        and engine.allocator.has_unallocated_networks
    ):
        raise not_found("network", reference)
    by_full_id = reference == network.id
    return Response(200, network_detail_json(engine, network, by_full_id=by_full_id, api=asked.api))


def _create_network(asked: _Asked) -> Response:
    return Response(201, {"Id": asked.engine.networks.create(_body(asked)), "Warning": ""})


def _remove_network(asked: _Asked) -> Response:
    asked.engine.networks.remove(asked.reference)
    return Response(204)


def _connect(asked: _Asked) -> Response:
    body = _body(asked)
    asked.engine.containers.connect(asked.reference, body["Container"], body.get("EndpointConfig") or {})
    return Response(200)


def _disconnect(asked: _Asked) -> Response:
    asked.engine.containers.disconnect(asked.reference, _body(asked)["Container"])
    return Response(200)


def _list_services(asked: _Asked) -> Response:
    wanted = filters_of(asked.call.query, "services")
    store = asked.engine.store
    found = [service for service in store.services.values() if service_passes(service, wanted)]
    if asked.call.query.get("status", "").lower() not in ("1", "true"):
        return Response(200, [service_json(service) for service in found])
    return Response(
        200,
        [
            {**service_json(service), "ServiceStatus": service_status_json(service, store)}
            for service in found
        ],
    )


def _inspect_service(asked: _Asked) -> Response:
    return Response(200, service_json(asked.engine.store.find_service(asked.reference)))


def _create_service(asked: _Asked) -> Response:
    return Response(201, {"ID": asked.engine.services.create(_body(asked))})


def _update_service(asked: _Asked) -> Response:
    version = asked.call.query.get("version", "")
    if not version.isdigit():
        raise Refusal(
            f"invalid service version '{version}': strconv.ParseUint: parsing \"\": invalid syntax", 400
        )
    if asked.call.query.get("rollback") == "previous":
        asked.engine.services.roll_back(asked.reference, int(version))
    else:
        asked.engine.services.update(asked.reference, int(version), _body(asked))
    return Response(200, {"Warnings": None})


def _remove_service(asked: _Asked) -> Response:
    asked.engine.services.remove(asked.reference)
    return Response(200)


def _list_tasks(asked: _Asked) -> Response:
    wanted = filters_of(asked.call.query, "tasks")
    store = asked.engine.store
    if "service" in wanted:
        wanted["service"] = [store.find_service(each).id for each in wanted["service"]]
    if "node" in wanted:
        own = asked.engine.node.id
        wanted["node"] = [own if each == "self" else store.find_node(each).id for each in wanted["node"]]
    embedded: dict[str, Json] = {}
    tasks = [task for task in store.tasks.values() if task_passes(task, wanted)]
    return Response(200, [task_json(task, embedded) for task in tasks])


def _inspect_task(asked: _Asked) -> Response:
    return Response(200, task_json(asked.engine.store.find_task(asked.reference), {}))


def _list_nodes(asked: _Asked) -> Response:
    wanted = filters_of(asked.call.query, "nodes")
    nodes = [node for node in asked.engine.store.nodes.values() if node_passes(node, wanted)]
    return Response(200, [node_json(asked.engine, node) for node in nodes])


def _inspect_node(asked: _Asked) -> Response:
    reference = asked.engine.node.id if asked.reference == "self" else asked.reference
    return Response(200, node_json(asked.engine, asked.engine.store.find_node(reference)))


def _update_node(asked: _Asked) -> Response:
    version = asked.call.query.get("version", "")
    asked.engine.nodes.update(asked.reference, int(version) if version.isdigit() else 0, _body(asked))
    return Response(200)


def _list_secrets(asked: _Asked) -> Response:
    return _list_data(asked, asked.engine.secrets)


def _list_configs(asked: _Asked) -> Response:
    return _list_data(asked, asked.engine.configs)


def _list_data(asked: _Asked, kind: LabelledData) -> Response:
    wanted = filters_of(asked.call.query, "data")
    return Response(200, [data_json(each) for each in kind.listed() if data_passes(each, wanted)])


def _create_secret(asked: _Asked) -> Response:
    return Response(201, {"ID": asked.engine.secrets.create(_body(asked))})


def _create_config(asked: _Asked) -> Response:
    return Response(201, {"ID": asked.engine.configs.create(_body(asked))})


def _remove_secret(asked: _Asked) -> Response:
    asked.engine.secrets.remove(asked.reference)
    return Response(204)


def _remove_config(asked: _Asked) -> Response:
    asked.engine.configs.remove(asked.reference)
    return Response(204)


def _replay_events(asked: _Asked) -> Response:
    wanted = filters_of(asked.call.query, "events")
    replayed = asked.engine.store.events.replayed(asked.call.query)
    return Response(200, "".join(event_line(event) for event in replayed if event_passes(event, wanted)))


def _list_containers(asked: _Asked) -> Response:
    wanted = filters_of(asked.call.query, "containers")
    shows_all = asked.call.query.get("all", "").lower() in ("1", "true") or "status" in wanted
    return Response(
        200,
        [
            container_json(asked.engine, container)
            for container in asked.engine.store.containers.values()
            if (shows_all or container.state == "running") and container_passes(container, wanted)
        ],
    )


def _inspect_container(asked: _Asked) -> Response:
    return Response(
        200, container_detail_json(asked.engine, asked.engine.store.find_container(asked.reference))
    )


def _create_container(asked: _Asked) -> Response:
    identity = asked.engine.containers.create(asked.call.query.get("name", ""), _body(asked))
    return Response(201, {"Id": identity, "Warnings": []})


def _start_container(asked: _Asked) -> Response:
    return Response(204 if asked.engine.containers.start(asked.reference) else 304)


def _stop_container(asked: _Asked) -> Response:
    return Response(204 if asked.engine.containers.stop(asked.reference) else 304)


def _remove_container(asked: _Asked) -> Response:
    force = asked.call.query.get("force", "").lower() in ("1", "true")
    asked.engine.containers.remove(asked.reference, force=force)
    return Response(204)


def _body(asked: _Asked) -> Json:
    if not isinstance(asked.call.body, dict):
        raise Refusal("invalid JSON: got EOF while reading request body", 400)
    return asked.call.body


Route = tuple[str, re.Pattern[str], bool, Callable[[_Asked], Response]]


def _at(method: str, path: str, act: Callable[[_Asked], Response], *, manager: bool = True) -> Route:
    return method, re.compile("^" + path.replace("{id}", "([^/]+)") + "/?$"), manager, act


_ROUTES: tuple[Route, ...] = (
    _at("GET", "/_ping", lambda _: Response(200, "OK"), manager=False),
    _at("HEAD", "/_ping", lambda _: Response(200), manager=False),
    _at("GET", "/version", lambda asked: Response(200, version_json(asked.engine)), manager=False),
    _at("GET", "/info", lambda asked: Response(200, info_json(asked.engine)), manager=False),
    _at("GET", "/swarm", lambda asked: Response(200, cluster_json(asked.engine))),
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

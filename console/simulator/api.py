"""The Engine API over a model: a call goes in, an answer comes out, nothing else happens."""

import re

from console.simulator.calls import CallContext, Request, Response, Route, body_of, is_set, route
from console.simulator.filters import (
    LOCKED,
    NO_SWARM,
    NOT_MANAGER,
    NOT_PREPARED,
    Refusal,
    container_passes,
    data_passes,
    event_passes,
    filters_of,
    network_passes,
    not_found,
    service_passes,
    task_passes,
)
from console.simulator.joining import AnyEngine
from console.simulator.networks import LabelledData
from console.simulator.objects import Json
from console.simulator.store import event_line
from console.simulator.swarm_calls import SWARM_ROUTES
from console.simulator.wire_networks import (
    copy_json,
    local_networks_json,
    network_detail_json,
    network_json,
)
from console.simulator.wire_swarm import (
    container_detail_json,
    container_json,
    data_json,
    info_json,
    minimum_api,
    service_json,
    service_status_json,
    task_json,
    version_json,
)

__all__ = ["Request", "Response", "answer", "strip_version"]

_VERSION_PREFIX = re.compile(r"^/v(\d+)\.(\d+)(/.*)$")


def answer(engine: AnyEngine, call: Request) -> Response:
    """Answer a call as the engine would, errors in the engine's shape."""
    try:
        return _route(engine, call)
    except Refusal as refusal:
        return Response(refusal.status, {"message": refusal.sentence}, refusal.seconds)


def strip_version(path: str) -> str:
    """Return a path without the version before it."""
    match = _VERSION_PREFIX.match(path)
    return match[3] if match else path


def _route(engine: AnyEngine, call: Request) -> Response:
    version = _VERSION_PREFIX.match(call.path)
    api = (int(version[1]), int(version[2])) if version else engine.identity.api
    _check_version(engine, api)
    path = strip_version(call.path)
    for method, pattern, needs_manager, act in _ROUTES:
        if method == call.method and (match := pattern.match(path)):
            if needs_manager:
                _check_manager(engine, is_write=method != "GET")
            return act(CallContext(engine, call, api, match[1] if match.lastindex else ""))
    raise Refusal("page not found", 404)


def _check_version(engine: AnyEngine, api: tuple[int, int]) -> None:
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


def _check_manager(engine: AnyEngine, *, is_write: bool) -> None:
    if engine.identity.membership == "none":
        raise Refusal(NO_SWARM, 503)
    if engine.identity.membership == "locked":
        raise Refusal(LOCKED, 503)
    if engine.identity.membership in ("worker", "pending"):
        raise Refusal(NOT_MANAGER, 503)
    if engine.node.is_preparing:
        raise Refusal(NOT_PREPARED, 503)
    engine.managers.check(is_write=is_write)


def _answers_for_swarm(engine: AnyEngine) -> bool:
    try:
        _check_manager(engine, is_write=False)
    except Refusal:
        return False
    return True


def _list_networks(context: CallContext) -> Response:
    engine = context.engine
    filters = filters_of(context.call.query, "networks")
    swarm_networks = engine.store.networks if _answers_for_swarm(engine) else {}
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    rows = [
        network_json(engine, network) if key in swarm_networks else copy_json(engine, network)
        for key, network in {**swarm_networks, **copies}.items()
    ]
    return Response(
        200,
        [network for network in [*rows, *local_networks_json(engine)] if network_passes(network, filters)],
    )


def _inspect_network(context: CallContext) -> Response:
    engine, reference = context.engine, context.reference
    for network_data in local_networks_json(engine):
        if reference in (network_data["Name"], network_data["Id"]):
            return Response(200, {**network_data, "Containers": {}})
    copies = engine.networks.local_copies() if engine.identity.membership != "none" else {}
    network = engine.networks.find(reference)
    if network.id not in copies and not _answers_for_swarm(engine):
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


def _create_network(context: CallContext) -> Response:
    return Response(201, {"Id": context.engine.networks.create(body_of(context)), "Warning": ""})


def _remove_network(context: CallContext) -> Response:
    context.engine.networks.remove(context.reference)
    return Response(204)


def _connect(context: CallContext) -> Response:
    body = body_of(context)
    context.engine.containers.connect(context.reference, body["Container"], body.get("EndpointConfig") or {})
    return Response(200)


def _disconnect(context: CallContext) -> Response:
    context.engine.containers.disconnect(context.reference, body_of(context)["Container"])
    return Response(200)


def _list_services(context: CallContext) -> Response:
    filters = filters_of(context.call.query, "services")
    store = context.engine.store
    services = [service for service in store.services.values() if service_passes(service, filters)]
    if not is_set(context, "status"):
        return Response(200, [service_json(service) for service in services])
    return Response(
        200,
        [
            {**service_json(service), "ServiceStatus": service_status_json(service, store)}
            for service in services
        ],
    )


def _inspect_service(context: CallContext) -> Response:
    return Response(200, service_json(context.engine.store.find_service(context.reference)))


def _create_service(context: CallContext) -> Response:
    return Response(201, {"ID": context.engine.services.create(body_of(context))})


def _update_service(context: CallContext) -> Response:
    version = context.call.query.get("version", "")
    if not version.isdigit():
        raise Refusal(
            f"invalid service version '{version}': strconv.ParseUint: parsing \"\": invalid syntax", 400
        )
    if context.call.query.get("rollback") == "previous":
        context.engine.services.roll_back(context.reference, int(version))
    else:
        context.engine.services.update(context.reference, int(version), body_of(context))
    return Response(200, {"Warnings": None})


def _remove_service(context: CallContext) -> Response:
    context.engine.services.remove(context.reference)
    return Response(200)


def _list_tasks(context: CallContext) -> Response:
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


def _inspect_task(context: CallContext) -> Response:
    return Response(200, task_json(context.engine.store.find_task(context.reference), {}))


def _list_secrets(context: CallContext) -> Response:
    return _list_data(context, context.engine.secrets)


def _list_configs(context: CallContext) -> Response:
    return _list_data(context, context.engine.configs)


def _list_data(context: CallContext, kind: LabelledData) -> Response:
    filters = filters_of(context.call.query, "data")
    return Response(
        200,
        [
            data_json(secret_or_config)
            for secret_or_config in kind.list_all()
            if data_passes(secret_or_config, filters)
        ],
    )


def _create_secret(context: CallContext) -> Response:
    return Response(201, {"ID": context.engine.secrets.create(body_of(context))})


def _create_config(context: CallContext) -> Response:
    return Response(201, {"ID": context.engine.configs.create(body_of(context))})


def _remove_secret(context: CallContext) -> Response:
    context.engine.secrets.remove(context.reference)
    return Response(204)


def _remove_config(context: CallContext) -> Response:
    context.engine.configs.remove(context.reference)
    return Response(204)


def _replay_events(context: CallContext) -> Response:
    filters = filters_of(context.call.query, "events")
    events = context.engine.store.events.replay(context.call.query)
    return Response(200, "".join(event_line(event) for event in events if event_passes(event, filters)))


def _list_containers(context: CallContext) -> Response:
    filters = filters_of(context.call.query, "containers")
    shows_all = is_set(context, "all") or "status" in filters
    return Response(
        200,
        [
            container_json(context.engine, container)
            for container in context.engine.store.containers.values()
            if (shows_all or container.state == "running") and container_passes(container, filters)
        ],
    )


def _inspect_container(context: CallContext) -> Response:
    return Response(
        200, container_detail_json(context.engine, context.engine.store.find_container(context.reference))
    )


def _create_container(context: CallContext) -> Response:
    identity = context.engine.containers.create(context.call.query.get("name", ""), body_of(context))
    return Response(201, {"Id": identity, "Warnings": []})


def _start_container(context: CallContext) -> Response:
    return Response(204 if context.engine.containers.start(context.reference) else 304)


def _stop_container(context: CallContext) -> Response:
    return Response(204 if context.engine.containers.stop(context.reference) else 304)


def _remove_container(context: CallContext) -> Response:
    context.engine.containers.remove(context.reference, force=is_set(context, "force"))
    return Response(204)


_ROUTES: tuple[Route, ...] = (
    *SWARM_ROUTES,
    route("GET", "/_ping", lambda _: Response(200, "OK"), manager=False),
    route("HEAD", "/_ping", lambda _: Response(200), manager=False),
    route("GET", "/version", lambda context: Response(200, version_json(context.engine)), manager=False),
    route("GET", "/info", lambda context: Response(200, info_json(context.engine)), manager=False),
    route("GET", "/networks", _list_networks, manager=False),
    route("POST", "/networks/create", _create_network),
    route("POST", "/networks/{id}/connect", _connect),
    route("POST", "/networks/{id}/disconnect", _disconnect),
    route("GET", "/networks/{id}", _inspect_network, manager=False),
    route("DELETE", "/networks/{id}", _remove_network),
    route("GET", "/services", _list_services),
    route("POST", "/services/create", _create_service),
    route("POST", "/services/{id}/update", _update_service),
    route("GET", "/services/{id}", _inspect_service),
    route("DELETE", "/services/{id}", _remove_service),
    route("GET", "/tasks", _list_tasks),
    route("GET", "/tasks/{id}", _inspect_task),
    route("GET", "/secrets", _list_secrets),
    route("POST", "/secrets/create", _create_secret),
    route("DELETE", "/secrets/{id}", _remove_secret),
    route("GET", "/configs", _list_configs),
    route("POST", "/configs/create", _create_config),
    route("DELETE", "/configs/{id}", _remove_config),
    route("GET", "/events", _replay_events, manager=False),
    route("GET", "/containers/json", _list_containers, manager=False),
    route("POST", "/containers/create", _create_container, manager=False),
    route("POST", "/containers/{id}/start", _start_container, manager=False),
    route("POST", "/containers/{id}/stop", _stop_container, manager=False),
    route("POST", "/containers/{id}/kill", _stop_container, manager=False),
    route("GET", "/containers/{id}/json", _inspect_container, manager=False),
    route("DELETE", "/containers/{id}", _remove_container, manager=False),
)

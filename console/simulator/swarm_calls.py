"""The calls about the swarm itself and its nodes."""

from console.simulator.calls import CallContext, Response, Route, body_of, is_set, route
from console.simulator.engine import SimulatedEngine
from console.simulator.filters import NO_SWARM, Refusal, filters_of, node_passes
from console.simulator.membership import JOIN_S, LEAVE_S, MEMBER_ALREADY, UNLOCK_S
from console.simulator.wire_swarm import cluster_json, node_json


def _list_nodes(context: CallContext) -> Response:
    filters = filters_of(context.call.query, "nodes")
    nodes = [node for node in context.engine.store.nodes.values() if node_passes(node, filters)]
    return Response(200, [node_json(context.engine, node) for node in nodes])


def _inspect_node(context: CallContext) -> Response:
    reference = context.engine.node.id if context.reference == "self" else context.reference
    return Response(200, node_json(context.engine, context.engine.store.find_node(reference)))


def _update_node(context: CallContext) -> Response:
    version = context.call.query.get("version", "")
    context.engine.nodes.update(context.reference, int(version) if version.isdigit() else 0, body_of(context))
    return Response(200)


def _remove_node(context: CallContext) -> Response:
    # It may be asked of any manager; the nodes are the swarm's.
    engine = context.engine
    swarm = engine if isinstance(engine, SimulatedEngine) else engine.swarm
    swarm.remove_node(context.reference, is_forced=is_set(context, "force"))
    return Response(200)


def _inspect_swarm(context: CallContext) -> Response:
    tokens = {role.capitalize(): context.engine.membership.token(role) for role in ("worker", "manager")}
    return Response(200, {**cluster_json(context.engine), "JoinTokens": tokens})


def _update_swarm(context: CallContext) -> Response:
    roles = [role for role in ("worker", "manager") if is_set(context, f"rotate{role.capitalize()}Token")]
    context.engine.membership.update(
        context.call.query.get("version", ""),
        body_of(context),
        roles=tuple(roles),
        is_key_new=is_set(context, "rotateManagerUnlockKey"),
    )
    return Response(200)


def _read_unlock_key(context: CallContext) -> Response:
    return Response(200, {"UnlockKey": context.engine.membership.unlock_key})


def _unlock_swarm(context: CallContext) -> Response:
    engine = context.engine
    if engine.identity.membership == "none":
        raise Refusal(NO_SWARM, 503)
    is_locked = engine.identity.membership == "locked"
    engine.membership.check_key(str(body_of(context).get("UnlockKey") or ""), is_locked=is_locked)
    if not isinstance(engine, SimulatedEngine):
        engine.unlock()
    return Response(200, seconds=UNLOCK_S)


def _join_swarm(context: CallContext) -> Response:
    if isinstance(context.engine, SimulatedEngine):
        if context.engine.identity.membership == "none":
            raise Refusal("this engine cannot join a swarm in the simulation", 501)
        raise Refusal(MEMBER_ALREADY, 503)
    context.engine.membership.join(context.engine, body_of(context))
    return Response(200, seconds=JOIN_S)


def _init_swarm(context: CallContext) -> Response:
    engine = context.engine
    if not body_of(context).get("ForceNewCluster"):
        raise Refusal("no new swarm is made in the simulation", 501)
    if engine.identity.membership != "manager":
        raise Refusal("This node is not a swarm manager.", 503)
    engine.membership.form_alone(engine.node)
    return Response(200, engine.node.id, seconds=JOIN_S)


def _leave_swarm(context: CallContext) -> Response:
    engine, is_forced = context.engine, is_set(context, "force")
    if isinstance(engine, SimulatedEngine):
        engine.membership.check_leave(engine.identity.membership, is_forced=is_forced)
        raise Refusal("this engine cannot leave its swarm in the simulation", 501)
    engine.membership.leave(engine, is_forced=is_forced)
    return Response(200, seconds=LEAVE_S)


SWARM_ROUTES: tuple[Route, ...] = (
    route("GET", "/swarm", _inspect_swarm),
    route("POST", "/swarm/update", _update_swarm),
    route("GET", "/swarm/unlockkey", _read_unlock_key),
    route("POST", "/swarm/unlock", _unlock_swarm, manager=False),
    route("POST", "/swarm/init", _init_swarm, manager=False),
    route("POST", "/swarm/join", _join_swarm, manager=False),
    route("POST", "/swarm/leave", _leave_swarm, manager=False),
    route("GET", "/nodes", _list_nodes),
    route("GET", "/nodes/{id}", _inspect_node),
    route("POST", "/nodes/{id}/update", _update_node),
    route("DELETE", "/nodes/{id}", _remove_node),
)

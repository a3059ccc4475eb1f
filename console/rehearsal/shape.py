"""The shape of a swarm: what decides how long an outage takes, and nothing that could be a secret. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from console.frozen import frozen
from console.swarm.model import Endpoint, Network, Service, network_entries
from console.swarm.snapshots import WholeSwarm
from console.text import listed, plural

STACK_LABEL = "com.docker.stack.namespace"
UPDATE_FIELDS = ("Parallelism", "Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order")
RESTART_FIELDS = ("Condition", "Delay", "MaxAttempts", "Window")
PORT_FIELDS = ("Protocol", "TargetPort", "PublishedPort", "PublishMode")
CONSTRAINED_ON_ONE_NODE = ("node.labels.", "node.role", "node.hostname", "node.platform.")
"""Constraints that mean the same on a node of the same name with the same labels."""


class StopBehavior(StrEnum):
    """What a container does when it is told to stop."""

    AT_ONCE = "stops at once"
    WHOLE_GRACE = "takes its whole grace"
    UNKNOWN = "unknown"


@frozen
class NetworkAttachment:
    """A network of a service or a container."""

    network: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    """Given by hand; containers only."""


@frozen
class NetworkShape:
    """An overlay, as `POST /networks/create` takes it, its labels but for its stack's left out."""

    name: str
    body: Mapping[str, Any]


@frozen
class ServiceShape:
    """A service without image, environment, arguments, mounts, secrets and configs."""

    name: str
    stack: str
    mode: str
    """`replicated` or `global`."""
    replicas: int | None
    networks: tuple[NetworkAttachment, ...]
    endpoint_mode: str
    ports: tuple[Mapping[str, Any], ...]
    constraints: tuple[str, ...]
    grace_s: float
    stop: StopBehavior
    update: Mapping[str, Any]
    rollback: Mapping[str, Any]
    restart: Mapping[str, Any]

    def tasks(self) -> int:
        """Return how many tasks it has on one node."""
        return 1 if self.replicas is None else self.replicas


@frozen
class ContainerShape:
    """A container that was attached by hand."""

    name: str
    is_running: bool
    networks: tuple[NetworkAttachment, ...]


@frozen
class Shape:
    """The shape of a swarm."""

    engine_name: str
    engine_version: str
    cluster_id: str
    node_labels: Mapping[str, str]
    pools: tuple[str, ...]
    networks: tuple[NetworkShape, ...]
    services: tuple[ServiceShape, ...]
    containers: tuple[ContainerShape, ...]
    limits: tuple[str, ...]
    """In what the rehearsal differs from the swarm, each a sentence."""

    @property
    def tasks(self) -> int:
        """How many tasks it has on one node."""
        return sum(service.tasks() for service in self.services)


def shape_of(
    snapshot: WholeSwarm,
    endpoints: Sequence[Endpoint],
    manual_addresses: Mapping[tuple[str, str], bool],
    stops: Mapping[str, StopBehavior],
) -> Shape:
    """Return the shape of a swarm.

    `endpoints` are how containers are attached by hand, and `manual_addresses` tells by container and network ID whether
    their address was given by hand; `stops` tells by service ID how containers stop. What is unknown is absent in both.
    """
    overlays = tuple(filter(_is_rebuilt, snapshot.networks))
    names = {network.id: network.name for network in overlays}
    here = snapshot.node(snapshot.here)
    services = tuple(
        _service(service, names, stops.get(service.id, StopBehavior.UNKNOWN), len(snapshot.nodes))
        for service in snapshot.services
        if not service.is_job and not service.is_probe
    )
    return Shape(
        engine_name=snapshot.engine.name,
        engine_version=snapshot.engine.version,
        cluster_id=snapshot.engine.cluster_id,
        node_labels={} if here is None else dict(here.labels),
        pools=tuple(map(str, snapshot.engine.default_pools)),
        networks=tuple(_network(network) for network in overlays),
        services=services,
        containers=tuple(_containers(snapshot, endpoints, manual_addresses, names)),
        limits=tuple(_limits(snapshot, services)),
    )


def limit_tasks(shape: Shape, most_tasks: int) -> Shape:
    """Return a shape with at most so many tasks: the services with the most replicas get fewer, and that is said."""
    if shape.tasks <= most_tasks:
        return shape
    caps = (cap for cap in range(max(service.tasks() for service in shape.services), 0, -1))
    cap = next((cap for cap in caps if sum(min(cap, one.tasks()) for one in shape.services) <= most_tasks), 1)
    fewer = [one.name for one in shape.services if one.tasks() > cap]
    services = tuple(
        replace(one, replicas=cap) if one.replicas is not None and one.replicas > cap else one
        for one in shape.services
    )
    said = (
        f"The memory of the rehearsal carries {plural(most_tasks, 'task')}, and the swarm has {shape.tasks}: "
        f"{plural(len(fewer), 'service')} with {plural(cap, 'replica')} only ({listed(fewer)})."
    )
    return replace(shape, services=services, limits=(*shape.limits, said))


def _is_rebuilt(network: Network) -> bool:
    return network.is_overlay and not network.ingress and network.is_allocated and not network.is_from_config


def _network(network: Network) -> NetworkShape:
    """Return what it takes to make it again, without anything that somebody else's driver or tool may have put there."""
    body = dict(network.body)
    options = {
        name: value
        for name, value in (body.get("Options") or {}).items()
        if name == "encrypted" or name.startswith("com.docker.network.")
    }
    body["Labels"] = {STACK_LABEL: network.stack} if network.stack else {}
    body["Options"] = options
    body["IPAM"] = {"Driver": "default", "Config": (body.get("IPAM") or {}).get("Config") or []}
    return NetworkShape(network.name, body)


def _service(service: Service, names: Mapping[str, str], stop: StopBehavior, nodes: int) -> ServiceShape:
    spec = service.spec
    template = spec.get("TaskTemplate") or {}
    by_name = {name: name for name in names.values()}
    attached = {
        network: NetworkAttachment(network, tuple(entry.get("Aliases") or ()))
        for _, _, entry in network_entries(spec)
        # A specification may name a network by its ID or by its name, and engines of old at two places.
        if (network := names.get(entry["Target"]) or by_name.get(entry["Target"]))
    }
    return ServiceShape(
        name=service.name,
        stack=service.stack,
        mode=service.mode,
        replicas=service.replicas,
        networks=tuple(attached.values()),
        endpoint_mode=service.endpoint_mode,
        ports=tuple(_only(port, PORT_FIELDS) for port in (spec.get("EndpointSpec") or {}).get("Ports") or ()),
        constraints=tuple(one for one in service.constraints if _holds_on_one_node(one, nodes)),
        grace_s=service.grace_s,
        stop=stop,
        update=_only(spec.get("UpdateConfig"), UPDATE_FIELDS),
        rollback=_only(spec.get("RollbackConfig"), UPDATE_FIELDS),
        restart=_only(template.get("RestartPolicy"), RESTART_FIELDS),
    )


def _only(values: Mapping[str, Any] | None, fields: Iterable[str]) -> Mapping[str, Any]:
    return {field: values[field] for field in fields if values and field in values}


def _holds_on_one_node(constraint: str, nodes: int) -> bool:
    return nodes == 1 and constraint.replace(" ", "").startswith(CONSTRAINED_ON_ONE_NODE)


def _containers(
    snapshot: WholeSwarm,
    endpoints: Sequence[Endpoint],
    manual_addresses: Mapping[tuple[str, str], bool],
    names: Mapping[str, str],
) -> Iterator[ContainerShape]:
    for container in snapshot.containers:
        attached = tuple(
            NetworkAttachment(
                names[one.network_id],
                tuple(one.config.get("Aliases") or ()),
                # Of one that does not run the engine tells only an address that was given by hand.
                one.address
                if manual_addresses.get((one.container_id, one.network_id), not one.is_running)
                else "",
            )
            for one in endpoints
            if one.container_id == container.id and one.network_id in names
        )
        if attached:
            yield ContainerShape(container.name, container.is_running, attached)


def _limits(snapshot: WholeSwarm, services: Sequence[ServiceShape]) -> Iterator[str]:
    yield (
        "Containers of the rehearsal do nothing: how long an application takes to start, its health checks "
        "included, is not rehearsed."
    )
    unknown = [one.name for one in services if one.stop is StopBehavior.UNKNOWN and one.tasks()]
    if unknown:
        yield (
            f"How long {plural(len(unknown), 'service')} takes to stop is unknown; in the rehearsal they end "
            f"with SIGTERM at once: {listed(unknown)}."
        )
    if len(snapshot.nodes) > 1:
        yield (
            f"The swarm has {len(snapshot.nodes)} nodes and the rehearsal has one: all tasks start there, and "
            "constraints are left out."
        )
    jobs = [service.name for service in snapshot.services if service.is_job]
    if jobs:
        yield f"Jobs are not rehearsed: {listed(jobs)}."
    kept = {service.name: len(service.constraints) for service in services}
    dropped = [one.name for one in snapshot.services if kept.get(one.name, 0) < len(one.constraints)]
    if dropped and len(snapshot.nodes) == 1:
        yield f"Constraints that no other node can meet are left out: {listed(dropped)}."
    running = {task.service_id for task in snapshot.tasks if task.state == "running"}
    idle = [
        one.name
        for one in snapshot.services
        if one.replicas != 0 and not one.is_job and one.id not in running
    ]
    if idle:
        yield f"These do not run in the swarm, and run in the rehearsal: {listed(idle)}."
    skipped = [
        network.name
        for network in snapshot.networks
        if network.is_overlay and not network.ingress and not _is_rebuilt(network)
    ]
    if skipped:
        yield f"Networks without an address of their own are left out: {listed(skipped)}."
    yield "Leaked addresses are not rebuilt: the networks of the rehearsal have room."

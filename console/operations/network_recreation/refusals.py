"""Why a recreation is refused, all reasons at once."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, ip_network

from console.errors import Unknown
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
    RecreationInputs,
    RecreationOwner,
    RecreationPlan,
    RecreationRequest,
    own_parked_services,
    record_now,
    record_to_resume,
)
from console.operations.network_recreation.record import (
    ContainerRecord,
    Record,
    read_parked_services,
    unreadable_in,
)
from console.swarm.model import Network
from console.swarm.snapshots import WholeSwarm
from console.text import clean, listed, plural

SMALLEST = 29
"""The longest prefix that leaves an address besides network address, broadcast and gateway."""
ENDPOINTS_ADVISED = 250
"""Docker's documentation advises against more virtual IPs on an overlay, because of the load-balancer rules
in each sandbox."""
ROUTES_OF_HOST = "routes of the engine's host"
"""What is not checked where the engine is not this host's own."""
IN_AN_UPDATE = ("updating", "paused", "rollback_started", "rollback_paused")


def plan_recreation(
    inputs: RecreationInputs, request: RecreationRequest, owner: RecreationOwner
) -> RecreationPlan:
    """Return what will be done. Where an earlier attempt has begun, it is finished: what was refused then was not."""
    snapshot = inputs.snapshot
    parked_services, current = (
        own_parked_services(snapshot, request.network, owner),
        snapshot.overlay(request.network),
    )
    now = record_now(inputs, request, owner)
    resumes = bool(parked_services) or (
        inputs.stored_record is not None and _is_unfinished(inputs.stored_record, snapshot)
    )
    record = record_to_resume(parked_services, inputs.stored_record, now, owner) if resumes else now
    refusals = [*_strangers(snapshot, request.network, owner)]
    if len(snapshot.networks_with_name(request.network)) > 1 and not resumes:
        refusals.append(
            f"Several networks have the name {request.network}. Remove or rename the others first."
        )
    if record is None:
        refusals.append(f"Overlay {request.network} not found, and no record says what it was.")
    elif not resumes and current is not None and current.ipv4 != (request.subnet,):
        refusals += _about_network(current)
        refusals += subnet_refusals(request.subnet, snapshot, current, inputs.environment)
        refusals += _about_services(snapshot, current)
        refusals += _about_containers(inputs, current, record, request)
    notes = () if record is None else tuple(_notes(inputs, record, request))
    return RecreationPlan(
        request,
        record,
        current,
        tuple(refusals),
        notes,
        is_resumed=resumes,
        not_checked=() if record is None else tuple(_routes_not_checked(inputs)),
        nodes=max(1, len(snapshot.nodes)),
    )


def _is_unfinished(record: Record, snapshot: WholeSwarm) -> bool:
    """Whether something of what was kept is not on a network of that name."""
    current = snapshot.overlay(record.network.name)
    if current is None:
        return True
    attached_service_ids = {
        service.id for service in snapshot.services if service.is_on(current.id, current.name)
    }
    service_ids = {service.id for service in snapshot.services}
    attached_container_ids = {
        container.id for container in snapshot.containers if current.name in container.networks
    }
    container_ids = {container.id for container in snapshot.containers}
    return any(
        service.id in service_ids and service.id not in attached_service_ids for service in record.services
    ) or any(
        container.id in container_ids and container.id not in attached_container_ids
        for container in record.containers
    )


def _strangers(snapshot: WholeSwarm, network: str, owner: RecreationOwner) -> Iterator[str]:
    for name in unreadable_in(snapshot):
        yield f"The service {name} is parked by an unknown program."
    others = [
        parked_service
        for parked_service in read_parked_services(snapshot)
        if parked_service.machine != owner.machine
    ]
    for other in others[:1]:
        yield (
            f"Another machine is changing this swarm: {plural(len(others), 'service')} parked by run {other.run} of machine "
            f"{other.machine} ({other.service.name})."
        )
    elsewhere = [
        parked_service
        for parked_service in read_parked_services(snapshot)
        if parked_service.machine == owner.machine and parked_service.network.name != network
    ]
    for parked_service in elsewhere[:1]:
        yield (
            f"{plural(len(elsewhere), 'service')} of the network {parked_service.network.name} are still parked by "
            f"run {parked_service.run}: finish that run first."
        )
    probes = [service for service in snapshot.services if service.is_probe]
    foreign = [probe.name for probe in probes if probe.probe.rpartition("/")[0] != owner.machine]
    for name in foreign[:1]:
        yield f"Another machine is changing this swarm: its probe {name} exists."


def _about_network(current: Network) -> Iterator[str]:
    if current.ingress:
        yield f"{current.name} is the ingress network: every published port depends on it."
    if current.driver not in ("overlay", ""):
        yield f"{current.name} is not an overlay: its driver is {current.driver}."
    if current.is_from_config:
        yield (
            f"{current.name} takes its settings from another network, or gives them to one: such networks "
            "cannot be recreated here."
        )


def _about_services(snapshot: WholeSwarm, current: Network) -> Iterator[str]:
    for service in snapshot.services:
        if not service.is_on(current.id, current.name):
            continue
        if service.is_job:
            yield f"{service.name} is a job: it cannot continue where it stopped."
        elif service.update_state in IN_AN_UPDATE:
            yield f"{service.name} is being updated ({service.update_state})."
    names = {service.id: service.name for service in snapshot.services}
    services_by_node: dict[str, set[str]] = {}
    for task in snapshot.live_tasks_on(current.id):
        node = snapshot.node(task.node_id)
        if node is not None and node.state != "ready" and not task.is_standalone:
            services_by_node.setdefault(node.hostname, set()).add(
                names.get(task.service_id, "a removed service")
            )
    for node_name, services in services_by_node.items():
        yield (
            f"The node {node_name} is unreachable, and {listed(sorted(services))} may still run there. "
            "Remove the node, or bring it back."
        )


def _about_containers(
    inputs: RecreationInputs, current: Network, record: Record, request: RecreationRequest
) -> Iterator[str]:
    snapshot = inputs.snapshot
    for task in snapshot.live_tasks_on(current.id):
        if task.is_standalone and task.node_id != snapshot.here:
            node = snapshot.node(task.node_id)
            where = node.hostname if node else task.node_id
            yield (
                f"The container {task.container_id[:12]} is attached by hand on {where}: it "
                "cannot be disconnected from here."
            )
    for container in _losing_address(record.containers, request):
        if container.is_given is not False and not _is_among(container.name, request.may_change_address):
            by_hand = "and was set by hand" if container.is_given else "and may have been set by hand"
            yield f"The container {container.name} has {container.address}, which is not in {request.subnet} {by_hand}."


def _losing_address(
    containers: Iterable[ContainerRecord], request: RecreationRequest
) -> Iterator[ContainerRecord]:
    return (container for container in containers if container.address and not container.fits(request.subnet))


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _only_in_old_subnets(record: Record) -> Iterator[str]:
    """Yield what somebody chose in the IPv4 subnets, besides the gateway that every subnet has."""
    for config in (record.network.body.get("IPAM") or {}).get("Config") or ():
        if ip_network(config["Subnet"], strict=False).version == 4:
            if config.get("IPRange"):
                yield f"the IP range {clean(config['IPRange'])}"
            for name, address in (config.get("AuxiliaryAddresses") or {}).items():
                yield f"the auxiliary address {clean(name)} ({clean(address)})"


def _notes(inputs: RecreationInputs, record: Record, request: RecreationRequest) -> Iterator[str]:
    vips = sum(service.uses_vip for service in record.services)
    yield from subnet_notes(request.subnet, inputs.environment, vips)
    for container in _losing_address(record.containers, request):
        yield f"The container {container.name} gets another address than {container.address}."
    dropped_settings = tuple(_only_in_old_subnets(record))
    if dropped_settings and record.network.ipv4 != (request.subnet,):
        yield f"The new subnet drops {listed(dropped_settings)}: the old subnet contains it."
    for service in record.services:
        requested_tasks = 1 if service.replicas is None else service.replicas
        if service.mode == "replicated" and service.running < requested_tasks:
            yield (
                f"Only {service.running} of {requested_tasks} tasks of {service.name} run now; the recreation waits "
                "for no more than these."
            )
    reset_services = [
        service.name
        for service in inputs.snapshot.services
        if service.previous_spec and record.service(service.id)
    ]
    if reset_services:
        yield f"These services lose their present rollback target: {listed(sorted(reset_services))}."


def overlapping(
    subnet: IPv4Network, networks: Iterable[Network], besides: str = ""
) -> tuple[tuple[Network, IPv4Network], ...]:
    """Return the networks that a subnet overlaps, and with which of theirs; the one with the ID `besides` is left out."""
    return tuple(
        (network, other)
        for network in networks
        if network.id != besides
        for other in network.ipv4
        if other.overlaps(subnet)
    )


def subnet_refusals(
    subnet: IPv4Network, snapshot: WholeSwarm, current: Network | None, environment: RecreationEnvironment
) -> Iterator[str]:
    """Yield why a subnet cannot be used, each a sentence."""
    if subnet.prefixlen > SMALLEST:
        yield f"{subnet} is too small for a network: the longest prefix is /{SMALLEST}."
    elif current is not None and capacity(subnet) < (demand := address_demand(snapshot, current)):
        yield (
            f"{subnet} is too small: it has {plural(capacity(subnet), 'address', 'addresses')}, and "
            f"{current.name} needs {demand} now."
        )
    for network, other in overlapping(subnet, snapshot.networks, current.id if current else ""):
        yield f"{subnet} overlaps {other} of the network {network.name}."
    routes = () if isinstance(environment.routes, Unknown) else environment.routes
    # The bridges of this node's own networks are routes too, and were named already.
    network_subnets = {other for network in snapshot.networks for other in network.ipv4}
    for route in routes:
        if (
            route.network.overlaps(subnet)
            and route.network not in network_subnets
            and route.network.prefixlen
        ):
            what = "this host's own address" if route.network.prefixlen == 32 else "a route of this host"
            yield f"{subnet} overlaps {route.network}, {what} (device {route.device})."


def subnet_notes(subnet: IPv4Network, environment: RecreationEnvironment, vips: int) -> Iterator[str]:
    """Yield what is worth knowing about a subnet, each a sentence."""
    for pool in environment.pools:
        if subnet.overlaps(pool):
            yield f"{subnet} is inside Swarm's default pool {pool}. Swarm skips ranges in use."
    if subnet.is_global:
        yield (
            f"{subnet} is not a private range. The network cannot reach the Internet addresses that it hides."
        )
    if vips > ENDPOINTS_ADVISED:
        yield (
            f"{vips} virtual IPs share the network. A larger subnet only adds room: `endpoint_mode: dnsrr` "
            "halves the use."
        )


def _routes_not_checked(inputs: RecreationInputs) -> Iterator[tuple[str, str]]:
    """Yield with which routes the subnet was not compared, and why."""
    routes, others = inputs.environment.routes, len(inputs.snapshot.nodes) - 1
    if isinstance(routes, Unknown):
        yield ROUTES_OF_HOST, routes.reason
    if others > 0:
        yield f"routes of {plural(others, 'other node')}", "Only routes of this host can be read."


def capacity(subnet: IPv4Network) -> int:
    """Return how many addresses of a subnet can be held at most."""
    return subnet.num_addresses - 3


def address_demand(snapshot: WholeSwarm, network: Network) -> int:
    """Return how many addresses are needed for what is on a network now, a load balancer for each node among them."""
    vips = sum(
        service.endpoint_mode == "vip" and service.is_on(network.id, network.name)
        for service in snapshot.services
    )
    return vips + sum(1 for _ in snapshot.live_tasks_on(network.id)) + len(snapshot.nodes)

"""Why a recreation is refused, all reasons at once."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_network

from console.operations.network_recreation.definition import subnet_notes, subnet_refusals
from console.operations.network_recreation.plan import (
    RecreationInputs,
    RecreationPlan,
    RecreationRequest,
    Whose,
    own_parked,
    record_now,
    resumed_record,
)
from console.operations.network_recreation.record import ContainerRecord, Record, parked_in, unreadable_in
from console.swarm.snapshots import SwarmSnapshot
from console.swarm.values import Network
from console.text import clean, listed, plural

IN_AN_UPDATE = ("updating", "paused", "rollback_started", "rollback_paused")


def plan_recreation(inputs: RecreationInputs, wanted: RecreationRequest, whose: Whose) -> RecreationPlan:
    """Return what will be done. Where an earlier attempt has begun, it is finished: what was refused then was not."""
    snapshot = inputs.snapshot
    parked, current = own_parked(snapshot, wanted.network, whose), snapshot.overlay(wanted.network)
    now = record_now(inputs, wanted, whose)
    resumes = bool(parked) or (inputs.kept is not None and _is_unfinished(inputs.kept, snapshot))
    record = resumed_record(parked, inputs.kept, now, whose) if resumes else now
    refused = [*_strangers(snapshot, wanted.network, whose)]
    if len(snapshot.named(wanted.network)) > 1 and not resumes:
        refused.append(f"Several networks have the name {wanted.network}. Remove or rename the others first.")
    if record is None:
        refused.append(f"Overlay {wanted.network} not found, and no record says what it was.")
    elif not resumes and current is not None and current.ipv4 != (wanted.subnet,):
        refused += _about_network(current)
        refused += subnet_refusals(wanted.subnet, snapshot, current, inputs.environment)
        refused += _about_services(snapshot, current)
        refused += _about_containers(inputs, current, record, wanted)
    notes = () if record is None else tuple(_notes(inputs, record, wanted))
    return RecreationPlan(wanted, record, current, tuple(refused), notes, is_resumed=resumes)


def _is_unfinished(kept: Record, snapshot: SwarmSnapshot) -> bool:
    """Whether something of what was kept is not on a network of that name."""
    current = snapshot.overlay(kept.network.name)
    if current is None:
        return True
    on = {service.id for service in snapshot.services if service.is_on(current.id, current.name)}
    there = {service.id for service in snapshot.services}
    attached = {container.id for container in snapshot.containers if current.name in container.networks}
    existing = {container.id for container in snapshot.containers}
    return any(service.id in there and service.id not in on for service in kept.services) or any(
        container.id in existing and container.id not in attached for container in kept.containers
    )


def _strangers(snapshot: SwarmSnapshot, network: str, whose: Whose) -> Iterator[str]:
    for name in unreadable_in(snapshot):
        yield f"The service {name} is parked by an unknown program."
    others = [
        parked_service for parked_service in parked_in(snapshot) if parked_service.machine != whose.machine
    ]
    for other in others[:1]:
        yield (
            f"Another machine is changing this swarm: {plural(len(others), 'service')} parked by run {other.run} of machine "
            f"{other.machine} ({other.service.name})."
        )
    elsewhere = [
        parked_service
        for parked_service in parked_in(snapshot)
        if parked_service.machine == whose.machine and parked_service.network.name != network
    ]
    for parked_service in elsewhere[:1]:
        yield (
            f"{plural(len(elsewhere), 'service')} of the network {parked_service.network.name} are still parked by "
            f"run {parked_service.run}: finish that run first."
        )
    probes = [service for service in snapshot.services if service.is_probe]
    foreign = [probe.name for probe in probes if probe.probe.rpartition("/")[0] != whose.machine]
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


def _about_services(snapshot: SwarmSnapshot, current: Network) -> Iterator[str]:
    for service in snapshot.services:
        if not service.is_on(current.id, current.name):
            continue
        if service.is_job:
            yield f"{service.name} is a job: it cannot continue where it stopped."
        elif service.update_state in IN_AN_UPDATE:
            yield f"{service.name} is being updated ({service.update_state})."
    names = {service.id: service.name for service in snapshot.services}
    gone: dict[str, set[str]] = {}
    for task in snapshot.live_tasks_on(current.id):
        node = snapshot.node(task.node_id)
        if node is not None and node.state != "ready" and not task.is_standalone:
            gone.setdefault(node.hostname, set()).add(names.get(task.service_id, "a removed service"))
    for node_name, services in gone.items():
        yield (
            f"The node {node_name} is unreachable, and {listed(sorted(services))} may still run there. "
            "Remove the node, or bring it back."
        )


def _about_containers(
    inputs: RecreationInputs, current: Network, record: Record, wanted: RecreationRequest
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
    for each in _losing_address(record.containers, wanted):
        if each.is_given is not False and not _is_among(each.name, wanted.may_change_address):
            by_hand = "and was set by hand" if each.is_given else "and may have been set by hand"
            yield f"The container {each.name} has {each.address}, which is not in {wanted.subnet} {by_hand}."


def _losing_address(
    containers: Iterable[ContainerRecord], wanted: RecreationRequest
) -> Iterator[ContainerRecord]:
    return (container for container in containers if container.address and not container.fits(wanted.subnet))


def _is_among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _only_in_old_subnets(record: Record) -> Iterator[str]:
    """Yield what somebody chose in the IPv4 subnets, besides the gateway that every subnet has."""
    for each in (record.network.body.get("IPAM") or {}).get("Config") or ():
        if ip_network(each["Subnet"], strict=False).version == 4:
            if each.get("IPRange"):
                yield f"the IP range {clean(each['IPRange'])}"
            for name, address in (each.get("AuxiliaryAddresses") or {}).items():
                yield f"the auxiliary address {clean(name)} ({clean(address)})"


def _notes(inputs: RecreationInputs, record: Record, wanted: RecreationRequest) -> Iterator[str]:
    vips = sum(service.uses_vip for service in record.services)
    yield from subnet_notes(wanted.subnet, inputs.environment, vips)
    for each in _losing_address(record.containers, wanted):
        yield f"The container {each.name} gets another address than {each.address}."
    left_out = tuple(_only_in_old_subnets(record))
    if left_out and record.network.ipv4 != (wanted.subnet,):
        yield f"The new subnet drops {listed(left_out)}: the old subnet contains it."
    for service in record.services:
        asked = 1 if service.replicas is None else service.replicas
        if service.mode == "replicated" and service.running < asked:
            yield (
                f"Only {service.running} of {asked} tasks of {service.name} run now; the recreation waits "
                "for no more than these."
            )
    rolls_back = [
        service.name
        for service in inputs.snapshot.services
        if service.previous_spec and record.service(service.id)
    ]
    if rolls_back:
        yield f"These services lose their present rollback target: {listed(sorted(rolls_back))}."

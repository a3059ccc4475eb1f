"""Causes about networks that are gone, never got a subnet, or cannot be read; and what only looks like that."""

import shlex

from console.diagnosis.findings.networks import why_unallocated
from console.diagnosis.why.case import ServiceContext
from console.diagnosis.why.evidence import (
    Evidence,
    Explanation,
    ServiceStatus,
    line_rows,
    network_name,
    service_row,
    state_row,
    vip_rows,
)
from console.diagnosis.why.exhaustion import PASSING_S
from console.journal.signatures import Confidence
from console.text import duration

ALLOCATION_SIGNATURES = frozenset(
    ("network-unallocated", "network-unallocated-update", "network-unallocated-task", "network-removed-task")
)


def unreadable_networks(case: ServiceContext) -> Explanation | None:
    """Tasks wait for addresses, and the networks could not be read."""
    is_waiting = bool(case.new_tasks) or (
        case.service.endpoint_mode == "vip" and case.service.network_ids and not case.service.virtual_ips
    )
    if "networks" not in case.unread or not is_waiting:
        return None
    return Explanation(
        "networks-unread",
        ServiceStatus.UNKNOWN,
        Confidence.POSSIBLE,
        "it waits for addresses, and the networks cannot be read",
        "Whether they are full, gone or without a subnet is not known.",
        (*vip_rows(case), *(state_row(case, task) for task in case.new_tasks[:1])),
        command="docker network ls",
    )


def missing_network(case: ServiceContext) -> Explanation | None:
    """The service names a network that no longer exists, and its tasks wait for it."""
    waiting = [task for task in case.new_tasks if case.age_s(task.since) >= PASSING_S]
    if not case.missing_networks or not waiting:
        return None
    line = case.line(case.service.id, *case.missing_networks, *(task.id for task in waiting))
    is_said = line is not None and line.signature.id in ALLOCATION_SIGNATURES
    is_long = case.age_s(waiting[0].since) >= case.thresholds.new_task_s
    id_text = ", ".join(id_[:12] for id_ in case.missing_networks)
    name = shlex.quote(case.service.name)
    return Explanation(
        "network-gone",
        ServiceStatus.HELD_UP,
        Confidence.CERTAIN if is_said or is_long else Confidence.LIKELY,
        f"its network {id_text} no longer exists",
        "The service names a network by an ID that no longer exists. A newer network with the same name does not "
        "replace it. Its tasks wait in New forever.",
        (*vip_rows(case), state_row(case, waiting[0]), *line_rows((line,))),
        is_address_problem=True,
        advice=f"Attach the network that exists now: `docker service update --network-rm {case.missing_networks[0]} "
        f"--network-add NETWORK {name}`, or deploy the stack again.",
        command=f"docker service inspect --format '{{{{json .Spec.TaskTemplate.Networks}}}}' {name}",
    )


def network_without_subnet(case: ServiceContext) -> Explanation | None:
    """A network of the service never got a subnet, so nothing on it gets an address."""
    ids_without_subnet = [
        network_id for network_id in case.needs if not case.swarm.networks[network_id].is_allocated
    ]
    if not ids_without_subnet or not (set(ids_without_subnet) & set(case.without_vip) or case.new_tasks):
        return None
    network = case.swarm.networks[ids_without_subnet[0]]
    line = case.line(network.id) or case.line(case.service.id, among=ALLOCATION_SIGNATURES)
    age_s = case.age_s(network.created)
    is_young = age_s < case.thresholds.unallocated_s and line is None
    waiting = case.new_tasks[:1]
    reason = line.signature.meaning if line is not None else (
        f"{why_unallocated(network)}: dockerd's log on the leader says which."
    )  # fmt: skip
    return Explanation(
        "network-without-subnet",
        ServiceStatus.CONVERGING if is_young else ServiceStatus.HELD_UP,
        Confidence.POSSIBLE if is_young else Confidence.CERTAIN,
        f"its network {network.name} has no subnet",
        f"{network.name} exists, but Swarm gave it no addresses to hand out. {reason}",
        (
            *vip_rows(case),
            *(state_row(case, task) for task in waiting),
            Evidence(f"network {network.name}", "IPAM.Config", f"none, {duration(age_s)} after its creation"),
            *line_rows((line,)),
        ),
        is_address_problem=True,
        advice="Do not redeploy onto it. Remove the network and create it with a free --subnet, then deploy.",
        command=f"docker network inspect {shlex.quote(network.name)}",
    )


def pending_allocations(case: ServiceContext) -> Explanation | None:
    """The service waits for its allocation, and no network of it is visibly short of addresses."""
    missing = [network_name(case, network_id) for network_id in case.without_vip]
    waited_s = max(
        [case.age_s(task.since) for task in case.new_tasks]
        or ([case.age_s(case.service.updated)] if missing else [])
        or [0.0]
    )
    if waited_s < case.thresholds.new_task_s or not (missing or case.new_tasks):
        return None
    line = case.line(case.service.id, *(task.id for task in case.new_tasks))
    lacks = f"no virtual IP on {', '.join(missing)}" if missing else "no addresses for its tasks"
    return Explanation(
        "pending-allocations",
        ServiceStatus.HELD_UP,
        Confidence.POSSIBLE,
        f"Swarm has given it {lacks} yet",
        f"It has waited for {duration(waited_s)}, and as far as known its networks have free addresses. "
        "The leader may be busy or stuck, a published port may be taken, or a network was full a moment ago. The "
        "application has not been started, and is not at fault.",
        (
            *vip_rows(case),
            service_row(case, "UpdatedAt", f"{duration(case.age_s(case.service.updated))} ago"),
            *(state_row(case, task) for task in case.new_tasks[:1]),
            *line_rows((line,)),
        ),
        advice="dockerd on the leader logs why an allocation fails, the first time at level error.",
        command="journalctl -u docker --since '1 hour ago' --grep allocation",
    )

"""Causes that a task itself reports, and those that dockerd's log tells about an allocation."""

from console.causes.registry import cause_of
from console.causes.values import Area, CauseMatch, ErrorSource, fill_command, fill_sentence
from console.diagnosis.why.case import ServiceContext, Slot
from console.diagnosis.why.evidence import (
    Evidence,
    Explanation,
    ServiceStatus,
    address_rows,
    count_rows,
    error_rows,
    failure_count_text,
    line_rows,
    network_name,
    network_rows,
    node_name,
    service_row,
    state_row,
    task_row,
    vip_rows,
)
from console.diagnosis.why.networks import ADDRESS_IN_USE
from console.diagnosis.why.placement import (
    down_slots,
    holder_text,
    not_an_address_problem,
    only_port,
    port_rows,
    scheduling_advice,
    troubled_slots,
)
from console.durations import duration
from console.journal.failures import ALLOCATIONS
from console.journal.matching import LogEvent
from console.journal.parsing import parse_line
from console.journal.signatures import Confidence
from console.swarm.model import Task
from console.text import ending

REFUSAL_SIGNATURES = ALLOCATIONS | {"task-address-taken"}
_DECISIVE_AREAS = (Area.ADDRESS, Area.NETWORK, Area.PORT)
"""Areas whose causes tell by themselves whether it is about an address; elsewhere the task's addresses tell."""
_BY_MANAGER = "constraint-enforced"


def refused_allocation(case: ServiceContext) -> Explanation | None:
    """The service got no address, and dockerd logs another reason than a full network, or one that no table knows."""
    if not (case.without_vip or case.new_tasks):
        return None
    ids = (case.service.id, *(task.id for task in case.new_tasks), *(case.without_vip or case.needs))
    line = case.line(*ids, among=REFUSAL_SIGNATURES)
    if line is None:
        return None
    reason = reason_of(line)
    match = cause_of(reason, ErrorSource.ALLOCATOR)
    names = {"reason": ending(reason), "service": case.service.name}
    verdict = (
        fill_sentence(match.cause.verdict, names)
        if match is not None
        else f"Swarm's allocation for it failed: {ending(reason)}"
    )
    where = [line.ids["network"]] if "network" in line.ids else [*(case.without_vip or case.needs)]
    accounts = [case.swarm.accounts[network_id] for network_id in where if network_id in case.swarm.accounts]
    room = [
        f"{account.network.name} has free addresses as far as is known: {account.accounted} of its {account.capacity} addresses have a "
        "known holder."
        for account in accounts
        if account.capacity and account.free_at_most > 0
    ]
    return Explanation(
        "allocation-refused",
        ServiceStatus.BLOCKED,
        line.signature.certainty,
        verdict,
        " ".join(
            (line.signature.meaning, *room, "The application has not been started, and is not at fault.")
        ),
        (
            *vip_rows(case),
            *(state_row(case, task) for task in case.new_tasks[:1]),
            *(row for account in accounts for row in network_rows(case, account)),
            *line_rows((line,)),
        ),
        is_address_problem=True if match is None else match.cause.is_address_problem,
        advice=line.signature.advice,
        command=fill_command(
            "vipconsole glance {network}", {"network": network_name(case, where[0])} if where else {}
        )
        if where
        else "journalctl -u docker --since '1 hour ago' --grep allocation",
    )


def reason_of(line: LogEvent) -> str:
    """Return dockerd's own reason: the error of the line, or the line itself where it cannot be taken apart."""
    parsed_line = parse_line(line.text)
    return parsed_line.error or parsed_line.message


def reported_cause(case: ServiceContext) -> Explanation | None:
    """A task of the service reports an error that the table of causes knows."""
    for slot, task in _tasks_with_errors(case):
        match = cause_of(task.error)
        if match is not None:
            return _explanation(case, slot, task, match)
    return None


def reported_error(case: ServiceContext) -> Explanation | None:
    """A task that has not ended reports an error that no table knows: it is shown, and not judged."""
    slot_and_task = next(
        (pair for pair in _tasks_with_errors(case) if pair[1] is pair[0].newest and pair[1].is_alive), None
    )
    if slot_and_task is None:
        return None
    _, task = slot_and_task
    return Explanation(
        "reported-error",
        ServiceStatus.BLOCKED,
        Confidence.LIKELY,
        f"its task is {task.state} and reports an error: {ending(task.error)}",
        "Swarm tries again by itself while the error lasts. The application has not been started.",
        (*error_rows(case, task), *_node_rows(case, task), *address_rows(case, task)),
        command=fill_command("docker service ps --no-trunc {service}", {"service": case.service.name}),
    )


def missing_error_rows(case: ServiceContext, explanation: Explanation) -> tuple[Evidence, ...]:
    """Return the errors of the newest tasks that an explanation does not show, whatever their state.

    Where all is well, an error of a task that nobody wants any more is history.
    """
    shown_values = {row.value for row in explanation.evidence}
    slots = case.active_slots if explanation.standing is ServiceStatus.RUNS else case.slots
    tasks = [slot.newest for slot in slots if slot.newest.error]
    return tuple(
        task_row(case, task, "Status.Err", f'"{task.error}"')
        for task in tasks
        if f'"{task.error}"' not in shown_values
    )[:3]


def _tasks_with_errors(case: ServiceContext) -> list[tuple[Slot, Task]]:
    """Return the tasks whose error may hold the service up: those that are under way first, then those that ended."""
    under_way = [
        (slot, slot.newest)
        for slot in case.active_slots
        if slot.newest.error and slot.newest.is_alive and slot.newest.state != "running"
    ]
    ended_tasks = down_slots(case)
    return [*under_way, *ended_tasks, *(pair for pair in troubled_slots(case) if pair not in ended_tasks)]


def _explanation(case: ServiceContext, slot: Slot, task: Task, match: CauseMatch) -> Explanation:
    cause = match.cause
    is_back = slot.newest is not task and slot.newest.state == "running"
    names = {
        **match.names,
        "reason": ending(task.error.strip()),
        "service": case.service.name,
        **({"node": node_name(case, task)} if task.node_id else {}),
        **({"image": task.image or case.service.image} if "image" not in match.names else {}),
    }
    if "network" in match.names:
        names["network"] = network_name(case, match.names["network"])
    if cause.area is Area.PORT:
        names["port"] = match.names.get("port") or only_port(case)
        names["holder"] = holder_text(case, task, names["port"])
        names = {key: value for key, value in names.items() if value}
    is_address, words = (
        (cause.is_address_problem, "")
        if cause.area in _DECISIVE_AREAS
        else not_an_address_problem(case, task)
    )
    again = (
        f" The newest task has run for {duration(case.age_s(slot.newest.since))}: too short to tell whether it stays."
        if is_back
        else ""
    )
    count = failure_count_text(case, slot).removeprefix(", ")
    advice = _advice(case, match) or fill_command(cause.advice, names)
    return Explanation(
        _name(task, match),
        ServiceStatus.CONVERGING if is_back else ServiceStatus.BLOCKED,
        _certainty(task, match, is_back=is_back),
        fill_sentence(cause.verdict, names),
        f"{_meaning(case, match)}{f' It has failed {count}.' if count else ''}{again}{words}",
        (
            *_image_rows(case, match),
            *error_rows(case, task),
            *_node_rows(case, task),
            *count_rows(case, slot),
            *_extra_rows(case, task, match),
            *address_rows(case, task),
        ),
        is_address_problem=is_address,
        advice=advice,
        command=fill_command(cause.command or "docker service ps --no-trunc {service}", names),
    )


def _name(task: Task, match: CauseMatch) -> str:
    # Machines have known what a node cannot mount as `rejected` from the first version on.
    return "rejected" if match.cause.area is Area.STORAGE and task.state == "rejected" else match.cause.id


def _certainty(task: Task, match: CauseMatch, *, is_back: bool) -> Confidence:
    if is_back:
        return Confidence.LIKELY
    # The one text of the allocator's that was proven with nothing else in front.
    return Confidence.CERTAIN if task.error == ADDRESS_IN_USE else match.cause.certainty


def _meaning(case: ServiceContext, match: CauseMatch) -> str:
    if match.cause.id == _BY_MANAGER and any(
        "node.role" in constraint for constraint in case.service.constraints
    ):
        return (
            f"{match.cause.meaning} It requires a `node.role`, which changes when a node is demoted or promoted, as in a "
            "hand-over of the leader."
        )
    if match.cause.id == "no-suitable-node" and "reasons" not in match.names:
        return (
            "The scheduler found no node for it and gives no reason. Usually no node at all may take tasks."
        )
    return match.cause.meaning


def _advice(case: ServiceContext, match: CauseMatch) -> str:
    if match.cause.id == "no-suitable-node":
        return scheduling_advice(match.names.get("reasons", ""))
    if match.cause.id == "port-taken" and case.service.mode.startswith("global"):
        return (
            "Free the port or publish another one. A global service cannot be scaled: take it off that node with a "
            "constraint until then. On Docker 29 such retries have been reported to destroy the sandbox of the shared "
            "overlay on that node."
        )
    return ""


def _image_rows(case: ServiceContext, match: CauseMatch) -> tuple[Evidence, ...]:
    if match.cause.area is not Area.IMAGE:
        return ()
    return (service_row(case, "ContainerSpec.Image", case.service.image),)


def _node_rows(case: ServiceContext, task: Task) -> tuple[Evidence, ...]:
    return (task_row(case, task, "NodeID", node_name(case, task)),) if task.node_id else ()


def _extra_rows(case: ServiceContext, task: Task, match: CauseMatch) -> tuple[Evidence, ...]:
    if match.cause.area is Area.SCHEDULING:
        constraints = ", ".join(case.service.constraints)
        return (service_row(case, "Placement.Constraints", constraints),) if constraints else ()
    if match.cause.area is Area.PORT:
        return port_rows(case, task, match.names.get("port", "") or only_port(case))
    if "subnet" in match.names:
        return _interface_rows(case, task, match.names["subnet"])
    return ()


def _interface_rows(case: ServiceContext, task: Task, subnet: str) -> tuple[Evidence, ...]:
    """Return which network a subnet is of, and what its interface is called.

    It is made as `vx-<VNI>-<beginning of the network's ID>` on the node, and becomes `vxlan0` in the network's own
    namespace (libnetwork drivers/overlay).
    """
    networks = [
        network
        for network in case.swarm.networks.values()
        if any(str(subnet_of_network.network) == subnet for subnet_of_network in network.subnets)
    ]
    where = f"node {node_name(case, task)}"
    if not networks:
        return (Evidence(where, "interface", f"a VXLAN interface of the network with subnet {subnet}"),)
    return tuple(
        row
        for network in networks
        for row in (
            Evidence(f"network {network.name}", "IPAM.Config.Subnet", subnet),
            Evidence(
                where,
                "interface",
                f"vx-…-{network.id[:5]}, or vxlan0 in the namespace /run/docker/netns/*-{network.id[:10]}",
            ),
        )
    )

"""What is on a network, and what recreating the network would do to each of it. Pure."""

from collections import defaultdict
from enum import StrEnum
from ipaddress import IPv4Address

from console.addresses.accounting import NetworkAccount
from console.addresses.holders import HolderKind
from console.diagnosis.why.progress import PAUSE_STATES
from console.errors import Result, Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, Service, SwarmState, Task

UPDATING = ("updating", "rollback_started")


class RecreationImpact(StrEnum):
    """What recreating a network does to something on it."""

    RESTARTS = "stopped, then started"
    STAYS_DOWN = "moved; no task of it runs"
    RECONNECTS = "disconnected, then reconnected"
    WAITS = "must end first"
    REFUSED = "refused"


_RANK = {
    impact: rank
    for rank, impact in enumerate(
        (
            RecreationImpact.REFUSED,
            RecreationImpact.WAITS,
            RecreationImpact.RESTARTS,
            RecreationImpact.RECONNECTS,
            RecreationImpact.STAYS_DOWN,
        )
    )
}


@frozen
class Attachment:
    """A service or container on a network."""

    kind: str
    """`service`, `container`, or `task` where its service is gone."""
    name: str
    id: str
    how: str
    """`replicated`, `global` …; the node of a container or task."""
    alive: int
    """Its tasks on this network that hold addresses."""
    desired_tasks: int | None
    """None where only Swarm knows."""
    addresses: tuple[IPv4Address, ...]
    impact: RecreationImpact
    because: str = ""
    """Why it is refused or waits, and what to do about it; a sentence."""


@frozen
class Attachments:
    """Everything on a network, by name; what would refuse its recreation first."""

    all: tuple[Attachment, ...]
    refusal: str = ""
    """Why this network cannot be recreated whatever is on it; a sentence."""

    def of(self, kind: str) -> tuple[Attachment, ...]:
        """Return the services, the containers or the tasks alone."""
        return tuple(attachment for attachment in self.all if attachment.kind == kind)

    def with_impact(self, impact: RecreationImpact) -> tuple[Attachment, ...]:
        """Return those to which recreating does this."""
        return tuple(attachment for attachment in self.all if attachment.impact is impact)


def find_attachments(account: NetworkAccount, swarm: SwarmState) -> Result[Attachments]:
    """Return what is on a network; unknown where services or tasks could not be read."""
    for result in (swarm.services, swarm.tasks):
        if isinstance(result, Unknown):
            return result
    network = account.network
    addresses: defaultdict[str, list[IPv4Address]] = defaultdict(list)
    names: dict[str, str] = {}
    for address, holders in account.holders():
        for holder in holders:
            if holder.kind is not HolderKind.LOAD_BALANCER:
                addresses[holder.id].append(address)
                names[holder.id] = holder.name
    tasks: defaultdict[str, list[Task]] = defaultdict(list)
    tasks_without_service: list[Task] = []
    services = {service.id: service for service in known(swarm.services, ())}
    for task in known(swarm.tasks, ()):
        if task.is_alive and any(attachment.network_id == network.id for attachment in task.attachments):
            if task.service_id in services:
                tasks[task.service_id].append(task)
            else:
                tasks_without_service.append(task)
    here = "" if isinstance(swarm.engine, Unknown) else swarm.engine.node_id
    nodes = {node.id: node.hostname for node in known(swarm.nodes, ())}
    attachments = [
        _service_attachment(service, tasks[service.id], addresses)
        for service in services.values()
        if _is_on(service, network) or tasks[service.id] or service.id in addresses
    ]
    attachments += [
        _task_attachment(task, names.get(task.id, f"task {task.id[:12]}"), addresses, nodes, here)
        for task in tasks_without_service
    ]
    refusal = (
        "Services do not name the ingress network, and Swarm recreates it itself." if network.ingress else ""
    )
    return Attachments(
        tuple(sorted(attachments, key=lambda attachment: (_RANK[attachment.impact], attachment.name))),
        refusal,
    )


def _is_on(service: Service, network: Network) -> bool:
    return network.id in service.network_ids or (network.ingress and service.publishes_ingress)


def _service_attachment(
    service: Service, tasks: list[Task], addresses: defaultdict[str, list[IPv4Address]]
) -> Attachment:
    impact, because = _service_impact(service, tasks)
    own = (*addresses[service.id], *(address for task in tasks for address in addresses[task.id]))
    return Attachment(
        "service",
        service.name,
        service.id,
        service.mode,
        len(tasks),
        service.replicas,
        own,
        impact,
        because,
    )


def _service_impact(service: Service, tasks: list[Task]) -> tuple[RecreationImpact, str]:
    if service.is_job:
        return (
            RecreationImpact.REFUSED,
            "A job cannot be stopped and started again. Let it end, or remove it.",
        )
    if service.update_state in UPDATING:
        return RecreationImpact.REFUSED, "It is being updated: wait until that is done."
    if service.update_state in PAUSE_STATES:
        return RecreationImpact.REFUSED, "Its last update stopped half-way: finish it or roll it back."
    if not tasks and not service.replicas:
        return RecreationImpact.STAYS_DOWN, ""
    return RecreationImpact.RESTARTS, ""


def _task_attachment(
    task: Task,
    name: str,
    addresses: defaultdict[str, list[IPv4Address]],
    nodes: dict[str, str],
    here: str,
) -> Attachment:
    node = nodes.get(task.node_id, task.node_id[:12])
    impact, because = RecreationImpact.WAITS, "Its service is gone, but it has not ended."
    if task.is_standalone:
        impact, because = RecreationImpact.RECONNECTS, ""
        if task.node_id != here:
            impact, because = (
                RecreationImpact.REFUSED,
                f"It runs on {node}: only the engine there can disconnect it.",
            )
    kind = "container" if task.is_standalone else "task"
    return Attachment(kind, name, task.id, node, 1, None, tuple(addresses[task.id]), impact, because)

"""Causes that are about nodes: no node takes the task, or somebody else has its port."""

import shlex

from console.causes.nodes import REASONS
from console.diagnosis.why.case import ServiceContext, Slot
from console.diagnosis.why.evidence import (
    Evidence,
    Explanation,
    ServiceStatus,
    address_rows,
    node_name,
    service_row,
    state_row,
)
from console.durations import duration
from console.errors import Unknown, known
from console.journal.signatures import Confidence
from console.swarm.model import PublishedPort, Service, Task

PULL_TOO_LONG_S = 900.0
_NODES = "docker node inspect --pretty $(docker node ls -q)"


def only_port(case: ServiceContext) -> str:
    """Return the port that can be meant where the error names none: the only one that the service publishes."""
    ports = {port.port for port in case.service.ports}
    return str(ports.pop()) if len(ports) == 1 else ""


def holder_text(case: ServiceContext, task: Task, port: str) -> str:
    """Return ` by shop_web` where it is known who has the port on the node of the task; nothing elsewhere."""
    names = [service.name for service, _ in _holders(case, task, port)]
    names += [f"the container {container}" for container in _outside(case, task, port)]
    if names:
        return f" by {' and '.join(names)}"
    return " by an older task of its own" if _own_tasks(case, task, port) else ""


def port_rows(case: ServiceContext, task: Task, port: str) -> tuple[Evidence, ...]:
    """Return who has the port, or where to look where nobody in the swarm has it."""
    if not port:
        return ()
    rows = [
        Evidence(
            f"service {service.name}",
            "Endpoint.Ports",
            f"publishes {port}/{published_port.protocol} "
            + (
                "through ingress, on every node"
                if published_port.is_ingress
                else "in host mode, with a task on that node"
            ),
        )
        for service, published_port in _holders(case, task, port)
    ]
    rows += [
        Evidence(
            f"service {case.service.name}",
            "own task",
            f"{own_task.id[:12]} is still {own_task.state} on that node",
        )
        for own_task in _own_tasks(case, task, port)
    ]
    rows += [
        Evidence(f"container {container}", "Ports", f"publishes {port}, outside the swarm")
        for container in _outside(case, task, port)
    ]
    not_found_text = (
        f"no service of the swarm has it there: a container outside the swarm or another program has it. On that node, "
        f"`docker ps --filter publish={port}` and `ss -lntup sport = :{port}` show which"
    )
    return tuple(rows) or (Evidence(f"node {node_name(case, task)}", f"port {port}", not_found_text),)


def _holders(case: ServiceContext, task: Task, port: str) -> list[tuple[Service, PublishedPort]]:
    services = known(case.swarm.snapshot.swarm.services, ())
    return [
        (service, published_port)
        for service in services
        if service.id != case.service.id
        for published_port in service.ports
        if str(published_port.port) == port
        and (published_port.is_ingress or _has_task_on(case, service, task.node_id))
    ]


def _outside(case: ServiceContext, task: Task, port: str) -> tuple[str, ...]:
    engine = case.swarm.snapshot.swarm.engine
    if isinstance(engine, Unknown) or task.node_id != engine.node_id or not port.isdigit():
        return ()
    return case.swarm.outside.get(int(port), ())


def _has_task_on(case: ServiceContext, service: Service, node_id: str) -> bool:
    tasks = case.swarm.tasks.get(service.id, ())
    return any(task.node_id == node_id and task.is_alive and task.container_id for task in tasks) or any(
        task.node_id == node_id and task.state == "running" for task in tasks
    )


def _own_tasks(case: ServiceContext, task: Task, port: str) -> list[Task]:
    """Return older tasks of the service that still run on the node and publish the port there in host mode."""
    if not any(
        str(published_port.port) == port and not published_port.is_ingress
        for published_port in case.service.ports
    ):
        return []
    return [
        own_task
        for own_task in case.swarm.tasks.get(case.service.id, ())
        if own_task.id != task.id and own_task.node_id == task.node_id and own_task.state == "running"
    ]


def not_an_address_problem(case: ServiceContext, *tasks: Task) -> tuple[bool | None, str]:
    """Return False and a sentence where all these tasks had the addresses that they need, else that it cannot be told."""
    if tasks and not case.needs and not case.missing_networks and not case.unread:
        return False, " This is not an address problem: the service needs no address of an overlay."
    if tasks and all(case.had_addresses(task) for task in tasks):
        return False, " This is not an address problem: the service and its tasks had their addresses."
    return None, ""


def scheduling_advice(reasons: str) -> str:
    """Return what to do about the reasons for which the scheduler places a task nowhere."""
    reasons_text = reasons.lower()
    advice = [text for sign, text in REASONS if sign in reasons_text]
    return " ".join(advice) or "See which nodes are active and ready: `docker node ls`."


def no_node_for_global(case: ServiceContext) -> Explanation | None:
    """A global service has no task at all: no node meets its constraints."""
    is_young = case.age_s(case.service.updated) < case.thresholds.new_task_s
    if case.service.mode != "global" or case.slots or case.without_vip or is_young:
        return None
    constraints = ", ".join(case.service.constraints)
    why = f" meets its constraints ({constraints})" if constraints else " is active and ready"
    return Explanation(
        "no-node-for-global",
        ServiceStatus.BLOCKED,
        Confidence.LIKELY,
        f"no node{why}",
        "A global service runs a task on every node that fits, and no node fits this one. That may be intended.",
        (service_row(case, "Placement.Constraints", constraints or "none"),),
        is_address_problem=False,
        advice="Label a node as the constraints ask, or change them.",
        command=_NODES,
    )


def preparation(case: ServiceContext) -> Explanation | None:
    """A task was given a node, which prepares it: mostly, it pulls the image."""
    early = ("assigned", "accepted", "preparing", "ready", "starting")
    tasks = [slot.newest for slot in case.active_slots if slot.newest.state in early]
    if not tasks:
        return None
    task = min(tasks, key=lambda task: task.since)
    age_s = case.age_s(task.since)
    is_address, words = not_an_address_problem(case, task)
    is_pulling = task.state == "preparing"
    is_long = is_pulling and age_s >= PULL_TOO_LONG_S
    activity = (
        "its image is being pulled" if is_pulling
        else "its container is starting" if task.state == "starting"
        else "its task is about to start"
    )  # fmt: skip
    name = shlex.quote(case.service.name)
    return Explanation(
        "preparing" if is_pulling else "starting",
        ServiceStatus.BLOCKED if is_long else ServiceStatus.CONVERGING,
        Confidence.LIKELY,
        f"{activity}, for {duration(age_s)}",
        "A container with a health check counts as starting until it is healthy."
        f"{' A pull that takes this long usually hangs.' if is_long else ''}{words}",
        (
            state_row(case, task),
            service_row(case, "ContainerSpec.Image", task.image),
            *address_rows(case, task),
        ),
        is_address_problem=is_address,
        command=f"docker pull {shlex.quote(task.image)}"
        if is_pulling
        else f"docker service ps --no-trunc {name}",
    )


def troubled_slots(case: ServiceContext) -> list[tuple[Slot, Task]]:
    """Return the slots whose last task ended by itself and that have not settled since, each with that task."""
    slots: list[tuple[Slot, Task]] = []
    for slot in case.slots:
        failures = slot.failures(case.now)
        if failures and not slot.is_settled(case.now) and not slot.newest.is_stopping:
            slots.append((slot, failures[0]))
    return slots


def down_slots(case: ServiceContext) -> list[tuple[Slot, Task]]:
    """Return those of the troubled slots in which nothing runs now."""
    return [pair for pair in troubled_slots(case) if pair[0].newest.state != "running"]

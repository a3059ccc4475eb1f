"""Who has a port of a node that a task could not have, as far as the swarm shows it."""

from console.health.why.case import Case
from console.health.why.rows import node_name
from console.health.why.values import Evidence
from console.parts import Unknown, known
from console.swarm.values import PublishedPort, Service, Task


def only_port(case: Case) -> str:
    """Return the port that can be meant where the error names none: the only one that the service publishes."""
    found = {each.port for each in case.service.ports}
    return str(found.pop()) if len(found) == 1 else ""


def holder_in_words(case: Case, task: Task, port: str) -> str:
    """Return ` by shop_web` where it is known who has the port on the node of the task; nothing elsewhere."""
    names = [service.name for service, _ in _holders(case, task, port)]
    names += [f"the container {each}" for each in _outside(case, task, port)]
    if names:
        return f" by {' and '.join(names)}"
    return " by an older task of its own" if _own_tasks(case, task, port) else ""


def port_rows(case: Case, task: Task, port: str) -> tuple[Evidence, ...]:
    """Return who has the port, or where to look where nobody in the swarm has it."""
    if not port:
        return ()
    rows = [
        Evidence(
            f"service {service.name}",
            "Endpoint.Ports",
            f"publishes {port}/{each.protocol} "
            + (
                "through ingress, on every node"
                if each.is_ingress
                else "in host mode, with a task on that node"
            ),
        )
        for service, each in _holders(case, task, port)
    ]
    rows += [
        Evidence(
            f"service {case.service.name}", "own task", f"{each.id[:12]} is still {each.state} on that node"
        )
        for each in _own_tasks(case, task, port)
    ]
    rows += [
        Evidence(f"container {each}", "Ports", f"publishes {port}, outside the swarm")
        for each in _outside(case, task, port)
    ]
    unknown = (
        f"no service of the swarm has it there: a container outside the swarm or another program does. On that node, "
        f"`docker ps --filter publish={port}` and `ss -lntup sport = :{port}` tell which"
    )
    return tuple(rows) or (Evidence(f"node {node_name(case, task)}", f"port {port}", unknown),)


def _holders(case: Case, task: Task, port: str) -> list[tuple[Service, PublishedPort]]:
    services = known(case.swarm.observation.swarm.services, ())
    return [
        (service, each)
        for service in services
        if service.id != case.service.id
        for each in service.ports
        if str(each.port) == port and (each.is_ingress or _has_task_on(case, service, task.node_id))
    ]


def _outside(case: Case, task: Task, port: str) -> tuple[str, ...]:
    engine = case.swarm.observation.swarm.engine
    if isinstance(engine, Unknown) or task.node_id != engine.node_id or not port.isdigit():
        return ()
    return case.swarm.outside.get(int(port), ())


def _has_task_on(case: Case, service: Service, node_id: str) -> bool:
    tasks = case.swarm.tasks.get(service.id, ())
    return any(each.node_id == node_id and each.is_alive and each.container_id for each in tasks) or any(
        each.node_id == node_id and each.state == "running" for each in tasks
    )


def _own_tasks(case: Case, task: Task, port: str) -> list[Task]:
    """Return older tasks of the service that still run on the node and publish the port there in host mode."""
    if not any(str(each.port) == port and not each.is_ingress for each in case.service.ports):
        return []
    return [
        each
        for each in case.swarm.tasks.get(case.service.id, ())
        if each.id != task.id and each.node_id == task.node_id and each.state == "running"
    ]

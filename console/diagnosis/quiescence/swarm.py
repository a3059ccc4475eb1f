"""What the swarm must not be doing: updating, starting, stopping, converging; and tasks that are stuck."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

from console.diagnosis.quiescence.services import UNDER_WAY, Trouble, is_stopping, owner
from console.diagnosis.quiescence.values import Blocker, Check, CheckState, PreviousChecks, QuiescenceRules
from console.diagnosis.values import Snapshot
from console.errors import Result, Unknown, known
from console.swarm.model import Service, SwarmState, Task
from console.text import plural

T = TypeVar("T")
STUCK_HINT = "Fix or remove it, or accept it as it is: --accept NAME. `vipconsole why NAME` shows the cause."


def find_leftovers(
    snapshot: Snapshot, previous: PreviousChecks, rules: QuiescenceRules, troubles: Iterable[Trouble]
) -> tuple[Trouble, ...]:
    """Return the tasks that block though no service is in trouble for them; `troubles` are those of services.

    Those of a service that is gone block once they have not changed for as long as the rules say, and are stuck
    then. Those that stop on a node that is down block from the first snapshot on, and are stuck when they were seen for
    that long: Swarm gives them up after 24 hours (`orphaned`), and nothing tells since when the node is down.
    """
    swarm = snapshot.swarm
    if isinstance(swarm.services, Unknown):
        return ()
    services = {service.id: service for service in swarm.services}
    tasks_by_service = _group_by_missing_service(
        swarm, services, {trouble.service_id for trouble in troubles}
    )
    missing = tuple(_troubles_of_missing_services(tasks_by_service, snapshot.now, rules))
    excused_ids = {trouble.service_id for trouble in (*troubles, *missing) if trouble.is_excused}
    return (*missing, *_troubles_on_down_nodes(snapshot, services, excused_ids, previous, rules))


def nodes_down(swarm: SwarmState) -> dict[str, str]:
    """Return the host names of nodes that do not answer, by ID."""
    return {node.id: node.hostname for node in known(swarm.nodes, ()) if node.state != "ready"}


def _group_by_missing_service(
    swarm: SwarmState, services: dict[str, Service], trouble_ids: set[str]
) -> dict[str, list[Task]]:
    down = nodes_down(swarm)
    tasks_by_service: defaultdict[str, list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        if task.is_standalone or task.service_id in services or task.service_id in trouble_ids:
            continue
        blocks = is_stopping(task) or (task.is_alive and task.state != "running")
        ends_in_vain = is_stopping(task) and task.node_id in down
        if blocks and not ends_in_vain:
            tasks_by_service[task.service_id].append(task)
    return dict(tasks_by_service)


def _troubles_of_missing_services(
    tasks_by_service: dict[str, list[Task]], now: datetime, rules: QuiescenceRules
) -> Iterator[Trouble]:
    for service_id, tasks in tasks_by_service.items():
        changed_at = max(task.since for task in tasks)
        if now - changed_at < timedelta(seconds=rules.stuck_after_s):
            continue
        name = owner(tasks[0], {})
        aliases = frozenset((service_id, service_id[:12]))
        yield Trouble(
            service_id,
            name,
            f"is gone, but has {plural(len(tasks), 'task')} left ({tasks[0].state})",
            changed_at,
            is_stuck=True,
            is_accepted=bool(rules.accepted & {name, *aliases}),
            aliases=aliases,
        )


def _troubles_on_down_nodes(
    snapshot: Snapshot,
    services: dict[str, Service],
    excused_ids: set[str],
    previous: PreviousChecks,
    rules: QuiescenceRules,
) -> Iterator[Trouble]:
    down, now = nodes_down(snapshot.swarm), snapshot.now
    groups: defaultdict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in known(snapshot.swarm.tasks, ()):
        if is_stopping(task) and task.node_id in down and task.service_id not in excused_ids:
            groups[owner(task, services), task.node_id].append(task)
    for (name, node_id), tasks in groups.items():
        key = f"{name} on {node_id}"
        # A single snapshot has nothing before it to go by, but for how long the tasks have not changed.
        default_since = now if rules.dwell_s else max(task.since for task in tasks)
        since = previous.unsettled_since.get(key, default_since)
        is_stuck = now - since >= timedelta(seconds=rules.stuck_after_s)
        service_id = tasks[0].service_id
        missing_ids = () if service_id in services or not service_id else (service_id, service_id[:12])
        aliases = frozenset((down[node_id], *missing_ids))
        yield Trouble(
            key,
            name,
            f"has {plural(len(tasks), 'task')} stopping on a node that is down ({down[node_id]})",
            since,
            is_stuck=is_stuck,
            is_accepted=is_stuck and bool(rules.accepted & {name, *aliases}),
            aliases=aliases,
            task_ids=frozenset(task.id for task in tasks),
        )


def check_readable(code: str, title: str, *results: Result[T]) -> Check | None:
    """Return the check that rests on parts that could not be read, or None where they all were."""
    missing = next((result for result in results if isinstance(result, Unknown)), None)
    if missing is None:
        return None
    return Check(code, title, CheckState.UNKNOWN, note=missing.reason, hint=missing.hint)


def check_managers(swarm: SwarmState) -> Check:
    """Return whether the swarm has a leader and all its managers are reachable."""
    code, title = "managers", "managers and leader"
    missing = check_readable(code, title, swarm.engine, swarm.nodes)
    if missing:
        return missing
    managers = [node for node in known(swarm.nodes, ()) if node.is_manager]
    blockers = [
        Blocker(manager.hostname, f"cannot be reached ({manager.reachability or manager.state})")
        for manager in managers
        if manager.reachability not in ("reachable", "") or manager.state != "ready"
    ]
    if not any(manager.is_leader for manager in managers):
        blockers.append(Blocker("the swarm", "has no leader"))
    return _check(code, title, blockers, "Run `docker node ls` on the managers.")


def check_updates(swarm: SwarmState, excused_ids: frozenset[str]) -> Check:
    """Return which services are updating or rolling back. One that waits for an address would do so for ever."""
    code, title = "updates", "service updates"
    missing = check_readable(code, title, swarm.services)
    if missing:
        return missing
    return _check(
        code,
        title,
        [
            Blocker(
                service.name,
                "is updating" if service.update_state == "updating" else "is rolling back",
                service.update_started,
            )
            for service in known(swarm.services, ())
            if service.update_state in UNDER_WAY and service.id not in excused_ids
        ],
        "`docker service ps NAME` shows how far it is.",
    )


def check_tasks(swarm: SwarmState, excused_ids: frozenset[str]) -> Check:
    """Return the tasks between New and Starting, and those that are stopping.

    `excused_ids` are IDs of services and of single tasks.
    """
    code, title = "tasks", "tasks starting or stopping"
    missing = check_readable(code, title, swarm.tasks, swarm.services)
    if missing:
        return missing
    services = {service.id: service for service in known(swarm.services, ())}
    down = nodes_down(swarm)
    groups: defaultdict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        if is_stopping(task):
            word = "stopping on a node that is down" if task.node_id in down else "stopping"
        elif task.is_alive and task.state != "running":
            word = task.state
        else:
            continue
        if excused_ids.isdisjoint((task.service_id, task.id)):
            groups[owner(task, services), word].append(task)
    return _check(
        code,
        title,
        [
            Blocker(name, f"has {plural(len(tasks), 'task')} {word}", min(task.since for task in tasks))
            for (name, word), tasks in groups.items()
        ],
        "`docker service ps NAME` shows them.",
    )


def check_replicas(swarm: SwarmState, troubles: Iterable[Trouble]) -> Check:
    """Return which services do not have their replicas yet, and which jobs are not done."""
    code, title = "replicas", "replicas"
    missing = check_readable(code, title, swarm.services, swarm.tasks)
    if missing:
        return missing
    blockers = [
        Blocker(trouble.name, trouble.what, trouble.since)
        for trouble in troubles
        if not (trouble.is_excused or trouble.task_ids)
    ]
    return _check(code, title, blockers, "`docker service ps NAME` shows what is missing.")


def check_stuck(swarm: SwarmState, troubles: Collection[Trouble], rules: QuiescenceRules) -> Check:
    """Return which services, and tasks without one, are stuck, those that were accepted marked so."""
    code, title = "stuck", "stuck services"
    missing = check_readable(code, title, swarm.services, swarm.tasks)
    if missing:
        return missing
    blockers = tuple(
        Blocker(trouble.name, trouble.what, trouble.since, is_accepted=trouble.is_accepted)
        for trouble in troubles
        if trouble.is_excused
    )
    there = {service.name for service in known(swarm.services, ())}
    there = there.union(*({trouble.name, *trouble.aliases} for trouble in troubles))
    absent = sorted(rules.accepted - there)
    note = f"Accepted, but no service has that name: {', '.join(absent)}." if absent else ""
    if any(not blocker.is_accepted for blocker in blockers):
        return Check(code, title, CheckState.STUCK, blockers, note, STUCK_HINT)
    return Check(code, title, CheckState.QUIET, blockers, note)


def check_stacks(swarm: SwarmState, patterns: tuple[str, ...]) -> Check:
    """Return which stacks are there that should not be, where the settings say which should."""
    code, title = "stacks", "unexpected stacks"
    if not patterns:
        return Check(code, title, CheckState.UNCHECKED, note="No stacks are configured.")
    missing = check_readable(code, title, swarm.services)
    if missing:
        return missing
    stacks: dict[str, datetime] = {}
    for service in known(swarm.services, ()):
        if service.stack and not any(fnmatchcase(service.stack, pattern) for pattern in patterns):
            stacks[service.stack] = min(service.created, stacks.get(service.stack, service.created))
    return _check(
        code,
        title,
        [Blocker(name, "is deployed", since) for name, since in stacks.items()],
        "Remove it, or allow it in quiet.stacks.",
    )


def _check(code: str, title: str, blockers: Iterable[Blocker], hint: str) -> Check:
    blockers = tuple(blockers)
    return (
        Check(code, title, CheckState.BUSY, blockers, hint=hint)
        if blockers
        else Check(code, title, CheckState.QUIET)
    )

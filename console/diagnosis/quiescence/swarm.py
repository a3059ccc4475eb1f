"""What the swarm must not be doing: updating, starting, stopping, converging; and tasks that are stuck."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

from console.diagnosis.quiescence.services import UNDER_WAY, Trouble, is_stopping, owner
from console.diagnosis.quiescence.values import Blocker, Check, Memory, Rules, State
from console.diagnosis.values import Observation
from console.errors import Part, Unknown, known
from console.swarm.values import Service, SwarmState, Task
from console.text import plural


def find_leftovers(
    observation: Observation, memory: Memory, rules: Rules, troubles: Iterable[Trouble]
) -> tuple[Trouble, ...]:
    """Return the tasks that block though no service is in trouble for them; `troubles` are those of services.

    Those of a service that is gone block once they have not changed for as long as the rules say, and are stuck
    then. Those that stop on a node that is down block from the first snapshot on, and are stuck when they were seen for
    that long: Swarm gives them up after 24 hours (`orphaned`), and nothing tells since when the node is down.
    """
    swarm = observation.swarm
    if isinstance(swarm.services, Unknown):
        return ()
    services = {each.id: each for each in swarm.services}
    unclaimed = _by_lost_service(swarm, services, {each.service_id for each in troubles})
    gone = tuple(_of_lost_services(unclaimed, observation.now, rules))
    excused = {each.service_id for each in (*troubles, *gone) if each.is_excused}
    return (*gone, *_on_nodes_down(observation, services, excused, memory, rules))


def nodes_down(swarm: SwarmState) -> dict[str, str]:
    """Return the host names of nodes that do not answer, by ID."""
    return {each.id: each.hostname for each in known(swarm.nodes, ()) if each.state != "ready"}


def _by_lost_service(
    swarm: SwarmState, services: dict[str, Service], told: set[str]
) -> dict[str, list[Task]]:
    down = nodes_down(swarm)
    found: defaultdict[str, list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        is_lost = not task.is_standalone and task.service_id not in services
        blocks = is_stopping(task) or (task.is_alive and task.state != "running")
        ends_in_vain = is_stopping(task) and task.node_id in down
        if is_lost and blocks and not ends_in_vain and task.service_id not in told:
            found[task.service_id].append(task)
    return dict(found)


def _of_lost_services(unclaimed: dict[str, list[Task]], now: datetime, rules: Rules) -> Iterator[Trouble]:
    for service_id, tasks in unclaimed.items():
        changed = max(each.since for each in tasks)
        if now - changed < timedelta(seconds=rules.patience_s):
            continue
        name = owner(tasks[0], {})
        aliases = frozenset((service_id, service_id[:12]))
        yield Trouble(
            service_id,
            name,
            f"is gone, but has {plural(len(tasks), 'task')} left ({tasks[0].state})",
            changed,
            is_stuck=True,
            is_accepted=bool(rules.accepted & {name, *aliases}),
            aliases=aliases,
        )


def _on_nodes_down(
    observation: Observation, services: dict[str, Service], excused: set[str], memory: Memory, rules: Rules
) -> Iterator[Trouble]:
    down, now = nodes_down(observation.swarm), observation.now
    groups: defaultdict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in known(observation.swarm.tasks, ()):
        if is_stopping(task) and task.node_id in down and task.service_id not in excused:
            groups[owner(task, services), task.node_id].append(task)
    for (name, node_id), tasks in groups.items():
        key = f"{name} on {node_id}"
        # A single snapshot has nothing before it to go by, but for how long the tasks have not changed.
        unseen = now if rules.dwell_s else max(each.since for each in tasks)
        since = memory.unsettled.get(key, unseen)
        is_stuck = now - since >= timedelta(seconds=rules.patience_s)
        service_id = tasks[0].service_id
        lost = () if service_id in services or not service_id else (service_id, service_id[:12])
        aliases = frozenset((down[node_id], *lost))
        yield Trouble(
            key,
            name,
            f"has {plural(len(tasks), 'task')} stopping on a node that is down ({down[node_id]})",
            since,
            is_stuck=is_stuck,
            is_accepted=is_stuck and bool(rules.accepted & {name, *aliases}),
            aliases=aliases,
            task_ids=frozenset(each.id for each in tasks),
        )


T = TypeVar("T")

STUCK_HINT = "Fix or remove it, or accept it as it is: --accept NAME. `vipconsole why NAME` shows the cause."


def unread(code: str, title: str, *parts: Part[T]) -> Check | None:
    """Return the check that rests on parts that could not be read, or None where they all were."""
    missing = next((each for each in parts if isinstance(each, Unknown)), None)
    if missing is None:
        return None
    return Check(code, title, State.UNKNOWN, note=missing.reason, hint=missing.hint)


def check_managers(swarm: SwarmState) -> Check:
    """Return whether the swarm has a leader and all its managers are reachable."""
    code, title = "managers", "managers and leader"
    missing = unread(code, title, swarm.engine, swarm.nodes)
    if missing:
        return missing
    managers = [each for each in known(swarm.nodes, ()) if each.is_manager]
    blockers = [
        Blocker(each.hostname, f"cannot be reached ({each.reachability or each.state})")
        for each in managers
        if each.reachability not in ("reachable", "") or each.state != "ready"
    ]
    if not any(each.is_leader for each in managers):
        blockers.append(Blocker("the swarm", "has no leader"))
    return _check(code, title, blockers, "Run `docker node ls` on the managers.")


def check_updates(swarm: SwarmState, excused: frozenset[str]) -> Check:
    """Return which services are updating or rolling back. One that waits for an address would do so for ever."""
    code, title = "updates", "service updates"
    missing = unread(code, title, swarm.services)
    if missing:
        return missing
    return _check(
        code,
        title,
        [
            Blocker(
                each.name,
                "is updating" if each.update_state == "updating" else "is rolling back",
                each.update_started,
            )
            for each in known(swarm.services, ())
            if each.update_state in UNDER_WAY and each.id not in excused
        ],
        "`docker service ps NAME` shows how far it is.",
    )


def check_tasks(swarm: SwarmState, excused: frozenset[str]) -> Check:
    """Return the tasks between New and Starting, and those that are stopping.

    `excused` are IDs of services and of single tasks.
    """
    code, title = "tasks", "tasks starting or stopping"
    missing = unread(code, title, swarm.tasks, swarm.services)
    if missing:
        return missing
    services = {each.id: each for each in known(swarm.services, ())}
    down = nodes_down(swarm)
    groups: defaultdict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        if is_stopping(task):
            word = "stopping on a node that is down" if task.node_id in down else "stopping"
        elif task.is_alive and task.state != "running":
            word = task.state
        else:
            continue
        if excused.isdisjoint((task.service_id, task.id)):
            groups[owner(task, services), word].append(task)
    return _check(
        code,
        title,
        [
            Blocker(name, f"has {plural(len(tasks), 'task')} {word}", min(each.since for each in tasks))
            for (name, word), tasks in groups.items()
        ],
        "`docker service ps NAME` shows them.",
    )


def check_replicas(swarm: SwarmState, troubles: Iterable[Trouble]) -> Check:
    """Return which services do not have their replicas yet, and which jobs are not done."""
    code, title = "replicas", "replicas"
    missing = unread(code, title, swarm.services, swarm.tasks)
    if missing:
        return missing
    blockers = [
        Blocker(each.name, each.what, each.since)
        for each in troubles
        if not (each.is_excused or each.task_ids)
    ]
    return _check(code, title, blockers, "`docker service ps NAME` shows what is missing.")


def check_stuck(swarm: SwarmState, troubles: Collection[Trouble], rules: Rules) -> Check:
    """Return which services, and tasks without one, are stuck, those that were accepted marked so."""
    code, title = "stuck", "stuck services"
    missing = unread(code, title, swarm.services, swarm.tasks)
    if missing:
        return missing
    blockers = tuple(
        Blocker(each.name, each.what, each.since, is_accepted=each.is_accepted)
        for each in troubles
        if each.is_excused
    )
    there = {each.name for each in known(swarm.services, ())}
    there = there.union(*({each.name, *each.aliases} for each in troubles))
    absent = sorted(rules.accepted - there)
    note = f"Accepted, but no service has that name: {', '.join(absent)}." if absent else ""
    if any(not each.is_accepted for each in blockers):
        return Check(code, title, State.STUCK, blockers, note, STUCK_HINT)
    return Check(code, title, State.QUIET, blockers, note)


def check_stacks(swarm: SwarmState, allowed: tuple[str, ...]) -> Check:
    """Return which stacks are there that should not be, where the settings say which should."""
    code, title = "stacks", "unexpected stacks"
    if not allowed:
        return Check(code, title, State.UNCHECKED, note="No stacks are configured.")
    missing = unread(code, title, swarm.services)
    if missing:
        return missing
    stacks: dict[str, datetime] = {}
    for each in known(swarm.services, ()):
        if each.stack and not any(fnmatchcase(each.stack, pattern) for pattern in allowed):
            stacks[each.stack] = min(each.created, stacks.get(each.stack, each.created))
    return _check(
        code,
        title,
        [Blocker(name, "is deployed", since) for name, since in stacks.items()],
        "Remove it, or allow it in quiet.stacks.",
    )


def _check(code: str, title: str, blockers: Iterable[Blocker], hint: str) -> Check:
    found = tuple(blockers)
    return Check(code, title, State.BUSY, found, hint=hint) if found else Check(code, title, State.QUIET)

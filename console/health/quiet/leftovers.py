"""Tasks that are stuck without their service being so: it is gone, or their node is down."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from console.health.quiet.services import Trouble, is_stopping, owner
from console.health.quiet.values import Memory, Rules
from console.health.values import Observation
from console.parts import Unknown, known
from console.swarm.values import Service, SwarmState, Task
from console.text import plural


def find_leftovers(
    observation: Observation, memory: Memory, rules: Rules, troubles: Iterable[Trouble]
) -> tuple[Trouble, ...]:
    """Return the tasks that block though no service is in trouble for them; `troubles` are those of services.

    Those of a service that is gone are told once they have not changed for as long as the rules say, and are stuck
    then. Those that end on a node that is down are told from the first look on, and stuck when they have been seen for
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
        # A single look has nothing before it to go by, but for how long the tasks have not changed.
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

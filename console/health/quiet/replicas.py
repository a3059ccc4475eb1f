"""Which tasks of a service count, and whether it has as many as it wants."""

from collections import defaultdict
from collections.abc import Iterable

from console.swarm.values import Service, Task

TOLD_TO_END = ("shutdown", "remove")
"""Desired states of tasks that are to end. Those of jobs are to be `complete`, which is no order to stop."""
ENDED_BADLY = ("failed", "rejected")


def tasks_by_service(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Return the tasks of services, standalone containers left out."""
    found: defaultdict[str, list[Task]] = defaultdict(list)
    for each in tasks:
        if not each.is_standalone:
            found[each.service_id].append(each)
    return dict(found)


def has_its_replicas(service: Service, tasks: Iterable[Task]) -> bool:
    """Whether as many tasks run as a service wants; slots whose task ended for good by its restart policy count."""
    slots: defaultdict[object, list[Task]] = defaultdict(list)
    for each in tasks:
        slots[each.slot or each.node_id].append(each)
    if service.mode == "global":
        wanted = [
            each for each in slots.values() if any(one.desired_state not in TOLD_TO_END for one in each)
        ]
        return all(runs(each) for each in wanted)
    content = sum(runs(each) or _is_at_rest(each, service) for each in slots.values())
    return content >= (service.replicas or 0)


def runs(slot: Iterable[Task]) -> bool:
    """Whether one of these tasks runs and is to go on."""
    return any(each.state == "running" and each.desired_state not in TOLD_TO_END for each in slot)


def _is_at_rest(slot: Iterable[Task], service: Service) -> bool:
    last = max(slot, key=lambda each: each.since)
    if last.state == "complete":
        return service.restart in ("none", "on-failure")
    return last.state in ENDED_BADLY and service.restart == "none"


def is_lost(task: Task, service: Service) -> bool:
    """Whether a task has ended by itself and another one has to take its place."""
    return task.state in (*ENDED_BADLY, "complete") and not _is_at_rest([task], service)

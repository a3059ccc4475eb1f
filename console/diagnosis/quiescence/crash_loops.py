"""The tasks of a service: which count, when they ended by themselves, and whether they crash in a loop.

Swarm lists only the last few ended tasks of a slot, and of some swarms none (`docker swarm update
--task-history-limit`), so what was seen is remembered; and a service that was seen complete, was not changed since and
misses replicas now has lost some, whether or not they are listed still.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from console.diagnosis.values import Snapshot
from console.errors import Unknown
from console.frozen import frozen
from console.swarm.model import Service, Task

SLOW_LOOP_S = 600.0
"""Failures that follow each other within so many seconds may be those of a loop: an application that waits for its
database, or is killed when its health check was unhealthy for long, takes minutes to fail."""
SLOW_LOOP_ENDS = 3
"""So many failures make a slow loop; two of them may be two accidents."""
LULLS = 2.0
"""A loop is over when nothing has ended for so many times as long as it ever took it to end again."""
MEMORY_S = 3600.0
"""For how long ends are remembered."""
STOP_STATES = ("shutdown", "remove")
"""Desired states of tasks that are to end. Those of jobs are to be `complete`, which is no order to stop."""
FAILURE_STATES = ("failed", "rejected")


@frozen
class CrashLoop:
    """Ends that follow each other."""

    since: datetime
    """The first of those that are known."""
    last: datetime
    lull_s: float
    """The longest time between two of them."""

    def holds(self, now: datetime) -> bool:
        """Whether another end is to be expected: what runs now has not run for much longer than those before it."""
        return (now - self.last).total_seconds() < LULLS * self.lull_s


def find_loop(ends: Iterable[datetime], within_s: float, at_least: int = 2) -> CrashLoop | None:
    """Return the last ends that came within so many seconds of each other; None where there are too few."""
    latest_first = sorted(ends, reverse=True)
    if not latest_first:
        return None
    chain = latest_first[:1]
    for later, earlier in pairwise(latest_first):
        if (later - earlier).total_seconds() > within_s:
            break
        chain.append(earlier)
    if len(chain) < at_least:
        return None
    lulls = [(later - earlier).total_seconds() for later, earlier in pairwise(chain)]
    return CrashLoop(chain[-1], chain[0], max(lulls, default=0.0))


def loop_of(ends: Iterable[datetime], failures: Iterable[datetime], stuck_after_s: float) -> CrashLoop | None:
    """Return the loop in which something ends: such that it is never seen at rest for so long, or one of failures.

    `failures` are those of the ends that were failures. What ends well now and then, as something that works by the
    clock does, is in none.
    """
    often = find_loop(ends, 2 * stuck_after_s)
    slow = find_loop(failures, max(SLOW_LOOP_S, 2 * stuck_after_s), SLOW_LOOP_ENDS)
    return max((loop for loop in (often, slow) if loop), key=lambda candidate: candidate.lull_s, default=None)


@frozen
class End:
    """A moment at which a task ended that was not to end, or at which it was seen that one had."""

    at: datetime
    is_failure: bool
    """Whether it is known to have failed."""


@frozen
class ServiceHistory:
    """The history of a service since it was last changed; times are the engine's."""

    ends: frozenset[End] = frozenset()
    complete_at: datetime | None = None
    """When it was last seen with all its replicas."""

    @property
    def last(self) -> datetime | None:
        """The last end, or None where nothing has ended."""
        return max((end.at for end in self.ends), default=None)

    def loop(self, stuck_after_s: float) -> CrashLoop | None:
        """Return the crash loop of its tasks, for a waiter with this dwell time."""
        if not self.ends:
            return None
        failures = (end.at for end in self.ends if end.is_failure)
        return loop_of((end.at for end in self.ends), failures, stuck_after_s)


def remember(snapshot: Snapshot, before: Mapping[str, ServiceHistory]) -> Mapping[str, ServiceHistory]:
    """Return the past of every service by its ID; jobs have none, their tasks are to end."""
    swarm = snapshot.swarm
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return before
    tasks = tasks_by_service(swarm.tasks)
    return {
        service.id: _update_past(
            service, tasks.get(service.id, ()), snapshot.now, before.get(service.id, ServiceHistory())
        )
        for service in swarm.services
        if not service.is_job
    }


def _update_past(
    service: Service, tasks: Iterable[Task], now: datetime, before: ServiceHistory
) -> ServiceHistory:
    tasks = tuple(tasks)
    new_ends = {End(task.since, task.state in FAILURE_STATES) for task in tasks if is_lost(task, service)}
    ends = before.ends | new_ends
    if ends:
        begin = max(service.updated, now - timedelta(seconds=MEMORY_S))
        ends = frozenset(end for end in ends if end.at >= begin)
    if has_its_replicas(service, tasks):
        return ServiceHistory(ends, now)
    complete_at = before.complete_at
    if (
        complete_at is not None
        and complete_at >= service.updated
        and not any(end.at >= complete_at for end in ends)
    ):
        ends |= {End(now, is_failure=False)}
    return ServiceHistory(ends, complete_at)


def tasks_by_service(tasks: Iterable[Task]) -> dict[str, list[Task]]:
    """Return the tasks of services, standalone containers left out."""
    by_service: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        if not task.is_standalone:
            by_service[task.service_id].append(task)
    return dict(by_service)


def has_its_replicas(service: Service, tasks: Iterable[Task]) -> bool:
    """Whether as many tasks run as a service wants; slots whose task ended for good by its restart policy count."""
    tasks = tuple(tasks)
    if service.mode != "global":
        # So it is with nearly every service, at every snapshot.
        running_slots = {task.slot or task.node_id for task in tasks if _runs(task)}
        if len(running_slots) >= (service.replicas or 0):
            return True
    slots: defaultdict[object, list[Task]] = defaultdict(list)
    for task in tasks:
        slots[task.slot or task.node_id].append(task)
    if service.mode == "global":
        desired_slots = [
            slot
            for slot in slots.values()
            if any(slot_task.desired_state not in STOP_STATES for slot_task in slot)
        ]
        return all(runs(slot) for slot in desired_slots)
    content = sum(runs(slot) or _is_at_rest(slot, service) for slot in slots.values())
    return content >= (service.replicas or 0)


def runs(slot: Iterable[Task]) -> bool:
    """Whether one of these tasks runs and is to go on."""
    return any(_runs(task) for task in slot)


def _runs(task: Task) -> bool:
    return task.state == "running" and task.desired_state not in STOP_STATES


def _is_at_rest(slot: Iterable[Task], service: Service) -> bool:
    last = max(slot, key=lambda task: task.since)
    if last.state == "complete":
        return service.restart in ("none", "on-failure")
    return last.state in FAILURE_STATES and service.restart == "none"


def is_lost(task: Task, service: Service) -> bool:
    """Whether a task has ended by itself and another one has to take its place."""
    return task.state in (*FAILURE_STATES, "complete") and not _is_at_rest([task], service)

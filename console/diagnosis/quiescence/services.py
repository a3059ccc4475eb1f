"""Which services are not settled, which of them are stuck, and which may be ignored."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.quiescence.crash_loops import (
    FAILURE_STATES,
    STOP_STATES,
    ServiceHistory,
    has_its_replicas,
    runs,
    tasks_by_service,
)
from console.diagnosis.quiescence.values import PreviousChecks, QuiescenceRules
from console.diagnosis.values import Snapshot
from console.errors import known
from console.frozen import frozen
from console.swarm.model import Service, Task
from console.text import listed

UNDER_WAY = ("updating", "rollback_started")
"""Update states in which Swarm still replaces tasks."""


@frozen
class Trouble:
    """A service, or some tasks, that are not as they should be."""

    service_id: str
    """Of tasks that are in trouble without their service, a name of their own."""
    name: str
    what: str
    since: datetime
    """By the engine's clock."""
    is_stuck: bool
    """Whether it neither runs nor changes."""
    is_accepted: bool
    aliases: frozenset[str] = frozenset()
    """What else it can be accepted by than its name."""
    task_ids: frozenset[str] = frozenset()
    """The tasks that alone are in trouble; nothing where the whole service is."""

    @property
    def covers(self) -> frozenset[str]:
        """The IDs of what it is about: of tasks, or of a service."""
        return self.task_ids or frozenset((self.service_id,))

    @property
    def is_excused(self) -> bool:
        """Whether its tasks and containers say nothing about quiet any more: it counts as a whole, or not at all."""
        return self.is_stuck or self.is_accepted


def is_stopping(task: Task) -> bool:
    """Whether a task is stopping and has not ended."""
    return task.is_alive and task.desired_state in STOP_STATES


def owner(task: Task, services: Mapping[str, Service]) -> str:
    """Return what a task is shown by: its service, by its ID where that is gone, or its container."""
    if task.is_standalone:
        return f"container {task.container_id[:12]}"
    service = services.get(task.service_id)
    return service.name if service else f"service {task.service_id[:12]}"


def find_trouble(snapshot: Snapshot, previous: PreviousChecks, rules: QuiescenceRules) -> tuple[Trouble, ...]:
    """Return the services that are not settled, wait for an address or are jobs at work; those that are stuck first.

    A service is stuck when it waits for an address, or when it has been unsettled while nobody changed it, for as
    long as the rules say. An accepted one is skipped as soon as nobody has changed it for that long.
    """
    waiting = {trouble.service_id: trouble for trouble in _waiting_troubles(snapshot, rules)}
    tasks = tasks_by_service(known(snapshot.swarm.tasks, ()))
    troubles = list(waiting.values())
    for service in known(snapshot.swarm.services, ()):
        if service.id in waiting:
            continue
        since = unsettled_since(service, tasks.get(service.id, ()), snapshot.now, previous, rules)
        if since is None:
            continue
        rests = service.update_state not in UNDER_WAY
        is_unchanged = rests and _age_s(snapshot.now, service.updated) >= rules.stuck_after_s
        troubles.append(
            Trouble(
                service.id,
                service.name,
                _condition(service, tasks.get(service.id, ()), previous, rules),
                since,
                is_stuck=rests and _age_s(snapshot.now, since) >= rules.stuck_after_s,
                is_accepted=is_unchanged and service.name in rules.accepted,
            )
        )
    return tuple(sorted(troubles, key=lambda trouble: (not trouble.is_stuck, trouble.since, trouble.name)))


def unsettled_since(
    service: Service, tasks: Iterable[Task], now: datetime, previous: PreviousChecks, rules: QuiescenceRules
) -> datetime | None:
    """Return since when a service has been unsettled, by what its tasks and earlier snapshots tell; None if it is settled.

    Settled is what has the replicas that it wants, and has lost no task lately since it was last changed; of jobs,
    what has no task at work. What ends again and again is unsettled also while it runs for a moment, however long that
    moment is compared with what the rules say.
    """
    tasks = tuple(tasks)
    before = [previous.unsettled_since[service.id]] if service.id in previous.unsettled_since else []
    if service.is_job:
        at_work = [task.since for task in tasks if _is_at_work(task)]
        return max(service.updated, min([*before, *at_work])) if at_work else None
    past = previous.past.get(service.id, ServiceHistory())
    loop = past.loop(rules.stuck_after_s)
    loop_starts = [loop.since] if loop is not None and loop.holds(now) else []
    # What the history has just seen complete need not be counted again: so it is with nearly every service.
    is_complete = past.complete_at == now or has_its_replicas(service, tasks)
    if is_complete and not loop_starts:
        # What was lost may be back for good: so it can be restless, and never stuck.
        is_recent = past.last is not None and _age_s(now, past.last) < rules.stuck_after_s
        return past.last if is_recent else None
    missing = [
        task.since for task in tasks if task.desired_state not in STOP_STATES and task.state != "running"
    ]
    return max(service.updated, min([*before, *loop_starts, *missing, now]))


def _is_at_work(task: Task) -> bool:
    return task.is_alive and task.desired_state not in STOP_STATES


def _condition(
    service: Service, tasks: Iterable[Task], previous: PreviousChecks, rules: QuiescenceRules
) -> str:
    tasks = tuple(tasks)
    failed_tasks = [task for task in tasks if task.state in FAILURE_STATES and task.since >= service.updated]
    running = sum(runs([task]) for task in tasks)
    desired_text = f" of {service.replicas}" if service.replicas is not None else ""
    last = max(failed_tasks, key=lambda task: task.since, default=None)
    error_text = f" ({last.error})" if last and last.error else ""
    if service.is_job:
        return f"is an unfinished job{f' and has failed{error_text}' if failed_tasks else ''}"
    if previous.past.get(service.id, ServiceHistory()).loop(rules.stuck_after_s):
        return f"keeps {'failing' if failed_tasks else 'ending'}{error_text}, {running}{desired_text} running"
    return f"has {f'failed{error_text}, ' if failed_tasks else ''}{running}{desired_text} running"


def _waiting_troubles(snapshot: Snapshot, rules: QuiescenceRules) -> Iterator[Trouble]:
    ids: Mapping[str, str] = {service.name: service.id for service in known(snapshot.swarm.services, ())}
    orphans = {f"service {task.service_id[:12]}": task.service_id for task in known(snapshot.swarm.tasks, ())}
    names = {network.id: network.name for network in known(snapshot.swarm.networks, ())}
    for service in waiting_services(snapshot, rules.thresholds):
        networks = [names.get(network_id, network_id[:12]) for network_id in service.network_ids]
        where = f" on {'one of ' if len(networks) > 1 else ''}{listed(networks)}" if networks else ""
        service_id = ids.get(service.name) or orphans.get(service.name, service.name)
        aliases = frozenset(() if service.name in ids else (service_id, service_id[:12]))
        yield Trouble(
            service_id,
            service.name,
            f"waits for an address{where}",
            snapshot.now - timedelta(seconds=service.for_s),
            is_stuck=True,
            is_accepted=bool(rules.accepted & {service.name, *aliases}),
            aliases=aliases,
        )


def _age_s(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()

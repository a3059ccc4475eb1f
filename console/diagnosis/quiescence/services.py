"""Which services are not settled, which of them are stuck, and which may be ignored."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.diagnosis.findings.waiting import waiting_services
from console.diagnosis.quiescence.crash_loops import (
    ENDED_BADLY,
    TOLD_TO_END,
    Past,
    has_its_replicas,
    runs,
    tasks_by_service,
)
from console.diagnosis.quiescence.values import Memory, Rules
from console.diagnosis.values import Observation
from console.errors import known
from console.swarm.values import Service, Task
from console.text import listed

UNDER_WAY = ("updating", "rollback_started")
"""Update states in which Swarm still replaces tasks."""


@dataclass(frozen=True, slots=True)
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
    return task.is_alive and task.desired_state in TOLD_TO_END


def owner(task: Task, services: Mapping[str, Service]) -> str:
    """Return what a task is shown by: its service, by its ID where that is gone, or its container."""
    if task.is_standalone:
        return f"container {task.container_id[:12]}"
    found = services.get(task.service_id)
    return found.name if found else f"service {task.service_id[:12]}"


def find_trouble(observation: Observation, memory: Memory, rules: Rules) -> tuple[Trouble, ...]:
    """Return the services that are not settled, wait for an address or are jobs at work; those that are stuck first.

    A service is stuck when it waits for an address, or when it has been unsettled while nobody changed it, for as
    long as the rules say. An accepted one is skipped as soon as nobody has changed it for that long.
    """
    waiting = {each.service_id: each for each in _waiting(observation, rules)}
    tasks = tasks_by_service(known(observation.swarm.tasks, ()))
    found = list(waiting.values())
    for service in known(observation.swarm.services, ()):
        if service.id in waiting:
            continue
        since = unsettled_since(service, tasks.get(service.id, ()), observation.now, memory, rules)
        if since is None:
            continue
        rests = service.update_state not in UNDER_WAY
        unchanged = rests and _age_s(observation.now, service.updated) >= rules.patience_s
        found.append(
            Trouble(
                service.id,
                service.name,
                _condition(service, tasks.get(service.id, ()), memory, rules),
                since,
                is_stuck=rests and _age_s(observation.now, since) >= rules.patience_s,
                is_accepted=unchanged and service.name in rules.accepted,
            )
        )
    return tuple(sorted(found, key=lambda each: (not each.is_stuck, each.since, each.name)))


def unsettled_since(
    service: Service, tasks: Iterable[Task], now: datetime, memory: Memory, rules: Rules
) -> datetime | None:
    """Return since when a service has been unsettled, by what its tasks and earlier snapshots tell; None if it is settled.

    Settled is what has the replicas that it wants, and has lost no task lately since it was last changed; of jobs,
    what has no task at work. What ends again and again is unsettled also while it runs for a moment, however long that
    moment is compared with what the rules say.
    """
    tasks = tuple(tasks)
    before = [memory.unsettled[service.id]] if service.id in memory.unsettled else []
    if service.is_job:
        at_work = [each.since for each in tasks if _is_at_work(each)]
        return max(service.updated, min([*before, *at_work])) if at_work else None
    past = memory.past.get(service.id, Past())
    loop = past.loop(rules.patience_s)
    lost = [loop.since] if loop is not None and loop.holds(now) else []
    if has_its_replicas(service, tasks) and not lost:
        # What was lost may be back for good: so it can be restless, and never stuck.
        is_recent = past.last is not None and _age_s(now, past.last) < rules.patience_s
        return past.last if is_recent else None
    missing = [
        each.since for each in tasks if each.desired_state not in TOLD_TO_END and each.state != "running"
    ]
    return max(service.updated, min([*before, *lost, *missing, now]))


def _is_at_work(task: Task) -> bool:
    return task.is_alive and task.desired_state not in TOLD_TO_END


def _condition(service: Service, tasks: Iterable[Task], memory: Memory, rules: Rules) -> str:
    tasks = tuple(tasks)
    failed = [each for each in tasks if each.state in ENDED_BADLY and each.since >= service.updated]
    running = sum(runs([each]) for each in tasks)
    wanted = f" of {service.replicas}" if service.replicas is not None else ""
    last = max(failed, key=lambda each: each.since, default=None)
    said = f" ({last.error})" if last and last.error else ""
    if service.is_job:
        return f"is an unfinished job{f' and has failed{said}' if failed else ''}"
    if memory.past.get(service.id, Past()).loop(rules.patience_s):
        return f"keeps {'failing' if failed else 'ending'}{said}, {running}{wanted} running"
    return f"has {f'failed{said}, ' if failed else ''}{running}{wanted} running"


def _waiting(observation: Observation, rules: Rules) -> Iterator[Trouble]:
    ids: Mapping[str, str] = {each.name: each.id for each in known(observation.swarm.services, ())}
    orphans = {
        f"service {each.service_id[:12]}": each.service_id for each in known(observation.swarm.tasks, ())
    }
    names = {each.id: each.name for each in known(observation.swarm.networks, ())}
    for each in waiting_services(observation, rules.thresholds):
        networks = [names.get(one, one[:12]) for one in each.network_ids]
        where = f" on {'one of ' if len(networks) > 1 else ''}{listed(networks)}" if networks else ""
        service_id = ids.get(each.name) or orphans.get(each.name, each.name)
        aliases = frozenset(() if each.name in ids else (service_id, service_id[:12]))
        yield Trouble(
            service_id,
            each.name,
            f"waits for an address{where}",
            observation.now - timedelta(seconds=each.for_s),
            is_stuck=True,
            is_accepted=bool(rules.accepted & {each.name, *aliases}),
            aliases=aliases,
        )


def _age_s(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()

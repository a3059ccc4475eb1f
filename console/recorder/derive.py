"""What happened to a swarm between two states that the monitor gave. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from console.addresses.leaks import LeakEntry, LeakLog, allocator_key, allocator_of
from console.diagnosis.values import Finding, Severity
from console.durations import is_known
from console.errors import Unknown, known
from console.frozen import frozen
from console.monitor.values import MonitorState
from console.recorder.baseline import Baseline, OpenFinding, ServiceMark
from console.recorder.journal import journal_events
from console.recorder.values import EventKind, RecordedEvent
from console.swarm.model import Network, Service, SwarmState, Task
from console.text import clean, listed, plural

FAILED_STATES = frozenset({"failed", "rejected"})
FAILED_UPDATES = {
    "paused": "The update of {name} stopped.",
    "rollback_started": "The update of {name} failed, and it is rolled back.",
    "rollback_paused": "The rollback of {name} stopped.",
    "rollback_completed": "The update of {name} failed, and it was rolled back.",
}
FAILURE_REST = timedelta(minutes=10)
"""A service of which no task has failed for so long fails no longer; the next failure is another beginning."""
FAILURE_STEP = timedelta(minutes=1)
"""Of a service that goes on failing the time of the last failure is known no more exactly."""
FINDING_REST = timedelta(minutes=1)
"""A finding that is gone for so long has ended: many come and go with a single snapshot."""
MAX_FAILURES = 10
"""Where more services begin to fail at once, such as when dockerd is started again, they are one event."""
REBUILD_REST, SAME_REBUILD = timedelta(seconds=30), timedelta(minutes=2)
"""A line that says that the allocator was rebuilt comes before the snapshot that shows why: a restart or another leader."""


@frozen
class Derivation:
    """What happened, and what to compare the next state with."""

    baseline: Baseline
    events: tuple[RecordedEvent, ...]
    counts: Mapping[datetime, Mapping[str, int]]
    """How often dockerd logged what, by hour and signature (ID)."""


def derive(baseline: Baseline, state: MonitorState, now: datetime) -> Derivation:
    """Return what happened since a baseline: nothing where the state has no snapshot of the swarm yet.

    `now` is when the swarm was last read, by the engine's clock: a snapshot in which nothing changed is the one before.

    A part that could not be read has not changed. Nothing is an event that was there before the first state, but for
    findings and leaks, which are as true as if they had begun with it.
    """
    assessed = state.snapshot.value
    if assessed is None or isinstance(assessed.snapshot.swarm.engine, Unknown):
        return Derivation(baseline, (), {})
    swarm = assessed.snapshot.swarm
    is_first = baseline.seen_at is None
    before = baseline.swarm
    events: list[RecordedEvent] = []
    changes: dict[str, object] = {}
    services = swarm.services
    if not isinstance(services, Unknown) and (before is None or before.services is not services):
        marks = {service.id: _mark(service, baseline) for service in services if not service.is_probe}
        if not is_first:
            events += _service_events(services, marks, baseline, now)
        changes["services"] = marks
    networks = swarm.networks
    if not isinstance(networks, Unknown) and (before is None or before.networks is not networks):
        overlays = {
            network.id: (network.name, network.stack)
            for network in networks
            if network.is_overlay and not network.ingress
        }
        if not _is_incomplete(overlays, baseline, services):
            events += _removed_networks(overlays, baseline, now)
            changes["networks"] = overlays
    tasks = swarm.tasks
    if not isinstance(tasks, Unknown):
        failing, failures = _failures(tasks, known(services, ()), baseline, now, is_first=is_first)
        events += failures
        changes["failing"] = failing
    allocator = allocator_of(swarm)
    restarts = list(_restarts(baseline, state, swarm, now))
    events += restarts
    if allocator is not None:
        changes["allocator"] = allocator
    rebuilt_at = _rebuilt_at(state)
    if rebuilt_at is not None and (baseline.rebuilt_at is None or now - rebuilt_at >= REBUILD_REST):
        changes["rebuilt_at"] = rebuilt_at
    leak_log = state.leak_log
    events += _leaks(leak_log, baseline, known(networks, ()))
    changes["leaks"] = frozenset((entry.network_id, entry.task_id) for entry in leak_log.entries)
    changes["outlived_tasks"] = state.outlived_tasks
    changes["live_tasks"] = state.live_tasks
    changes["allocator_key"] = allocator_key(allocator, swarm.engine.managers)  # type: ignore[union-attr]
    names = frozenset(network.name for network in known(networks, ()))
    findings, finding_events = _findings(
        (*assessed.assessment.findings, *state.run_findings), baseline, names, now
    )
    events += finding_events
    changes["findings"] = findings
    counts, log_events, log_changes = journal_events(state, baseline)
    events += log_events
    # What is equal stays the identical object, so that comparing baselines is quick.
    same = {
        name: value for name, value in {**changes, **log_changes}.items() if getattr(baseline, name) != value
    }
    following: Baseline = replace(baseline, seen_at=now, swarm=swarm, **same)  # type: ignore[arg-type]
    return Derivation(following, tuple(sorted(events, key=lambda event: event.at)), counts)


def _mark(service: Service, baseline: Baseline) -> ServiceMark:
    before = baseline.services.get(service.id)
    if before is not None and before.version == service.version:
        return before
    return ServiceMark(
        service.name,
        service.stack,
        service.version,
        sha256(json.dumps(service.spec, sort_keys=True, default=str).encode()).hexdigest()[:16],
        service.image,
        service.replicas,
        service.update_state,
        service.network_ids,
    )


def _service_events(
    services: Iterable[Service], marks: Mapping[str, ServiceMark], baseline: Baseline, now: datetime
) -> Iterator[RecordedEvent]:
    for service in services:
        mark, before = marks.get(service.id), baseline.services.get(service.id)
        if mark is None or mark == before:
            continue
        if before is None:
            yield _of_service(
                EventKind.DEPLOY, mark, _past(service.created, now), f"Service {mark.name} was created."
            )
        elif before.digest != mark.digest:
            sentence = f"Service {mark.name} was updated{_difference(before, mark)}."
            yield _of_service(EventKind.DEPLOY, mark, _past(service.updated, now), sentence)
        sentence = FAILED_UPDATES.get(mark.update_state, "")
        if sentence and before is not None and before.update_state != mark.update_state:
            why = clean(service.update_message, 300)
            yield _of_service(
                EventKind.FAILURE,
                mark,
                now,
                f"{sentence.format(name=mark.name)} {why}".rstrip(),
                Severity.WARNING,
            )
    for key, mark in baseline.services.items():
        if key not in marks:
            yield _of_service(EventKind.REMOVAL, mark, now, f"Service {mark.name} was removed.")


def _difference(before: ServiceMark, now: ServiceMark) -> str:
    if before.image != now.image and before.image and now.image:
        return f" from image {before.image} to {now.image}"
    if before.replicas != now.replicas and before.replicas is not None and now.replicas is not None:
        return f" from {before.replicas} to {plural(now.replicas, 'replica')}"
    return ""


def _of_service(
    kind: EventKind, mark: ServiceMark, at: datetime, sentence: str, severity: Severity = Severity.OK
) -> RecordedEvent:
    return RecordedEvent(at, kind, mark.name, sentence, stack=mark.stack, severity=severity)


def _past(at: datetime, now: datetime) -> datetime:
    """Return a time that the engine tells; the present where it tells none, or one to come."""
    return min(at, now) if is_known(at) else now


def _is_incomplete(
    overlays: Mapping[str, object], baseline: Baseline, services: tuple[Service, ...] | Unknown
) -> bool:
    """Whether a list lacks networks that services name: an engine that cannot reach the leader lists its own copies."""
    absent = baseline.networks.keys() - overlays.keys()
    return any(not absent.isdisjoint(service.network_ids) for service in known(services, ()))


def _removed_networks(
    overlays: Mapping[str, object], baseline: Baseline, now: datetime
) -> Iterator[RecordedEvent]:
    for key, (name, stack) in baseline.networks.items():
        if key not in overlays:
            yield RecordedEvent(
                now, EventKind.REMOVAL, name, f"Network {name} was removed.", network=name, stack=stack
            )


def _failures(
    tasks: tuple[Task, ...],
    services: tuple[Service, ...],
    baseline: Baseline,
    now: datetime,
    *,
    is_first: bool,
) -> tuple[Mapping[str, datetime], list[RecordedEvent]]:
    failing = {key: at for key, at in baseline.failing.items() if now - at < FAILURE_REST}
    if baseline.swarm is not None and baseline.swarm.tasks is tasks:
        return failing, []
    last_tasks: dict[str, Task] = {}
    for task in tasks:
        if task.state in FAILED_STATES and task.service_id and now - task.since < FAILURE_REST:
            last = last_tasks.get(task.service_id)
            if last is None or last.since < task.since:
                last_tasks[task.service_id] = task
    by_id = {service.id: service for service in services}
    beginnings: list[tuple[Service, Task]] = []
    for key, task in last_tasks.items():
        at, service = min(task.since, now), by_id.get(key)
        if service is None or service.is_probe:
            continue
        if key not in failing:
            # What failed before the first state began unwatched.
            if not is_first:
                beginnings.append((service, task))
            failing[key] = at
        elif at - failing[key] >= FAILURE_STEP:
            failing[key] = at
    return failing, list(_failure_events(beginnings, now))


def _failure_events(beginnings: list[tuple[Service, Task]], now: datetime) -> Iterator[RecordedEvent]:
    if len(beginnings) > MAX_FAILURES:
        names = [service.name for service, _ in beginnings]
        yield RecordedEvent(
            max(min(task.since, now) for _, task in beginnings),
            EventKind.FAILURE,
            names[0],
            f"Tasks of {plural(len(names), 'service')} began to fail: {listed(names)}.",
            severity=Severity.WARNING,
        )
        return
    for service, task in beginnings:
        why = task.error or task.message
        yield RecordedEvent(
            min(task.since, now),
            EventKind.FAILURE,
            service.name,
            f"Tasks of {service.name} began to fail{f': {clean(why, 300)}' if why else ''}.",
            stack=service.stack,
            severity=Severity.WARNING,
        )


def _restarts(
    baseline: Baseline, state: MonitorState, swarm: SwarmState, now: datetime
) -> Iterator[RecordedEvent]:
    then, allocator = baseline.allocator, allocator_of(swarm)
    is_seen = False
    if then is not None and allocator is not None and then.node_id == allocator.node_id:
        if then.daemon_began != allocator.daemon_began and allocator.daemon_began is not None:
            is_seen = True
            at = _past(allocator.daemon_began, now)
            yield _restart(at, "dockerd", "dockerd was restarted. Its allocator forgot what had leaked.")
        if then.leader_id != allocator.leader_id:
            is_seen = True
            nodes = {node.id: node.hostname for node in known(swarm.nodes, ())}
            name = nodes.get(allocator.leader_id) or allocator.leader_id[:12]
            yield _restart(now, name, f"{name} leads the swarm now. Its allocator is a new one.")
        if then.rebuilt != allocator.rebuilt and allocator.rebuilt:
            is_seen = True
            yield _restart(now, "allocator", "A borrowed manager rebuilt the allocator.")
    rebuilt_at, daemon_began = _rebuilt_at(state), None if allocator is None else allocator.daemon_began
    if is_seen or rebuilt_at is None or baseline.rebuilt_at is None or rebuilt_at <= baseline.rebuilt_at:
        return
    is_start = daemon_began is not None and abs(daemon_began - rebuilt_at) < SAME_REBUILD
    if now - rebuilt_at >= REBUILD_REST and not is_start:
        yield _restart(rebuilt_at, "allocator", "The allocator was rebuilt, by dockerd's log.")


def _restart(at: datetime, subject: str, sentence: str) -> RecordedEvent:
    return RecordedEvent(at, EventKind.RESTART, subject, sentence)


def _rebuilt_at(state: MonitorState) -> datetime | None:
    return None if state.log.value is None else state.log.value.summary.rebuilt_at


def _leaks(leak_log: LeakLog, baseline: Baseline, networks: tuple[Network, ...]) -> Iterator[RecordedEvent]:
    names = {network.id: network.name for network in networks}
    for entry in leak_log.entries:
        if (entry.network_id, entry.task_id) not in baseline.leaks:
            yield leak_event(entry, names.get(entry.network_id, entry.network_name))


def leak_event(entry: LeakEntry, network: str) -> RecordedEvent:
    """Return the event of a leak on a network of this name."""
    addresses = listed([str(address) for address in entry.addresses])
    return RecordedEvent(
        entry.ended_at,
        EventKind.LEAK,
        entry.service_name or entry.task_name,
        f"{entry.task_name} leaked {addresses} on {network}: "
        f"network {entry.removed_network} was removed while it was stopping.",
        network=network,
        stack=entry.stack,
        severity=Severity.WARNING,
        addresses=len(entry.addresses),
    )


def _findings(
    findings: tuple[Finding, ...], baseline: Baseline, networks: frozenset[str], now: datetime
) -> tuple[Mapping[tuple[str, str], OpenFinding], list[RecordedEvent]]:
    worst: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.subject)
        if finding.severity is not Severity.OK and (
            key not in worst or finding.severity.rank > worst[key].severity.rank
        ):
            worst[key] = finding
    open_findings: dict[tuple[str, str], OpenFinding] = {}
    events: list[RecordedEvent] = []
    for key, finding in worst.items():
        before = baseline.findings.get(key)
        network = finding.subject if finding.subject in networks else ""
        if before is None or finding.severity.rank > before.severity.rank:
            events.append(
                RecordedEvent(
                    now,
                    EventKind.FINDING,
                    finding.code,
                    finding.sentence,
                    network=network,
                    severity=finding.severity,
                )
            )
        open_findings[key] = OpenFinding(finding.severity, finding.short, network)
    for key, before in baseline.findings.items():
        if key in worst:
            continue
        since = before.absent_since or now
        if now - since < FINDING_REST:
            open_findings[key] = replace(before, absent_since=since)
            continue
        events.append(
            RecordedEvent(
                since,
                EventKind.FINDING,
                key[0],
                f"Over: {before.short}.",
                network=before.network,
                severity=before.severity,
                is_end=True,
            )
        )
    return open_findings, events

"""The registry of quiescence checks, and which of the engine's events disturb the quiet.

What blocks: a check that is busy, stuck or unknown. A check that has no meaning here is *not checked*, with its reason,
and does not block: those of this host where the engine is not its own, those of systemd on a machine without it, those
that nothing was configured for. A check that was asked for in the settings and cannot be made is unknown. Other logins
are a warning and never block, whether they could be read or not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from console.diagnosis.quiescence import swarm as swarm_checks
from console.diagnosis.quiescence.crash_loops import remember
from console.diagnosis.quiescence.host import check_host
from console.diagnosis.quiescence.services import find_trouble
from console.diagnosis.quiescence.swarm import find_leftovers
from console.diagnosis.quiescence.values import (
    CHANGES,
    Blocker,
    Changes,
    Check,
    CheckInputs,
    CheckState,
    Judgement,
    PreviousChecks,
    QuiescenceRules,
    Report,
    ReportedChange,
)
from console.durations import duration
from console.errors import known
from console.swarm.model import Event, SwarmState
from console.text import plural

SERVICE_OF_CONTAINER = "com.docker.swarm.service.id"
"""Label of every container that Swarm starts; events of containers carry its labels."""

VERBS = {
    "create": "created",
    "update": "updated",
    "remove": "removed",
    "destroy": "removed",
    "connect": "got a container",
    "disconnect": "lost a container",
    "start": "started",
    "die": "ended",
}
"""The actions that count, and their words. Executing in a container, its health and its removal do not count."""

ACTIONS: Mapping[str, frozenset[str]] = {
    "service": frozenset(("create", "update", "remove")),
    "secret": frozenset(("create", "update", "remove")),
    "config": frozenset(("create", "update", "remove")),
    "node": frozenset(("create", "update", "remove")),
    "network": frozenset(("create", "update", "remove", "destroy", "connect", "disconnect")),
    "container": frozenset(("create", "start", "die")),
}


def find_disturbances(
    reported_changes: Iterable[ReportedChange], swarm: SwarmState, excused_ids: frozenset[str]
) -> list[ReportedChange]:
    """Return the changes that count, gaps among them, oldest first.

    What the containers of excused services (IDs) do does not count, nor that the node makes and drops its copy of a
    network that only such services are on. A node whose update tells nothing new has only counted its resources
    (measured: the engine tells one each time a task starts or ends).
    """
    reported_changes = tuple(reported_changes)
    service_of = {task.container_id: task.service_id for task in known(swarm.tasks, ()) if task.container_id}
    for change in reported_changes:
        event = change.event
        if event is not None and event.kind == "container" and SERVICE_OF_CONTAINER in event.attributes:
            service_of[event.id] = event.attributes[SERVICE_OF_CONTAINER]
    lonely = _networks_of_only(excused_ids, swarm)
    return [
        change
        for change in reported_changes
        if change.event is None or _is_disturbance(change.event, service_of, lonely, excused_ids)
    ]


def _is_disturbance(
    event: Event, service_of: Mapping[str, str], lonely: frozenset[str], excused_ids: frozenset[str]
) -> bool:
    if event.action not in ACTIONS.get(event.kind, ()):
        return False
    match event.kind, event.action:
        case "node", "update":
            return any(key.endswith(".new") for key in event.attributes)
        case "container", _:
            return service_of.get(event.id, "") not in excused_ids
        case "network", "connect" | "disconnect":
            return service_of.get(event.attributes.get("container", ""), "") not in excused_ids
        case "network", "create" | "destroy" if event.scope == "local":
            return event.id not in lonely
    return True


def _networks_of_only(excused_ids: frozenset[str], swarm: SwarmState) -> frozenset[str]:
    services = known(swarm.services, ())
    theirs = {network for service in services if service.id in excused_ids for network in service.network_ids}
    others = {
        network for service in services if service.id not in excused_ids for network in service.network_ids
    }
    return frozenset(theirs - others)


def describe_changes(changes: Iterable[ReportedChange]) -> dict[str, tuple[str, ReportedChange]]:
    """Return the changes by the name of what changed: in words, and the last of them."""
    changes_by_name: dict[str, list[ReportedChange]] = {}
    for change in changes:
        event = change.event
        name = "the engine's events" if event is None else f"{event.kind} {event.name or event.id[:12]}"
        changes_by_name.setdefault(name, []).append(change)
    descriptions = {}
    for name, group in changes_by_name.items():
        event = group[-1].event
        description = "could not be received for a while" if event is None else VERBS[event.action]
        descriptions[name] = (
            description if len(group) == 1 else f"{description}, {plural(len(group), 'change')}",
            group[-1],
        )
    return descriptions


def judge(inputs: CheckInputs, previous: PreviousChecks, rules: QuiescenceRules) -> Judgement:
    """Return the verdict of a snapshot, given what earlier snapshots showed."""
    snapshot = inputs.snapshot
    swarm, here = snapshot.swarm, snapshot.taken_at
    previous = replace(previous, past=remember(snapshot, previous.past))
    troubles = find_trouble(snapshot, previous, rules)
    troubles += find_leftovers(snapshot, previous, rules, troubles)
    excused_ids = frozenset(
        covered_id for trouble in troubles if trouble.is_excused for covered_id in trouble.covers
    )
    changes = find_disturbances(inputs.changes.reported_changes, swarm, excused_ids)
    of_swarm = (
        swarm_checks.check_managers(swarm),
        swarm_checks.check_updates(swarm, excused_ids),
        swarm_checks.check_tasks(swarm, excused_ids),
        swarm_checks.check_replicas(swarm, troubles),
        swarm_checks.check_stuck(swarm, troubles, rules),
        swarm_checks.check_stacks(swarm, rules.settings.stacks),
    )
    shift = here - snapshot.now
    checks = [
        *(_shift_times(check, shift) for check in of_swarm),
        _check_changes(inputs.changes, changes, inputs.now_s, rules.dwell_s),
        *check_host(inputs.activity, rules.settings, here),
    ]
    keys = [(check.code, blocker.name) for check in checks for blocker in check.blockers]
    first_blocked = {key: previous.first_blocked.get(key, here) for key in keys}
    report = Report(here, tuple(_add_times(check, first_blocked) for check in checks))
    return Judgement(
        report,
        PreviousChecks(
            {trouble.service_id: trouble.since for trouble in troubles}, first_blocked, previous.past
        ),
        max((change.received_s for change in changes), default=None),
    )


def _check_changes(
    changes: Changes, disturbances: Iterable[ReportedChange], now_s: float, dwell_s: float
) -> Check:
    code, title = CHANGES, "engine events"
    if not dwell_s:
        return Check(code, title, CheckState.UNCHECKED, note="A single snapshot waits for none.")
    if changes.why_no_events is not None:
        return Check(
            code,
            title,
            CheckState.UNKNOWN,
            note=changes.why_no_events.reason,
            hint=changes.why_no_events.hint,
        )
    recent = describe_changes(change for change in disturbances if now_s - change.received_s < dwell_s)
    if not recent:
        return Check(code, title, CheckState.QUIET)
    # A gap first, for it says most; then the last change, which is the one that is waited for.
    latest_first = sorted(
        recent.items(), key=lambda item: (item[1][1].event is not None, -item[1][1].received_s)
    )
    return Check(
        code,
        title,
        CheckState.BUSY,
        tuple(Blocker(name, description, last.received_at) for name, (description, last) in latest_first),
        hint=f"It is quiet when nothing has changed for {duration(dwell_s)}.",
    )


def _shift_times(check: Check, shift: timedelta) -> Check:
    """Return a check with its times by this machine's clock instead of the engine's."""
    return replace(
        check,
        blockers=tuple(
            replace(blocker, since=blocker.since and blocker.since + shift) for blocker in check.blockers
        ),
    )


def _add_times(check: Check, first_blocked: dict[tuple[str, str], datetime]) -> Check:
    return replace(
        check,
        blockers=tuple(
            replace(blocker, since=blocker.since or first_blocked[check.code, blocker.name])
            for blocker in check.blockers
        ),
    )

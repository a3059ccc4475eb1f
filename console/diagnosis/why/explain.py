"""Why services do not run: the table of causes, and the answer for those that were asked about."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from console.diagnosis.values import Snapshot
from console.diagnosis.why import application, exhaustion, networks, placement, progress, reported
from console.diagnosis.why.case import Case, Swarm, index_swarm, open_case
from console.diagnosis.why.values import (
    Evidence,
    ServiceExplanation,
    Explanation,
    ServiceStanding,
    WhyAnswer,
    worst_standing,
)
from console.errors import Unknown, UsageError, known
from console.journal.matching import LogEvent
from console.journal.signatures import Confidence
from console.settings import Thresholds
from console.swarm.values import Service
from console.text import clean, listed, near_names, plural

Cause = Callable[[Case], Explanation | None]

CAUSES: tuple[Cause, ...] = (
    networks.unreadable_networks,
    exhaustion.full_network,
    networks.missing_network,
    networks.network_without_subnet,
    reported.refused_allocation,
    exhaustion.network_perhaps_full,
    networks.pending_allocations,
    exhaustion.node_without_address,
    reported.reported_cause,
    placement.no_node_for_global,
    application.failing_health_check,
    application.task_rejection,
    application.completion,
    application.failure_without_restart,
    application.repeated_failure,
    reported.reported_error,
    progress.paused_update,
    progress.stopping_tasks,
    progress.no_replicas,
    placement.preparation,
    progress.running_update,
    progress.healthy_service,
)
"""Each cause after those that would explain it: the first one that fits wins."""
SHORTEST_ID = 4
"""Characters of an ID that are taken for its beginning; fewer would be guessing."""
NO_LINES: Mapping[str, LogEvent] = {}
NOTHING_OUTSIDE: Mapping[int, tuple[str, ...]] = {}


def explain(
    snapshot: Snapshot,
    thresholds: Thresholds,
    names: tuple[str, ...] = (),
    lines: Mapping[str, LogEvent] = NO_LINES,
    outside: Mapping[int, tuple[str, ...]] = NOTHING_OUTSIDE,
) -> WhyAnswer:
    """Return why services run or do not, those that do not first.

    `names` are services, by name or the beginning of their ID, or stacks; without them, all services. `lines` are
    dockerd's last words by the ID of the object (`last_lines`), `outside` containers outside the swarm by the ports that they
    publish on the node that was asked. Raises UsageError for a name that nothing bears.
    """
    state = snapshot.swarm
    for part in (state.engine, state.services, state.tasks):
        if isinstance(part, Unknown):
            return WhyAnswer(
                (), ServiceStanding.UNKNOWN, f"The cause is not known. {part.reason}", (part.hint,)
            )
    services = known(state.services, ())
    chosen = choose(services, names)
    swarm = index_swarm(snapshot, thresholds, lines, outside)
    told = {service.id: _explain_service(service, swarm) for service in chosen}
    mates = {service.stack for service in chosen if service.stack}
    around = [service for service in services if service.stack in mates and service.id not in told]
    waiting = _group_waiting([*told.values(), *(_explain_service(service, swarm) for service in around)])
    explained = tuple(
        sorted(
            (
                _add_waiting_neighbours(explained_service, waiting.get(explained_service.service.stack, []))
                for explained_service in told.values()
            ),
            key=lambda each: (-each.explanation.standing.severity.rank, each.service.name),
        )
    )
    return WhyAnswer(explained, worst_standing(explained), _headline(explained, names))


def choose(services: tuple[Service, ...], names: tuple[str, ...]) -> tuple[Service, ...]:
    """Return the services that are meant by names, stacks or beginnings of IDs, each once; all where none is named.

    Raises UsageError for a name that nothing bears, with those that are near, and for an ID that several begin with.
    """
    if not names:
        return services
    chosen: dict[str, Service] = {}
    for name in names:
        found = [service for service in services if service.name == name] or [
            service for service in services if service.stack == name
        ]
        if not found and len(name) >= SHORTEST_ID:
            found = [service for service in services if service.id.startswith(name)]
            if len(found) > 1:
                raise UsageError(
                    f"{plural(len(found), 'service')} have an ID that begins with {clean(name)}: "
                    f"{listed([each.name for each in found])}.",
                    "Type more of the ID.",
                )
        if not found:
            bearers = {service.name for service in services} | {
                service.stack for service in services if service.stack
            }
            near = near_names(name, sorted(bearers), 3)
            raise UsageError(
                f"There is no service or stack named {clean(name)}"
                + (f"; did you mean {' or '.join(near)}?" if near else "."),
                "" if near else "`docker service ls` lists them.",
            )
        chosen.update((service.id, service) for service in found)
    return tuple(chosen.values())


def _explain_service(service: Service, swarm: Swarm) -> ServiceExplanation:
    case = open_case(service, swarm)
    found = next(filter(None, (cause(case) for cause in CAUSES)), None) or progress.no_known_cause(case)
    if service.update_state in progress.PAUSE_STATES and found.cause != "update-paused":
        found = replace(found, evidence=(*found.evidence, *progress.update_rows(case)))
    unshown = reported.missing_error_rows(case, found)
    if unshown:
        found = replace(found, evidence=(*found.evidence, *unshown))
    return ServiceExplanation(service, case.running, progress.desired_tasks(case), found)


def _group_waiting(told: Iterable[ServiceExplanation]) -> Mapping[str, list[ServiceExplanation]]:
    """Return, by stack, the services of it that wait for an address."""
    found: defaultdict[str, list[ServiceExplanation]] = defaultdict(list)
    for explained_service in told:
        if explained_service.service.stack and explained_service.explanation.is_address_problem:
            found[explained_service.service.stack].append(explained_service)
    return found


def _add_waiting_neighbours(explained: ServiceExplanation, waiting: Sequence[ServiceExplanation]) -> ServiceExplanation:
    """Return the explanation with what holds up its neighbours, where that may be its own cause."""
    own = explained.explanation
    if own.standing is ServiceStanding.RUNS or own.is_address_problem:
        return explained
    if not waiting:
        return explained
    names = listed([explained_service.service.name for explained_service in waiting])
    rows = tuple(
        Evidence(
            f"service {explained_service.service.name}",
            explained_service.explanation.cause,
            explained_service.explanation.verdict,
        )
        for explained_service in waiting[:3]
    )
    verb = "waits" if len(waiting) == 1 else "wait"
    return replace(
        explained,
        explanation=replace(
            own,
            meaning=f"{own.meaning} But {names} of the same stack {verb} for an address, and this may be a consequence.",
            evidence=(*own.evidence, *rows),
        ),
    )


def _headline(explained: tuple[ServiceExplanation, ...], names: tuple[str, ...]) -> str:
    if not explained:
        return "there are no services"
    if len(explained) == 1 and names:
        (only,) = explained
        own = only.explanation
        sure = "" if own.certainty is Confidence.CERTAIN else f" (confidence: {own.certainty})"
        return f"{only.service.name}: {own.verdict}{sure}"
    held = [
        explained_service
        for explained_service in explained
        if explained_service.explanation.standing is not ServiceStanding.RUNS
    ]
    if not held:
        return (
            f"all {plural(len(explained), 'service')} run" if len(explained) > 1 else "the one service runs"
        )
    waiting = sum(bool(explained_service.explanation.is_address_problem) for explained_service in held)
    why = f", {waiting} waiting for an address" if waiting else ", none waiting for an address"
    unsure = any(explained_service.explanation.is_address_problem is None for explained_service in held)
    return (
        f"{len(held)} of {plural(len(explained), 'service')} {'does' if len(held) == 1 else 'do'} not run"
        + ("" if unsure and not waiting else why)
    )

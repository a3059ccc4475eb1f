"""Why services do not run: what explains them, and the answer for those that were asked about."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from console.diagnosis.values import Snapshot
from console.diagnosis.why import application, networks, placement, progress, reported
from console.diagnosis.why.case import ServiceContext, SwarmIndex, index_swarm, open_case
from console.diagnosis.why.evidence import Evidence, Explanation, ServiceStatus
from console.errors import Unknown, UsageError, known
from console.frozen import frozen
from console.journal.matching import LogEvent
from console.journal.signatures import Confidence
from console.settings import Thresholds
from console.swarm.model import Service
from console.text import clean, listed, near_names, plural

Explainer = Callable[[ServiceContext], Explanation | None]

EXPLAINERS: tuple[Explainer, ...] = (
    progress.parked_service,
    networks.unreadable_networks,
    networks.full_network,
    networks.missing_network,
    networks.network_without_subnet,
    reported.refused_allocation,
    networks.network_perhaps_full,
    networks.pending_allocations,
    networks.node_without_address,
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
"""In the order in which they are asked: what explains another cause stands before it, and the first answer wins."""
SHORTEST_ID = 4
"""Characters of an ID that are taken for its beginning; fewer would be guessing."""
NO_LINES: Mapping[str, LogEvent] = {}
NOTHING_OUTSIDE: Mapping[int, tuple[str, ...]] = {}


@frozen
class ServiceExplanation:
    """A service and the explanation of how it stands."""

    service: Service
    running: int
    """Tasks that run and are meant to."""
    desired_tasks: int | None
    """None where only Swarm knows: global services and jobs."""
    explanation: Explanation


@frozen
class WhyAnswer:
    """All that was asked for: the services in the order of their names, those that do not run first."""

    services: tuple[ServiceExplanation, ...]
    standing: ServiceStatus
    headline: str
    notes: tuple[str, ...] = ()
    """What could not be read, as sentences."""


def worst_standing(services: tuple[ServiceExplanation, ...]) -> ServiceStatus:
    """Return the worst standing; runs where there is nothing."""
    return max(
        (service_explanation.explanation.standing for service_explanation in services),
        key=lambda standing: standing.severity.rank,
        default=ServiceStatus.RUNS,
    )


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
    for result in (state.engine, state.services, state.tasks):
        if isinstance(result, Unknown):
            return WhyAnswer(
                (), ServiceStatus.UNKNOWN, f"The cause is not known. {result.reason}", (result.hint,)
            )
    services = known(state.services, ())
    chosen_services = choose(services, names)
    swarm = index_swarm(snapshot, thresholds, lines, outside)
    explanations = {service.id: _explain_service(service, swarm) for service in chosen_services}
    mates = {service.stack for service in chosen_services if service.stack}
    around = [service for service in services if service.stack in mates and service.id not in explanations]
    waiting = _group_waiting(
        [*explanations.values(), *(_explain_service(service, swarm) for service in around)]
    )
    sorted_explanations = tuple(
        sorted(
            (
                _add_waiting_neighbours(
                    service_explanation, waiting.get(service_explanation.service.stack, [])
                )
                for service_explanation in explanations.values()
            ),
            key=lambda service_explanation: (
                -service_explanation.explanation.standing.severity.rank,
                service_explanation.service.name,
            ),
        )
    )
    return WhyAnswer(
        sorted_explanations, worst_standing(sorted_explanations), _headline(sorted_explanations, names)
    )


def choose(services: tuple[Service, ...], names: tuple[str, ...]) -> tuple[Service, ...]:
    """Return the services that are meant by names, stacks or beginnings of IDs, each once; all where none is named.

    Raises UsageError for a name that nothing bears, with those that are near, and for an ID that several begin with.
    """
    if not names:
        return services
    services_by_id: dict[str, Service] = {}
    for name in names:
        matching = [service for service in services if service.name == name] or [
            service for service in services if service.stack == name
        ]
        if not matching and len(name) >= SHORTEST_ID:
            matching = [service for service in services if service.id.startswith(name)]
            if len(matching) > 1:
                raise UsageError(
                    f"{plural(len(matching), 'service')} have an ID that begins with {clean(name)}: "
                    f"{listed([service.name for service in matching])}.",
                    "Type more of the ID.",
                )
        if not matching:
            bearers = {service.name for service in services} | {
                service.stack for service in services if service.stack
            }
            near = near_names(name, sorted(bearers), 3)
            raise UsageError(
                f"There is no service or stack named {clean(name)}"
                + (f"; did you mean {' or '.join(near)}?" if near else "."),
                "" if near else "`vipconsole why` without a name lists them all.",
            )
        services_by_id.update((service.id, service) for service in matching)
    return tuple(services_by_id.values())


def _explain_service(service: Service, swarm: SwarmIndex) -> ServiceExplanation:
    case = open_case(service, swarm)
    explanation = next(
        filter(None, (explainer(case) for explainer in EXPLAINERS)), None
    ) or progress.no_known_cause(case)
    if service.update_state in progress.PAUSE_STATES and explanation.cause != "update-paused":
        explanation = replace(explanation, evidence=(*explanation.evidence, *progress.update_rows(case)))
    missing_rows = reported.missing_error_rows(case, explanation)
    if missing_rows:
        explanation = replace(explanation, evidence=(*explanation.evidence, *missing_rows))
    return ServiceExplanation(service, case.running, progress.desired_tasks(case), explanation)


def _group_waiting(explanations: Iterable[ServiceExplanation]) -> Mapping[str, list[ServiceExplanation]]:
    """Return, by stack, the services of it that wait for an address."""
    by_stack: defaultdict[str, list[ServiceExplanation]] = defaultdict(list)
    for service_explanation in explanations:
        if service_explanation.service.stack and service_explanation.explanation.is_address_problem:
            by_stack[service_explanation.service.stack].append(service_explanation)
    return by_stack


def _add_waiting_neighbours(
    service_explanation: ServiceExplanation, waiting: Sequence[ServiceExplanation]
) -> ServiceExplanation:
    """Return the explanation with what holds up its neighbours, where that may be its own cause."""
    own = service_explanation.explanation
    if own.standing is ServiceStatus.RUNS or own.is_address_problem:
        return service_explanation
    if not waiting:
        return service_explanation
    names = listed([neighbour.service.name for neighbour in waiting])
    rows = tuple(
        Evidence(
            f"service {neighbour.service.name}",
            neighbour.explanation.cause,
            neighbour.explanation.verdict,
        )
        for neighbour in waiting[:3]
    )
    verb = "waits" if len(waiting) == 1 else "wait"
    return replace(
        service_explanation,
        explanation=replace(
            own,
            meaning=f"{own.meaning} But {names} of the same stack {verb} for an address, and this may be a consequence.",
            evidence=(*own.evidence, *rows),
        ),
    )


def _headline(explanations: tuple[ServiceExplanation, ...], names: tuple[str, ...]) -> str:
    if not explanations:
        return "there are no services"
    if len(explanations) == 1 and names:
        (only,) = explanations
        own = only.explanation
        sure = "" if own.certainty is Confidence.CERTAIN else f" (confidence: {own.certainty})"
        return f"{only.service.name}: {own.verdict}{sure}"
    blocked = [
        service_explanation
        for service_explanation in explanations
        if service_explanation.explanation.standing is not ServiceStatus.RUNS
    ]
    if not blocked:
        return (
            f"all {plural(len(explanations), 'service')} run"
            if len(explanations) > 1
            else "the one service runs"
        )
    waiting = sum(bool(service_explanation.explanation.is_address_problem) for service_explanation in blocked)
    why = f", {waiting} waiting for an address" if waiting else ", none waiting for an address"
    unsure = any(
        service_explanation.explanation.is_address_problem is None for service_explanation in blocked
    )
    return (
        f"{len(blocked)} of {plural(len(explanations), 'service')} {'does' if len(blocked) == 1 else 'do'} not run"
        + ("" if unsure and not waiting else why)
    )

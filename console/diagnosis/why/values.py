"""The explanation of a service that runs, or does not."""

from dataclasses import dataclass
from enum import StrEnum

from console.diagnosis.values import Severity
from console.journal.signatures import Confidence
from console.swarm.values import Service


class ServiceStanding(StrEnum):
    """Whether a service runs, will soon, or is held up."""

    RUNS = "runs"
    CONVERGING = "converging"
    """Not there yet, and not long enough for that to mean anything."""
    UNKNOWN = "unknown"
    HELD_UP = "held up"

    @property
    def severity(self) -> Severity:
        """The severity that decides the exit code: ok, warning, unknown, critical in the order above."""
        return _SEVERITIES[self]


_SEVERITIES = {
    ServiceStanding.RUNS: Severity.OK,
    ServiceStanding.CONVERGING: Severity.WARNING,
    ServiceStanding.UNKNOWN: Severity.UNKNOWN,
    ServiceStanding.HELD_UP: Severity.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that an explanation rests on: what it was read from, which field of it, and its value."""

    subject: str
    """`service ghost_app`, `task ghost_app.1`, `network proxy`, `node ci-host` or `dockerd`."""
    field: str
    """As the engine's API calls it, or in plain words for what was counted."""
    value: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cause, and what to do about it."""

    cause: str
    """Stable name of the cause, for machines."""
    standing: ServiceStanding
    certainty: Confidence
    verdict: str
    """The cause in a few words, without the service's name."""
    meaning: str
    """What that means, in sentences."""
    evidence: tuple[Evidence, ...] = ()
    is_address_problem: bool | None = None
    """None where it cannot be told."""
    advice: str = ""
    command: str = ""
    """The next command to run, ready for a shell on the engine's host; empty where there is none."""


@dataclass(frozen=True, slots=True)
class ServiceExplanation:
    """A service and the explanation of how it stands."""

    service: Service
    running: int
    """Tasks that run and are meant to."""
    desired_tasks: int | None
    """None where only Swarm knows: global services and jobs."""
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """All that was asked for: the services in the order of their names, those that do not run first."""

    services: tuple[ServiceExplanation, ...]
    standing: ServiceStanding
    headline: str
    notes: tuple[str, ...] = ()
    """What could not be read, as sentences."""


def worst_standing(services: tuple[ServiceExplanation, ...]) -> ServiceStanding:
    """Return the worst standing; runs where there is nothing."""
    return max(
        (service_explanation.explanation.standing for service_explanation in services),
        key=lambda standing: standing.severity.rank,
        default=ServiceStanding.RUNS,
    )

"""What the guard is told, what it finds, and what it decides."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.diagnosis.quiescence.values import Report
from console.diagnosis.values import Assessment, Observation
from console.errors import Part, Unknown


class Verdict(StrEnum):
    """Whether the batch may start."""

    GO = "go"
    NOTE = "go with a note"
    STOP = "do not start"
    UNKNOWN = "cannot know"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator wants and allows."""

    network: str
    """The network that the batch deploys on."""
    need: int | None = None
    """How many addresses the batch takes there; None where nobody said."""
    may_restart: bool = False
    may_prune: bool = True
    cooldown_s: float = 21_600
    """At least so long between two restarts."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """The unit of the docker daemon, as far as a restart of it is concerned."""

    started_at: datetime | None
    """None while it does not run."""
    start_limit_s: float
    """Within so long systemd counts its starts (StartLimitIntervalSec=)."""
    stays_down: tuple[str, ...]
    """Running containers outside the swarm whose restart policy would not bring them back."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision rests on."""

    observation: Observation
    assessment: Assessment
    """Of all overlays."""
    quiet: Report
    """One look's worth of checks, nothing accepted."""
    unfinished: Part[str]
    """What an unfinished run says, with the command that resumes it; nothing where there is none."""
    holder: Part[str]
    """Who holds the maintenance lock; nothing where nobody does."""
    daemon: Part[Daemon]
    last_restart_at: Part[datetime | None]
    """When the guard restarted it last; None where it never did. Unknown where that could not be read."""
    prunable: tuple[str, ...] = ()
    """Names of the overlays that nobody uses and nothing keeps."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A network on which addresses cannot be had."""

    network: str
    network_id: str
    why: str
    """A clause: `2 deploys wait for an address on it`."""
    wanted: int
    """Addresses that the batch, and whatever waits, take."""
    free: int
    """Addresses that are free at most."""
    within_reach: int
    """Addresses that would be free if every leaked one were given back."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the guard does and says. The same value is shown by `--dry-run` and acted on without it."""

    verdict: Verdict
    """If nothing were done; `restarts` changes it to what comes of the restart."""
    sentence: str
    hint: str = ""
    shortage: Shortage | None = None
    restarts: bool = False
    prunes: tuple[str, ...] = ()
    census_of: str = ""
    """The network whose leaks must be known before anything can be said; nothing where none is needed."""
    because: tuple[str, ...] = ()
    """What held, or did not, each a sentence; in the order in which it was looked at."""


def unknown(part: Unknown, what: str) -> Decision:
    """Return the decision where something cannot be known."""
    return Decision(Verdict.UNKNOWN, f"{what} {part.reason}", part.hint)

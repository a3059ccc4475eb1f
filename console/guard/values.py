"""What the guard is given and what it decides, as values."""

from datetime import datetime
from enum import StrEnum

from console.diagnosis.quiescence.values import Report
from console.diagnosis.values import Assessment, Snapshot
from console.errors import Result, Unknown
from console.frozen import frozen
from console.operations.reclaim import ReclaimMethod


class GuardVerdict(StrEnum):
    """Whether the batch may start."""

    GO = "go"
    NOTE = "go with a note"
    STOP = "do not start"
    UNKNOWN = "cannot know"


@frozen
class GuardOptions:
    """What the operator wants and allows."""

    network: str
    """The network that the batch deploys on."""
    need: int | None = None
    """How many addresses the batch takes there; None where nobody said."""
    may_restart: bool = False
    may_borrow: bool = False
    """Whether a second manager may be borrowed, which comes before a restart."""
    may_prune: bool = True
    cooldown_s: float = 21_600
    """At least so long between two times in which leaked addresses are given back."""
    allocator_is_new: bool = False
    """Whether the guard has just had the allocator rebuilt: nothing has leaked since, so what is free at most is free."""


@frozen
class Daemon:
    """The unit of the docker daemon, as far as a restart of it is concerned."""

    started_at: datetime | None
    """None while it does not run."""
    start_limit_s: float
    """Within so long systemd counts its starts (StartLimitIntervalSec=)."""
    stays_down: tuple[str, ...]
    """Running containers outside the swarm whose restart policy would not bring them back."""


@frozen
class GuardInputs:
    """Everything that a decision rests on."""

    snapshot: Snapshot
    assessment: Assessment
    """Of all overlays."""
    quiet: Report
    """One snapshot's worth of checks, nothing accepted."""
    unfinished_run: Result[str]
    """What an unfinished run says, with the command that resumes it; nothing where there is none."""
    holder: Result[str]
    """Who holds the maintenance lock; nothing where nobody does."""
    daemon: Result[Daemon]
    last_restart_at: Result[datetime | None]
    """When the guard gave leaked addresses back last, by a restart or by a borrowed manager; None where it never did.

    Unknown where that could not be read.
    """
    prunable: tuple[str, ...] = ()
    """Names of the overlays that nobody uses and nothing keeps."""
    why_no_borrow: Unknown | None = None
    """Why no manager can be borrowed on this host; None where one can be, and where it is not allowed anyway."""


@frozen
class Shortage:
    """A network on which addresses are exhausted."""

    network: str
    network_id: str
    why: str
    """A clause: `2 deploys wait for an address on it`."""
    demand: int
    """Addresses that the batch, and whatever waits, take."""
    free: int
    """Addresses that are free at most."""
    within_reach: int
    """Addresses that would be free if every leaked one were given back."""


@frozen
class GuardDecision:
    """What the guard does and says. The same value is shown by `--dry-run` and acted on without it."""

    verdict: GuardVerdict
    """The verdict if nothing is done; where `reclaim_method` is set, its result replaces it."""
    sentence: str
    hint: str = ""
    shortage: Shortage | None = None
    reclaim_method: ReclaimMethod | None = None
    """How leaked addresses are given back now; None where they are not."""
    prunes: tuple[str, ...] = ()
    census_of: str = ""
    """The network whose leaks must be known before a decision; empty where none is needed."""
    because: tuple[str, ...] = ()
    """What held, or did not, each a sentence; in the order in which it was looked at."""

    @property
    def restarts(self) -> bool:
        """Whether the docker unit is restarted."""
        return self.reclaim_method is ReclaimMethod.RESTART

    @property
    def borrows(self) -> bool:
        """Whether a second manager is borrowed."""
        return self.reclaim_method is ReclaimMethod.BORROW


def unknown_decision(result: Unknown, sentence: str) -> GuardDecision:
    """Return the decision where something cannot be known."""
    return GuardDecision(GuardVerdict.UNKNOWN, f"{sentence} {result.reason}", result.hint)

"""Quiescence checks, what blocks them, and one line of text for that."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from console.diagnosis.quiescence.crash_loops import ServiceHistory
from console.diagnosis.values import Snapshot
from console.errors import Unknown
from console.frozen import frozen
from console.host.activity import HostActivity
from console.settings import QuiescenceSettings, Thresholds
from console.swarm.model import Event
from console.text import listed

_CONTAINER_OF_TASK = re.compile(r"^container (.+)\.(?:\d+|[a-z0-9]{25})\.[a-z0-9]{25}$")
"""`SERVICE.SLOT.TASK`, or `SERVICE.NODE.TASK` where the service is global."""


class CheckState(StrEnum):
    """The result of a check; some block quiet, others do not."""

    QUIET = "quiet"
    WARNING = "warning"
    """Worth knowing; does not block."""
    UNCHECKED = "not checked"
    """It has no meaning here; does not block."""
    UNKNOWN = "unknown"
    STUCK = "stuck"
    """Something neither runs nor changes; blocks until it is fixed or accepted by name."""
    BUSY = "busy"

    @property
    def blocks(self) -> bool:
        """Whether it is not quiet while a check is in this state."""
        return self in (CheckState.UNKNOWN, CheckState.STUCK, CheckState.BUSY)


class QuiescenceVerdict(StrEnum):
    """What all checks amount to."""

    QUIET = "quiet"
    BUSY = "busy"
    UNKNOWN = "unknown"


@frozen
class Blocker:
    """Something by name that keeps a check from being quiet."""

    name: str
    what: str
    """What it does, as what follows its name in a sentence."""
    since: datetime | None = None
    """By this machine's clock; where nothing tells, when it was seen first."""
    is_accepted: bool = False
    """Whether the operator accepted it, so that it does not block."""


@frozen
class Check:
    """One check and its result."""

    code: str
    """Its stable name in JSON and metrics."""
    title: str
    state: CheckState
    blockers: tuple[Blocker, ...] = ()
    note: str = ""
    """Why it is unknown or was not checked, or what else is worth telling."""
    hint: str = ""
    is_lasting: bool = False
    """Whether it is unknown and waiting will not change that."""


@frozen
class Report:
    """All checks of one snapshot."""

    taken_at: datetime
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> QuiescenceVerdict:
        """Busy where anything is busy or stuck, else unknown where anything is unknown, else quiet."""
        states = {check.state for check in self.checks}
        if states & {CheckState.BUSY, CheckState.STUCK}:
            return QuiescenceVerdict.BUSY
        return QuiescenceVerdict.UNKNOWN if CheckState.UNKNOWN in states else QuiescenceVerdict.QUIET

    @property
    def blocking(self) -> tuple[Check, ...]:
        """The checks in a state that keeps the whole from being quiet."""
        return tuple(check for check in self.checks if check.state.blocks)


@frozen
class ReportedChange:
    """A change that the engine reported as an event, or a gap in its events."""

    event: Event | None
    """None for a gap."""
    received_at: datetime
    received_s: float
    """The same moment in seconds that only ever grow."""


@frozen
class Changes:
    """The engine's events so far."""

    reported_changes: tuple[ReportedChange, ...]
    why_no_events: Unknown | None
    """Why no events arrive now, or None while they do."""


@frozen
class QuiescenceRules:
    """What must be quiet, for how long, and what may be ignored."""

    settings: QuiescenceSettings
    thresholds: Thresholds
    dwell_s: float
    accepted: frozenset[str] = frozenset()
    """Names of services that may be stuck, and of nodes on which tasks may be."""

    @property
    def stuck_after_s(self) -> float:
        """For how long a service must be unconverged and unchanged to be stuck."""
        # A single snapshot has no dwell time; what is stuck does not depend on that.
        return self.dwell_s or self.settings.dwell_s


@frozen
class PreviousChecks:
    """What the next snapshot's verdict needs to know of earlier snapshots."""

    unsettled_since: Mapping[str, datetime] = field(default_factory=dict)
    """By service ID, since when it has not been settled, and by owner and node, since when tasks there have been
    stopping in vain; by the engine's clock."""
    first_blocked: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """By check and name, when a blocker was seen first, by this machine's clock."""
    past: Mapping[str, ServiceHistory] = field(default_factory=dict)
    """By service ID, its history."""


@frozen
class CheckInputs:
    """Everything that one verdict is based on."""

    snapshot: Snapshot
    activity: HostActivity
    changes: Changes
    now_s: float
    """When the snapshot was over, counted as `ReportedChange.received_s`."""


@frozen
class Judgement:
    """The verdict of one snapshot, and what the next one needs to know of it."""

    report: Report
    previous: PreviousChecks
    changed_s: float | None
    """When the last change that counts was received, as `ReportedChange.received_s`; None where there was none."""


CHANGES = "changes"
"""The code of the check that is busy until the last change is old enough. Time alone ends it."""


def blocking_text(report: Report, *, without: str = "") -> str:
    """Return what blocks, by name, the worst first; nothing where nothing does. One check can be left out, by its code."""
    texts = []
    for check in _worst_first(report):
        if check.code == without and check.state is CheckState.BUSY:
            continue
        blockers = [blocker for blocker in check.blockers if not blocker.is_accepted]
        if blockers:
            texts.append(listed([f"{name.name} {name.what}" for name in blockers], 2))
        else:
            texts.append(check.note.removesuffix("."))
    return listed(list(dict.fromkeys(texts)), 3)


def last_changes_text(report: Report) -> str:
    """Return what changed within the dwell time, the last first; nothing where nothing did."""
    blockers = (blocker for check in report.checks if check.code == CHANGES for blocker in check.blockers)
    return listed([f"{blocker.name} {blocker.what}" for blocker in blockers], 2)


def list_blockers(report: Report) -> tuple[tuple[str, str], ...]:
    """Return each thing that blocks, and what it does, the worst first.

    A name is the same for as long as it is the same thing. Swarm gives each task a container of its own: those of a
    service are one thing, or one service that fails again and again would be as many as it has failed times.
    """
    blockers_by_name: dict[str, str] = {}
    for check in _worst_first(report):
        blockers = [blocker for blocker in check.blockers if not blocker.is_accepted]
        if not blockers:
            blockers_by_name.setdefault(check.title, check.note)
        for blocker in blockers:
            blockers_by_name.setdefault(
                _CONTAINER_OF_TASK.sub(r"containers of \1", blocker.name), blocker.what
            )
    return tuple(blockers_by_name.items())


def _worst_first(report: Report) -> Iterable[Check]:
    order = (CheckState.STUCK, CheckState.BUSY, CheckState.UNKNOWN)
    return sorted(report.blocking, key=lambda check: order.index(check.state))

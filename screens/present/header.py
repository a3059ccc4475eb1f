"""The header: which engine this is, how old the snapshot is, and the one sentence that matters."""

from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from console.diagnosis.values import Severity
from console.durations import TimeFormat, duration, stamp
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Engine, SwarmState
from console.text import plural
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, WORST, Spans

if TYPE_CHECKING:
    from console.monitor.values import AssessedSnapshot, Feed, MonitorState

SEVERITY_TONES = {
    Severity.OK: STRONG,
    Severity.WARNING: WARN,
    Severity.UNKNOWN: UNKNOWN,
    Severity.CRITICAL: BAD,
}
STALE_AFTER = 3
"""Poll intervals without a snapshot after which the screen counts as stale."""
STALE_AFTER_S = 6.0
"""... and the shortest time: a snapshot may be delayed by a change under way."""
AGE_STEP_S = 5
"""An age in seconds grows in steps: each step must be sent over a slow line."""


def role_of(swarm: SwarmState) -> str:
    """Return what the engine is in its swarm: `manager, leader of 1 node`; nothing where it is not known."""
    if isinstance(swarm.engine, Unknown):
        return ""
    leader = next((node for node in known(swarm.nodes, ()) if node.is_leader), None)
    role = "manager"
    if leader is not None:
        role += (
            ", leader" if leader.id == swarm.engine.node_id else f", not the leader ({leader.hostname} is)"
        )
    return f"{role} of {plural(swarm.engine.nodes, 'node')}"


class Freshness(StrEnum):
    """Whether the screen shows the present state."""

    WAITING = "waiting"
    """Nothing is known yet."""
    LIVE = "live"
    STALE = "STALE"


@frozen
class Age:
    """How old the shown state of the swarm is."""

    freshness: Freshness
    seconds: float = 0.0
    at: datetime | None = None
    """When the snapshot was taken; None if there is none yet."""
    live_for_s: float = 0.0
    """For how long it stays live if no other snapshot comes; until then nothing about it changes."""

    def __str__(self) -> str:
        """Return it in a word or two, rounded so that it seldom changes."""
        if self.freshness is not Freshness.STALE:
            return self.freshness
        whole = self.seconds if self.seconds >= 100 else self.seconds // AGE_STEP_S * AGE_STEP_S
        return f"{self.freshness} {duration(whole)}"


def age_of(monitor_state: "MonitorState", now: datetime, now_s: float) -> Age:
    """Return how old the snapshot of a monitor state is at a moment, by both clocks."""
    snapshot = monitor_state.snapshot
    if snapshot.value is None:
        return Age(Freshness.WAITING)
    seconds = max(0.0, now_s - snapshot.at_s)
    at = now - timedelta(seconds=seconds)
    left_s = max(STALE_AFTER_S, STALE_AFTER * monitor_state.poll_s) - seconds
    if snapshot.failure is not None or left_s < 0:
        return Age(Freshness.STALE, seconds, at)
    return Age(Freshness.LIVE, seconds, at, left_s)


def identity(
    monitor_state: "MonitorState", host: str, age: Age, zone: tzinfo, *, may_decide: bool = False
) -> tuple[Spans, Spans]:
    """Return the two ends of the first line: engine and role; and whether anything can be changed, and how old it is."""
    at = f" {stamp(age.at, TimeFormat.MINUTE, zone)}" if age.at is not None else ""
    is_old = age.freshness is Freshness.STALE
    right: Spans = (
        ("  decides", STRONG) if may_decide else ("  read-only", DIM),
        ("  ", PLAIN),
        *(((f" {age} ", BAD),) if is_old else ((age.freshness.value, STRONG), (at, PLAIN))),
        (" ", PLAIN),
    )
    snapshot = monitor_state.snapshot.value
    engine = snapshot.snapshot.swarm.engine if snapshot is not None else None
    if snapshot is None or not isinstance(engine, Engine):
        left: Spans = ((" vipconsole", STRONG), (f"  {host}", PLAIN))
    else:
        left = (
            (" vipconsole", STRONG),
            (f"  {engine.name}", STRONG),
            (f"  engine {engine.version}", PLAIN),
            (f"  {role_of(snapshot.snapshot.swarm)}", PLAIN),
        )
    return left, right


def headline(monitor_state: "MonitorState", age: Age, zone: tzinfo) -> Spans:
    """Return the second line: the severity as a word, and the sentence that matters."""
    snapshot = monitor_state.snapshot
    if snapshot.value is None:
        if snapshot.failure is None:
            return ((" READING ", STRONG), (" waiting for the engine", PLAIN))
        return _without_snapshot(monitor_state, snapshot.failure.reason)
    if age.freshness is Freshness.STALE and age.at is not None:
        return _without_snapshot(monitor_state, _silence(snapshot, age, zone))
    assessment = snapshot.value.assessment
    return _verdict(assessment.severity, assessment.headline)


def _verdict(severity: Severity, sentence: str) -> Spans:
    tone = WORST if severity is Severity.CRITICAL else STRONG
    return ((f" {severity.upper()} ", SEVERITY_TONES[severity]), (f" {sentence}", tone))


def _without_snapshot(monitor_state: "MonitorState", why: str) -> Spans:
    """Return the line while the engine does not answer. Runs are known without it, and come first."""
    runs = [finding.short for finding in monitor_state.run_findings if finding.severity is Severity.CRITICAL]
    severity = Severity.CRITICAL if runs else Severity.UNKNOWN
    return _verdict(severity, "; ".join((*runs, why)))


def _silence(snapshot: "Feed[AssessedSnapshot]", age: Age, zone: tzinfo) -> str:
    at = stamp(age.at, TimeFormat.SECOND, zone) if age.at is not None else ""
    whole = age.seconds if age.seconds >= 100 else age.seconds // AGE_STEP_S * AGE_STEP_S
    sentence = f"no snapshot for {duration(whole)}, showing {at}"
    return f"{sentence}. {snapshot.failure.reason}" if snapshot.failure is not None else sentence

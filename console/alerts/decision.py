"""Whom to tell what, and when: what an alert remembers and what is found now lead to notifications. Pure.

A rise is told at once, and of the same thing at most once an hour: one that comes back sooner is told when the hour is over,
if it is still there then. Its end is told once, a minute after it was last seen, so that one snapshot without it is none.
What cannot be judged now, since something could not be read, neither begins nor ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from console.alerts.values import FindingKey, Memory, Notification, Occasion
from console.diagnosis.values import Finding, Severity
from console.durations import duration
from console.errors import Unknown
from console.frozen import frozen
from console.monitor.values import MonitorState
from console.text import SENTENCE_LIMIT, clean

INTERVAL = timedelta(hours=1)
"""Between two rises of the same thing that are told."""
GONE = timedelta(minutes=1)
"""So long a finding is not seen before it is over."""
UNREAD_FOR = timedelta(minutes=1)
"""So long something cannot be read before that is told: a restart of dockerd takes less."""
SHORT_LIMIT = 200
UNREAD = "swarm-unread"
SWARM = "swarm"
_OF_RUNS = ("run-unfinished", "borrow-unfinished")


@frozen
class Present:
    """What is found at a moment."""

    findings: Mapping[FindingKey, Finding]
    can_be_over: Callable[[FindingKey], bool]
    """Whether it is known that a finding which is not there is over."""
    now: datetime
    """By this machine's clock."""
    host: str
    """This machine, by its name."""

    def without(self, key: FindingKey) -> "Present":
        """Return it without one finding."""
        return replace(
            self, findings={other: found for other, found in self.findings.items() if other != key}
        )


def present_of(state: MonitorState, now: datetime, host: str) -> Present:
    """Return what a monitor state says."""
    findings = findings_of(state)
    return Present(findings, can_end(state, findings), now, clean(host))


def findings_of(state: MonitorState) -> dict[FindingKey, Finding]:
    """Return what is found now, as far as it is known."""
    findings = {(finding.code, finding.subject): finding for finding in state.run_findings}
    feed = state.snapshot
    if feed.failure is not None:
        findings[UNREAD, SWARM] = Finding(
            UNREAD,
            Severity.UNKNOWN,
            SWARM,
            "the swarm cannot be read",
            feed.failure.reason,
            feed.failure.hint,
        )
        return findings
    if feed.value is not None:
        for finding in feed.value.assessment.findings:
            findings.setdefault((finding.code, finding.subject), finding)
    return findings


def can_end(state: MonitorState, findings: Mapping[FindingKey, Finding]) -> Callable[[FindingKey], bool]:
    """Return whether it is known that a finding which is not there is over, as a function of its key."""
    feed = state.snapshot
    is_readable = feed.failure is None and feed.value is not None
    is_whole = is_readable and not any(code in ("part-unread", UNREAD) for code, _ in findings)
    has_journal = feed.value is not None and not isinstance(feed.value.snapshot.journal, Unknown)

    def decide(key: FindingKey) -> bool:
        code, subject = key
        if code == UNREAD:
            return is_readable
        if code in _OF_RUNS:
            return not any(other == "runs-unread" for other, _ in findings)
        if code.startswith("logged-") and not has_journal:
            return False
        return is_whole and ("network-unread", subject) not in findings

    return decide


def decide(
    memories: Mapping[FindingKey, Memory], present: Present, at: Severity
) -> tuple[dict[FindingKey, Memory], tuple[Notification, ...]]:
    """Return what an alert knows next, and what it tells. `at` is the severity from which on it tells."""
    burning = {key: finding for key, finding in present.findings.items() if finding.severity.rank >= at.rank}
    next_memories: dict[FindingKey, Memory] = {}
    notifications: list[Notification] = []
    for key, finding in burning.items():
        memory, rises = _burn(memories.get(key), finding, present)
        next_memories[key] = memory
        notifications += rises
    for key, memory in memories.items():
        if key not in burning:
            kept, ends = _be_gone(key, memory, present)
            notifications += ends
            if kept is not None:
                next_memories[key] = kept
    return next_memories, tuple(notifications)


def _burn(
    memory: Memory | None, finding: Finding, present: Present
) -> tuple[Memory, tuple[Notification, ...]]:
    now = present.now
    short = clean(finding.short or finding.sentence, SHORT_LIMIT)
    if memory is None or memory.since is None or (memory.gone_at is not None and not memory.is_told):
        rise_at = None if memory is None else memory.rise_at
        memory = Memory(finding.severity, short, now, rise_at)
    memory = replace(memory, gone_at=None)
    is_worse = finding.severity.rank > memory.severity.rank
    is_early = finding.severity is Severity.UNKNOWN and now - (memory.since or now) < UNREAD_FOR
    if (memory.is_told and not is_worse) or is_early or _is_recent(memory.rise_at, now):
        return memory, ()
    memory = replace(memory, severity=finding.severity, short=short, rise_at=now, is_told=True)
    rise = Notification(
        Occasion.RISE,
        now,
        present.host,
        clean(finding.code),
        clean(finding.subject),
        finding.severity,
        short,
        clean(finding.sentence, SENTENCE_LIMIT),
        clean(finding.hint, SENTENCE_LIMIT),
        memory.since or now,
    )
    return memory, (rise,)


def _be_gone(
    key: FindingKey, memory: Memory, present: Present
) -> tuple[Memory | None, tuple[Notification, ...]]:
    now = present.now
    if memory.since is None:
        # It is over, and remembered only until the next rise may be told.
        return (memory if _is_recent(memory.rise_at, now) else None), ()
    # What is found, but is less bad, is known not to be that bad.
    is_less = key in present.findings
    if not (is_less or present.can_be_over(key)):
        return replace(memory, gone_at=None), ()
    # A clock that was set back starts the minute again.
    gone_at = min(memory.gone_at or now, now)
    if now - gone_at < GONE:
        return replace(memory, gone_at=gone_at), ()
    kept = None
    if _is_recent(memory.rise_at, now):
        kept = replace(memory, since=None, is_told=False, gone_at=None)
    if not memory.is_told:
        return kept, ()
    words = f"No longer {memory.severity.value}" if is_less else "Over"
    lasted = duration((gone_at - memory.since).total_seconds())
    end = Notification(
        Occasion.END,
        now,
        present.host,
        clean(key[0]),
        clean(key[1]),
        memory.severity,
        memory.short,
        f"{words} after {lasted}: {memory.short}.",
        "",
        memory.since,
    )
    return kept, (end,)


def _is_recent(at: datetime | None, now: datetime) -> bool:
    # A rise in the future was told by a clock that went wrong.
    return at is not None and timedelta(0) <= now - at < INTERVAL


def trial(now: datetime, host: str) -> Notification:
    """Return the notification with which somebody tries an alert."""
    return Notification(
        Occasion.TEST,
        now,
        clean(host),
        "alert-test",
        "alert",
        Severity.OK,
        "a test of this alert",
        "This is a test: `vipconsole alert --test` sent it, and nothing is wrong.",
        "",
        now,
    )

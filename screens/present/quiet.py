"""Whether the host is quiet, for a pane: one row for each check, what blocks first."""

from datetime import datetime

from console.diagnosis.quiescence.values import Blocker, Check, Report, State, Verdict
from console.diagnosis.values import Severity
from console.text import duration, plural
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, Paragraph, Part, Parts, Row, says

MARKS = {
    State.QUIET: " ",
    State.UNCHECKED: "-",
    State.WARNING: "*",
    State.UNKNOWN: "?",
    State.STUCK: "!",
    State.BUSY: "!",
}
TONES = {
    State.QUIET: DIM,
    State.UNCHECKED: DIM,
    State.WARNING: WARN,
    State.UNKNOWN: UNKNOWN,
    State.STUCK: BAD,
    State.BUSY: WARN,
}
SEVERITIES = {
    State.STUCK: Severity.CRITICAL,
    State.BUSY: Severity.WARNING,
    State.UNKNOWN: Severity.UNKNOWN,
    State.WARNING: Severity.WARNING,
}
ORDER = (State.STUCK, State.BUSY, State.UNKNOWN, State.WARNING, State.QUIET, State.UNCHECKED)
AGE_STEP_S = 60
"""An age grows by whole minutes: each change must be sent over a slow line."""


def verdict(report: Report, quiet_since: datetime | None, now: datetime) -> Parts:
    """Return in a few words whether it is quiet, and for how long."""
    if report.verdict is Verdict.QUIET:
        lasted_s = 0.0 if quiet_since is None else (now - quiet_since).total_seconds()
        for_long = f" for {duration(lasted_s // AGE_STEP_S * AGE_STEP_S)}" if lasted_s >= AGE_STEP_S else ""
        return ((f"quiet{for_long}", STRONG),)
    if report.verdict is Verdict.UNKNOWN:
        return (("unknown", UNKNOWN),)
    is_stuck = any(each.state is State.STUCK for each in report.checks)
    return (("stuck" if is_stuck else "busy", WARN),)


def check_rows(report: Report, sought: str = "") -> list[Row]:
    """Return a row for each check that was made, and one for all that were skipped."""
    told = [each for each in _ranked(report) if sought in _words(each)]
    unchecked = [each for each in told if each.state is State.UNCHECKED]
    rows = [
        Row(each.code, _check(each, report.taken_at), each, SEVERITIES.get(each.state, Severity.OK))
        for each in told
        if each not in unchecked
    ]
    if unchecked:
        titles = ", ".join(each.title for each in unchecked)
        said = f"- {plural(len(unchecked), 'check')} skipped: {titles}"
        rows.append(Row("unchecked", ((said, DIM),), tuple(unchecked)))
    return rows


def _check(check: Check, now: datetime) -> Parts:
    head: Part = (
        f"{MARKS[check.state]} {check.title}",
        PLAIN if check.state is State.QUIET else TONES[check.state],
    )
    if check.blockers:
        first, *more = check.blockers
        rest = f" and {len(more)} more" if more else ""
        return (head, (f": {blocker_says(first, now)}{rest}", PLAIN))
    return (head, (f": {check.note or check.state}", DIM if check.state is State.QUIET else PLAIN))


def blocker_says(blocker: Blocker, now: datetime) -> str:
    """Return what a blocker does and for how long, such as `ghost_app waits for an address, for 14 min`."""
    since = ""
    if blocker.since is not None:
        lasted_s = (now - blocker.since).total_seconds()
        since = f", for {duration(lasted_s // AGE_STEP_S * AGE_STEP_S)}" if lasted_s >= AGE_STEP_S else ""
    return f"{blocker.name} {blocker.what}{since}{' (accepted)' if blocker.is_accepted else ''}"


def report_says(report: Report) -> tuple[Paragraph, ...]:
    """Return every check with all that blocks it."""
    told = []
    for check in _ranked(report):
        label = f"{MARKS[check.state]} {check.state:11}"
        told.append(says(check.title, STRONG, label=label, label_tone=TONES[check.state]))
        indent = " " * len(label)
        told += [says(blocker_says(each, report.taken_at), label=indent) for each in check.blockers]
        if check.note:
            told.append(says(check.note, DIM, label=indent))
        if check.hint and check.state.blocks:
            told.append(says(check.hint, DIM, label=indent))
    return tuple(told)


def _ranked(report: Report) -> list[Check]:
    return sorted(report.checks, key=lambda each: ORDER.index(each.state))


def _words(check: Check) -> str:
    said = (f"{each.name} {each.what}" for each in check.blockers)
    return " ".join((check.title, check.note, *said)).lower()

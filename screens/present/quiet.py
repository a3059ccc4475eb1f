"""Whether the host is quiet, for a pane: one row for each check, what blocks first."""

from datetime import datetime

from console.diagnosis.quiescence.values import Blocker, Check, CheckState, QuiescenceVerdict, Report
from console.diagnosis.values import Severity
from console.durations import duration
from console.text import plural
from screens.present.text import (
    BAD,
    DIM,
    PLAIN,
    STRONG,
    UNKNOWN,
    WARN,
    Paragraph,
    Row,
    Span,
    Spans,
    paragraph,
)

MARKS = {
    CheckState.QUIET: " ",
    CheckState.UNCHECKED: "-",
    CheckState.WARNING: "*",
    CheckState.UNKNOWN: "?",
    CheckState.STUCK: "!",
    CheckState.BUSY: "!",
}
TONES = {
    CheckState.QUIET: DIM,
    CheckState.UNCHECKED: DIM,
    CheckState.WARNING: WARN,
    CheckState.UNKNOWN: UNKNOWN,
    CheckState.STUCK: BAD,
    CheckState.BUSY: WARN,
}
SEVERITIES = {
    CheckState.STUCK: Severity.CRITICAL,
    CheckState.BUSY: Severity.WARNING,
    CheckState.UNKNOWN: Severity.UNKNOWN,
    CheckState.WARNING: Severity.WARNING,
}
ORDER = (
    CheckState.STUCK,
    CheckState.BUSY,
    CheckState.UNKNOWN,
    CheckState.WARNING,
    CheckState.QUIET,
    CheckState.UNCHECKED,
)
AGE_STEP_S = 60
"""An age grows by whole minutes: each change must be sent over a slow line."""


def verdict(report: Report, quiet_since: datetime | None, now: datetime) -> Spans:
    """Return in a few words whether it is quiet, and for how long."""
    if report.verdict is QuiescenceVerdict.QUIET:
        quiet_s = 0.0 if quiet_since is None else (now - quiet_since).total_seconds()
        for_long = f" for {duration(quiet_s // AGE_STEP_S * AGE_STEP_S)}" if quiet_s >= AGE_STEP_S else ""
        return ((f"quiet{for_long}", STRONG),)
    if report.verdict is QuiescenceVerdict.UNKNOWN:
        return (("unknown", UNKNOWN),)
    is_stuck = any(check.state is CheckState.STUCK for check in report.checks)
    return (("stuck" if is_stuck else "busy", WARN),)


def check_rows(report: Report, filter_text: str = "") -> list[Row]:
    """Return a row for each check that was made, and one for all that were skipped."""
    checks = [check for check in _worst_first(report) if filter_text in _words(check)]
    skipped_checks = [check for check in checks if check.state is CheckState.UNCHECKED]
    rows = [
        Row(check.code, _check(check, report.taken_at), check, SEVERITIES.get(check.state, Severity.OK))
        for check in checks
        if check not in skipped_checks
    ]
    if skipped_checks:
        titles = ", ".join(check.title for check in skipped_checks)
        text = f"- {plural(len(skipped_checks), 'check')} skipped: {titles}"
        rows.append(Row("unchecked", ((text, DIM),), tuple(skipped_checks)))
    return rows


def _check(check: Check, now: datetime) -> Spans:
    head: Span = (
        f"{MARKS[check.state]} {check.title}",
        PLAIN if check.state is CheckState.QUIET else TONES[check.state],
    )
    if check.blockers:
        first, *more = check.blockers
        rest = f" and {len(more)} more" if more else ""
        return (head, (f": {blocker_text(first, now)}{rest}", PLAIN))
    return (head, (f": {check.note or check.state}", DIM if check.state is CheckState.QUIET else PLAIN))


def blocker_text(blocker: Blocker, now: datetime) -> str:
    """Return what a blocker does and for how long, such as `ghost_app waits for an address, for 14 min`."""
    since = ""
    if blocker.since is not None:
        age_s = (now - blocker.since).total_seconds()
        since = f", for {duration(age_s // AGE_STEP_S * AGE_STEP_S)}" if age_s >= AGE_STEP_S else ""
    return f"{blocker.name} {blocker.what}{since}{' (accepted)' if blocker.is_accepted else ''}"


def report_paragraphs(report: Report) -> tuple[Paragraph, ...]:
    """Return every check with all that blocks it."""
    paragraphs = []
    for check in _worst_first(report):
        label = f"{MARKS[check.state]} {check.state:11}"
        paragraphs.append(paragraph(check.title, STRONG, label=label, label_tone=TONES[check.state]))
        indent = " " * len(label)
        paragraphs += [
            paragraph(blocker_text(blocker, report.taken_at), label=indent) for blocker in check.blockers
        ]
        if check.note:
            paragraphs.append(paragraph(check.note, DIM, label=indent))
        if check.hint and check.state.blocks:
            paragraphs.append(paragraph(check.hint, DIM, label=indent))
    return tuple(paragraphs)


def _worst_first(report: Report) -> list[Check]:
    return sorted(report.checks, key=lambda check: ORDER.index(check.state))


def _words(check: Check) -> str:
    blockers = (f"{blocker.name} {blocker.what}" for blocker in check.blockers)
    return " ".join((check.title, check.note, *blockers)).lower()

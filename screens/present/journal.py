"""What dockerd logged, for a pane: one row for each kind of message, and the explanation of one."""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import TypeAlias

from console.diagnosis.findings.sources import SUBJECTS, is_past
from console.diagnosis.values import Severity
from console.durations import clock_time, duration, stamp
from console.journal import signatures
from console.journal.matching import LogEvent, UnexplainedError
from console.journal.signatures import Confidence, Signature
from console.journal.summary import ErrorPattern, LogFinding, Summary, describe, objects_at_fault
from console.monitor.values import Line, Log
from console.text import listed, plural
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, Paragraph, Row, Span, paragraph

SEVERITIES = {
    signatures.LogSeverity.CRITICAL: Severity.CRITICAL,
    signatures.LogSeverity.WARNING: Severity.WARNING,
    signatures.LogSeverity.NOTE: Severity.OK,
}
_SEVERITY_MARKS = {
    signatures.LogSeverity.CRITICAL: ("!", BAD),
    signatures.LogSeverity.WARNING: ("*", WARN),
    signatures.LogSeverity.NOTE: ("-", DIM),
}
LinePredicate: TypeAlias = Callable[[Line], bool]
"""Whether a line belongs to a selection."""
_SURE = {
    Confidence.CERTAIN: "certain",
    Confidence.LIKELY: "likely",
    Confidence.POSSIBLE: "possible",
}
_HEAD = re.compile(r'time="?[^" ]*"? level=[a-z]+ ')


def overview_rows(summary: Summary, zone: tzinfo, filter_text: str = "") -> list[Row]:
    """Return the rows: failures that still matter, other errors, what is past, and what never matters."""
    groups: tuple[list[tuple[float, Row]], ...] = ([], [], [], [])
    for finding in summary.findings:
        is_note = finding.signature.severity is signatures.LogSeverity.NOTE
        group = 3 if is_note else 2 if is_past(finding, summary) else 0
        groups[group].append((finding.last.timestamp(), _summary_row(finding, zone, is_dim=group > 0)))
    for other in summary.error_patterns:
        groups[1].append((other.last.timestamp(), _other_row(other, zone)))
    newest = [row for group in groups for _, row in sorted(group, key=lambda entry: -entry[0])]
    return [row for row in newest if not filter_text or filter_text in _words(row)]


def _words(row: Row) -> str:
    subject = row.value
    names = (
        (name for names in subject.objects.values() for name in names)
        if isinstance(subject, LogFinding)
        else ()
    )
    return " ".join((*(text for text, _ in row.parts), *names)).lower()


def _summary_row(finding: LogFinding, zone: tzinfo, *, is_dim: bool) -> Row:
    mark, tone = _SEVERITY_MARKS[finding.signature.severity]
    who = listed([name for kind in SUBJECTS for name in finding.objects.get(kind, ())], 2)
    return Row(
        finding.signature.id,
        (
            (f"{mark} ", DIM if is_dim else tone),
            (finding.signature.title, DIM if is_dim else STRONG),
            (f" \N{MULTIPLICATION SIGN}{finding.count}", DIM if is_dim else PLAIN),
            (f" {clock_time(finding.last, zone=zone)}", DIM),
            (f" {who}" if who else "", DIM if is_dim else PLAIN),
        ),
        finding,
        Severity.OK if is_dim else SEVERITIES[finding.signature.severity],
    )


def _other_row(other: ErrorPattern, zone: tzinfo) -> Row:
    return Row(
        ("other", other.pattern),
        (
            ("? ", UNKNOWN),
            ("other error", STRONG),
            (f" \N{MULTIPLICATION SIGN}{other.count}", PLAIN),
            (f" {clock_time(other.last, zone=zone)} ", DIM),
            (other.text, PLAIN),
        ),
        other,
        Severity.UNKNOWN,
    )


def overview_empty(summary: Summary) -> str:
    """Return the text for an empty list."""
    if not summary.is_complete:
        return "No error among the readable lines."
    window = "" if summary.window_s is None else f" in the last {duration(summary.window_s)}"
    return f"No dockerd error{window}."


def mark_of(line: Line) -> Span:
    """Return the mark in front of a line: `!` critical, `*` warning, `-` known to mean nothing, `?` unexplained error."""
    match line.meaning:
        case LogEvent(signature=signature):
            return _SEVERITY_MARKS[signature.severity]
        case UnexplainedError():
            return "?", UNKNOWN
        case None:
            return " ", PLAIN


def is_trouble(line: Line) -> bool:
    """Whether a line is about a failure: one whose meaning is bad, or an error that nothing explains."""
    mark, _ = mark_of(line)
    return mark in "!*?" if mark.strip() else line.level in ("error", "fatal", "panic")


def short(line: Line) -> str:
    """Return dockerd's message without the time and the level, which stand beside it."""
    return _HEAD.sub("", line.text, count=1)


def finding_rows(summary: Summary, zone: tzinfo) -> list[Row]:
    """Return a row for each finding: the bad ones that still hold, then the past ones, notes, and unexplained errors."""
    groups: tuple[list[Row], ...] = ([], [], [])
    for finding in summary.findings:
        is_note = finding.signature.severity is signatures.LogSeverity.NOTE
        group = 2 if is_note else 1 if is_past(finding, summary) else 0
        groups[group].append(_finding_row(finding, zone, "past" if group == 1 else ""))
    others = [_unmatched_row(message, zone) for message in summary.error_patterns]
    return [*groups[0], *groups[1], *others, *groups[2]]


def _finding_row(finding: LogFinding, zone: tzinfo, word: str) -> Row:
    signature = finding.signature
    tone = DIM if word else _SEVERITY_MARKS[signature.severity][1]
    who = listed([name for kind in SUBJECTS for name in finding.objects.get(kind, ())], 3)
    return Row(
        signature.id,
        (
            (f"{word or signature.severity.value:8} ", tone),
            (f"\N{MULTIPLICATION SIGN}{finding.count:<5}", STRONG if tone != DIM else DIM),
            (f"{clock_time(finding.last, zone=zone)}  ", DIM),
            (signature.title, STRONG if tone != DIM else DIM),
            (f"  {who}" if who else "", PLAIN if tone != DIM else DIM),
        ),
        finding,
        Severity.OK if word else SEVERITIES[signature.severity],
    )


def _unmatched_row(message: ErrorPattern, zone: tzinfo) -> Row:
    return Row(
        ("unmatched", message.pattern),
        (
            ("other    ", UNKNOWN),
            (f"\N{MULTIPLICATION SIGN}{message.count:<5}", STRONG),
            (f"{clock_time(message.last, zone=zone)}  ", DIM),
            (message.text, PLAIN),
        ),
        message,
        Severity.UNKNOWN,
    )


def explain(subject: object, summary: Summary, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return the explanation of a finding, or of errors that have none."""
    if isinstance(subject, LogFinding):
        past = (
            (
                paragraph(
                    "Past: the allocator has been rebuilt since, and addresses leaked before are free again.",
                    DIM,
                ),
            )
            if is_past(subject, summary)
            else ()
        )
        return (
            *_meaning(subject.signature),
            *past,
            paragraph(describe(subject, summary.window_s, zone), label="seen"),
            paragraph(subject.text, DIM, label="last"),
        )
    if isinstance(subject, ErrorPattern):
        return (
            *_no_meaning(),
            paragraph(f"{plural(subject.count, 'time')}; the last line:", label="seen"),
            *(paragraph(name, label="at") for name in objects_at_fault(subject.objects)),
            paragraph(subject.text, label="last"),
        )
    return (paragraph("Nothing about addresses was logged.", DIM),)


def explain_line(line: Line, zone: tzinfo) -> tuple[Paragraph, ...]:
    """Return one line whole, and what it means."""
    whole = paragraph(line.text, STRONG, label=stamp(line.at, zone=zone))
    match line.meaning:
        case LogEvent(signature=signature):
            return (*_meaning(signature), whole)
        case UnexplainedError():
            return (*_no_meaning(), whole)
        case None:
            return (whole, paragraph("Not an error, and probably not about addresses.", DIM))


def _meaning(signature: Signature) -> tuple[Paragraph, ...]:
    paragraphs = [paragraph(signature.meaning, STRONG)]
    paragraphs.append(paragraph(_SURE[signature.certainty], label="Confidence:"))
    paragraphs.append(paragraph(signature.advice, label="do  "))
    if signature.is_leak_evidence and signature.lost_addresses:
        paragraphs.append(
            paragraph(
                f"each such line proves {plural(signature.lost_addresses, 'leaked address', 'leaked addresses')}",
                label="leak",
            )
        )
    return tuple(paragraphs)


def _no_meaning() -> tuple[Paragraph, ...]:
    return (paragraph("An error, probably not about addresses.", UNKNOWN),)


def lines_of(subject: object) -> LinePredicate | None:
    """Return which lines belong to a finding."""
    if isinstance(subject, LogFinding):
        signature_id = subject.signature.id
        return lambda line: isinstance(line.meaning, LogEvent) and line.meaning.signature.id == signature_id
    if isinstance(subject, ErrorPattern):
        pattern = subject.pattern
        return lambda line: isinstance(line.meaning, UnexplainedError) and line.meaning.pattern == pattern
    return None


def state(log: Log) -> tuple[Paragraph, ...]:
    """Return notes on the log as a whole: lines missing, addresses leaked."""
    summary = log.summary
    paragraphs: list[Paragraph] = []
    if not summary.is_complete:
        why = " ".join(dict.fromkeys(gap.reason for gap in summary.gaps)) or "Lines are missing or malformed."
        paragraphs.append(paragraph(f"{why} All counts are lower bounds.", UNKNOWN, label="incomplete"))
    if summary.lost_addresses:
        count = plural(summary.lost_addresses, "address", "addresses")
        paragraphs.append(paragraph(f"{count} proven leaked since the allocator was last rebuilt.", BAD))
    return tuple(paragraphs)

"""What dockerd logged, for a narrow pane: a line for each kind of thing that it said, the newest first."""

from datetime import tzinfo

from console.diagnosis.findings.sources import SUBJECTS, is_past
from console.diagnosis.values import Severity
from console.durations import clock_time
from console.journal import signatures
from console.journal.summary import Finding, Summary, Unmatched
from console.text import duration, listed
from screens.views.parts import BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, Row

SEVERITIES = {
    signatures.Severity.CRITICAL: Severity.CRITICAL,
    signatures.Severity.WARNING: Severity.WARNING,
    signatures.Severity.NOTE: Severity.OK,
}
_SEVERITY_MARKS = {
    signatures.Severity.CRITICAL: ("!", BAD),
    signatures.Severity.WARNING: ("*", WARN),
    signatures.Severity.NOTE: ("-", DIM),
}


def logged_rows(summary: Summary, zone: tzinfo, sought: str = "") -> list[Row]:
    """Return the rows: failures that still matter, other errors, what is past, and what never matters."""
    groups: tuple[list[tuple[float, Row]], ...] = ([], [], [], [])
    for finding in summary.findings:
        is_note = finding.signature.severity is signatures.Severity.NOTE
        group = 3 if is_note else 2 if is_past(finding, summary) else 0
        groups[group].append((finding.last.timestamp(), _summary_row(finding, zone, is_dim=group > 0)))
    for other in summary.unmatched:
        groups[1].append((other.last.timestamp(), _other_row(other, zone)))
    newest = [row for group in groups for _, row in sorted(group, key=lambda each: -each[0])]
    return [each for each in newest if not sought or sought in _words(each)]


def _words(row: Row) -> str:
    found = row.value
    named = (name for names in found.objects.values() for name in names) if isinstance(found, Finding) else ()
    return " ".join((*(text for text, _ in row.parts), *named)).lower()


def _summary_row(finding: Finding, zone: tzinfo, *, is_dim: bool) -> Row:
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


def _other_row(other: Unmatched, zone: tzinfo) -> Row:
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


def logged_empty(summary: Summary) -> str:
    """Return what is said where there is no row."""
    if not summary.is_complete:
        return "No error among the lines that could be read."
    window = "" if summary.window_s is None else f" in the last {duration(summary.window_s)}"
    return f"No error of dockerd's{window}."

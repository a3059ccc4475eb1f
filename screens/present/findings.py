"""Findings: the tone of each severity, the worst of each subject, a row for each finding, and the whole of one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from console.diagnosis.values import Assessment, Finding, Severity
from console.text import listed
from screens.present.text import (
    BAD,
    DIM,
    EMPTY,
    MARKS,
    PLAIN,
    STRONG,
    UNKNOWN,
    WARN,
    Paragraph,
    Row,
    Spans,
    paragraph,
)

NAME_LIMIT = 40
MARK_TONES = {
    Severity.OK: PLAIN,
    Severity.WARNING: WARN,
    Severity.UNKNOWN: UNKNOWN,
    Severity.CRITICAL: BAD,
}
LOGGED = "logged-"
"""So the codes of findings begin that dockerd logged."""


@cache
def _signature_titles() -> Mapping[str, str]:
    from console.journal.failures import ALL_SIGNATURES  # noqa: PLC0415 - something was logged

    return {f"{LOGGED}{signature.id}": signature.title for signature in ALL_SIGNATURES}


def severities(findings: Iterable[Finding]) -> Mapping[str, Severity]:
    """Return the worst severity of each subject, notes aside. Findings come worst first."""
    worst: dict[str, Severity] = {}
    for finding in findings:
        if finding.severity is not Severity.OK:
            worst.setdefault(finding.subject, finding.severity)
    return worst


def finding_rows(assessment: Assessment, filter_text: str = "") -> list[Row]:
    """Return a row for each finding that matches the filter, the worst first, notes last."""
    findings = [
        finding
        for finding in assessment.findings
        if filter_text in " ".join((finding.subject, finding.sentence, *finding.names)).lower()
    ]
    counts = Counter[tuple[str, str]]()
    rows = []
    for finding in findings:
        kind = (finding.code, finding.subject)
        rows.append(Row((kind, counts[kind]), _finding(finding), finding, finding.severity))
        counts[kind] += 1
    return rows


def _finding(finding: Finding) -> Spans:
    title = _signature_titles().get(finding.code) if finding.code.startswith(LOGGED) else None
    if title is not None:
        who = f": {listed(finding.names, 2)}" if finding.names else ""
        mark = (f"{MARKS[finding.severity]} ", MARK_TONES[finding.severity])
        return (mark, (f"dockerd: {title}{who}. ", PLAIN), (finding.sentence, DIM))
    if finding.severity is Severity.OK:
        return ((f"- {finding.sentence} {finding.hint}", DIM),)
    mark = (f"{MARKS[finding.severity]} ", MARK_TONES[finding.severity])
    return (mark, (finding.sentence, PLAIN), (f" {finding.hint}", DIM))


def finding_paragraphs(finding: Finding) -> tuple[Paragraph, ...]:
    """Return everything about a finding."""
    word = "note" if finding.severity is Severity.OK else finding.severity.value
    paragraphs = [
        paragraph(finding.sentence, STRONG, label=f"{word:8}", label_tone=MARK_TONES[finding.severity] or DIM)
    ]
    if finding.hint:
        paragraphs.append(paragraph(finding.hint, label=" " * 8))
    if finding.names:
        paragraphs += [EMPTY, paragraph(listed(finding.names, NAME_LIMIT), label="about   ")]
    return tuple(paragraphs)

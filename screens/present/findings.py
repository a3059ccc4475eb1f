"""What was found, for a pane: one row for each finding, and all that is known about one."""

from collections import Counter

from console.diagnosis.values import Assessment, Finding, Severity
from console.journal.failures import ALL_SIGNATURES
from console.text import listed
from screens.present.overlays import MARK_TONES
from screens.present.text import DIM, EMPTY, MARKS, PLAIN, STRONG, Paragraph, Row, Spans, says

NAMED = 40


def finding_rows(assessment: Assessment, sought: str = "") -> list[Row]:
    """Return a row for each finding that matches the filter, the worst first, notes last."""
    found = [
        finding
        for finding in assessment.findings
        if sought in " ".join((finding.subject, finding.sentence, *finding.names)).lower()
    ]
    seen = Counter[tuple[str, str]]()
    rows = []
    for finding in found:
        kind = (finding.code, finding.subject)
        rows.append(Row((kind, seen[kind]), _finding(finding), finding, finding.severity))
        seen[kind] += 1
    return rows


LOGGED = {f"logged-{signature.id}": signature.title for signature in ALL_SIGNATURES}


def _finding(finding: Finding) -> Spans:
    title = LOGGED.get(finding.code)
    if title is not None:
        who = f": {listed(finding.names, 2)}" if finding.names else ""
        mark = (f"{MARKS[finding.severity]} ", MARK_TONES[finding.severity])
        return (mark, (f"dockerd: {title}{who}. ", PLAIN), (finding.sentence, DIM))
    if finding.severity is Severity.OK:
        return ((f"- {finding.sentence} {finding.hint}", DIM),)
    mark = (f"{MARKS[finding.severity]} ", MARK_TONES[finding.severity])
    return (mark, (finding.sentence, PLAIN), (f" {finding.hint}", DIM))


def finding_says(finding: Finding) -> tuple[Paragraph, ...]:
    """Return everything about a finding."""
    word = "note" if finding.severity is Severity.OK else finding.severity.value
    told = [says(finding.sentence, STRONG, label=f"{word:8}", label_tone=MARK_TONES[finding.severity] or DIM)]
    if finding.hint:
        told.append(says(finding.hint, label=" " * 8))
    if finding.names:
        told += [EMPTY, says(listed(finding.names, NAMED), label="about   ")]
    return tuple(told)

"""Findings about what dockerd logged: its recent failures, and whether its journal can be read at all."""

from collections.abc import Iterator

from console.health.values import Finding, Severity
from console.journal import signatures
from console.journal.summary import Finding as Logged
from console.journal.summary import Summary, describe
from console.parts import Part, Unknown
from console.text import duration, ending, plural

JOURNAL = "journal"
LINE_LIMIT = 300
SUBJECTS = ("service", "network", "removed")
"""Kinds of objects that a failure is about; it also names the node and the task that it happened on."""


_SEVERITIES = {
    signatures.Severity.CRITICAL: Severity.CRITICAL,
    signatures.Severity.WARNING: Severity.WARNING,
    signatures.Severity.NOTE: Severity.OK,
}


def find_logged(journal: Part[Summary], *, required: bool) -> Iterator[Finding]:
    """Yield recent failures that dockerd logged. An unread journal is unknown where it is `required`."""
    if isinstance(journal, Unknown):
        if required:
            yield Finding(
                "journal-unread",
                Severity.UNKNOWN,
                JOURNAL,
                "dockerd's journal cannot be read",
                f"dockerd's journal was not read. {journal.reason}",
                journal.hint,
            )
        return
    for logged in journal.findings:
        severity = _SEVERITIES[logged.signature.severity]
        if severity is not Severity.OK and not is_past(logged, journal):
            yield Finding(
                f"logged-{logged.signature.id}",
                severity,
                JOURNAL,
                f"dockerd logged {plural(logged.count, 'failure')}",
                f"{logged.signature.meaning} dockerd's log: {describe(logged, journal.window_s)}.{_line(logged)}",
                logged.signature.advice,
                tuple(name for kind in SUBJECTS for name in logged.objects.get(kind, ())),
            )
    if not journal.is_complete:
        reasons = (
            " ".join(dict.fromkeys(each.reason for each in journal.gaps))
            or "Lines were left out, or made no sense."
        )
        yield Finding(
            "journal-incomplete",
            Severity.OK,
            JOURNAL,
            "",
            f"dockerd's journal{_lately(journal)} is incomplete. {reasons}",
            "What dockerd did not say here it may have said in the missing lines.",
        )


def _line(logged: Logged) -> str:
    return f" Its last line ends: {ending(logged.text, LINE_LIMIT)}" if logged.signature.shows_line else ""


def _lately(journal: Summary) -> str:
    return "" if journal.window_s is None else f" of the last {duration(journal.window_s)}"


def is_past(logged: Logged, summary: Summary) -> bool:
    """Whether a failure belongs to an allocator that is gone: it was rebuilt after the last such line."""
    return summary.rebuilt_at is not None and logged.last < summary.rebuilt_at

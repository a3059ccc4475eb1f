"""What dockerd logged, as JSON: the same in every command that shows it."""

from collections.abc import Mapping
from typing import Any

from console.diagnosis.findings.sources import is_past
from console.errors import Part, Unknown
from console.journal.matching import Event, Unexplained
from console.journal.summary import Finding, Summary


def journal_json(journal: Part[Summary]) -> Mapping[str, Any]:
    """Return the reading, or why there is none."""
    if isinstance(journal, Unknown):
        return {"unknown": journal.reason, "hint": journal.hint}
    return {
        "window_s": journal.window_s,
        "is_complete": journal.is_complete,
        "gaps": [each.reason for each in journal.gaps],
        "entries": journal.entries,
        "allocator_rebuilt_at": None if journal.rebuilt_at is None else journal.rebuilt_at.isoformat(),
        "addresses_lost": journal.addresses_lost,
        "findings": [_finding_json(each, journal) for each in journal.findings],
        "unmatched_count": journal.unmatched_count,
        "unmatched": [
            {
                "count": each.count,
                "first": each.first.isoformat(),
                "last": each.last.isoformat(),
                "text": each.text,
                "objects": {kind: list(names) for kind, names in each.objects.items()},
            }
            for each in journal.unmatched
        ],
    }


def _finding_json(finding: Finding, summary: Summary) -> Mapping[str, Any]:
    signature = finding.signature
    return {
        "signature": signature.id,
        "severity": signature.severity,
        "certainty": signature.certainty,
        "is_leak_evidence": signature.is_leak_evidence,
        "is_past": is_past(finding, summary),
        "count": finding.count,
        "first": finding.first.isoformat(),
        "last": finding.last.isoformat(),
        "objects": {kind: list(names) for kind, names in finding.objects.items()},
        "addresses_lost": finding.addresses_lost,
        "dropped": finding.dropped,
        "meaning": signature.meaning,
        "advice": signature.advice,
        "text": finding.text,
    }


def event_json(event: Event | Unexplained, names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return one recognised line."""
    shared = {"at": event.at.isoformat(), "text": event.text}
    objects = {kind: names.get(value, value) for kind, value in event.ids.items()}
    if isinstance(event, Unexplained):
        return {**shared, "signature": None, "objects": objects}
    return {
        **shared,
        "signature": event.signature.id,
        "severity": event.signature.severity,
        "objects": objects,
        "dropped": event.dropped,
    }

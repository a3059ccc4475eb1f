"""What the doctor found, as text and as JSON: area by area, and what is wrong with the command that mends it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.diagnosis.values import Severity
from console.doctor.values import DoctorArea, Examination, worst
from console.text import plural
from screens.output.plain import json_text

SCHEMA = "vipconsole.doctor/1"
WORDS = {
    Severity.OK: "ok",
    Severity.WARNING: "WARNING",
    Severity.UNKNOWN: "UNKNOWN",
    Severity.CRITICAL: "CRITICAL",
}
TITLES = {
    DoctorArea.ENGINE: "Engine",
    DoctorArea.LOG: "dockerd's log",
    DoctorArea.HOST: "This host",
    DoctorArea.NIXOS: "NixOS",
    DoctorArea.NODES: "Other nodes",
    DoctorArea.SERVICES: "While nobody looks",
    DoctorArea.SETTINGS: "Settings",
    DoctorArea.TERMINAL: "Terminal",
}
_WORD_WIDTH = 10


def lines(examinations: Sequence[Examination], *, shows_all: bool) -> Iterator[str]:
    """Yield the lines of a report; the hints of what works only where everything is asked for."""
    yield _verdict(examinations)
    for area in DoctorArea:
        of_area = [examination for examination in examinations if examination.area is area]
        if not of_area:
            continue
        yield ""
        yield TITLES[area]
        for examination in of_area:
            yield f"  {_word(examination):{_WORD_WIDTH}}{examination.sentence}"
            if examination.hint and (shows_all or examination.severity is not Severity.OK):
                yield f"  {'':{_WORD_WIDTH}}{examination.hint}"


def _word(examination: Examination) -> str:
    # What works and could be more is worth a hint to those who ask for all.
    is_note = examination.severity is Severity.OK and examination.hint
    return "note" if is_note else WORDS[examination.severity]


def _verdict(examinations: Sequence[Examination]) -> str:
    counts = [
        plural(sum(examination.severity is severity for examination in examinations), noun, many)
        for severity, noun, many in (
            (Severity.CRITICAL, "thing does not work", "things do not work"),
            (Severity.UNKNOWN, "thing could not be examined", "things could not be examined"),
            (
                Severity.WARNING,
                "thing works less well than it could",
                "things work less well than they could",
            ),
        )
        if any(examination.severity is severity for examination in examinations)
    ]
    return f"{'; '.join(counts)}." if counts else "Everything that was examined works."


def as_json(examinations: Sequence[Examination], host: str) -> str:
    """Return everything as one JSON document, ASCII only."""
    severity = worst(examinations)
    document: Mapping[str, Any] = {
        "schema": SCHEMA,
        "host": host,
        "severity": severity,
        "exit_code": severity.exit_code,
        "examinations": [
            {
                "area": examination.area,
                "subject": examination.subject,
                "severity": examination.severity,
                "sentence": examination.sentence,
                "hint": examination.hint,
            }
            for examination in examinations
        ],
    }
    return json_text(document)

"""Examines dockerd's log: by what it is read, whether it can be, and whether anything is in it."""

from console.doctor.values import DoctorArea, Examination, Patient, passed, unexamined, warned
from console.durations import duration
from console.errors import Result, Unknown
from console.journal import native
from console.journal.reader import read_recent, why_foreign_unless_silent
from console.swarm.model import Engine
from console.text import clean, plural

AREA = DoctorArea.LOG


async def examine_log(patient: Patient, engine: Result[Engine]) -> tuple[Examination, ...]:
    """Return what was found."""
    log, unit, limits = patient.log, patient.settings.docker_unit, patient.settings.snapshot
    window_s = limits.journal_s
    if log.is_recorded:
        return (passed(AREA, "reader", "A recording is read instead of this host's journal."),)
    refusal = await why_foreign_unless_silent(patient.reader.host, engine)
    if refusal is not None and not log.is_proven:
        return (
            passed(
                AREA,
                "reader",
                f"This host's journal is not read. {refusal.reason}",
                "Where this is the engine's own host, mend what is said about the engine first.",
            ),
        )
    batch = await read_recent(log, None, patient.at, window_s, limits.call_timeout_s)
    if isinstance(batch, Unknown):
        return (_reader(), unexamined(AREA, "journal", batch))
    if batch.entries:
        lines = plural(len(batch.entries), "line")
        return (
            _reader(),
            passed(AREA, "journal", f"{lines} of {unit} of the last {duration(window_s)} can be read."),
        )
    return (
        _reader(),
        warned(
            AREA,
            "journal",
            f"The journal can be read, and has no line of {clean(unit)} of the last {duration(window_s)}.",
            f"`journalctl -u {clean(unit)} -n 3`. Where dockerd has another unit, set `docker_unit`. On Debian this "
            "user must be in the group systemd-journal or adm to see the lines of the system.",
        ),
    )


def _reader() -> Examination:
    if native.is_available():
        return passed(AREA, "reader", "The journal is read with systemd's own library (systemd-python).")
    return passed(
        AREA,
        "reader",
        "The journal is read with `journalctl`: systemd-python is not installed.",
        "It works. With `pip install 'vipconsole[journal]'` it starts no process for it.",
    )

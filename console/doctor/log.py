"""Examines dockerd's log: by what it is read, whether it can be, and whether anything is in it."""

from console.doctor.values import DoctorArea, Examination, Patient, failed, passed, unexamined, warned
from console.durations import duration
from console.errors import Result, Unknown, VipconsoleError
from console.journal import native
from console.journal.reader import read_recent, why_foreign_unless_silent
from console.journal.values import Batch
from console.swarm.model import Engine
from console.text import clean, plural

AREA = DoctorArea.LOG


async def examine_log(patient: Patient, engine: Result[Engine]) -> tuple[Examination, ...]:
    """Return what was found."""
    log, limits = patient.log, patient.settings.snapshot
    if isinstance(log, VipconsoleError):
        return (failed(AREA, "reader", log),)
    if log.is_recorded:
        recorded = passed(AREA, "reader", "A recording is read instead of this host's journal.")
        return (
            recorded,
            _found(patient, await read_recent(log, None, patient.at, None, limits.call_timeout_s)),
        )
    host = "" if isinstance(patient.reader, VipconsoleError) else patient.reader.host
    refusal = await why_foreign_unless_silent(host, engine)
    if refusal is not None and not log.is_proven:
        return (
            passed(
                AREA,
                "reader",
                f"This host's journal is not read. {refusal.reason}",
                "Where this is the engine's own host, mend what is said about the engine first.",
            ),
        )
    batch = await read_recent(log, None, patient.at, limits.journal_s, limits.call_timeout_s)
    return (_reader(), _found(patient, batch, limits.journal_s))


def _found(patient: Patient, batch: Result[Batch], window_s: float | None = None) -> Examination:
    """Return whether there are lines of dockerd; of a recording (no window) those of any time."""
    unit = clean(patient.settings.docker_unit)
    if isinstance(batch, Unknown):
        return unexamined(AREA, "journal", batch)
    time = "" if window_s is None else f" of the last {duration(window_s)}"
    if batch.entries:
        return passed(AREA, "journal", f"{plural(len(batch.entries), 'line')} of {unit}{time} can be read.")
    reasons = [gap.reason for gap in batch.gaps]
    if batch.unreadable:
        reasons.append(f"{plural(batch.unreadable, 'entry', 'entries')} could not be read.")
    if batch.is_partial:
        reasons.append("It was not read whole within the time that there is.")
    if reasons:
        return unexamined(
            AREA,
            "journal",
            Unknown(
                f"Whether dockerd logs to the journal is not known. {' '.join(reasons)}",
                f"`journalctl -u {unit} -n 3`; `journalctl --verify` finds damaged files."
                if window_s is not None
                else "Name another recording.",
            ),
        )
    if window_s is None:
        return warned(
            AREA, "journal", f"The recording has no line of {unit}.", "Set `docker_unit` to the unit in it."
        )
    return warned(
        AREA,
        "journal",
        f"The journal can be read, and has no line of {unit}{time}.",
        f"`journalctl -u {unit} -n 3`. Where dockerd has another unit, set `docker_unit`. On Debian this "
        "user must be in the group systemd-journal or adm to see the lines of the system.",
    )


def _reader() -> Examination:
    if native.is_available():
        return passed(AREA, "reader", "The journal is read with systemd's own library (systemd-python).")
    return passed(
        AREA,
        "reader",
        "The journal is read with `journalctl`: systemd-python is not installed.",
        "It works. With systemd-python beside vipconsole (`pip install systemd-python`) it starts no process for it.",
    )

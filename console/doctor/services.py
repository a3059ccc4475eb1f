"""Examines what works while nobody looks: the recorder, the guard and the alerts."""

import os
from collections.abc import Mapping

from console.doctor.values import DoctorArea, Examination, Patient, Tools, passed, unexamined, warned
from console.durations import duration
from console.errors import HostError, Result, Unknown, known, unknown_from
from console.host.activity import Unit
from console.host.reader import has_systemd, read_units
from console.monitor.watching import read_watching
from console.settings import Settings
from console.storage.alerts import read_failing_alerts
from console.storage.recorder_lock import recorder_of
from console.swarm.model import Engine
from console.text import clean, listed, plural

AREA = DoctorArea.SERVICES
RECORD, GUARD = "vipconsole-record.service", "vipconsole-guard.timer"
TIMEOUT_S = 5.0


async def examine_services(patient: Patient, engine: Result[Engine], tools: Tools) -> tuple[Examination, ...]:
    """Return what was found."""
    units = await _units(tools)
    return (
        _recorder(patient, engine, units),
        _guard(patient.settings, units),
        _alerts(patient, units),
    )


async def _units(tools: Tools) -> Result[Mapping[str, Unit]]:
    if not has_systemd(tools.booted):
        return {}
    try:
        return {unit.name: unit for unit in await read_units((RECORD, GUARD), TIMEOUT_S, tools.run)}
    except HostError as error:
        return unknown_from(error)


def _recorder(patient: Patient, engine: Result[Engine], units: Result[Mapping[str, Unit]]) -> Examination:
    unit = known(units, {}).get(RECORD)
    if unit is not None and unit.state == "failed":
        return warned(
            AREA, "recorder", f"{RECORD} has failed ({unit.result}).", f"`journalctl -u {RECORD} -e`."
        )
    found = known(engine, None)
    watching = None if found is None else read_watching(patient.state, found.cluster_id, found.time)
    if watching is not None and watching.is_at_work:
        since = duration((patient.at - watching.since).total_seconds())
        return passed(
            AREA, "recorder", f"A recorder has been at work for {since}: what happens meanwhile is kept."
        )
    if recorder_of(patient.state):
        return passed(AREA, "recorder", "A recorder is at work.")
    state = clean(str(patient.state), 300)
    if unit is not None and unit.state == "active":
        return passed(AREA, "recorder", f"{RECORD} is at work. What it keeps is not in {state}.")
    if watching is not None:
        since = duration((patient.at - watching.since).total_seconds())
        return warned(
            AREA,
            "recorder",
            f"The last recorder stopped {since} ago: leaks and failures since then are not kept.",
            _start(units),
        )
    return passed(
        AREA,
        "recorder",
        f"No recorder is at work in {state}: what happens while no console is open is not kept.",
        _enable(RECORD, units, "record.md") or "`vipconsole record` in a terminal (docs/record.md).",
    )


def _guard(settings: Settings, units: Result[Mapping[str, Unit]]) -> Examination:
    if isinstance(units, Unknown):
        return unexamined(AREA, "guard", units)
    allowed = [
        words
        for is_allowed, words in (
            (settings.guard.allow_borrow, "borrow a manager"),
            (settings.guard.allow_restart, "restart dockerd"),
            (settings.guard.prune, "remove unused overlays"),
        )
        if is_allowed
    ]
    may = f"It may {listed(allowed)}." if allowed else "It may change nothing."
    unit = units.get(GUARD)
    if unit is not None and unit.state == "active":
        return passed(AREA, "guard", f"{GUARD} starts the guard. {may}")
    return passed(
        AREA,
        "guard",
        f"No timer starts the guard. {may}",
        f"Before a batch: `vipconsole guard`. {_enable(GUARD, units, 'guard.md')}".rstrip(),
    )


def _enable(name: str, units: Result[Mapping[str, Unit]], page: str) -> str:
    """Return the command that enables a unit; nothing where no systemd runs."""
    if units == {}:
        return ""
    unit = known(units, {}).get(name)
    # A package has brought it, or somebody has copied it.
    files = "" if unit is not None and unit.load == "loaded" else f" (the unit files are in docs/{page})"
    return f"`systemctl enable --now {name}`{files}."


def _start(units: Result[Mapping[str, Unit]]) -> str:
    """Return how a recorder is started."""
    unit = known(units, {}).get(RECORD)
    by_systemd = f"`systemctl start {RECORD}`, or " if unit is not None and unit.load == "loaded" else ""
    return f"{by_systemd}`vipconsole record` in a terminal."


def _is_recorded(patient: Patient, units: Result[Mapping[str, Unit]]) -> bool:
    unit = known(units, {}).get(RECORD)
    return (unit is not None and unit.state == "active") or bool(recorder_of(patient.state))


def _cannot_run(program: str) -> bool:
    """Whether a program is not there, or not to be run; nothing is said of what this user cannot see."""
    try:
        os.lstat(program)
    except PermissionError:
        return False
    except OSError:
        return True
    return os.geteuid() == 0 and not (os.access(program, os.X_OK) and os.path.isfile(program))  # noqa: PTH113 - it raises nothing


def _alerts(patient: Patient, units: Result[Mapping[str, Unit]]) -> Examination:
    alerts = patient.settings.alert
    if not alerts:
        return passed(
            AREA,
            "alerts",
            "Nobody is told when a network fills up.",
            "Add an [[alert]] to the settings (docs/monitoring.md).",
        )
    failing = read_failing_alerts(patient.state, patient.at)
    if isinstance(failing, Unknown):
        return unexamined(AREA, "alerts", failing)
    if failing:
        names = listed([alert.name for alert in failing])
        return warned(
            AREA,
            "alerts",
            f"Alerts that do not get through: {names}.",
            f"`vipconsole alert --test {failing[0].name}`.",
        )
    missing = [alert for alert in alerts if alert.command and _cannot_run(alert.command[0])]
    if missing:
        programs = listed([clean(alert.command[0], 300) for alert in missing])
        return warned(
            AREA, "alerts", f"Programs that alerts start cannot be run: {programs}.",
            f"`ls -l {clean(missing[0].command[0], 300)}`; correct `command` of the [[alert]] in the settings.",
        )  # fmt: skip
    those = f"{plural(len(alerts), 'alert')} set: {listed([alert.title for alert in alerts])}."
    if not _is_recorded(patient, units):
        return warned(
            AREA, "alerts", f"{those} No recorder is at work, and only a recorder sends them.", _start(units)
        )
    return passed(
        AREA,
        "alerts",
        those,
        "`vipconsole alert --test` sends a test through each.",
    )

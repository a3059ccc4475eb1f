"""Examines what works while nobody looks: the recorder, the guard and the alerts."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from console.doctor.values import Area, Examination, passed, unexamined, warned
from console.errors import HostError, Result, Unknown, known
from console.host.activity import Unit
from console.host.process import output_of
from console.host.reader import BOOTED, Run, has_systemd, read_units
from console.monitor.watching import read_watching
from console.settings import Settings
from console.storage.alerts import read_failing_alerts
from console.storage.recorder_lock import recorder_of
from console.swarm.model import Engine
from console.text import duration, listed, plural

AREA = Area.SERVICES
RECORD, GUARD = "vipconsole-record.service", "vipconsole-guard.timer"
TIMEOUT_S = 5.0
_ENABLE = "`systemctl enable --now {}` (the unit files are in docs/{})."


async def examine_services(
    settings: Settings,
    state: Path,
    engine: Result[Engine],
    now: datetime,
    run: Run = output_of,
    booted: Path = BOOTED,
) -> tuple[Examination, ...]:
    """Return what was found; `state` is the state directory."""
    units = await _units(run, booted)
    return (_recorder(state, engine, now, units), _guard(settings, units), _alerts(settings, state, now))


async def _units(run: Run, booted: Path) -> Result[Mapping[str, Unit]]:
    if not has_systemd(booted):
        return {}
    try:
        return {unit.name: unit for unit in await read_units((RECORD, GUARD), TIMEOUT_S, run)}
    except HostError as error:
        return Unknown(error.sentence, error.hint)


def _recorder(
    state: Path, engine: Result[Engine], now: datetime, units: Result[Mapping[str, Unit]]
) -> Examination:
    unit = known(units, {}).get(RECORD)
    if unit is not None and unit.state == "failed":
        return warned(
            AREA, "recorder", f"{RECORD} has failed ({unit.result}).", f"`journalctl -u {RECORD} -e`."
        )
    found = known(engine, None)
    watching = None if found is None else read_watching(state, found.cluster_id, found.time)
    if watching is not None and watching.is_at_work:
        since = duration((now - watching.since).total_seconds())
        return passed(
            AREA, "recorder", f"A recorder has been at work for {since}: what happens meanwhile is kept."
        )
    if recorder_of(state):
        return passed(AREA, "recorder", "A recorder is at work.")
    if watching is not None:
        since = duration((now - watching.since).total_seconds())
        return warned(
            AREA,
            "recorder",
            f"The last recorder stopped {since} ago: leaks and failures since then are not kept.",
            f"`systemctl start {RECORD}`, or `vipconsole record` in a terminal.",
        )
    return passed(
        AREA,
        "recorder",
        "No recorder is at work: what happens while no console is open is not kept.",
        _ENABLE.format(RECORD, "record.md"),
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
        f"Before a batch: `vipconsole guard`. {_ENABLE.format(GUARD, 'guard.md')}",
    )


def _alerts(settings: Settings, state: Path, now: datetime) -> Examination:
    if not settings.alert:
        return passed(
            AREA,
            "alerts",
            "Nobody is told when a network fills up.",
            "Add an [[alert]] to the settings (docs/monitoring.md).",
        )
    failing = read_failing_alerts(state, now)
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
    return passed(
        AREA,
        "alerts",
        f"{plural(len(settings.alert), 'alert')} set: {listed([alert.title for alert in settings.alert])}.",
        "`vipconsole alert --test` sends a test through each.",
    )

"""Examines this host: who runs this, systemd, the state directory, the clock, the maintenance lock."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from console.doctor.state import examine_state
from console.doctor.values import DoctorArea, Examination, Patient, Tools, failed, passed, unexamined, warned
from console.durations import duration
from console.errors import HostError, Unknown
from console.host.lock_probe import holder_of_lock
from console.host.reader import has_systemd, property_blocks
from console.host.root import has_own_root, search_path
from console.host.unit_chain import read_daemon_unit

AREA = DoctorArea.HOST
MOST_LAG_S = 2.0
TIMEOUT_S = 5.0
COMMANDS = {
    "ip": "the routes that a subnet must not overlap (Debian: `apt install iproute2`)",
    "systemctl": "whether this host is quiet, and restarts of dockerd (it comes with systemd)",
}
"""Commands of the host that are used, and for what."""


async def examine_host(patient: Patient, lag_s: float | None, tools: Tools) -> tuple[Examination, ...]:
    """Return what was found. `lag_s` is by how many seconds the engine's clock is ahead; None where it does not answer."""
    return (
        _user(),
        await _systemd(patient.settings.docker_unit, tools),
        *_commands(),
        *await asyncio.to_thread(lambda: tuple(examine_state(patient.state))),
        await _clock(lag_s, tools),
        _lock(tools.lock),
    )


def _user() -> Examination:
    if os.geteuid() == 0:
        return passed(AREA, "user", "It runs as root: it may look, and change what you confirm.")
    return passed(
        AREA,
        "user",
        "It does not run as root: it may look. Whatever changes this host's swarm refuses.",
        "`sudo vipconsole …` for runs, reclaim, census, stack-rm and guard.",
    )


async def _systemd(unit: str, tools: Tools) -> Examination:
    if not has_systemd(tools.booted):
        return warned(
            AREA,
            "systemd",
            "systemd does not run this host: quiet is told by processes alone, and a run is a session of its own.",
            "Nothing to mend, unless this is a container: run vipconsole on the host itself.",
        )
    try:
        daemon = await read_daemon_unit(unit, TIMEOUT_S, tools.run)
    except HostError as error:
        return unexamined(AREA, "systemd", error)
    if daemon.started_at is None:
        return failed(
            AREA, "systemd", Unknown(f"{daemon.name} is not running.", f"`systemctl status {daemon.name}`.")
        )
    return passed(AREA, "systemd", f"{daemon.name} is running.")


def _commands() -> Iterator[Examination]:
    for name, purpose in COMMANDS.items():
        if shutil.which(name, path=search_path()) is None:
            yield warned(
                AREA, f"command {name}", f"The command `{name}` is not on this host.", f"It tells {purpose}."
            )


async def _clock(lag_s: float | None, tools: Tools) -> Examination:
    if lag_s is not None and abs(lag_s) > MOST_LAG_S:
        direction = "ahead of" if lag_s > 0 else "behind"
        return warned(
            AREA,
            "clock",
            f"The engine's clock is {duration(abs(lag_s))} {direction} this host's.",
            "`timedatectl` on both hosts. Ages are counted by the engine's clock.",
        )
    if has_own_root() or not has_systemd(tools.booted):
        agrees = "agrees with the engine's" if lag_s is not None else "is not looked after by systemd"
        return passed(AREA, "clock", f"This host's clock {agrees}.")
    try:
        output = await tools.run(("timedatectl", "show", "--property=NTPSynchronized"), TIMEOUT_S)
    except HostError as error:
        return unexamined(AREA, "clock", error)
    if next(property_blocks(output), {}).get("NTPSynchronized") == "no":
        return warned(
            AREA,
            "clock",
            "This host's clock is not synchronised: managers of a swarm refuse each other's certificates when clocks differ.",
            "`timedatectl set-ntp true`.",
        )
    return passed(AREA, "clock", "This host's clock is synchronised.")


def _lock(lock: Path) -> Examination:
    try:
        holder = holder_of_lock(lock)
    except HostError as error:
        return unexamined(AREA, "lock", error)
    if holder:
        return passed(
            AREA,
            "lock",
            f"Maintenance is under way: {holder}.",
            "Other changing commands wait for it, or refuse.",
        )
    return passed(AREA, "lock", "No maintenance is under way on this host.")

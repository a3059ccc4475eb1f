"""Starts a runner for a run, unless one is there already."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from console.clock import Clock
from console.errors import HostError
from console.host.detached import Program, start
from console.host.lock_probe import holder_of_lock
from console.host.process import PATH
from console.host.units import has_systemd
from console.runbook.run.header import Header
from console.runbook.store.database import last_entry
from console.runbook.store.folders import LOG, RUNNER_LOCK, RUNNER_OUTPUT
from console.settings import restored

STARTED_WITHIN_S = 30.0
"""For so long it is waited until a runner has the run's lock."""
AGAIN_EVERY_S = 0.1
_PASSED_ON = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "SSL_CERT_FILE", "TMPDIR")
"""What the engine's library reads, where the engine is reached over TLS."""


def is_alive(folder: Path) -> bool:
    """Whether a runner works on a run, or waits for its operator. Raises HostError."""
    return holder_of_lock(folder / RUNNER_LOCK) != ""


async def ensure_runner(folder: Path, header: Header, clock: Clock) -> None:
    """Start a runner and return when it is at work; where one is there, it is left to it. Raises HostError.

    A runner that is about to end still has the name of the unit, so starting another one may take a second try.
    """
    end_s = clock.monotonic() + STARTED_WITHIN_S
    before = await asyncio.to_thread(_last_number, folder)
    has_begun = False
    while not await asyncio.to_thread(is_alive, folder):
        # One that had little to do may be gone already.
        if has_begun and await asyncio.to_thread(_last_number, folder) != before:
            return
        if clock.monotonic() >= end_s:
            raise HostError(
                f"The runner of {header.run_id} has not begun within {STARTED_WITHIN_S:g} s.",
                f"{folder / RUNNER_OUTPUT}, or the journal of the unit {unit_of(header)}, tells why.",
            )
        if not has_begun:
            has_begun = await _started(_program(folder, header), is_last_try=clock.monotonic() >= end_s - 1)
        await clock.sleep(AGAIN_EVERY_S)


async def _started(program: Program, *, is_last_try: bool) -> bool:
    try:
        await start(program)
    except HostError:
        if is_last_try:
            raise
        return False
    return True


def unit_of(header: Header) -> str:
    """Return the name of the unit that a run's runner is, where systemd runs."""
    return f"vipconsole-run-{header.run_id}"


def _last_number(folder: Path) -> int:
    entry = last_entry(folder / LOG)
    return 0 if entry is None else entry.number


def _program(folder: Path, header: Header) -> Program:
    # Without systemd the runner detaches itself; a unit is detached by what it is.
    detach = () if has_systemd() else ("--detach",)
    return Program(
        # -P: nothing of the working directory is imported.
        argv=(sys.executable, "-P", "-m", "console.runbook.runner", *detach, str(folder.absolute())),
        environment=_environment(folder, header, os.environ),
        unit=unit_of(header),
        about=f"vipconsole run {header.run_id}",
        output=folder / RUNNER_OUTPUT,
        after=restored(header.settings).docker_unit_name,
    )


def _environment(folder: Path, header: Header, own: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": own.get("HOME", "/"),
        "DOCKER_HOST": header.host,
        "VIPCONSOLE_STATE_DIR": str(folder.absolute().parents[1]),
        # A wrapper script may have put packages on the path of this process only (Nix does).
        "PYTHONPATH": os.pathsep.join(each for each in sys.path if each.startswith("/")),
        **{name: own[name] for name in _PASSED_ON if name in own},
    }

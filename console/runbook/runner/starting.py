"""Starts a runner for a run, unless one is there already. It works in a process of its own (`console.runbook.runner.__main__`)."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from console.clock import Clock
from console.errors import HostError, RunnerNotStarted
from console.frozen import frozen
from console.host.detached import DetachedProgram, UnitExists, has_ended, service_of, start
from console.host.process import PATH
from console.host.reader import has_systemd
from console.host.root import VARIABLE
from console.runbook.run.header import RunHeader
from console.runbook.run.next_action import needs_runner
from console.runbook.run.view import RunView
from console.runbook.store.database import last_entry
from console.runbook.store.finished import LOG
from console.runbook.store.folders import RUNNER_OUTPUT
from console.runbook.store.viewer import is_alive, read_run

STARTED_WITHIN_S = 30.0
"""How long to wait until a runner has the run's lock."""
POLL_S = 0.1
"""Between two checks whether a runner that was started has begun to work."""
LOOK_EVERY_S = 1.0
"""Between two checks whether a runner that was started has already ended."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
"""Between two attempts to start a runner whose name is still taken: each pause is twice the one before, up to
this."""
Tell = Callable[[str], object]
"""Receives a sentence about what is waited for."""
_PASSED_ON = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "SSL_CERT_FILE", "TMPDIR", VARIABLE)
"""What the engine's library reads, where the engine is reached over TLS; and the root of the host."""


def silent(_: str) -> None:
    """Tell nobody."""


@frozen
class Starter:
    """What starts a process and knows whether it has ended: `console.host.detached`."""

    start: Callable[[DetachedProgram], Awaitable[None]] = start
    has_ended: Callable[[DetachedProgram], Awaitable[bool]] = has_ended


async def ensure_runner(
    folder: Path, header: RunHeader, clock: Clock, tell: Tell = silent, starter: Starter | None = None
) -> None:
    """Start a runner and return when it is at work; where one is there, it is left to it. Raises RunnerNotStarted, HostError.

    A runner that is about to end still has the name of the unit, so starting another one may take a second try; that is
    told. Every other failure is raised at once.
    """
    starter, program = starter or Starter(), _program(folder, header)
    end_s = clock.monotonic() + STARTED_WITHIN_S
    before = await asyncio.to_thread(_last_number, folder)
    has_begun, pause_s, tries, last_check_s = False, POLL_S, 0, clock.monotonic()
    while not await asyncio.to_thread(is_alive, folder):
        # One that had little to do may be gone already.
        if has_begun and await asyncio.to_thread(_last_number, folder) != before:
            return
        if clock.monotonic() >= end_s:
            raise _too_late(folder, program, header, has_begun=has_begun)
        if not has_begun:
            has_begun = await _try_start(starter, program, header)
            pause_s = POLL_S if has_begun else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**tries)
            if not has_begun and tries == 0:
                tell(
                    f"The last runner of {header.run_id} is about to end; waiting up to "
                    f"{STARTED_WITHIN_S:g} s before another one starts"
                )
            tries, last_check_s = tries + 1, clock.monotonic()
        elif clock.monotonic() - last_check_s >= LOOK_EVERY_S:
            last_check_s = clock.monotonic()
            await _require_alive(starter, program, header, lambda: _has_worked(folder, before))
        await clock.sleep(pause_s)


async def _try_start(starter: Starter, program: DetachedProgram, header: RunHeader) -> bool:
    """Start a runner; return False where its name is still taken. Raises HostError where it fails for another reason."""
    try:
        await starter.start(program)
    except UnitExists:
        return False
    except HostError as error:
        raise RunnerNotStarted(
            f"The runner of {header.run_id} could not be started. {error.sentence}",
            f"{error.hint} {_again(header)}".strip(),
        ) from error
    return True


async def _require_alive(
    starter: Starter, program: DetachedProgram, header: RunHeader, has_worked: Callable[[], bool]
) -> None:
    try:
        has_ended = await starter.has_ended(program)
    except HostError:
        # Then it is waited for until the time is over.
        return
    if has_ended and not await asyncio.to_thread(has_worked):
        raise RunnerNotStarted(
            f"The runner of {header.run_id} ended before it began to work.",
            f"See `journalctl -u {service_of(program)} -n 20`. {_again(header)}",
        )


def _has_worked(folder: Path, before: int) -> bool:
    """Whether a runner is there after all, or has left something in the log: it may have done so since the last check."""
    return is_alive(folder) or _last_number(folder) != before


def _too_late(
    folder: Path, program: DetachedProgram, header: RunHeader, *, has_begun: bool
) -> RunnerNotStarted:
    within = f"within {STARTED_WITHIN_S:g} s"
    if has_begun:
        where = (
            f"`journalctl -u {service_of(program)} -n 20`" if has_systemd() else str(folder / RUNNER_OUTPUT)
        )
        return RunnerNotStarted(
            f"The runner of {header.run_id} has not begun {within}.", f"See {where}. {_again(header)}"
        )
    unit = service_of(program)
    return RunnerNotStarted(
        f"The runner of {header.run_id} could not be started {within}: the unit {unit} still exists.",
        f"`systemctl status {unit}` shows what it does. {_again(header)}",
    )


def _again(header: RunHeader) -> str:
    return f"Then: `vipconsole resume {header.run_id}`."


def unit_of(header: RunHeader) -> str:
    """Return the name of the unit that a run's runner is, where systemd runs."""
    return f"vipconsole-run-{header.run_id}"


def _last_number(folder: Path) -> int:
    entry = last_entry(folder / LOG)
    return 0 if entry is None else entry.number


def _program(folder: Path, header: RunHeader) -> DetachedProgram:
    # Without systemd the runner detaches itself; a unit is detached by what it is.
    detach = () if has_systemd() else ("--detach",)
    return DetachedProgram(
        # -P: nothing of the working directory is imported.
        argv=(sys.executable, "-P", "-m", "console.runbook.runner", *detach, str(folder.absolute())),
        environment=_environment(folder, header, os.environ),
        unit=unit_of(header),
        description=f"vipconsole run {header.run_id}",
        output=folder / RUNNER_OUTPUT,
        after=header.settings.docker_unit,
    )


def _environment(folder: Path, header: RunHeader, own: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": own.get("HOME", "/"),
        "DOCKER_HOST": header.host,
        "VIPCONSOLE_STATE_DIR": str(folder.absolute().parents[1]),
        # A wrapper script may have put packages on the path of this process only (Nix does).
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.startswith("/")),
        **{name: own[name] for name in _PASSED_ON if name in own},
    }


async def start_runner(folder: Path, clock: Clock, tell: Tell = silent) -> RunView:
    """Start a runner where there is something to do and none is there, and return the run. Raises HostError."""
    view = await asyncio.to_thread(read_run, folder)
    if needs_runner(view):
        await ensure_runner(folder, view.header, clock, tell)
    return view

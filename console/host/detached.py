"""Starts a process that works on by itself, such as a runner or a daemon, as a transient unit; without systemd it detaches itself.

A command that is followed to its end, with a log, a status and an exit code, is started by `console.host.background`.
A login session that ends takes its processes with it where logind says so (KillUserProcesses), however they have
detached themselves; a unit of the system is none of them.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from console.errors import HostError
from console.frozen import frozen
from console.host.process import NOT_STARTED_HINT, OUTPUT_HINT, CommandFailed, output_of
from console.host.reader import BOOTED, Run, has_systemd, read_units
from console.text import clean, last_line

START_WITHIN_S = 30.0
_UNIT_EXISTS = ("already exists", "was already loaded")
"""What systemd says of a name that is taken, in its versions up to 237 and since."""
STOP_WITHIN_S = 1800
"""For so long systemd waits for a process that it told to end, in seconds: it ends after what it is in the midst of."""


@frozen
class DetachedProgram:
    """What is started."""

    argv: Sequence[str]
    """The first is an absolute path."""
    environment: Mapping[str, str]
    """The whole of it: nothing of the caller's is passed on."""
    unit: str
    """The name of the unit, without its ending."""
    description: str
    output: Path
    """Where its standard output and error go without systemd; else to the journal."""
    after: str = ""
    """A unit that is stopped later than this one when the machine is shut down."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Of the unit, in place of those that a run has (systemd.service(5))."""


class UnitExists(HostError):
    """A unit cannot be started because one of its name still exists: it may be about to end."""


async def start(program: DetachedProgram, booted: Path = BOOTED, run: Run = output_of) -> None:
    """Start a process, and return when it has been started.

    Raises UnitExists, and HostError with what went wrong in every other case.
    """
    if has_systemd(booted):
        await _start_unit(program, run)
    else:
        await _start_session(program)


async def has_ended(program: DetachedProgram, booted: Path = BOOTED, run: Run = output_of) -> bool:
    """Whether a process that was started is certainly gone and is not started again; without systemd that is not known.

    Raises HostError where systemd does not tell.
    """
    if not has_systemd(booted):
        return False
    units = await read_units((service_of(program),), START_WITHIN_S, run)
    return bool(units) and not any(unit.is_at_work for unit in units)


def service_of(program: DetachedProgram) -> str:
    """Return the whole name of the unit."""
    return f"{program.unit}.service"


async def _start_unit(program: DetachedProgram, run: Run) -> None:
    unit = service_of(program)
    try:
        await run(unit_command(program), START_WITHIN_S)
    except CommandFailed as error:
        if any(message in error.complaint for message in _UNIT_EXISTS):
            raise UnitExists(
                f"The unit {unit} still exists.", f"`systemctl status {unit}` shows it."
            ) from error
        raise HostError(
            f"systemd did not start {unit}: {error.complaint.removesuffix('.')}.",
            f"`journalctl -u {unit}` may say more.",
        ) from error


def unit_command(program: DetachedProgram) -> tuple[str, ...]:
    """Return the command that starts a program as a transient unit.

    Killed by anything but itself, it is started again, for what it does must not stay half done; told to end, it has
    time for what it is in the midst of; and the kernel takes others before it when memory runs out.
    """
    properties = {
        "KillMode": "mixed",
        "TimeoutStopSec": str(STOP_WITHIN_S),
        "Restart": "on-abnormal",
        "RestartSec": "10",
        "OOMScoreAdjust": "-500",
        "UMask": "0077",
        **({"After": program.after} if program.after else {}),
        **program.properties,
    }
    return (
        "systemd-run",
        f"--unit={program.unit}",
        "--collect",
        "--quiet",
        "--no-ask-password",
        "--service-type=exec",
        f"--description={program.description}",
        "--working-directory=/",
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"--setenv={name}={value}" for name, value in program.environment.items()),
        "--",
        *program.argv,
    )


async def _start_session(program: DetachedProgram) -> None:
    try:
        output = os.open(program.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(
            f"{clean(str(program.output), 300)} cannot be written: {error.strerror}.",
            OUTPUT_HINT,
        ) from error
    try:
        process = await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(program.environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise HostError(
            f"`{clean(program.argv[0])}` could not be started: {error.strerror}.", NOT_STARTED_HINT
        ) from error
    finally:
        os.close(output)
    try:
        async with asyncio.timeout(START_WITHIN_S):
            code = await process.wait()
    except TimeoutError as error:
        # It has detached nothing yet. Left alone it might do so when nobody expects it any more.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise HostError(
            f"`{clean(program.argv[0])}` did not detach itself within {START_WITHIN_S:g} s, and was killed.",
            f"{clean(str(program.output), 300)} may say why; this machine may be overloaded.",
        ) from error
    if code:
        last_line = await asyncio.to_thread(_tail, program.output)
        raise HostError(
            f"`{clean(program.argv[0])}` ended with exit code {code}: {last_line}",
            f"{clean(str(program.output), 300)} has all that it said.",
        )


def _tail(path: Path) -> str:
    try:
        return last_line(path.read_text("utf-8", "replace")) or "it printed nothing"
    except OSError:
        return "its output cannot be read"

"""Switches this host to a system that is already built, in a program that outlives every terminal; and how that ended.

A switch is never ended from here: half a switch is worse than a whole one. An interrupted step finds the switch by
what it wrote down before it began (`Switch`), and goes on watching.
"""

import os
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, fields
from enum import StrEnum
from errno import EAGAIN
from pathlib import Path
from typing import Any

from console.clock import Clock
from console.errors import Declined, HostError
from console.frozen import frozen
from console.host.background import (
    BackgroundProgram,
    DetachedSession,
    ProgramState,
    ProgramStatus,
    TransientUnit,
    follow,
)
from console.host.streaming import Program
from console.nixos.file import NixosPaths
from console.text import SENTENCE_LIMIT, clean, listed, plural

Tell = Callable[[str], Awaitable[object]]
"""Receives lines of progress, clean."""

REBUILD_UNIT = "nixos-rebuild-switch-to-configuration.service"
"""The unit in which nixos-rebuild runs the activation."""
TIMEOUT_S = 20.0
MOST_LINES = 2_000
"""How many lines of its output are shown; the rest is counted, and stays in the log."""
_TAIL = 200

_SET_AND_SWITCH = 'nix-env --profile "$1" --set "$2" && exec "$2/bin/switch-to-configuration" switch'
"""What nixos-rebuild does: the profile first, so that the next boot after a crash starts the new system."""
_FAILED_UNITS = re.compile(r"the following units failed: (?P<units>.+)")
_INNER_CODE = re.compile(r"returned non-zero exit status (?P<code>\d+)")
_USAGE = ("unrecognized arguments", "unknown option", "usage: ")
_SIGNALS = range(129, 193)
_NAMED = 6


class SwitchOutcome(StrEnum):
    """How a switch ended."""

    SWITCHED = "switched"
    NOT_RUN = "not run"
    """The command was not understood, or does not exist."""
    REFUSED = "refused"
    """A check before it failed, or the boot loader could not be written."""
    ACTIVATION_FAILED = "activation failed"
    UNITS_FAILED = "units failed"
    """The system is switched, but some of its units are not running."""
    REBOOT_NEEDED = "reboot needed"
    BUSY = "another switch"
    ENDED_FROM_OUTSIDE = "ended from outside"
    """It was killed before it was done."""
    FAILED = "failed"
    """For a reason that only its output gives."""
    UNKNOWN = "unknown"
    """The end is unknown: the machine was rebooted, or systemd has forgotten it."""


@frozen
class SwitchVerdict:
    """How a switch ended, in a sentence, and what to do about it."""

    outcome: SwitchOutcome
    sentence: str
    hint: str = ""
    failed_units: tuple[str, ...] = ()


_WORDS = {
    SwitchOutcome.SWITCHED: ("The system is switched.", ""),
    SwitchOutcome.BUSY: (
        "Another switch is under way, so this one changed no unit.",
        "Wait until it has ended, check what it did, then try again.",
    ),
    SwitchOutcome.UNITS_FAILED: (
        "The system is switched, but some of its units are not running{which}.",
        "See `systemctl status {units}`. If this change is not the cause, skip the step with a reason; else undo.",
    ),
    SwitchOutcome.NOT_RUN: ("The switch could not be run. {output}", "No unit was changed."),
    SwitchOutcome.ACTIVATION_FAILED: (
        "The activation script of the new system failed. {output}",
        "The system is half switched. Undo, or fix the failure and try again.",
    ),
    SwitchOutcome.REBOOT_NEEDED: (
        "The new system has another init, so it takes effect only after a reboot.",
        "Undo, unless this host may be rebooted now.",
    ),
    SwitchOutcome.REFUSED: (
        "The switch was refused before any unit was changed. {output}",
        "Fix the failure and try again. Or undo, so that the next boot starts the old system.",
    ),
    SwitchOutcome.FAILED: (
        "The switch failed with {how}. {output}",
        "Read its output, then try again or undo.",
    ),
}


@frozen
class Switch:
    """One switch that was begun: what is written down before, so that it is found again after a crash."""

    system: str
    """Store path of the new system."""
    running: str
    """The system that ran before."""
    next: str
    """The system that the next boot would have started before."""
    name: str
    """Name of the program that does it."""
    log: str
    is_unit: bool
    """Whether that program is a systemd unit."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Switch":
        """Return what was written down."""
        return cls(**{each.name: data[each.name] for each in fields(cls)})


def new_switch(system: str, name: str, folder: Path, places: NixosPaths) -> Switch:
    """Return a switch that may be begun. Raises HostError where the present system is not known."""
    running, following = places.running_system(), places.next_system()
    return Switch(system, running, following, name, str(folder / f"{name}.log"), places.has_systemd)


async def begin(switch: Switch, places: NixosPaths) -> None:
    """Begin a switch. Raises HostError where it cannot be, and Declined while another one is under way."""
    other = await other_switch(places)
    if other:
        raise Declined(other, "Wait until it has ended, check what it did, then try again.")
    if switch.is_unit and await _state_of(REBUILD_UNIT, places) == "failed":
        # A unit of an earlier nixos-rebuild that failed would keep the next one from starting.
        await places.run(("systemctl", "reset-failed", "--", REBUILD_UNIT), TIMEOUT_S)
    command = await switch_command(switch.system, places)
    await _program(switch, places).start(Program(command, places.environment, str(Path(switch.log).parent)))


async def watch(switch: Switch, places: NixosPaths, clock: Clock, tell: Tell) -> SwitchVerdict:
    """Wait for the end of a switch, tell what it says from its beginning, and return how it ended."""
    tail: deque[str] = deque(maxlen=_TAIL)
    count = 0

    async def receive(raw: bytes) -> None:
        nonlocal count
        line = clean(raw.rstrip(), SENTENCE_LIMIT)
        if not line:
            return
        count += 1
        tail.append(line)
        if count <= MOST_LINES:
            await tell(line)

    status = await follow(_program(switch, places), clock, receive)
    if count > MOST_LINES:
        await tell(f"… {plural(count - MOST_LINES, 'line')} more, in {switch.log}")
    return judge(status, tuple(tail))


async def status_of(switch: Switch, places: NixosPaths) -> ProgramStatus:
    """Return how far a switch is. Raises HostError where that cannot be asked."""
    return await _program(switch, places).status()


async def forget(switch: Switch, places: NixosPaths) -> None:
    """Remove what is left of a switch that has ended and whose end is written down; its log stays."""
    await _program(switch, places).forget()


async def switch_command(system: str, places: NixosPaths) -> tuple[str, ...]:
    """Return the command that makes a built system the one that runs and boots.

    nixos-rebuild itself where it takes a store path; without `--no-reexec` it would build a newer nixos-rebuild first.
    """
    try:
        # Its help is its manual page, which may not be installed: then the longer way is as good.
        help_text = await places.run(("nixos-rebuild", "--help"), TIMEOUT_S)
    except HostError:
        help_text = b""
    if b"--store-path" in help_text and b"--no-reexec" in help_text:
        return ("nixos-rebuild", "switch", "--no-reexec", "--store-path", system)
    return ("sh", "-c", _SET_AND_SWITCH, "sh", str(places.profile), system)


async def other_switch(places: NixosPaths) -> str:
    """Return a sentence about a switch that is under way on this host, no matter who started it, or nothing."""
    holder = _holder(places.switch_lock)
    if holder:
        return f"Another switch of this host is under way: process {holder} holds {places.switch_lock}."
    if not places.has_systemd:
        return ""
    state = await _state_of(REBUILD_UNIT, places)
    if state in ("active", "activating", "deactivating", "reloading"):
        return f"Another switch of this host is under way: {REBUILD_UNIT} is {state}."
    return ""


def _program(switch: Switch, places: NixosPaths) -> BackgroundProgram:
    if switch.is_unit:
        return TransientUnit(switch.name, Path(switch.log), places.run)
    return DetachedSession(switch.name, Path(switch.log), places.path)


async def _state_of(unit: str, places: NixosPaths) -> str:
    output = await places.run(
        ("systemctl", "show", "--no-pager", "--property=ActiveState", "--", unit), TIMEOUT_S
    )
    return clean(output.strip().removeprefix(b"ActiveState="))


def _holder(lock: Path) -> str:
    """Return who holds a lock, as proc(5) `locks` tells, or nothing. To try it could make a switch fail that begins."""
    try:
        inode = lock.stat().st_ino
        locks = Path("/proc/locks").read_text("ascii", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostError(
            f"Whether another switch is under way is unknown: {error.strerror}.",
            "`lslocks` shows who holds the lock of the switch.",
        ) from error
    for line in locks.splitlines():
        words = line.split()
        if len(words) > 5 and words[1] in ("FLOCK", "OFDLCK", "POSIX") and words[5].endswith(f":{inode}"):
            return words[4]
    return ""


def judge(status: ProgramStatus, output: Sequence[str]) -> SwitchVerdict:
    """Return how a switch ended; `output` are the last lines of its output, clean."""
    if status.state is not ProgramState.ENDED or status.code is None:
        return SwitchVerdict(
            SwitchOutcome.UNKNOWN,
            "How the switch ended is unknown.",
            "Check which system runs before you continue.",
        )
    code = status.code
    if status.reason or code in _SIGNALS:
        why = status.reason or f"signal {code - 128}"
        return SwitchVerdict(
            SwitchOutcome.ENDED_FROM_OUTSIDE,
            f"The switch was killed before it was done ({why}).",
            "Switch again: it continues what it had left undone. Or undo.",
        )
    return _by_code(code, output)


def _by_code(code: int, output: Sequence[str]) -> SwitchVerdict:
    if code == 1:
        # Older wrappers end with 1 whatever it was, and tell the code of what they ran.
        code = next(
            (int(match["code"]) for line in reversed(output) if (match := _INNER_CODE.search(line))), 1
        )
    failed_units = _failed_units(output)
    outcome = _outcome(code, output, failed_units)
    sentence, hint = _WORDS[outcome]
    which = f": {listed(failed_units, _NAMED)}" if failed_units else ""
    how = f"{code} ({os.strerror(code)})"
    return SwitchVerdict(
        outcome,
        sentence.format(output=_last(output), which=which, how=how),
        hint.format(units=" ".join(failed_units[:_NAMED]) or "--failed"),
        failed_units,
    )


def _outcome(code: int, output: Sequence[str], failed_units: tuple[str, ...]) -> SwitchOutcome:
    """Return what an exit code means; switch-to-configuration has few of its own, the rest are error numbers."""
    text = "\n".join(output)
    meanings = (
        (code == 0, SwitchOutcome.SWITCHED),
        (code == EAGAIN or "Could not acquire lock" in text, SwitchOutcome.BUSY),
        (code == 4 or (code == 1 and bool(failed_units)), SwitchOutcome.UNITS_FAILED),
        (code in (126, 127) or any(phrase in text for phrase in _USAGE), SwitchOutcome.NOT_RUN),
        (code == 2 or "Failed to run activate script" in text, SwitchOutcome.ACTIVATION_FAILED),
        (code == 100, SwitchOutcome.REBOOT_NEEDED),
        (code == 1, SwitchOutcome.REFUSED),
    )
    return next((outcome for holds, outcome in meanings if holds), SwitchOutcome.FAILED)


def _failed_units(output: Sequence[str]) -> tuple[str, ...]:
    matches = [match for line in output if (match := _FAILED_UNITS.search(line))]
    return tuple(unit.strip() for unit in matches[-1]["units"].split(",")) if matches else ()


def _last(output: Sequence[str]) -> str:
    """Return the line that most likely names the error, as a sentence."""
    candidates = [line for line in output if _names_an_error(line)] or [
        line for line in output if line.strip()
    ]
    return f"Its output: {candidates[-1].strip().rstrip('.')}." if candidates else "It printed nothing."


def _names_an_error(line: str) -> bool:
    text = line.lower()
    return ("error" in text or "fail" in text) and "returned non-zero exit status" not in text

"""What came of a switch: the exit codes of switch-to-configuration told apart, with what it said about them."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from errno import EAGAIN

from console.host.background import ProgramState, ProgramStatus
from console.text import listed

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


@dataclass(frozen=True, slots=True)
class Judged:
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
    SwitchOutcome.NOT_RUN: ("The switch could not be run. {said}", "No unit was changed."),
    SwitchOutcome.ACTIVATION_FAILED: (
        "The activation script of the new system failed. {said}",
        "The system is half switched. Undo, or fix the failure and try again.",
    ),
    SwitchOutcome.REBOOT_NEEDED: (
        "The new system has another init, so it takes effect only after a reboot.",
        "Undo, unless this host may be rebooted now.",
    ),
    SwitchOutcome.REFUSED: (
        "The switch was refused before any unit was changed. {said}",
        "Fix the failure and try again. Or undo, so that the next boot starts the old system.",
    ),
    SwitchOutcome.FAILED: (
        "The switch failed with {how}. {said}",
        "Read its output, then try again or undo.",
    ),
}


def judge(standing: ProgramStatus, said: Sequence[str]) -> Judged:
    """Return how a switch ended; `said` are the last lines of its output, clean."""
    if standing.state is not ProgramState.ENDED or standing.code is None:
        return Judged(
            SwitchOutcome.UNKNOWN,
            "How the switch ended is unknown.",
            "Check which system runs before you continue.",
        )
    code = standing.code
    if standing.reason or code in _SIGNALS:
        why = standing.reason or f"signal {code - 128}"
        return Judged(
            SwitchOutcome.ENDED_FROM_OUTSIDE,
            f"The switch was killed before it was done ({why}).",
            "Switch again: it continues what it had left undone. Or undo.",
        )
    return _by_code(code, said)


def _by_code(code: int, said: Sequence[str]) -> Judged:
    if code == 1:
        # Older wrappers end with 1 whatever it was, and tell the code of what they ran.
        code = next((int(found["code"]) for each in reversed(said) if (found := _INNER_CODE.search(each))), 1)
    failed = _failed_units(said)
    outcome = _outcome(code, said, failed)
    sentence, hint = _WORDS[outcome]
    which = f": {listed(failed, _NAMED)}" if failed else ""
    how = f"{code} ({os.strerror(code)})"
    return Judged(
        outcome,
        sentence.format(said=_last(said), which=which, how=how),
        hint.format(units=" ".join(failed[:_NAMED]) or "--failed"),
        failed,
    )


def _outcome(code: int, said: Sequence[str], failed: tuple[str, ...]) -> SwitchOutcome:
    """Return what an exit code means; switch-to-configuration has few of its own, the rest are error numbers."""
    told = (
        (code == 0, SwitchOutcome.SWITCHED),
        (code == EAGAIN or _says(said, "Could not acquire lock"), SwitchOutcome.BUSY),
        (code == 4 or (code == 1 and bool(failed)), SwitchOutcome.UNITS_FAILED),
        (code in (126, 127) or any(_says(said, each) for each in _USAGE), SwitchOutcome.NOT_RUN),
        (code == 2 or _says(said, "Failed to run activate script"), SwitchOutcome.ACTIVATION_FAILED),
        (code == 100, SwitchOutcome.REBOOT_NEEDED),
        (code == 1, SwitchOutcome.REFUSED),
    )
    return next((outcome for holds, outcome in told if holds), SwitchOutcome.FAILED)


def _failed_units(said: Sequence[str]) -> tuple[str, ...]:
    found = [match for each in said if (match := _FAILED_UNITS.search(each))]
    return tuple(each.strip() for each in found[-1]["units"].split(",")) if found else ()


def _says(said: Sequence[str], phrase: str) -> bool:
    return any(phrase in each for each in said)


def _last(said: Sequence[str]) -> str:
    """Return the line that most likely names the error, as a sentence."""
    telling = [each for each in said if _tells(each)] or [each for each in said if each.strip()]
    return f"Its output: {telling[-1].strip().rstrip('.')}." if telling else "It printed nothing."


def _tells(line: str) -> bool:
    lowered = line.lower()
    return ("error" in lowered or "fail" in lowered) and "returned non-zero exit status" not in lowered

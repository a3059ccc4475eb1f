"""The program as an operator starts it: a process with its own environment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

from tests.support.forked import ForkedProgram, Inside, can_fork

PROGRAM = Path(sys.executable).with_name("vipconsole")
PATIENT = {"XDG_CONFIG_HOME": str(Path(__file__).with_name("patient")), "TZ": "UTC"}
"""Environment in which the program gives a loaded machine ten times as long; other settings are the usual ones."""


@dataclass(frozen=True)
class Outcome:
    """What a run of the program came to."""

    code: int
    out: str
    err: str
    took_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def program_environment(
    environment: Mapping[str, str] | None = None, home: Path | None = None
) -> dict[str, str]:
    """Return the environment of a program: nothing of this user's settings, and what is given."""
    inherited = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
    return {
        **inherited,
        "HOME": str(home or os.environ["HOME"]),
        "VIPCONSOLE_STATE_DIR": str(home or os.environ["VIPCONSOLE_STATE_DIR"]),
        "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
        "LANG": "C.UTF-8",
        "COLUMNS": "1000",
        **PATIENT,
        **(environment or {}),
    }


def vipconsole(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    program: Sequence[str] = (str(PROGRAM),),
    inside: Inside | None = None,
) -> Outcome:
    """Run the installed program to its end, with nothing of this user's settings, and return what came of it."""
    return run_to_its_end([*program, *arguments], program_environment(environment, home), inside)


def run_to_its_end(
    command: Sequence[str], environment: Mapping[str, str], inside: Inside | None = None
) -> Outcome:
    """Run a command without a terminal, the installed program or another one, and return what came of it."""
    started = time.monotonic()
    with start_program(command, environment, inside) as process:
        try:
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()
    took_s = time.monotonic() - started
    return Outcome(process.returncode, out.decode(), err.decode(), took_s)


@overload
def start_program(
    command: Sequence[str], environment: Mapping[str, str], inside: Inside | None = None
) -> "subprocess.Popen[bytes]": ...
@overload
def start_program(
    command: Sequence[str],
    environment: Mapping[str, str],
    inside: Inside | None = None,
    *,
    text: Literal[True],
) -> "subprocess.Popen[str]": ...
def start_program(
    command: Sequence[str],
    environment: Mapping[str, str],
    inside: Inside | None = None,
    *,
    text: bool = False,
) -> "subprocess.Popen[Any]":
    """Start a command without a terminal; the installed program is forked where that makes no difference to it."""
    if command[0] == str(PROGRAM) and can_fork(environment):
        return ForkedProgram(command, environment=environment, inside=inside, text=text)
    return subprocess.Popen(
        command if inside is None else inside.entering(*command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=text,
    )

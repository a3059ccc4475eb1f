"""The program as an operator starts it: a process with its own environment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
) -> Outcome:
    """Run the installed program to its end, with nothing of this user's settings, and return what came of it."""
    started = time.monotonic()
    process = subprocess.run(
        [*program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=250,
        env=program_environment(environment, home),
    )
    took_s = time.monotonic() - started
    return Outcome(process.returncode, process.stdout.decode(), process.stderr.decode(), took_s)

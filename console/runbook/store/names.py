"""The names of runs and of their steps, for an operator who types one; nothing that reads whole runs is loaded for it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from console.runbook.store.finished import LOG, RUNS
from console.text import clean

_BUSY_S = 0.1


def run_names_or_none(state: Path) -> tuple[str, ...]:
    """Return the names of the runs in a state directory, newest first; none where it cannot be read."""
    try:
        names = [path.name for path in (state / RUNS).iterdir() if not path.name.startswith(".")]
    except OSError:
        return ()
    return tuple(clean(name) for name in sorted(names, reverse=True))


def step_names(state: Path, run: str) -> tuple[str, ...]:
    """Return the steps of a run, which is named by the start or end of its name too; none where that cannot be told."""
    names = [name for name in run_names_or_none(state) if name == run] or [
        name for name in run_names_or_none(state) if name.startswith(run) or name.endswith(run)
    ]
    if len(names) != 1:
        return ()
    try:
        location = f"{(state / RUNS / names[0] / LOG).absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(location, uri=True, timeout=_BUSY_S)) as connection:
            (body,) = connection.execute("SELECT body FROM events ORDER BY number LIMIT 1").fetchone()
        return tuple(clean(str(step["id"])) for step in json.loads(body)["steps"])
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError):
        return ()

"""Whether a run may be unfinished, told by the last entry of its log. Every look asks that, and nearly always none is.

So nothing of what reads whole runs is loaded for it: neither their events nor what checks these.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from console.diagnosis.values import UnfinishedRun
from console.errors import Result
from console.storage.state import BORROW_FILE, BORROW_FOLDER

RUNS = "runs"
LOG = "log.db"
_BUSY_S = 10.0
_OVER = (("Abandoned", ""), ("Ended", '"left":[]}'))
"""The last events of runs that are over and have left nothing behind: their kinds, and how they end."""


def runs_that_block(state: Path) -> Result[tuple[UnfinishedRun, ...]]:
    """Return the runs that keep other commands from changing the swarm; unknown where one cannot be read; blocks."""
    if not may_be_unfinished(state):
        return ()
    from console.runbook.store.viewer import unfinished_runs  # noqa: PLC0415 - see above

    return unfinished_runs(state)


def may_be_unfinished(state: Path) -> bool:
    """Whether there may be a run that is not over, or a borrowed manager; also where that cannot be read."""
    try:
        names = os.listdir(state / RUNS)  # noqa: PTH208 - iterdir() hides why a folder cannot be read
    except FileNotFoundError:
        names = []
    except OSError:
        return True
    return _is_there(state / BORROW_FOLDER / BORROW_FILE) or not all(
        _is_over(state / RUNS / name / LOG) for name in names if not name.startswith(".")
    )


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _is_over(log: Path) -> bool:
    try:
        location = f"{log.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(location, uri=True, timeout=_BUSY_S)) as connection:
            row = connection.execute("SELECT kind, body FROM events ORDER BY number DESC LIMIT 1").fetchone()
        return row is not None and any(row[0] == kind and str(row[1]).endswith(end) for kind, end in _OVER)
    except (sqlite3.Error, OSError, ValueError):
        return False

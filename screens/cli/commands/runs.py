"""`vipconsole runs` and `vipconsole report`: all runs of this host, and what one of them did."""

import json
import sys
from argparse import Namespace
from datetime import datetime
from typing import Any

from console.durations import stamp
from console.runbook.run.view import StoredRun
from console.runbook.store.viewer import UnreadableRun, read_stored_run, runs_in
from console.storage.state import state_folder
from screens.cli.commands.attach import select_run_folder
from screens.output.run_report import as_json, as_markdown

SCHEMA = "vipconsole.runs/1"
COLUMNS = ("run", "state", "step", "began_at", "by", "why")


def report_command(arguments: Namespace) -> int:
    """Print the report, and return the exit code of the run."""
    stored_run = read_stored_run(select_run_folder(arguments))
    sys.stdout.write(as_json(stored_run) if arguments.form == "json" else as_markdown(stored_run))
    return stored_run.exit_code


def run(arguments: Namespace) -> int:
    """List the runs, newest first."""
    stored_runs = runs_in(state_folder())
    if arguments.json:
        sys.stdout.write(
            json.dumps({"schema": SCHEMA, "runs": [_row(stored_run) for stored_run in stored_runs]}, indent=1)
            + "\n"
        )
        return 0
    if not stored_runs:
        print("No runs yet.", file=sys.stderr)
        return 0
    rows = [
        dict(zip(COLUMNS, COLUMNS, strict=True)),
        *(_for_people(_row(stored_run)) for stored_run in stored_runs),
    ]
    widths = {name: max(len(str(row.get(name) or "-")) for row in rows) for name in COLUMNS}
    for row in rows:
        print("  ".join(str(row.get(name) or "-").ljust(widths[name]) for name in COLUMNS).rstrip())
    return 0


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "began_at": row["began_at"] and stamp(datetime.fromisoformat(row["began_at"]))}


def _row(stored_run: StoredRun | UnreadableRun) -> dict[str, Any]:
    if isinstance(stored_run, UnreadableRun):
        return {
            "run": stored_run.name,
            "state": "unreadable",
            "step": "",
            "began_at": "",
            "by": "",
            "why": stored_run.why,
        }
    view = stored_run.view
    reason = "" if view.stop_reason is None else view.stop_reason.sentence
    return {
        "run": view.header.run_id,
        "state": "interrupted" if stored_run.is_interrupted else str(view.state),
        "step": "" if view.current is None else view.current.id,
        "began_at": view.began_at.isoformat(timespec="seconds"),
        "by": str(view.who),
        "why": reason,
        "title": view.header.title,
        "blocks": view.blocks,
        "exit_code": stored_run.exit_code,
    }

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
from screens.cli.commands.attach import wanted_folder
from screens.output.run_report import as_json, as_markdown


def report_command(asked: Namespace) -> int:
    """Print the report, and return the exit code of the run."""
    stored_run = read_stored_run(wanted_folder(asked))
    sys.stdout.write(as_json(stored_run) if asked.form == "json" else as_markdown(stored_run))
    return stored_run.exit_code


SCHEMA = "vipconsole.runs/1"
COLUMNS = ("run", "state", "step", "began_at", "by", "why")


def run(asked: Namespace) -> int:
    """List the runs, newest first."""
    found = runs_in(state_folder())
    if asked.json:
        sys.stdout.write(
            json.dumps({"schema": SCHEMA, "runs": [_row(each) for each in found]}, indent=1) + "\n"
        )
        return 0
    if not found:
        print("No runs yet.", file=sys.stderr)
        return 0
    rows = [dict(zip(COLUMNS, COLUMNS, strict=True)), *(_for_people(_row(each)) for each in found)]
    widths = {name: max(len(str(row.get(name) or "-")) for row in rows) for name in COLUMNS}
    for row in rows:
        print("  ".join(str(row.get(name) or "-").ljust(widths[name]) for name in COLUMNS).rstrip())
    return 0


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "began_at": row["began_at"] and stamp(datetime.fromisoformat(row["began_at"]))}


def _row(each: StoredRun | UnreadableRun) -> dict[str, Any]:
    if isinstance(each, UnreadableRun):
        return {
            "run": each.name,
            "state": "unreadable",
            "step": "",
            "began_at": "",
            "by": "",
            "why": each.why,
        }
    view = each.view
    stopped = "" if view.stop_reason is None else view.stop_reason.sentence
    return {
        "run": view.header.run_id,
        "state": "interrupted" if each.is_interrupted else str(view.state),
        "step": "" if view.current is None else view.current.id,
        "began_at": view.began_at.isoformat(timespec="seconds"),
        "by": str(view.who),
        "why": stopped,
        "title": view.header.title,
        "blocks": view.blocks,
        "exit_code": each.exit_code,
    }

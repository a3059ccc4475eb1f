"""`vipconsole runs` and `vipconsole report`: all runs of this host, and what one of them did."""

import json
import sys
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.errors import UsageError
from console.runbook.run.view import StoredRun
from console.runbook.store.viewer import UnreadableRun, read_stored_run, runs_in
from console.storage.state import state_folder, write_atomically
from screens.cli.commands.attach import select_run_folder
from screens.output.plain import progress, say
from screens.output.run_report.document import as_json
from screens.output.run_report.lines import summary_lines
from screens.output.run_report.markdown import as_markdown
from screens.output.runs_table import outcome, runs_lines, took_s

SCHEMA = "vipconsole.runs/1"


def report_command(arguments: Namespace) -> int:
    """Print the report, or write its page, and return the exit code of the run."""
    stored_run = read_stored_run(select_run_folder(arguments))
    if arguments.html is not None:
        _write_page(stored_run, arguments.html)
    elif arguments.form == "json":
        sys.stdout.write(as_json(stored_run))
    elif arguments.form == "full":
        sys.stdout.write(as_markdown(stored_run))
    else:
        say(summary_lines(stored_run))
    return stored_run.exit_code


def _write_page(stored_run: StoredRun, path: Path) -> None:
    from screens.output.run_report.page import as_html

    # Root may name what others own: a link or a device is not replaced by a file.
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path} is not a plain file.", "Name a new file, or one to replace.")
    # Names of services and hosts are not for everybody on this host.
    write_atomically(path, as_html(stored_run), 0o600)
    progress(f"report of {stored_run.view.header.run_id} written to {path}")


def run(arguments: Namespace) -> int:
    """List the runs, newest first."""
    stored_runs, now = runs_in(state_folder()), datetime.now(UTC)
    if arguments.json:
        rows = [_row(stored_run, now) for stored_run in stored_runs]
        sys.stdout.write(json.dumps({"schema": SCHEMA, "runs": rows}, indent=1) + "\n")
        return 0
    if not stored_runs:
        print("No runs yet.", file=sys.stderr)
        return 0
    say(runs_lines(stored_runs, now))
    return 0


def _row(stored_run: StoredRun | UnreadableRun, now: datetime) -> dict[str, Any]:
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
        "took_s": round(took_s(stored_run, now), 1),
        "outcome": outcome(stored_run),
        "exit_code": stored_run.exit_code,
    }

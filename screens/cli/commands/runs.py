"""`vipconsole runs`, `attach` and `report`: all runs of this host, what one of them does now, and what it did.

`attach` shows a run in the console where the terminal can move its cursor, else line by line.
"""

import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.clock import SystemClock
from console.errors import UsageError
from console.host.root import has_own_root
from console.host.who import Who, who_runs_this
from console.journal.reader import DaemonLog, open_journal
from console.monitor.monitor import Sources
from console.rehearsal.forecast import Forecast
from console.runbook.run.view import StoredRun
from console.runbook.runner.starting import start_runner
from console.runbook.store.folders import folder_of, run_names
from console.runbook.store.viewer import UnreadableRun, forecast_of, newest, read_stored_run, runs_in
from console.simulator.host.demo_host import demo_folder
from console.storage.state import state_folder, write_atomically
from console.text import clean
from screens.cli.commands.console import can_show
from screens.cli.common import connect, require_plain_file, result_of
from screens.cli.live_console import open_console
from screens.cli.preconditions import require_root
from screens.cli.terminal_follower import follow
from screens.output.plain import json_text, progress, say, size_of
from screens.output.run_lines import outcome_lines
from screens.output.runs_table import outcome, runs_lines, took_s
from screens.tui.first_frame import DECIDES, first_frame
from screens.tui.run_follower import Decider

SCHEMA = "vipconsole.runs/1"


def report_command(arguments: Namespace) -> int:
    """Print the report, or write its page, and return the exit code of the run."""
    from screens.output.run_report.document import as_json
    from screens.output.run_report.lines import summary_lines
    from screens.output.run_report.markdown import as_markdown

    folder = select_run_folder(arguments)
    stored_run = read_stored_run(folder)
    forecast = forecast_of(folder, stored_run.view)
    if arguments.html is not None:
        _write_page(stored_run, arguments.html, forecast)
    elif arguments.form == "json":
        sys.stdout.write(as_json(stored_run, forecast))
    elif arguments.form == "full":
        sys.stdout.write(as_markdown(stored_run, forecast))
    else:
        say(summary_lines(stored_run, forecast, size_of(sys.stdout)[0]))
    return stored_run.exit_code


def _write_page(stored_run: StoredRun, path: Path, forecast: Forecast | None) -> None:
    from screens.output.run_report.page import as_html

    require_plain_file(path)
    # Names of services and hosts are not for everybody on this host.
    write_atomically(path, as_html(stored_run, forecast), 0o600)
    progress(f"report of {stored_run.view.header.run_id} written to {path}")


def run(arguments: Namespace) -> int:
    """List the runs, newest first."""
    stored_runs, now = runs_in(state_folder()), datetime.now(UTC)
    if arguments.json:
        rows = [_row(stored_run, now) for stored_run in stored_runs]
        sys.stdout.write(json_text({"schema": SCHEMA, "runs": rows}))
        return 0
    if not stored_runs:
        print("No runs yet.", file=sys.stderr)
        return 0
    say(runs_lines(stored_runs, now, size_of(sys.stdout)[0]))
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


def attach_command(arguments: Namespace) -> int:
    """Follow a run until it is over or nobody here can answer."""
    refuse_advance_answers(arguments)
    require_root("attach")
    folder = select_run_folder(arguments)
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    return show_run(folder, arguments, who_runs_this(os.environ))


def select_run_folder(arguments: Namespace) -> Path:
    """Return the folder of the run in the arguments, else of the run that is most likely meant."""
    state = state_folder()
    try:
        return folder_of(state, arguments.run) if arguments.run else newest(state)
    except UsageError as error:
        of_demo = run_names(demo_folder(os.environ) / "var/lib/vipconsole")
        if arguments.run and not has_own_root() and arguments.run in of_demo:
            raise UsageError(error.sentence, "It is a run of the demo: add --demo.") from error
        raise


def refuse_advance_answers(arguments: Namespace) -> None:
    """Raise UsageError for answers given in advance without --headless: elsewhere each answer follows its question."""
    if arguments.headless:
        return
    for option, answers in (("--confirm", arguments.words), ("--hold", arguments.hold)):
        if answers:
            raise UsageError(
                f"{option} needs --headless. Without it, each step shows its plan and asks.",
                f"Add --headless, or leave {option} out.",
            )


def show_run(folder: Path, arguments: Namespace, who: Who, log: DaemonLog | None = None) -> int:
    """Show a run and take decisions about it until the operator quits; return the run's exit code.

    `log` is the source of dockerd's lines, if that is not the journal of this host.
    """
    if arguments.headless or not can_show():
        return follow(folder, arguments, who)
    decider = Decider(folder, who, SystemClock())
    try:
        with first_frame(DECIDES) as hand_over:
            code = _in_console(decider, log, hand_over)
    finally:
        if decider.is_cut_short:
            # The operator quit in the middle of a decision. What is in the log must not wait until somebody returns.
            result_of(start_runner(folder, decider.clock, progress))
    return code or _print_state(folder)


def _in_console(decider: Decider, log: DaemonLog | None, hand_over: Callable[[], None]) -> int:
    # A started run stores its engine and its settings.
    header = read_stored_run(decider.folder).view.header
    settings = header.settings
    with connect(header.host, settings) as connection:
        log = log or DaemonLog(open_journal(settings.docker_unit))
        where = ("", " --demo") if has_own_root() else (f"DOCKER_HOST={shlex.quote(clean(header.host))} ", "")
        return open_console(Sources(connection, log, state_folder()), settings, where, hand_over, decider)


def _print_state(folder: Path) -> int:
    """Print the state of the run and the next command, and return its exit code."""
    stored_run = read_stored_run(folder)
    run = folder.name
    if stored_run.view.is_over:
        message = f"The run is over ({stored_run.view.state}). Its report: vipconsole report {run}"
    elif stored_run.is_interrupted:
        message = f"The runner process has died. To continue: vipconsole resume {run}"
    elif stored_run.view.stop_reason is not None:
        message = f"The run has stopped. To continue: vipconsole resume {run}"
    elif stored_run.view.question is not None:
        message = f"The run waits for an answer. To answer: vipconsole attach {run}"
    else:
        message = f"The run continues. To see it: vipconsole attach {run}"
    say((message, *outcome_lines(stored_run, SystemClock().now())), sys.stderr)
    return stored_run.exit_code

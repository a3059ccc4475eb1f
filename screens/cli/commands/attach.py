"""`vipconsole attach`: shows a run, in the console where the terminal can move its cursor, else line by line."""

import os
import shlex
import sys
from argparse import Namespace
from pathlib import Path

from console.clock import SystemClock
from console.errors import UsageError
from console.host.who import Who, who_runs_this
from console.journal.reader import DaemonLog, open_journal
from console.monitor.monitor import Sources
from console.runbook.runner.starting import start_runner
from console.runbook.store.folders import folder_of
from console.runbook.store.viewer import newest, read_stored_run
from console.storage.state import state_folder
from console.text import clean
from screens.cli.commands.changing import require_root
from screens.cli.commands.common import connected_to, result_of
from screens.cli.commands.console import can_show, open_console
from screens.cli.commands.following import follow
from screens.output.plain import progress
from screens.tui.run_follower import Decider


def run(asked: Namespace) -> int:
    """Follow a run until it is over or nobody here can answer."""
    refuse_unheard(asked)
    require_root("attach")
    folder = wanted_folder(asked)
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    return show_run(folder, asked, who_runs_this(os.environ))


def wanted_folder(asked: Namespace) -> Path:
    """Return the folder of the named run, else of the run that is most likely meant."""
    state = state_folder()
    return folder_of(state, asked.run) if asked.run else newest(state)


def refuse_unheard(asked: Namespace) -> None:
    """Raise UsageError for answers given in advance on a terminal: there, each answer follows its question."""
    if asked.headless or not sys.stdin.isatty():
        return
    for option, given in (("--confirm", asked.words), ("--hold", asked.hold)):
        if given:
            raise UsageError(
                f"{option} needs --headless. On a terminal, each step shows its plan and asks.",
                f"Add --headless, or leave {option} out.",
            )


def show_run(folder: Path, asked: Namespace, who: Who, log: DaemonLog | None = None) -> int:
    """Show a run and take decisions about it until the operator leaves; return the run's exit code.

    `log` is the source of dockerd's lines, if that is not the journal of this host.
    """
    if asked.headless or not can_show():
        return follow(folder, asked, who)
    decider = Decider(folder, who, SystemClock())
    try:
        code = _in_console(decider, log)
    finally:
        if decider.is_cut_short:
            # The operator left in the middle of a decision. What is in the log must not wait until somebody returns.
            result_of(start_runner(folder, decider.clock, progress))
    return code or _farewell(folder)


def _in_console(decider: Decider, log: DaemonLog | None) -> int:
    # A started run stores its engine and its settings.
    header = read_stored_run(decider.folder).view.header
    settings = header.settings
    with connected_to(header.host, settings) as connection:
        log = log or DaemonLog(open_journal(settings.docker_unit))
        where = (f"DOCKER_HOST={shlex.quote(clean(header.host))} ", "")
        return open_console(Sources(connection, log, state_folder()), settings, where, decider)


def _farewell(folder: Path) -> int:
    """Say where the run stands, and return its exit code."""
    now = read_stored_run(folder)
    run = folder.name
    if now.view.is_over:
        said = f"The run is over ({now.view.state}). Its report: vipconsole report {run}"
    elif now.is_interrupted:
        said = f"The runner process has died. To continue: vipconsole resume {run}"
    elif now.view.stop_reason is not None:
        said = f"The run has stopped. To continue: vipconsole resume {run}"
    elif now.view.question is not None:
        said = f"The run waits for an answer. To answer: vipconsole attach {run}"
    else:
        said = f"The run continues. To see it: vipconsole attach {run}"
    print(said, file=sys.stderr)
    return now.exit_code

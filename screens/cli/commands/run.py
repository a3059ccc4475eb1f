"""`vipconsole run`: shows what a runbook would do, and starts a run of it."""

import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from console.clock import SystemClock
from console.errors import NotAllowed, RunbookError, UsageError
from console.host.lock_probe import decline_if_locked
from console.host.who import who_runs_this
from console.runbook.language.file import read_runbook
from console.runbook.language.source import default_runbook
from console.runbook.language.values import Json, Runbook
from console.runbook.language.variables import parse_assignments, values_of
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import begin_run, plan_of
from console.runbook.runner.starting import start_runner
from console.runbook.store.viewer import decline_if_unfinished
from console.storage.state import state_folder
from console.text import clean, nearest
from screens.cli import exit_codes
from screens.cli.commands.attach import refuse_advance_answers, show_run
from screens.cli.commands.common import connection_for, journal_for, result_of, settings_of
from screens.cli.commands.preconditions import require_root
from screens.output.plain import progress, say
from screens.output.run_plan import exit_code, show_check, show_plan

START = "start"
"""The word that starts a run, typed on a terminal."""


def run(arguments: Namespace) -> int:
    """Show the plan; without `--check`, start a run and follow it."""
    if (arguments.calls or arguments.json) and not arguments.check:
        raise UsageError("--calls and --json show a plan.", "Use them together with --check.")
    path = arguments.file or default_runbook()
    try:
        runbook = read_runbook(path)
    except RunbookError as error:
        say((*error.problems, f"vipconsole: {error.sentence} {error.hint}".rstrip()), sys.stderr)
        return exit_codes.USAGE
    variables = values_of(runbook, parse_assignments(arguments.variables))
    _require_known_steps(runbook, parse_assignments(arguments.words))
    if not arguments.check:
        refuse_advance_answers(arguments)
        _require_free()
    settings = settings_of(arguments)
    with connection_for(arguments, settings) as connection:
        world = RunWorld(connection, settings, SystemClock(), journal_for(arguments, settings))
        plans = result_of(plan_of(runbook, variables, world))
        if arguments.check:
            show_check(runbook, plans, connection.host, is_json=arguments.json, with_calls=arguments.calls)
            return exit_code(plans)
        show_plan(runbook, plans, connection.host, sys.stderr)
        _confirm(arguments)
        folder = result_of(_begin(runbook, variables, world))
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    log = journal_for(arguments, settings) if arguments.journal else None
    return show_run(folder, arguments, who_runs_this(os.environ), log)


async def _begin(runbook: Runbook, variables: Mapping[str, Json], world: RunWorld) -> Path:
    folder = await begin_run(state_folder(), runbook, variables, world, who_runs_this(os.environ))
    await start_runner(folder, world.clock, progress)
    return folder


def _require_free() -> None:
    require_root("run")
    decline_if_unfinished(state_folder())
    decline_if_locked()


def _require_known_steps(runbook: Runbook, words: Mapping[str, str]) -> None:
    ids = [step.id for step in runbook.steps]
    for word in words:
        if word not in ids:
            raise UsageError(
                f"The runbook has no step {clean(word)}{nearest(word, ids)}.", "Check --confirm STEP=WORD."
            )


def _confirm(arguments: Namespace) -> None:
    if arguments.headless or not sys.stdin.isatty():
        return
    print(f"\nType  {START}  to begin the run: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != START:
        raise NotAllowed("Not started. Nothing was changed.")

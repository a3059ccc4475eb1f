"""`vipconsole run` and `vipconsole resume`: starts a run of a runbook, or only shows its plan; continues one that stopped."""

import asyncio
import hashlib
import os
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from console.clock import SystemClock
from console.errors import Declined, EngineError, ExitCode, NotAllowed, RunbookError, SwarmError, UsageError
from console.host.lock_probe import decline_if_locked
from console.host.who import Who, who_runs_this
from console.journal.reader import DaemonLog, open_journal
from console.runbook.language.file import read_runbook
from console.runbook.language.source import default_runbook, read_bytes
from console.runbook.language.values import Json, Runbook
from console.runbook.language.variables import parse_assignments, values_of
from console.runbook.run import events
from console.runbook.run.view import RunState, RunView
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import StepPlan, accept_runbook, begin_run, new_variables, plan_of
from console.runbook.runner.deciding import resume
from console.runbook.runner.gate import location_refusal, where_this_is
from console.runbook.runner.starting import start_runner
from console.runbook.store.viewer import RunKind, decline_if_unfinished, measured_before, read_stored_run
from console.storage.state import state_folder
from console.swarm.client import EngineConnection
from console.text import clean, nearest
from screens.cli.commands.runs import refuse_advance_answers, select_run_folder, show_run
from screens.cli.common import engine_and_log, journal_for, result_of, settings_of
from screens.cli.preconditions import require_root
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
        say(error.problems, sys.stderr, wraps=False)
        progress(f"{error.sentence} {error.hint}".rstrip())
        return ExitCode.USAGE
    variables = values_of(runbook, parse_assignments(arguments.variables))
    _require_known_steps(runbook, parse_assignments(arguments.words))
    if not arguments.check:
        refuse_advance_answers(arguments)
        _require_free()
    settings = settings_of(arguments)
    with engine_and_log(arguments, settings) as (connection, log):
        world = RunWorld(connection, settings, SystemClock(), log)
        plans = result_of(_plan(runbook, variables, world))
        if arguments.check:
            show_check(runbook, plans, connection.host, is_json=arguments.json, with_calls=arguments.calls)
            return exit_code(plans)
        show_plan(runbook, plans, connection.host, sys.stderr)
        _confirm(arguments)
        folder = result_of(_begin(runbook, variables, world))
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    recording = journal_for(arguments, settings) if arguments.journal else None
    return show_run(folder, arguments, who_runs_this(os.environ), recording)


async def _plan(runbook: Runbook, variables: Mapping[str, Json], world: RunWorld) -> tuple[StepPlan, ...]:
    """Return the plan of every step, with what earlier runs and a rehearsal measured of it."""
    plans = await plan_of(runbook, variables, world)
    try:
        engine = await world.reader.engine()
    except (EngineError, SwarmError):
        # The plans say what is wrong with the engine. Here only an estimate is missing.
        return plans
    kind = RunKind(runbook.id, engine.cluster_id, variables)
    by_step = {plan.step.id: plan.plan for plan in plans if plan.plan is not None}
    live = await asyncio.to_thread(measured_before, state_folder(), kind, by_step, world.clock.now())
    return tuple(
        replace(
            plan, rehearsed_s=live.rehearsed_s.get(plan.step.id), former_s=live.former_s.get(plan.step.id)
        )
        for plan in plans
    )


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


def resume_command(arguments: Namespace) -> int:
    """Check whether the run may continue, let it, and follow it."""
    refuse_advance_answers(arguments)
    require_root("resume")
    folder, who = select_run_folder(arguments), who_runs_this(os.environ)
    stored_run = read_stored_run(folder)
    if stored_run.view.is_over:
        raise Declined(
            f"The run {folder.name} is over ({stored_run.view.state}).",
            f"`vipconsole report {folder.name}` tells what it did.",
        )
    if not stored_run.live.is_alive:
        decline_if_locked()
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    if not (stored_run.live.is_alive and stored_run.view.state is RunState.GOING):
        result_of(_resume(folder, stored_run.view, who, may_have_changed=arguments.accept_changed))
    return show_run(folder, arguments, who)


async def _resume(folder: Path, view: RunView, who: Who, *, may_have_changed: bool) -> None:
    settings = view.header.settings
    connection = EngineConnection(view.header.host, settings.snapshot.call_timeout_s)
    try:
        log = DaemonLog(open_journal(settings.docker_unit))
        world = RunWorld(connection, settings, SystemClock(), log)
        why = location_refusal(view.header, await where_this_is(world.reader))
        if why:
            raise Declined(why, "A run can continue only where it started.")
        event = await _accept_change(folder, view, who, world, may_have_changed=may_have_changed)
        await resume(folder, who, world.clock, event, progress)
    finally:
        connection.close()


async def _accept_change(
    folder: Path, view: RunView, who: Who, world: RunWorld, *, may_have_changed: bool
) -> events.Accepted | None:
    """Return the event that accepts a changed runbook; None if it has not changed."""
    header = view.header
    path = Path(header.source)
    if hashlib.sha256(read_bytes(path)).hexdigest() == header.digest:
        return None
    if not may_have_changed:
        raise Declined(
            f"The runbook {header.source} changed after the run was planned.",
            f"Restore it (the run has a copy in {folder}), or accept the change with --accept-changed.",
        )
    runbook = read_runbook(path)
    variables = new_variables(view, runbook)
    show_plan(runbook, await _plan(runbook, variables, world), world.host, sys.stderr)
    return accept_runbook(view, folder, runbook, variables, who)

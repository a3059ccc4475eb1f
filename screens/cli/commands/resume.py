"""`vipconsole resume`: continues a run where it started, with the runbook that was planned."""

import hashlib
import os
import sys
from argparse import Namespace
from pathlib import Path

from console.clock import SystemClock
from console.errors import Declined
from console.host.lock_probe import decline_if_locked
from console.host.who import Who, who_runs_this
from console.journal.reader import DaemonLog, open_journal
from console.runbook.language.file import read_runbook
from console.runbook.language.source import read_bytes
from console.runbook.run import events
from console.runbook.run.view import RunView
from console.runbook.runner.context import RunWorld
from console.runbook.runner.creation import accept_runbook, new_variables, plan_of
from console.runbook.runner.gate import location_refusal, where_this_is
from console.runbook.runner.starting import resume
from console.runbook.store.viewer import read_stored_run
from console.swarm.client import EngineConnection
from screens.cli.commands.attach import refuse_advance_answers, select_run_folder, show_run
from screens.cli.commands.common import result_of
from screens.cli.commands.preconditions import require_root
from screens.output.plain import progress
from screens.output.run_plan import show_plan


def run(arguments: Namespace) -> int:
    """Check whether the run may continue, let it, and follow it."""
    refuse_advance_answers(arguments)
    require_root("resume")
    folder, who = select_run_folder(arguments), who_runs_this(os.environ)
    stored_run = read_stored_run(folder)
    if stored_run.view.is_over:
        raise Declined(f"The run {folder.name} is over ({stored_run.view.state}).")
    if not stored_run.live.is_alive:
        decline_if_locked()
    print(f"vipconsole: run {folder.name}", file=sys.stderr)
    if not (stored_run.live.is_alive and stored_run.view.state == "going"):
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
    show_plan(runbook, await plan_of(runbook, variables, world), world.host, sys.stderr)
    return accept_runbook(view, folder, runbook, variables, who)

"""The door for those who decide about runs. A decision is in the log before anything comes of it, and the first one counts.

Whether a runner is there is read by the rules below, while nobody can append. A runner holds its lock before it reads the
log, and records its start and each intent there. So either a rule sees the runner, or the runner sees the decision before
it does anything.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from console.clock import Clock
from console.host.audit import Who
from console.runbook.run import events as e
from console.runbook.run.decisions import Wish, decision_for
from console.runbook.run.fold import fold
from console.runbook.run.machine import needs_runner
from console.runbook.run.view import RunState, RunView
from console.runbook.runner.starting import Progress, ensure_runner, is_alive, silent
from console.runbook.store import database
from console.runbook.store.folders import LOG
from console.runbook.store.log import append_by_rule
from console.runbook.store.reserve import release_reserve
from console.runbook.unfinished import decline_if_unfinished
from console.text import SENTENCE_LIMIT, clean


async def decide(folder: Path, wish: Wish, who: Who, clock: Clock, tell: Progress = silent) -> RunView:
    """Decide about a step, and let the run go on where it does; return the run with the decision in it.

    Raises Declined with why it cannot be decided so: somebody else was first, the word is wrong, the plan has changed.
    Raises HostError where the log cannot be written or no runner be started.
    """
    await asyncio.to_thread(_decline_if_another_blocks, folder, wish)
    cleaned = replace(wish, reason=clean(wish.reason, SENTENCE_LIMIT))

    def rule(view: RunView) -> Sequence[e.Event] | str:
        decided = decision_for(view, cleaned, who, is_alive=is_alive(folder))
        return decided if isinstance(decided, str) else (decided,)

    await asyncio.to_thread(append_by_rule, folder, rule, clock)
    return await start_runner(folder, clock, tell)


async def resume(
    folder: Path, who: Who, clock: Clock, accepted: e.Accepted | None = None, tell: Progress = silent
) -> RunView:
    """Let a run go on that has stopped, waits or was cut short. Raises Declined and HostError.

    `accepted` lets a changed runbook take the place of the one that was planned; it is appended first.
    """
    await asyncio.to_thread(_decline_if_another_blocks, folder, None)

    def rule(view: RunView) -> Sequence[e.Event] | str:
        if view.is_over:
            return f"The run is over ({view.state})."
        if view.state is RunState.GOING and is_alive(folder):
            return "The run is under way."
        return (*((accepted,) if accepted is not None else ()), e.Resumed(who))

    await asyncio.to_thread(append_by_rule, folder, rule, clock)
    return await start_runner(folder, clock, tell)


async def start_runner(folder: Path, clock: Clock, tell: Progress = silent) -> RunView:
    """Start a runner where there is something to do and none is there, and return the run. Raises HostError."""
    view = fold(await asyncio.to_thread(database.read_log, folder / LOG))
    if needs_runner(view):
        await ensure_runner(folder, view.header, clock, tell)
    return view


async def abandon(folder: Path, who: Who, clock: Clock) -> RunView:
    """Give a run up as it is. Raises Declined where it is over or a runner is at work, and HostError."""

    def rule(view: RunView) -> Sequence[e.Event] | str:
        if view.is_over and not view.blocks:
            return f"The run is over ({view.state})."
        if view.state is RunState.GOING and is_alive(folder):
            return "The run is under way: stop it before."
        return (e.Abandoned(who, what_is_left(view)),)

    await asyncio.to_thread(append_by_rule, folder, rule, clock)
    await asyncio.to_thread(release_reserve, folder)
    return fold(await asyncio.to_thread(database.read_log, folder / LOG))


def what_is_left(view: RunView) -> str:
    """Return what a run would leave behind if it were given up now, a sentence."""
    left = [f"{each.id} ({each.state})" for each in view.left_behind]
    if left:
        return f"Neither verified nor undone: {', '.join(left)}."
    return "Everything that it has changed is verified or undone."


def _decline_if_another_blocks(folder: Path, wish: Wish | None) -> None:
    if wish is None or wish.choice is not e.Choice.STOP:
        decline_if_unfinished(folder.absolute().parents[1], but=folder.name)

"""The door for whoever decides about runs. A decision is in the log before anything comes of it, and the first one counts."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from console.clock import Clock
from console.host.who import Who
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
    cleaned = Wish(
        wish.step, wish.choice, wish.word, clean(wish.reason, SENTENCE_LIMIT), wish.attempt, wish.digest
    )
    alive = await asyncio.to_thread(is_alive, folder)
    await asyncio.to_thread(
        append_by_rule, folder, lambda view: decision_for(view, cleaned, who, is_alive=alive), clock
    )
    return await start_runner(folder, clock, tell)


async def resume(
    folder: Path, who: Who, clock: Clock, accepted: e.Accepted | None = None, tell: Progress = silent
) -> RunView:
    """Let a run go on that has stopped, waits or was cut short. Raises Declined and HostError.

    `accepted` lets a changed runbook take the place of the one that was planned; it is appended first.
    """
    await asyncio.to_thread(_decline_if_another_blocks, folder, None)
    alive = await asyncio.to_thread(is_alive, folder)

    def unless_in_the_way(event: e.Event) -> Callable[[RunView], e.Event | str]:
        def rule(view: RunView) -> e.Event | str:
            if view.is_over:
                return f"The run is over ({view.state})."
            return "The run is under way." if alive and view.state is RunState.GOING else event

        return rule

    for event in (accepted, e.Resumed(who)):
        if event is not None:
            await asyncio.to_thread(append_by_rule, folder, unless_in_the_way(event), clock)
    return await start_runner(folder, clock, tell)


async def start_runner(folder: Path, clock: Clock, tell: Progress = silent) -> RunView:
    """Start a runner where there is something to do and none is there, and return the run. Raises HostError."""
    view = fold(await asyncio.to_thread(database.read_log, folder / LOG))
    if needs_runner(view):
        await ensure_runner(folder, view.header, clock, tell)
    return view


async def abandon(folder: Path, who: Who, clock: Clock) -> RunView:
    """Give a run up as it is. Raises Declined where it is over or a runner is at work, and HostError."""
    alive = await asyncio.to_thread(is_alive, folder)

    def rule(view: RunView) -> e.Event | str:
        if view.is_over and not view.blocks:
            return f"The run is over ({view.state})."
        if alive and view.state is RunState.GOING:
            return "The run is under way: stop it before."
        return e.Abandoned(who, what_is_left(view))

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

"""What an operator decides about a run, taken to its log: a decision about a step, that the run goes on, that it is given up."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from console.clock import Clock
from console.host.who import Who
from console.runbook.run import events
from console.runbook.run.decisions import DecisionRequest, decision_for
from console.runbook.run.view import RunState, RunView, StepState
from console.runbook.runner.starting import Tell, silent, start_runner
from console.runbook.store.folders import release_reserve
from console.runbook.store.log import append_if_allowed
from console.runbook.store.viewer import decline_if_unfinished, is_alive, read_run
from console.text import SENTENCE_LIMIT, clean


async def decide(
    folder: Path, request: DecisionRequest, who: Who, clock: Clock, tell: Tell = silent
) -> RunView:
    """Decide about a step, and let the run go on where it does; return the run with the decision in it.

    Raises Declined with why it cannot be decided so: somebody else was first, the word is wrong, the plan has changed.
    Raises HostError where the log cannot be written or no runner be started.
    """
    await asyncio.to_thread(_decline_if_another_blocks, folder, request)
    clean_request = replace(request, reason=clean(request.reason, SENTENCE_LIMIT))

    def rule(view: RunView) -> Sequence[events.Event] | str:
        decision = decision_for(view, clean_request, who, is_alive=is_alive(folder))
        return decision if isinstance(decision, str) else (decision,)

    await asyncio.to_thread(append_if_allowed, folder, rule, clock)
    return await start_runner(folder, clock, tell)


async def resume(
    folder: Path, who: Who, clock: Clock, acceptance: events.Accepted | None = None, tell: Tell = silent
) -> RunView:
    """Let a run go on that has stopped, waits or was cut short. Raises Declined and HostError.

    `acceptance` lets a changed runbook take the place of the one that was planned; it is appended first.
    """
    await asyncio.to_thread(_decline_if_another_blocks, folder, None)

    def rule(view: RunView) -> Sequence[events.Event] | str:
        if view.is_over:
            return f"The run is over ({view.state})."
        if view.state is RunState.GOING and is_alive(folder):
            return "The run is under way."
        return (*((acceptance,) if acceptance is not None else ()), events.Resumed(who))

    await asyncio.to_thread(append_if_allowed, folder, rule, clock)
    return await start_runner(folder, clock, tell)


async def abandon(folder: Path, who: Who, clock: Clock) -> RunView:
    """Give a run up as it is. Raises Declined where it is over or a runner is at work, and HostError."""

    def rule(view: RunView) -> Sequence[events.Event] | str:
        if view.is_over and not view.blocks:
            return f"The run is over ({view.state})."
        if view.state is RunState.GOING and is_alive(folder):
            return "The run is under way. Stop it first."
        return (events.Abandoned(who, unfinished_summary(view)),)

    await asyncio.to_thread(append_if_allowed, folder, rule, clock)
    await asyncio.to_thread(release_reserve, folder)
    return await asyncio.to_thread(read_run, folder)


def unfinished_summary(view: RunView) -> str:
    """Return what a run would leave behind if it were given up now, a sentence."""
    left = [f"{step.id} ({step.state})" for step in view.left_behind]
    stays = [step.id for step in view.steps if step.head.changes and step.state is StepState.DONE]
    sentences = (
        f"Neither verified nor undone: {', '.join(left)}." if left else "",
        f"Done and verified, and it stays: {', '.join(stays)}." if stays else "",
    )
    return " ".join(filter(None, sentences)) or "It leaves nothing behind."


def _decline_if_another_blocks(folder: Path, request: DecisionRequest | None) -> None:
    if request is None or request.choice is not events.Choice.STOP:
        decline_if_unfinished(folder.absolute().parents[1], but=folder.name)

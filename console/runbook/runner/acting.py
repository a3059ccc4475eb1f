"""Does what a step does, or undoes it, and keeps what dockerd logged meanwhile."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from console.clock import Clock
from console.errors import (
    EngineError,
    EngineNonsense,
    EngineTimeout,
    EngineUnreachable,
    Part,
    RunbookError,
    StoreFailed,
    SwarmError,
    Unknown,
    VipconsoleError,
    unknown_from,
)
from console.journal.reader import read_lately, whose_host
from console.journal.summary import describe, summarise
from console.runbook.language.values import Answer, Json, Step
from console.runbook.run import events as e
from console.runbook.run.codec import plain
from console.runbook.runner.context import Ready, StepContext, Tools, names_of, ready, ready_to_undo
from console.runbook.runner.environment import RunWorld
from console.runbook.runner.inspection import VERIFY_EVERY_S, as_intended, told_of_bug
from console.swarm.changer import Tell
from console.swarm.values import Engine
from console.text import duration

MOST_LINES = 40
MARGIN_S = 2.0
"""More than it takes until a line is in the journal."""
LONGEST_S = 3600.0
"""Of a step that took longer, the last hour is read."""


async def logged_since(world: RunWorld, began: datetime) -> tuple[str, ...]:
    """Return what dockerd logged since a moment, a line for each kind, or why that is not known."""
    try:
        engine: Part[Engine] = await world.reader.engine()
    except (EngineError, SwarmError) as error:
        engine = unknown_from(error)
    doubt = await whose_host(world.host, engine)
    now = world.clock.now()
    window_s = min(LONGEST_S, max(0.0, (now - began).total_seconds()) + MARGIN_S)
    batch = await read_lately(world.log, doubt, now, window_s, world.settings.look.call_timeout_s)
    if isinstance(batch, Unknown):
        return (f"What dockerd logged is not known: {batch.reason}",)
    summary = summarise([batch], {}, window_s)
    lines = [f"{each.signature.severity}: {each.text} ({describe(each)})" for each in summary.findings]
    lines += [f"unexplained: {each.text} ({each.count} times)" for each in summary.unmatched]
    more = [f"… {len(lines) - MOST_LINES} more kinds"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more) or ("Nothing of interest.",)


GRACE_S = 10.0
"""Beyond a step's time limit, before its act is ended from outside."""
UNSURE = (EngineTimeout, EngineNonsense, EngineUnreachable)
"""After one of these the engine may have done what it was asked or not."""


async def acted(context: StepContext, step: Step, what: Ready, attempt: int) -> e.Succeeded | e.Failed:
    """Act, and return what came of it."""
    clock = context.world.clock
    began_s = clock.monotonic()
    try:
        async with asyncio.timeout(step.timeout_s + GRACE_S):
            outputs: Mapping[str, Json] = await what.action.act(context, what.parameters)
        return e.Succeeded(step.id, attempt, plain(outputs), _since(clock, began_s))
    except StoreFailed:
        raise
    except VipconsoleError as error:
        is_known = not (what.changes and isinstance(error, UNSURE))
        sentence, hint = error.sentence, error.hint
    except TimeoutError:
        sentence, hint, is_known = (
            _too_long(step),
            "Give it a longer timeout if it needs one.",
            not what.changes,
        )
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        sentence, hint, is_known = told_of_bug(error), "", not what.changes
    return e.Failed(step.id, attempt, sentence, hint, is_known=is_known, took_s=_since(clock, began_s))


async def undone(tools: Tools, step: Step, tell: Tell) -> None:
    """Undo a step, with its intent before and what came of it after."""
    seen = tools.view.step(step.id)
    clock = tools.world.clock
    try:
        names = names_of(tools.view, seen)
        own = as_intended(seen, ready(step, names))
        other = ready_to_undo(step, names)
    except RunbookError as error:
        await tools.log.append(e.UndoFailed(step.id, error.sentence, error.hint))
        return
    context = await tools.changing(step.id, tell)
    await tools.log.append(e.UndoIntended(step.id, (other or own).call))
    began_s = clock.monotonic()
    sentence, hint = "", ""
    try:
        async with asyncio.timeout(step.timeout_s + GRACE_S):
            if other is None:
                await own.action.undo(context, own.parameters, seen.outputs)
            else:
                sentence = await _done_by(context, other, step)
    except StoreFailed:
        raise
    except VipconsoleError as error:
        sentence, hint = error.sentence, error.hint
    except TimeoutError:
        sentence = _too_long(step)
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        sentence = told_of_bug(error)
    if sentence:
        await tools.log.append(e.UndoFailed(step.id, sentence, hint))
    else:
        await tools.log.append(e.Undone(step.id, _since(clock, began_s)))


async def _done_by(context: StepContext, what: Ready, step: Step) -> str:
    """Let another action undo a step, and return what is wrong afterwards, or nothing."""
    outputs = await what.action.act(context, what.parameters)
    clock = context.world.clock
    began_s = clock.monotonic()
    while True:
        found = await what.action.verify(context, what.parameters, outputs)
        if found.answer is Answer.YES:
            return ""
        if _since(clock, began_s) + VERIFY_EVERY_S > step.timeout_s:
            return found.sentence
        await clock.sleep(VERIFY_EVERY_S)


def _since(clock: Clock, began_s: float) -> float:
    return round(clock.monotonic() - began_s, 3)


def _too_long(step: Step) -> str:
    return f"It was not done within its time limit of {duration(step.timeout_s)}."

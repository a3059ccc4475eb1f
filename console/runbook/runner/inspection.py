"""Does and inspects steps: is it done already, what would it do, are its requirements met; act, verify, undo."""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from console.clock import Clock
from console.errors import (
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    MalformedReply,
    Result,
    RunbookError,
    StoreFailed,
    SwarmError,
    Unknown,
    VipconsoleError,
    unknown_from,
)
from console.journal.reader import read_recent, whose_host
from console.journal.summary import describe, summarise
from console.runbook.actions.registry import action_of
from console.runbook.contracts import Blocking, Context
from console.runbook.language.substitution import Names, resolved_call, unfilled
from console.runbook.language.values import Answer, Call, CheckResult, Json, Planned, Step
from console.runbook.predicates.registry import answer_to
from console.runbook.run import events
from console.runbook.run.codec import plain
from console.runbook.run.view import RunView, StepView
from console.runbook.runner.context import (
    Ready,
    RunnerContext,
    RunWorld,
    StepContext,
    digest_of,
    made_ready,
    names_of,
    ready,
    ready_to_undo,
    word_of,
)
from console.swarm.changer import Tell
from console.swarm.values import Engine
from console.text import clean, duration

T = TypeVar("T")

LOOK_WITHIN_S = 120.0
"""For one probe of one action or predicate: far longer than any snapshot, so that only what hangs meets it."""
VERIFY_EVERY_S = 1.0
"""The pause between two verifications of a step."""


async def prepared(runner: RunnerContext, step: Step) -> events.Prepared | events.Failed:
    """Look at everything that a step rests on; it fails where it cannot even be said what it would do."""
    view = runner.view
    seen = view.step(step.id)
    without = _rests_on_nothing(view, step)
    if without is not None:
        plan = Planned(step.title, not_applicable=without)
        call = action_of(step)[1]
        return events.Prepared(step.id, seen.attempt, call, "", "", CheckResult(Answer.NO, without), plan)
    try:
        names = names_of(view)
        what, word = ready(step, names), word_of(step, names)
        probes = [resolved_call(each, names) for each in step.probe]
        requires = [resolved_call(require, names) for require in step.requires]
    except RunbookError as error:
        return events.Failed(step.id, seen.attempt, error.sentence, error.hint)
    context = await runner.looking(step.id)
    probe = await _probe(context, what, probes)
    if probe.answer is Answer.YES:
        digest = digest_of(view.header.digest, what.call, {})
        return events.Prepared(step.id, seen.attempt, what.call, digest, word, probe)
    plan = await planned(context, what)
    told = [
        events.ConditionResult(require.name, await _answered(answer_to(context, require)))
        for require in requires
    ]
    for each in step.requires_steps:
        told += await _told_of_step(runner, runner.step(each), names)
    digest = digest_of(view.header.digest, what.call, plan.basis)
    return events.Prepared(step.id, seen.attempt, what.call, digest, word, probe, plan, tuple(told))


def _rests_on_nothing(view: RunView, step: Step) -> str | None:
    """Return why a step does not apply here: it needs the result of a step that was skipped on this host."""
    for reference in unfilled(action_of(step)[1], names_of(view)):
        found = next((one for one in view.steps if one.id == reference.step), None)
        if found is not None and found.is_passed_over:
            return f"It needs {found.id}, which was skipped. {found.skipped_because}"
    return None


async def planned(context: Context, what: Ready) -> Planned:
    """Return what an action would do; where it cannot say, it must not be done."""
    try:
        async with asyncio.timeout(LOOK_WITHIN_S):
            plan: Planned = await what.action.plan(context, what.parameters)
            return plan
    except StoreFailed:
        raise
    except VipconsoleError as error:
        return Planned("Its plan is unknown.", refused=(f"{error.sentence} {error.hint}".strip(),))
    except TimeoutError:
        return Planned("Its plan is unknown.", refused=(_hung(),))
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        return Planned("Its plan is unknown.", refused=(told_of_bug(error),))


async def probed(runner: RunnerContext, step: Step) -> CheckResult:
    """Look into an attempt, or an undo, of which nobody knows what came of it."""
    seen = runner.view.step(step.id)
    try:
        names = names_of(runner.view, seen)
        undo = ready_to_undo(step, names) if seen.is_being_undone else None
        probes = [resolved_call(each, names) for each in step.probe] if undo is None else []
        what = undo or as_intended(seen, ready(step, names))
    except RunbookError as error:
        return CheckResult(Answer.CANNOT_TELL, error.sentence)
    return await _probe(await runner.looking(step.id), what, probes)


def as_intended(seen: StepView, what: Ready) -> Ready:
    """Return an action with the parameters that its last attempt set out with. Raises RunbookError."""
    return what if seen.intent is None else made_ready(what.action, seen.intent.call)


async def verified(runner: RunnerContext, step: Step) -> events.Verified:
    """Verify the result, again and again until the step's time limit."""
    clock = runner.world.clock
    began_s = clock.monotonic()
    while True:
        seen = runner.view.step(step.id)
        told = await _told_of_step(runner, step, names_of(runner.view, seen))
        answer = worst([result.found.answer for result in told])
        took_s = clock.monotonic() - began_s
        if answer is Answer.YES or took_s + VERIFY_EVERY_S > step.timeout_s:
            return events.Verified(step.id, seen.attempt, answer, tuple(told), took_s=round(took_s, 3))
        context = await runner.looking(step.id)
        await context.waits_for(
            [
                Blocking(result.name, result.found.sentence)
                for result in told
                if result.found.answer is not Answer.YES
            ]
        )
        await clock.sleep(VERIFY_EVERY_S)


def worst(answers: Iterable[Answer]) -> Answer:
    """Return what several answers come to: no where any is, then cannot tell where any is."""
    told = set(answers)
    return next((answer for answer in (Answer.NO, Answer.CANNOT_TELL) if answer in told), Answer.YES)


async def _told_of_step(runner: RunnerContext, step: Step, names: Names) -> list[events.ConditionResult]:
    """Return whether a step has come to what it should, by its action and by its own conditions, as of now."""
    seen = runner.view.step(step.id)
    try:
        what = as_intended(seen, ready(step, names))
        calls = [resolved_call(call, names) for call in step.verify]
    except RunbookError as error:
        return [events.ConditionResult(step.id, CheckResult(Answer.CANNOT_TELL, error.sentence))]
    context = await runner.looking(step.id)
    own = await _answered(what.action.verify(context, what.parameters, seen.outputs))
    return [events.ConditionResult(what.action.name, own), *[await _told(context, call) for call in calls]]


async def _told(context: Context, call: Call) -> events.ConditionResult:
    return events.ConditionResult(call.name, await _answered(answer_to(context, call)))


async def _probe(context: Context, what: Ready, probes: list[Call]) -> CheckResult:
    if not probes:
        return await _answered(what.action.probe(context, what.parameters))
    told = [await _told(context, probe) for probe in probes]
    evidence = {result.name: dict(result.found.evidence) for result in told}
    return CheckResult(
        worst(result.found.answer for result in told),
        " ".join(result.found.sentence for result in told),
        evidence,
    )


async def _answered(answer: Awaitable[CheckResult]) -> CheckResult:
    """Return an answer; one that cannot be had is that it cannot be told."""
    try:
        async with asyncio.timeout(LOOK_WITHIN_S):
            return await answer
    except StoreFailed:
        raise
    except VipconsoleError as error:
        return CheckResult(Answer.CANNOT_TELL, f"{error.sentence} {error.hint}".strip())
    except TimeoutError:
        return CheckResult(Answer.CANNOT_TELL, _hung())
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        return CheckResult(Answer.CANNOT_TELL, told_of_bug(error))


def _hung() -> str:
    return f"The check timed out after {duration(LOOK_WITHIN_S)}."


def told_of_bug(error: Exception) -> str:
    """Write where a bug is to standard error, without any values of variables, and return a sentence about it."""
    sys.stderr.write("".join(traceback.format_exception(error)).encode("ascii", "backslashreplace").decode())
    sys.stderr.flush()
    return (
        f"This is a bug in vipconsole ({type(error).__name__}: {clean(str(error), 200)}). For details see "
        "the runner's output, in the run's folder or in the journal."
    )


MOST_LINES = 40
MARGIN_S = 2.0
"""Longer than it takes until a line is in the journal."""
LONGEST_S = 3600.0
"""For a step that took longer, only the last hour is read."""


async def logged_since(world: RunWorld, began: datetime) -> tuple[str, ...]:
    """Return what dockerd logged since a moment, a line for each kind, or why that is not known."""
    try:
        engine: Result[Engine] = await world.reader.engine()
    except (EngineError, SwarmError) as error:
        engine = unknown_from(error)
    refusal = await whose_host(world.host, engine)
    now = world.clock.now()
    window_s = min(LONGEST_S, max(0.0, (now - began).total_seconds()) + MARGIN_S)
    batch = await read_recent(world.log, refusal, now, window_s, world.settings.snapshot.call_timeout_s)
    if isinstance(batch, Unknown):
        return (f"dockerd's log is unknown: {batch.reason}",)
    summary = summarise([batch], {}, window_s)
    lines = [
        f"{finding.signature.severity}: {finding.text} ({describe(finding)})" for finding in summary.findings
    ]
    lines += [f"unexplained: {message.text} ({message.count} times)" for message in summary.error_patterns]
    more = [f"… {len(lines) - MOST_LINES} more kinds"] if len(lines) > MOST_LINES else []
    return (*lines[:MOST_LINES], *more) or ("No findings.",)


GRACE_S = 10.0
"""Beyond a step's time limit, before its act is ended from outside."""
UNSURE = (EngineTimeout, MalformedReply, EngineUnreachable)
"""After one of these the engine may have done what it was asked or not."""


async def acted(
    context: StepContext, step: Step, what: Ready, attempt: int
) -> events.Succeeded | events.Failed:
    """Act, and return what came of it."""
    clock = context.world.clock
    began_s = clock.monotonic()
    try:
        async with asyncio.timeout(step.timeout_s + GRACE_S):
            outputs: Mapping[str, Json] = await what.action.act(context, what.parameters)
        return events.Succeeded(step.id, attempt, plain(outputs), _since(clock, began_s))
    except StoreFailed:
        raise
    except VipconsoleError as error:
        is_known = not (what.changes and isinstance(error, UNSURE))
        sentence, hint = error.sentence, error.hint
    except TimeoutError:
        sentence, hint, is_known = (
            _too_long(step),
            "If it needs more time, give it a longer timeout.",
            not what.changes,
        )
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        sentence, hint, is_known = told_of_bug(error), "", not what.changes
    return events.Failed(step.id, attempt, sentence, hint, is_known=is_known, took_s=_since(clock, began_s))


async def undone(runner: RunnerContext, step: Step, tell: Tell) -> None:
    """Undo a step, with its intent before and what came of it after."""
    seen = runner.view.step(step.id)
    clock = runner.world.clock
    try:
        names = names_of(runner.view, seen)
        own = as_intended(seen, ready(step, names))
        other = ready_to_undo(step, names)
    except RunbookError as error:
        await runner.log.append(events.UndoFailed(step.id, error.sentence, error.hint))
        return
    context = await runner.changing(step.id, tell)
    await runner.log.append(events.UndoIntended(step.id, (other or own).call))
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
        await runner.log.append(events.UndoFailed(step.id, sentence, hint))
    else:
        await runner.log.append(events.Undone(step.id, _since(clock, began_s)))


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
    return f"Timed out after {duration(step.timeout_s)}."

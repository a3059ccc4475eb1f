"""Does and inspects steps: is it done already, what would it do, are its requirements met; act, verify, undo."""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import TypeVar

from console.clock import Clock
from console.durations import duration
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
from console.runbook.answers import all_of
from console.runbook.contracts import Blocking, Context
from console.runbook.language.substitution import Names, missing_references, substitute_call
from console.runbook.language.values import NOTHING, ActionPlan, Answer, Call, CheckResult, Json, Step
from console.runbook.predicates.registry import answer_to
from console.runbook.run import events
from console.runbook.run.codec import plain
from console.runbook.run.view import RunView, StepView
from console.runbook.runner.context import (
    ReadyAction,
    RunnerContext,
    RunWorld,
    StepContext,
    bind_parameters,
    digest_of,
    names_of,
    ready_action,
    ready_undo,
    word_of,
)
from console.swarm.changer import Tell
from console.swarm.model import Engine
from console.text import clean

T = TypeVar("T")

CHECK_WITHIN_S = 120.0
"""For one probe of one action or predicate: far longer than any snapshot, so that only what hangs meets it."""
VERIFY_EVERY_S = 1.0
"""The pause between two verifications of a step."""

MOST_LINES = 40
MARGIN_S = 2.0
"""Longer than it takes until a line is in the journal."""
LONGEST_S = 3600.0
"""For a step that took longer, only the last hour is read."""

GRACE_S = 10.0
"""Beyond a step's time limit, before its act is ended from outside."""
UNSURE = (EngineTimeout, MalformedReply, EngineUnreachable)
"""After one of these the engine may have done what it was asked or not."""


async def prepare(runner: RunnerContext, step: Step) -> events.Prepared | events.Failed:
    """Probe a step, plan it and check its requirements; it fails where its parameters cannot be filled."""
    view = runner.view
    step_view = view.step(step.id)
    reason = _reason_to_skip(view, step)
    if reason is not None:
        plan = ActionPlan(step.title, not_applicable=reason)
        call = action_of(step)[1]
        return events.Prepared(step.id, step_view.attempt, call, "", "", CheckResult(Answer.NO, reason), plan)
    try:
        names = names_of(view)
        ready, word = ready_action(step, names), word_of(step, names)
        probes = [substitute_call(call, names) for call in step.probe]
        requires = [substitute_call(require, names) for require in step.requires]
    except RunbookError as error:
        return events.Failed(step.id, step_view.attempt, error.sentence, error.hint)
    context = await runner.reading_context(step.id)
    probe = await _run_probes(context, ready, probes)
    if probe.answer is Answer.YES:
        digest = digest_of(view.header.digest, ready.call, {})
        return events.Prepared(step.id, step_view.attempt, ready.call, digest, word, probe)
    plan = await plan_action(context, ready)
    results = [
        events.ConditionResult(require.name, await _answer_within_limit(answer_to(context, require)))
        for require in requires
    ]
    for step_id in step.requires_steps:
        results += await _check_step(runner, runner.step(step_id), names)
    digest = digest_of(view.header.digest, ready.call, plan.basis)
    return events.Prepared(step.id, step_view.attempt, ready.call, digest, word, probe, plan, tuple(results))


def _reason_to_skip(view: RunView, step: Step) -> str | None:
    """Return why a step does not apply here: it needs the result of a step that was skipped on this host."""
    for reference in missing_references(action_of(step)[1], names_of(view)):
        source = next((step_view for step_view in view.steps if step_view.id == reference.step), None)
        if source is not None and source.is_inapplicable:
            return f"It needs {source.id}, which was skipped. {source.skipped_because}"
    return None


async def plan_action(context: Context, ready: ReadyAction) -> ActionPlan:
    """Return the plan of an action; an action that cannot plan is refused."""
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            plan: ActionPlan = await ready.action.plan(context, ready.parameters)
            return plan
    except StoreFailed:
        raise
    except VipconsoleError as error:
        return ActionPlan("Its plan is unknown.", refused=(f"{error.sentence} {error.hint}".strip(),))
    except TimeoutError:
        return ActionPlan("Its plan is unknown.", refused=(_timeout_sentence(),))
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        return ActionPlan("Its plan is unknown.", refused=(report_bug(error),))


async def probe(runner: RunnerContext, step: Step) -> CheckResult:
    """Probe an attempt, or an undo, whose result is unknown."""
    step_view = runner.view.step(step.id)
    try:
        names = names_of(runner.view, step_view)
        undo = ready_undo(step, names) if step_view.is_being_undone else None
        probes = [substitute_call(call, names) for call in step.probe] if undo is None else []
        ready = undo or with_intent(step_view, ready_action(step, names))
    except RunbookError as error:
        return CheckResult(Answer.CANNOT_TELL, error.sentence)
    return await _run_probes(await runner.reading_context(step.id), ready, probes)


def with_intent(step_view: StepView, ready: ReadyAction) -> ReadyAction:
    """Return an action with the parameters that its last attempt set out with. Raises RunbookError."""
    return ready if step_view.intent is None else bind_parameters(ready.action, step_view.intent.call)


async def verify(runner: RunnerContext, step: Step) -> events.Verified:
    """Verify the result, again and again until the step's time limit."""
    clock = runner.world.clock
    began_s = clock.monotonic()
    while True:
        step_view = runner.view.step(step.id)
        results = await _check_step(runner, step, names_of(runner.view, step_view))
        answer = all_of(result.found for result in results)
        took_s = clock.monotonic() - began_s
        if answer is Answer.YES or took_s + VERIFY_EVERY_S > step.timeout_s:
            return events.Verified(
                step.id, step_view.attempt, answer, tuple(results), took_s=round(took_s, 3)
            )
        context = await runner.reading_context(step.id)
        await context.waits_for(
            [
                Blocking(result.name, result.found.sentence)
                for result in results
                if result.found.answer is not Answer.YES
            ]
        )
        await clock.sleep(VERIFY_EVERY_S)


async def _check_step(runner: RunnerContext, step: Step, names: Names) -> list[events.ConditionResult]:
    """Verify a step now, by its action and by its own conditions."""
    step_view = runner.view.step(step.id)
    try:
        ready = with_intent(step_view, ready_action(step, names))
        calls = [substitute_call(call, names) for call in step.verify]
    except RunbookError as error:
        return [events.ConditionResult(step.id, CheckResult(Answer.CANNOT_TELL, error.sentence))]
    context = await runner.reading_context(step.id)
    own = await _answer_within_limit(ready.action.verify(context, ready.parameters, step_view.outputs))
    return [
        events.ConditionResult(ready.action.name, own),
        *[await _check_condition(context, call) for call in calls],
    ]


async def _check_condition(context: Context, call: Call) -> events.ConditionResult:
    return events.ConditionResult(call.name, await _answer_within_limit(answer_to(context, call)))


async def _run_probes(context: Context, ready: ReadyAction, probes: list[Call]) -> CheckResult:
    if not probes:
        return await _answer_within_limit(ready.action.probe(context, ready.parameters))
    results = [await _check_condition(context, probe) for probe in probes]
    evidence = {result.name: dict(result.found.evidence) for result in results}
    return CheckResult(
        all_of(result.found for result in results),
        " ".join(result.found.sentence for result in results),
        evidence,
    )


async def _answer_within_limit(answer: Awaitable[CheckResult]) -> CheckResult:
    """Return an answer; an error, a bug or a timeout becomes `cannot tell`."""
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            return await answer
    except StoreFailed:
        raise
    except VipconsoleError as error:
        return CheckResult(Answer.CANNOT_TELL, f"{error.sentence} {error.hint}".strip())
    except TimeoutError:
        return CheckResult(Answer.CANNOT_TELL, _timeout_sentence())
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        return CheckResult(Answer.CANNOT_TELL, report_bug(error))


def _timeout_sentence() -> str:
    return f"The check timed out after {duration(CHECK_WITHIN_S)}."


def report_bug(error: Exception) -> str:
    """Write where a bug is to standard error, without any values of variables, and return a sentence about it."""
    sys.stderr.write("".join(traceback.format_exception(error)).encode("ascii", "backslashreplace").decode())
    sys.stderr.flush()
    return (
        f"This is a bug in vipconsole ({type(error).__name__}: {clean(str(error), 200)}). For details see "
        "the runner's output, in the run's folder or in the journal."
    )


async def read_daemon_log(world: RunWorld, began_at: datetime) -> tuple[str, ...]:
    """Return what dockerd logged since a moment, a line for each kind, or why that is not known."""
    try:
        engine: Result[Engine] = await world.reader.engine()
    except (EngineError, SwarmError) as error:
        engine = unknown_from(error)
    refusal = await whose_host(world.host, engine)
    now = world.clock.now()
    window_s = min(LONGEST_S, max(0.0, (now - began_at).total_seconds()) + MARGIN_S)
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


async def act(
    context: StepContext, step: Step, ready: ReadyAction, attempt: int
) -> events.Succeeded | events.Failed:
    """Act, and return the result as an event."""
    clock = context.world.clock
    began_s = clock.monotonic()
    try:
        async with asyncio.timeout(step.timeout_s + GRACE_S):
            outputs: Mapping[str, Json] = await ready.action.act(context, ready.parameters)
        return events.Succeeded(step.id, attempt, plain(outputs), _since(clock, began_s))
    except StoreFailed:
        raise
    except VipconsoleError as error:
        is_known = not (ready.changes and isinstance(error, UNSURE))
        sentence, hint = error.sentence, error.hint
    except TimeoutError:
        sentence, hint, is_known = (
            _too_long(step),
            "If it needs more time, give it a longer timeout.",
            not ready.changes,
        )
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        sentence, hint, is_known = report_bug(error), "", not ready.changes
    return events.Failed(step.id, attempt, sentence, hint, is_known=is_known, took_s=_since(clock, began_s))


async def undo(runner: RunnerContext, step: Step, tell: Tell) -> None:
    """Undo a step; the intent is logged before, and the result after."""
    step_view = runner.view.step(step.id)
    clock = runner.world.clock
    try:
        names = names_of(runner.view, step_view)
        own = with_intent(step_view, ready_action(step, names))
        other = ready_undo(step, names)
    except RunbookError as error:
        await runner.log.append(events.UndoFailed(step.id, error.sentence, error.hint))
        return
    context = await runner.changing_context(step.id, tell)
    await runner.log.append(events.UndoIntended(step.id, (other or own).call))
    began_s = clock.monotonic()
    sentence, hint = "", ""
    outputs: Mapping[str, Json] = NOTHING
    try:
        async with asyncio.timeout(step.timeout_s + GRACE_S):
            if other is None:
                outputs = await own.action.undo(context, own.parameters, step_view.outputs) or NOTHING
            else:
                sentence = await _undo_by_action(context, other, step)
    except StoreFailed:
        raise
    except VipconsoleError as error:
        sentence, hint = error.sentence, error.hint
    except TimeoutError:
        sentence = _too_long(step)
    except Exception as error:  # noqa: BLE001 - a bug in an action must not take the run with it
        sentence = report_bug(error)
    if sentence:
        await runner.log.append(events.UndoFailed(step.id, sentence, hint))
    else:
        await runner.log.append(events.Undone(step.id, _since(clock, began_s), outputs))


async def _undo_by_action(context: StepContext, ready: ReadyAction, step: Step) -> str:
    """Let another action undo a step, and return what is wrong afterwards, or nothing."""
    outputs = await ready.action.act(context, ready.parameters)
    clock = context.world.clock
    began_s = clock.monotonic()
    while True:
        result = await ready.action.verify(context, ready.parameters, outputs)
        if result.answer is Answer.YES:
            return ""
        if _since(clock, began_s) + VERIFY_EVERY_S > step.timeout_s:
            return result.sentence
        await clock.sleep(VERIFY_EVERY_S)


def _since(clock: Clock, began_s: float) -> float:
    return round(clock.monotonic() - began_s, 3)


def _too_long(step: Step) -> str:
    return f"Timed out after {duration(step.timeout_s)}."

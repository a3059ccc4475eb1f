"""A step of a maintenance run in words: what it does, why it is in its state, what was found, and what it said."""

from collections.abc import Iterable

from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect, Step
from console.runbook.run.view import RunState, RunView, StepState, StepView, StoredRun, waits_of
from console.text import SENTENCE_LIMIT, clean, duration, plural
from screens.present.run import STATE_TONES
from screens.present.text import BAD, DIM, EMPTY, PLAIN, STRONG, WARN, Paragraph, says

EFFECT_WORDS = {Effect.READ: "read-only", Effect.CHANGE: "CHANGES", Effect.OUTAGE: "OUTAGE"}
EFFECT_TONES = {Effect.READ: DIM, Effect.CHANGE: WARN, Effect.OUTAGE: BAD}
OUTPUT_SHOWN = 200
NO_PLAN = ActionPlan("")


def because(view: RunView, step: StepView) -> str:
    """Return why a step is in its state: what it waits for, why it failed or was skipped; nothing where that is plain."""
    if step.skipped_because:
        return step.skipped_because
    if step.failure is not None:
        return f"{step.failure.sentence} {step.failure.hint}".rstrip()
    if step.is_being_undone:
        return "It is being undone."
    if view.current is step and view.stop_reason is not None and view.state is RunState.STOPPED:
        return f"{view.stop_reason.sentence} {view.stop_reason.hint}".rstrip()
    if step.state is StepState.WAITING:
        asked = view.question is not None and view.question.event.step == step.id
        return "For the operator." if asked else "For its preconditions."
    return ""


def step_says(run: StoredRun, step: StepView) -> tuple[Paragraph, ...]:
    """Return everything about a step: what it does, what it would change, what holds, what was found and said."""
    head, written = step.head, run.runbook_step(step.id)
    plan = NO_PLAN if step.preparation is None or step.preparation.plan is None else step.preparation.plan
    told = [
        Paragraph(
            ((f"{head.title or step.id}  ", STRONG), (EFFECT_WORDS[head.effect], EFFECT_TONES[head.effect]))
        ),
        says(plan.summary or _does(step, written)),
    ]
    why = because(run.view, step)
    if why:
        told.append(says(why, STATE_TONES.get(step.state, PLAIN), label=str(step.state)))
    waiting = _waiting(run, step)
    told += [says("waits for", WARN), *(says(each, label=" ") for each in waiting)] if waiting else []
    told += [says(each, BAD, label="refused") for each in plan.refused]
    if plan.no_return:
        told.append(says(plan.no_return, BAD, label="no way back"))
    if plan.outage_s is not None:
        told.append(says(f"about {duration(plan.outage_s)}", BAD, label="outage"))
    told += _listed("changes", plan.changes)
    told += _listed("checks", _checks(step, written))
    told += _listed("calls", plan.calls)
    undo = _undo(step, written)
    if undo and not (plan.no_return and plan.no_return in undo):
        told += [EMPTY, says(undo, label="way back")]
    evidence = _evidence(step, plan)
    told += [EMPTY, says("evidence", DIM), *evidence] if evidence else []
    waits = [
        says(
            f"{duration(wait.took_s)}, {plural(wait.times, 'time')}: {wait.what}".removesuffix(": "),
            label=f"  {wait.name}",
        )
        for wait in waits_of(step, run.live)
    ]
    told += [EMPTY, says("waited for", DIM), *waits] if waits else []
    output = run.live.lines.get(step.id, ())
    if output:
        told += [EMPTY, says("output", DIM), *(says(each) for each in output[-OUTPUT_SHOWN:])]
    return tuple(told)


def _does(step: StepView, written: Step | None) -> str:
    if written is None:
        return f"by hand: {step.head.action}" if step.head.is_manual else step.head.action
    return _call(written.action) if written.action else f"by hand: {clean(written.manual, SENTENCE_LIMIT)}"


def _waiting(run: StoredRun, step: StepView) -> tuple[str, ...]:
    """Return what blocks a step at this moment."""
    waiting = run.live.waiting
    if waiting is None or waiting.step != step.id or not run.live.is_alive:
        return ()
    more = (f"{waiting.more} more",) if waiting.more else ()
    return (*(blocker.text for blocker in waiting.blocking), *more)


def _checks(step: StepView, written: Step | None) -> Iterable[str]:
    """Yield what must hold before a step and after it: as it was found last, or as the runbook has it."""
    if written is None:
        requires = () if step.preparation is None else step.preparation.requires
        yield from (
            f"{require.name}: {require.found.answer}. {require.found.sentence}" for require in requires
        )
        return
    yield from (f"before: {_call(require)}" for require in written.requires)
    yield from (f"before: step {clean(each)} still holds" for each in written.requires_steps)
    yield from (f"done already if: {_call(call)}" for call in written.probe)
    yield from (f"after: {_call(call)}" for call in written.verify)
    if written.unverified_because:
        yield f"after: not verified. {clean(written.unverified_because, SENTENCE_LIMIT)}"
    if written.confirm:
        yield f"asks for the word {clean(written.confirm)}"
    if written.is_checkpoint:
        yield "the run stops before this step until an operator continues it"


def _undo(step: StepView, written: Step | None) -> str:
    """Return how a step is taken back, or why it cannot be."""
    if written is None:
        has_none = step.head.changes and step.head.no_undo_because
        return f"none: {step.head.no_undo_because}" if has_none else ""
    undo = written.undo
    return _call(undo.call) if undo.call else clean(undo.none_because, SENTENCE_LIMIT)


def _call(call: Call) -> str:
    parameters = ", ".join(f"{clean(str(key))} {clean(str(value))}" for key, value in call.parameters.items())
    return f"{clean(call.name)}" + (f" ({parameters})" if parameters else "")


def _evidence(step: StepView, plan: ActionPlan) -> list[Paragraph]:
    """Return what was found of a step, and what was decided about it."""
    found = [("checked", result) for result in plan.checked]
    found += [] if step.probe_result is None else [("probe", step.probe_result)]
    found += [(result.name, result.found) for result in step.results]
    told = [_found(label, each) for label, each in found]
    told += [
        says(
            f"by {decision.who}" + (f": {decision.reason}" if decision.reason else ""),
            label=f"  {decision.choice}",
        )
        for decision in step.decisions
    ]
    if step.undo_failure is not None:
        undo = f"{step.undo_failure.sentence} {step.undo_failure.hint}".rstrip()
        told.append(says(undo, BAD, label="  undo"))
    return told


def _found(label: str, found: CheckResult) -> Paragraph:
    tone = PLAIN if found.answer is Answer.YES else BAD
    return says(f"{found.answer}: {found.sentence}", tone, label=f"  {label}")


def _listed(label: str, lines: Iterable[str]) -> list[Paragraph]:
    told = [says(line, label=" ") for line in lines]
    return [EMPTY, says(label, DIM), *told] if told else []

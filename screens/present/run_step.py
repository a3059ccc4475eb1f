"""A step of a maintenance run as text: what it does, why it is in its state, its evidence and its output."""

from collections.abc import Iterable

from console.durations import duration
from console.runbook.language.values import ActionPlan, Answer, Call, CheckResult, Effect, Step
from console.runbook.run.view import RunState, RunView, StepState, StepView, StoredRun, waits_of
from console.text import SENTENCE_LIMIT, clean, plural
from screens.present.run import ASCII_STATE_GLYPHS, STATE_GLYPHS, STATE_TONES, current_place
from screens.present.step_plan import EFFECT_WORDS, expected_of, fold_lines, group_calls, plan_facts
from screens.present.text import (
    ASCII,
    BAD,
    DIM,
    EMPTY,
    PLAIN,
    STRONG,
    WARN,
    Glyphs,
    Paragraph,
    Span,
    Spans,
    paragraph,
)

EFFECT_TONES = {Effect.READ: DIM, Effect.CHANGE: WARN, Effect.OUTAGE: BAD}
OUTPUT_LIMIT = 200
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
        is_question = view.question is not None and view.question.event.step == step.id
        return "For the operator." if is_question else "For its preconditions."
    return ""


def steps_line(view: RunView, glyphs: Glyphs) -> Spans:
    """Return the steps side by side, the current one with its reason."""
    letters = ASCII_STATE_GLYPHS if glyphs is ASCII else STATE_GLYPHS
    parts: list[Span] = []
    for place, step in enumerate(view.steps):
        parts.append((f"{letters[step.state]} {step.id}", STATE_TONES.get(step.state, PLAIN)))
        why = because(view, step) if place == current_place(view) else ""
        if why:
            parts.append((f": {why}", PLAIN))
        parts.append(("  ", DIM))
    return tuple(parts)


def step_paragraphs(run: StoredRun, step: StepView) -> tuple[Paragraph, ...]:
    """Return everything about a step: what it does, what it would change, its checks, its evidence and its output."""
    head, runbook_step = step.head, run.runbook_step(step.id)
    plan = NO_PLAN if step.preparation is None or step.preparation.plan is None else step.preparation.plan
    paragraphs = [
        Paragraph(
            ((f"{head.title or step.id}  ", STRONG), (EFFECT_WORDS[head.effect], EFFECT_TONES[head.effect]))
        ),
        paragraph(plan.summary or _does(step, runbook_step)),
    ]
    why = because(run.view, step)
    if why:
        paragraphs.append(paragraph(why, STATE_TONES.get(step.state, PLAIN), label=str(step.state)))
    waiting = _waiting(run, step)
    paragraphs += (
        [paragraph("waits for", WARN), *(paragraph(blocker, label=" ") for blocker in waiting)]
        if waiting
        else []
    )
    paragraphs += [
        paragraph(sentence, WARN if label == "not checked" else BAD, label=label)
        for label, sentence in plan_facts(plan, expected_of(step, run.live))
    ]
    paragraphs += _section("changes", fold_lines(plan.changes))
    paragraphs += _section("checks", _checks(step, runbook_step))
    paragraphs += _section("calls", group_calls(plan.calls))
    undo = _undo(step, runbook_step)
    if undo and not (plan.no_return and plan.no_return in undo):
        paragraphs += [EMPTY, paragraph(undo, label="way back")]
    evidence = _evidence(step, plan)
    paragraphs += [EMPTY, paragraph("evidence", DIM), *evidence] if evidence else []
    waits = [
        paragraph(
            f"{duration(wait.took_s)}, {plural(wait.times, 'time')}: {wait.what}".removesuffix(": "),
            label=f"  {wait.name}",
        )
        for wait in waits_of(step, run.live)
    ]
    paragraphs += [EMPTY, paragraph("waited for", DIM), *waits] if waits else []
    output = run.live.lines.get(step.id, ())
    if output:
        paragraphs += [EMPTY, paragraph("output", DIM), *(paragraph(line) for line in output[-OUTPUT_LIMIT:])]
    return tuple(paragraphs)


def _does(step: StepView, runbook_step: Step | None) -> str:
    if runbook_step is None:
        return f"by hand: {step.head.action}" if step.head.is_manual else step.head.action
    return (
        _call(runbook_step.action)
        if runbook_step.action
        else f"by hand: {clean(runbook_step.manual, SENTENCE_LIMIT)}"
    )


def _waiting(run: StoredRun, step: StepView) -> tuple[str, ...]:
    """Return what blocks a step at this moment."""
    waiting = run.live.waiting
    if waiting is None or waiting.step != step.id or not run.live.is_alive:
        return ()
    more = (f"{waiting.more} more",) if waiting.more else ()
    return (*(blocker.text for blocker in waiting.blocking), *more)


def _checks(step: StepView, runbook_step: Step | None) -> Iterable[str]:
    """Yield what must hold before a step and after it: by the last check, or as the runbook has it."""
    if runbook_step is None:
        requires = () if step.preparation is None else step.preparation.requires
        yield from (
            f"{require.name}: {require.found.answer}. {require.found.sentence}" for require in requires
        )
        return
    yield from (f"before: {_call(require)}" for require in runbook_step.requires)
    yield from (f"before: step {clean(step_id)} still holds" for step_id in runbook_step.requires_steps)
    yield from (f"done already if: {_call(call)}" for call in runbook_step.probe)
    yield from (f"after: {_call(call)}" for call in runbook_step.verify)
    if runbook_step.unverified_because:
        yield f"after: not verified. {clean(runbook_step.unverified_because, SENTENCE_LIMIT)}"
    if runbook_step.confirm:
        yield f"asks for the word {clean(runbook_step.confirm)}"
    if runbook_step.is_checkpoint:
        yield "the run stops before this step until an operator continues it"


def _undo(step: StepView, runbook_step: Step | None) -> str:
    """Return how a step is taken back, or why it cannot be."""
    if runbook_step is None:
        has_none = step.head.changes and step.head.no_undo_because
        return f"none: {step.head.no_undo_because}" if has_none else ""
    undo = runbook_step.undo
    return _call(undo.call) if undo.call else clean(undo.none_because, SENTENCE_LIMIT)


def _call(call: Call) -> str:
    parameters = ", ".join(f"{clean(str(key))} {clean(str(value))}" for key, value in call.parameters.items())
    return f"{clean(call.name)}" + (f" ({parameters})" if parameters else "")


def _evidence(step: StepView, plan: ActionPlan) -> list[Paragraph]:
    """Return the results of the checks of a step, and the decisions about it."""
    results = [("checked", result) for result in plan.checked]
    results += [] if step.probe_result is None else [("probe", step.probe_result)]
    results += [(result.name, result.found) for result in step.results]
    paragraphs = [_result_paragraph(label, result) for label, result in results]
    paragraphs += [
        paragraph(
            f"by {decision.who}" + (f": {decision.reason}" if decision.reason else ""),
            label=f"  {decision.choice}",
        )
        for decision in step.decisions
    ]
    if step.undo_failure is not None:
        undo = f"{step.undo_failure.sentence} {step.undo_failure.hint}".rstrip()
        paragraphs.append(paragraph(undo, BAD, label="  undo"))
    return paragraphs


def _result_paragraph(label: str, result: CheckResult) -> Paragraph:
    tone = PLAIN if result.answer is Answer.YES else BAD
    return paragraph(f"{result.answer}: {result.sentence}", tone, label=f"  {label}")


def _section(label: str, lines: Iterable[str]) -> list[Paragraph]:
    paragraphs = [paragraph(line, label=" ") for line in lines]
    return [EMPTY, paragraph(label, DIM), *paragraphs] if paragraphs else []

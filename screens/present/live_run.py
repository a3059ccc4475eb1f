"""A run out of the store, as the screen shows it."""

from datetime import timedelta

from console.runbook.language.values import Answer, Found
from console.runbook.run import events as e
from console.runbook.run import view as kept
from console.runbook.run.decisions import Wish, decision_for, stop_question
from console.runbook.run.events import About
from console.runbook.run.view import Live, RunState, Watched, waits_of
from console.runbook.run.waits import Waiting
from console.text import duration, plural
from screens.present.run import Fact, Question, RunView, StepState, StepView

_ENDED = {
    RunState.STOPPED: "stopped",
    RunState.DONE: "done",
    RunState.UNDONE: "undone",
    RunState.ABANDONED: "abandoned",
}
SHORT_DIGEST = 12


def shown_run(watched: Watched) -> RunView:
    """Return a run as the screen shows it."""
    view, live = watched.view, watched.live
    return RunView(
        view.header.run_id,
        view.header.runbook_id,
        view.header.title,
        "",
        view.header.source,
        tuple(_step(view, each, live) for each in view.steps),
        view.began_at,
        str(view.who),
        _ENDED.get(view.state, ""),
        live.is_alive if view.state is RunState.GOING else None,
        _stopped(view, is_alive=live.is_alive) if view.question is None else _question(view, view.question),
        _stop(view) if live.is_alive else None,
        _standing(watched),
    )


def _step(view: kept.RunView, step: kept.StepView, live: Live) -> StepView:
    waiting = live.waiting if live.waiting is not None and live.waiting.step == step.id else None
    head = step.head
    plan = None if step.prepared is None else step.prepared.plan
    checks = (
        ()
        if step.prepared is None
        else tuple(_check(each.name, each.found) for each in step.prepared.requires)
    )
    evidence = [] if plan is None else [_fact("checked", each) for each in plan.checked]
    evidence += [_fact("probe", step.probed)] if step.probed is not None else []
    evidence += [_fact(each.name, each.found) for each in step.told]
    evidence += [
        Fact(str(each.choice), f"by {each.who}" + (f": {each.reason}" if each.reason else ""))
        for each in step.decisions
    ]
    if step.undo_failure is not None:
        evidence.append(
            Fact("undo", f"{step.undo_failure.sentence} {step.undo_failure.hint}".rstrip(), is_bad=True)
        )
    what = f"by hand: {head.action}" if head.is_manual else head.action
    return StepView(
        step.id,
        head.title,
        StepState(step.state.value),
        head.effect,
        plan.summary if plan is not None and plan.summary else what,
        because=_because(view, step),
        took_s=step.took_s or None,
        changes=() if plan is None else plan.changes,
        calls=() if plan is None else plan.calls,
        checks=checks,
        refused=() if plan is None else plan.refused,
        no_return="" if plan is None else plan.no_return,
        outage_s=None if plan is None else plan.outage_s,
        undo=f"none: {head.no_undo_because}" if head.changes and head.no_undo_because else "",
        evidence=tuple(evidence),
        output=live.lines.get(step.id, ()),
        waiting=_waiting(waiting) if live.is_alive else (),
        waits=tuple(
            Fact(
                each.name,
                f"{duration(each.took_s)}, {plural(each.times, 'time')}: {each.what}".removesuffix(": "),
            )
            for each in waits_of(step, live)
        ),
    )


def _waiting(waiting: Waiting | None) -> tuple[str, ...]:
    if waiting is None:
        return ()
    more = (f"{waiting.more} more",) if waiting.more else ()
    return (*(each.text for each in waiting.blocking), *more)


def _because(view: kept.RunView, step: kept.StepView) -> str:
    if step.skipped_because:
        return step.skipped_because
    if step.failure is not None:
        return f"{step.failure.sentence} {step.failure.hint}".rstrip()
    if step.is_being_undone:
        return "It is being undone."
    if view.current is step and view.stopped is not None and view.state is RunState.STOPPED:
        return f"{view.stopped.sentence} {view.stopped.hint}".rstrip()
    if step.state is kept.StepState.WAITING:
        asked = view.question is not None and view.question.asked.step == step.id
        return "For the operator." if asked else "For its preconditions."
    return ""


def _check(name: str, found: Found) -> str:
    return f"{name}: {found.answer}. {found.sentence}"


def _fact(label: str, found: Found) -> Fact:
    return Fact(label, f"{found.answer}: {found.sentence}", is_bad=found.answer is not Answer.YES)


def _question(view: kept.RunView, question: kept.Question) -> Question:
    asked, step = question.asked, view.step(question.asked.step)
    if asked.about is About.GO_AHEAD:
        plan = None if step.prepared is None else step.prepared.plan
        may = "Have you done it?" if step.head.is_manual else "Continue?"
        sentence = f"Next: {step.head.title or step.id}. {may}"
        if plan is not None and plan.outage_s is not None:
            sentence += f" Services will be down for about {duration(plan.outage_s)}."
    else:
        why = (
            step.failure.sentence
            if step.failure is not None
            else "It was interrupted. Its result is unknown."
        )
        sentence = f"{step.head.title or step.id}: {why} What now?"
    lapses = None if asked.undo_after_s is None else question.at + timedelta(seconds=asked.undo_after_s)
    digest = asked.digest[:SHORT_DIGEST]
    return Question(
        *(asked.step, asked.attempt, digest, sentence, asked.word, asked.choices, lapses, question.number)
    )


def _stopped(view: kept.RunView, *, is_alive: bool) -> Question | None:
    """Return what can be decided about the step at which a run has stopped, or None where nothing can."""
    step = view.current
    if step is None or view.stopped is None or view.state is not RunState.STOPPED:
        return None
    digest = "" if step.prepared is None else step.prepared.digest
    has_failed = step.state in (kept.StepState.FAILED, kept.StepState.UNKNOWN)
    wanted = (e.Choice.RETRY, e.Choice.SKIP, e.Choice.UNDO) if has_failed else (e.Choice.SKIP, e.Choice.UNDO)
    choices = tuple(
        each
        for each in wanted
        if isinstance(_decision(view, Wish(step.id, each, reason="-"), is_alive=is_alive), e.Decided)
    )
    if not choices:
        return None
    sentence = f"{step.head.title or step.id}: the run has stopped. {view.stopped.sentence} What now?"
    return Question(step.id, step.attempt, digest[:SHORT_DIGEST], sentence, "", choices)


def _decision(view: kept.RunView, wish: Wish, *, is_alive: bool) -> e.Decided | str:
    return decision_for(view, wish, view.who, is_alive=is_alive)


def _stop(view: kept.RunView) -> Question | None:
    shown, step = stop_question(view), view.current
    if shown is None or step is None:
        return None
    sentence = f"Stop the run? It stops as soon as {step.id} allows it, and can be resumed."
    return Question(step.id, step.attempt, "", sentence, "", shown.choices)


def _standing(watched: Watched) -> str:
    view = watched.view
    run = view.header.run_id
    if watched.is_interrupted:
        return f"The runner process has died. `vipconsole resume {run}` probes its last step and continues."
    if view.is_over:
        return f"The run is over ({view.state}). `vipconsole report {run}` shows what it did. q quits."
    if view.state is RunState.STOPPED:
        return f"The run has stopped. `vipconsole resume {run}` continues it."
    if view.wants_stop:
        return "Stop requested. The run stops as soon as it can."
    waiting = watched.live.waiting
    if waiting is not None and waiting.text and view.state is RunState.GOING:
        for_s = (waiting.at - waiting.began_at).total_seconds()
        return f"{waiting.step}, {duration(for_s)}: {waiting.text}"
    return ""

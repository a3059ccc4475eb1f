"""What comes next in a run. Pure: the same log leads to the same action on every machine and at every time.

Nothing is acted on that was not looked at in the same breath: every decision, every question and every new runner makes
what was looked at before stale (`StepView.is_fresh`), and then it is looked at again.
"""

from console.runbook.language.values import Answer, Effect, OnFailure
from console.runbook.run import moves as m
from console.runbook.run.events import About, Choice, Prepared, Why
from console.runbook.run.replay_steps import undo_scope
from console.runbook.run.view import Consent, RunState, RunView, StepState, StepView

UNDO_AFTER_S = 300.0
"""So long a question may stay open while services are down; then what took them down is undone."""
MOST_IDLE_STARTS = 3
"""So many runners may die one after the other before they have done anything."""


def next_move(view: RunView) -> m.Move:
    """Return what a runner does next."""
    if view.is_over or view.state is RunState.STOPPED:
        return m.Rest()
    if view.question is not None:
        return m.Await(view.question)
    halt = _reason_to_halt(view)
    if halt is not None:
        return halt
    if view.undoing:
        return _undo_move(view, view.step(view.undoing[0]))
    if any(each.state is StepState.UNDONE for each in view.steps):
        return _after_undoing(view)
    return m.Finish() if view.current is None else _step_move(view, view.current)


def needs_runner(view: RunView) -> bool:
    """Whether there is something to do that waits for nobody; a question with a time limit is."""
    move = next_move(view)
    if isinstance(move, m.Await):
        return move.question.asked.undo_after_s is not None
    return not isinstance(move, m.Rest)


def _reason_to_halt(view: RunView) -> m.Halt | None:
    if view.wants_stop:
        hint = f"vipconsole resume {view.header.run_id} lets it go on."
        return m.Halt(Why.OPERATOR, "Stopped, as it was told to.", hint)
    if view.idle_starts > MOST_IDLE_STARTS:
        return m.Halt(
            Why.REFUSED,
            f"{view.idle_starts} runners died one after the other before they had done anything.",
            "Their log in the run's folder, or the journal, tells why.",
        )
    return None


def _step_move(view: RunView, step: StepView) -> m.Move:
    if step.state is StepState.FAILED:
        return _after_failure(view, step)
    if step.state is StepState.UNKNOWN:
        return _out_of_doubt(view, step)
    if step.has_result:
        return m.Verify(step.id)
    if not step.is_fresh or step.prepared is None:
        return m.Prepare(step.id)
    return _begin(view, step, step.prepared)


def _begin(view: RunView, step: StepView, seen: Prepared) -> m.Move:
    """Return the move for a step that was just looked at and is not done already."""
    if seen.plan is not None and seen.plan.not_applicable:
        return m.PassOver(step.id, seen.plan.not_applicable)
    if seen.plan is not None and seen.plan.refused:
        return m.Fail(step.id, " ".join(seen.plan.refused))
    missing = [each.found.sentence for each in seen.requires if each.found.answer is not Answer.YES]
    needs_consent = step.head.needs_word or step.head.is_checkpoint
    # In front of a checkpoint it may still become so while nobody has let it go on.
    if missing and not (step.head.is_checkpoint and step.consent is None):
        return m.Fail(step.id, " ".join(missing))
    if not needs_consent or (step.consent is not None and _covers(step.consent, step, seen)):
        return m.Act(step.id)
    return m.Lapse(step.id) if step.consent else _ask(view, step, About.GO_AHEAD, Choice.CONFIRM)


def _covers(consent: Consent, step: StepView, seen: Prepared) -> bool:
    """Whether a consent is for this plan.

    In the middle of an outage the word to try again is enough: what the plan rests on is what the step itself changed.
    """
    is_under_way = step.head.effect is Effect.OUTAGE and step.has_begun
    return consent.digest == seen.digest or (consent.is_retry and (is_under_way or not step.head.needs_word))


def _out_of_doubt(view: RunView, step: StepView) -> m.Move:
    """Return the move for a step of which nobody knows what came of it."""
    if step.has_result and step.verified is None:
        return m.Verify(step.id)
    if step.probed is None:
        return m.Probe(step.id)
    if step.probed.answer is Answer.NO and step.failure is not None:
        return _after_failure(view, step)
    if step.failure is None and _may_go_again(step, step.probed.answer):
        return m.Retry(step.id, 0.0, is_counted=False)
    return _after_failure(view, step, is_known=False)


def _may_go_again(step: StepView, answer: Answer) -> bool:
    """Whether a step that was only interrupted is simply done again, given what looking at it came to."""
    head = step.head
    if not head.changes or head.is_manual:
        return True
    was_said = step.consent is not None and step.consent.is_retry
    return answer is Answer.NO and (head.may_retry or head.needs_word or was_said)


def _after_failure(view: RunView, step: StepView, *, is_known: bool = True) -> m.Move:
    head = step.head
    if is_known and head.may_retry and step.retries < head.retries:
        return m.Retry(step.id, head.retry_every_s, is_counted=True)
    sentence = _what_failed(step)
    # What was only interrupted has not failed.
    if step.failure is not None and head.on_failure is OnFailure.UNDO and _can_undo(view, step):
        return m.BeginUndo(undo_scope(view, step.id), sentence)
    # An outage has an end, whatever the runbook says of failures.
    if head.on_failure is OnFailure.ASK or (view.is_in_outage and _can_undo(view, step)):
        return _ask(view, step, About.FAILURE, Choice.RETRY)
    hint = step.failure.hint if step.failure is not None else ""
    if is_known:
        return m.Halt(Why.FAILED, sentence, hint)
    say = f"Look at it yourself, then: vipconsole decide {view.header.run_id} {step.id} retry, skip or undo."
    return m.Halt(Why.UNKNOWN, sentence, f"{hint} {say}".strip())


def _what_failed(step: StepView) -> str:
    if step.failure is not None:
        return f"{step.id}: {step.failure.sentence}"
    looked = step.probed.sentence if step.probed is not None else ""
    return f"{step.id} was interrupted. {looked}".strip()


def _can_undo(view: RunView, step: StepView) -> bool:
    scope = undo_scope(view, step.id)
    return bool(scope) and not view.step(scope[0]).head.no_undo_because


def _ask(view: RunView, step: StepView, about: About, first: Choice) -> m.Ask:
    can_undo = _can_undo(view, step)
    choices = (first, Choice.SKIP, *((Choice.UNDO,) if can_undo else ()), Choice.STOP)
    return m.Ask(step.id, about, choices, UNDO_AFTER_S if view.is_in_outage and can_undo else None)


def _undo_move(view: RunView, step: StepView) -> m.Move:
    again = f"vipconsole decide {view.header.run_id} {step.id} undo tries it again."
    if step.undo_failure is not None:
        return m.Halt(
            Why.FAILED,
            f"{step.id} could not be undone: {step.undo_failure.sentence}",
            step.undo_failure.hint or again,
        )
    if step.head.no_undo_because:
        return m.Halt(Why.FAILED, f"{step.id} cannot be undone: {step.head.no_undo_because}")
    # An undo, or an act, of which nobody knows what came of it is looked into before anything is done.
    if (step.is_being_undone or step.state is StepState.UNKNOWN) and step.probed is None:
        return m.Probe(step.id)
    return m.UndoStep(step.id)


def _after_undoing(view: RunView) -> m.Move:
    if not view.has_changed:
        return m.Finish(is_undone=True)
    left = [each.id for each in view.steps if each.head.changes and each.has_begun]
    first = next(each.id for each in view.steps if each.state is StepState.UNDONE)
    run = view.header.run_id
    return m.Halt(
        Why.UNDONE,
        f"Undone back to {first}; what stays: {', '.join(left)}.",
        f"`vipconsole decide {run} {left[0]} undo` goes further back, `vipconsole abandon {run}` leaves it so, and "
        f"`vipconsole resume {run}` does it once more.",
    )

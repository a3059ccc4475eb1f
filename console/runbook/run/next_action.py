"""What comes next in a run. Pure: the same log leads to the same action on every machine and at every time.

A step acts only on checks of this very moment: every decision, every question and every new runner makes earlier checks
stale (`StepView.is_fresh`), and then they are made again.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from console.frozen import frozen
from console.runbook.language.values import Answer, Effect, OnFailure
from console.runbook.run import events
from console.runbook.run.events import Choice, Prepared, QuestionKind, Why
from console.runbook.run.replay_steps import undo_scope
from console.runbook.run.view import Consent, Question, RunState, RunView, StepState, StepView

CONSENT_EXPIRED = "Conditions changed since you confirmed."

UNDO_AFTER_S = 300.0
"""How long a question may stay open while services are down; then what took them down is undone."""
MOST_IDLE_STARTS = 3
"""How many runners in a row may crash at startup."""


@frozen
class Idle:
    """Nothing: the run is over or has stopped."""


@frozen
class Await:
    """Wait for the answer to a question."""

    question: Question


@frozen
class Prepare:
    """Check a step before it acts: is it done already, what would it do, are its requirements met."""

    step: str


@frozen
class Probe:
    """Probe an attempt, or an undo, whose result is unknown."""

    step: str


@frozen
class Ask:
    """Ask the operator."""

    step: str
    kind: QuestionKind
    choices: tuple[Choice, ...]
    undo_after_s: float | None = None


@frozen
class ExpireConsent:
    """Let a consent expire: the conditions that it was given for have changed."""

    step: str


@frozen
class Fail:
    """Let a step fail before it acts."""

    step: str
    sentence: str


@frozen
class SkipInapplicable:
    """Skip a step that does not apply on this host."""

    step: str
    sentence: str


@frozen
class Act:
    """Do what a step does."""

    step: str


@frozen
class Verify:
    """Check whether the result of a step is as it should be."""

    step: str


@frozen
class Retry:
    """Try a step again by itself."""

    step: str
    after_s: float
    is_counted: bool


@frozen
class BeginUndo:
    """Begin to undo steps, because the runbook or the time says so."""

    steps: tuple[str, ...]
    sentence: str


@frozen
class UndoStep:
    """Undo a step."""

    step: str


@frozen
class Halt:
    """Stop until somebody lets the run go on."""

    why: Why
    sentence: str
    hint: str = ""


@frozen
class Finish:
    """End the run."""

    is_undone: bool = False


NextAction: TypeAlias = (
    Idle
    | Await
    | Prepare
    | Probe
    | Ask
    | ExpireConsent
    | Fail
    | SkipInapplicable
    | Act
    | Verify
    | Retry
    | BeginUndo
    | UndoStep
    | Halt
    | Finish
)


def event_of(next_action: NextAction, view: RunView) -> events.Event:
    """Return the event of an action that needs neither reading nor change. Raises KeyError for any other action."""
    return _EVENTS[type(next_action)](next_action, view)


def _question_event(next_action: Ask, view: RunView) -> events.Asked:
    step = view.step(next_action.step)
    preparation = step.preparation
    word = (
        preparation.word if preparation is not None and events.Choice.CONFIRM in next_action.choices else ""
    )
    digest = "" if preparation is None else preparation.digest
    return events.Asked(
        next_action.step,
        step.attempt,
        next_action.kind,
        digest,
        word,
        next_action.choices,
        next_action.undo_after_s,
    )


def _expiry_event(next_action: ExpireConsent, view: RunView) -> events.ConsentExpired:
    return events.ConsentExpired(next_action.step, view.step(next_action.step).attempt, CONSENT_EXPIRED)


def _failure_event(next_action: Fail, view: RunView) -> events.Failed:
    return events.Failed(next_action.step, view.step(next_action.step).attempt, next_action.sentence)


def _retry_event(next_action: Retry, view: RunView) -> events.Retried:
    return events.Retried(next_action.step, view.step(next_action.step).attempt + 1, next_action.is_counted)


_EVENTS: dict[type[Any], Callable[[Any, RunView], events.Event]] = {
    Ask: _question_event,
    ExpireConsent: _expiry_event,
    Fail: _failure_event,
    Retry: _retry_event,
    SkipInapplicable: lambda next_action, _: events.NotApplicable(next_action.step, next_action.sentence),
    BeginUndo: lambda next_action, _: events.UndoBegan(next_action.steps, next_action.sentence),
    Halt: lambda next_action, _: events.Stopped(next_action.why, next_action.sentence, next_action.hint),
    Finish: lambda next_action, view: events.Ended(
        next_action.is_undone, tuple(step.id for step in view.left_behind)
    ),
}


def choose_next_action(view: RunView) -> NextAction:
    """Return what a runner does next."""
    if view.is_over or view.state is RunState.STOPPED:
        return Idle()
    if view.question is not None:
        return Await(view.question)
    has_undone = not view.undoing and any(step.state is StepState.UNDONE for step in view.steps)
    if has_undone and not view.wants_stop:
        # Also after crashes at startup: only the end of the undo is left to be written.
        return _after_undoing(view)
    halt = _reason_to_halt(view)
    if halt is not None:
        return halt
    if view.undoing:
        return _next_undo_action(view, view.step(view.undoing[0]))
    return Finish() if view.current is None else _next_step_action(view, view.current)


def needs_runner(view: RunView) -> bool:
    """Whether there is something to do that waits for nobody; a question with a time limit is."""
    next_action = choose_next_action(view)
    if isinstance(next_action, Await):
        return next_action.question.event.undo_after_s is not None
    return not isinstance(next_action, Idle)


def _reason_to_halt(view: RunView) -> Halt | None:
    if view.wants_stop:
        hint = f"vipconsole resume {view.header.run_id} continues it."
        return Halt(Why.OPERATOR, "Stopped on request.", hint)
    crashes = view.idle_starts - 1  # this runner's own start is counted, and it has not crashed
    if crashes >= MOST_IDLE_STARTS:
        return Halt(
            Why.REFUSED,
            f"The runner crashed {crashes} times at startup.",
            "See its log in the run's folder, or the journal.",
        )
    return None


def _next_step_action(view: RunView, step: StepView) -> NextAction:
    if step.state is StepState.FAILED:
        return _after_failure(view, step)
    if step.state is StepState.UNKNOWN:
        return _after_unknown_result(view, step)
    if step.has_result:
        return Verify(step.id)
    if not step.is_fresh or step.preparation is None:
        return Prepare(step.id)
    return _begin(view, step, step.preparation)


def _begin(view: RunView, step: StepView, preparation: Prepared) -> NextAction:
    """Return the next action for a step that was just checked and is not done already."""
    if preparation.plan is not None and preparation.plan.not_applicable:
        return SkipInapplicable(step.id, preparation.plan.not_applicable)
    if preparation.plan is not None and preparation.plan.refused:
        return Fail(step.id, " ".join(preparation.plan.refused))
    missing = [
        require.found.sentence for require in preparation.requires if require.found.answer is not Answer.YES
    ]
    needs_consent = step.head.needs_word or step.head.is_checkpoint
    # In front of a checkpoint it may still become so while nobody has let it go on.
    if missing and not (step.head.is_checkpoint and step.consent is None):
        return Fail(step.id, " ".join(missing))
    if not needs_consent or (step.consent is not None and _covers(step.consent, step, preparation)):
        return Act(step.id)
    return ExpireConsent(step.id) if step.consent else _ask(view, step, QuestionKind.GO_AHEAD, Choice.CONFIRM)


def _covers(consent: Consent, step: StepView, preparation: Prepared) -> bool:
    """Whether a consent is for this plan.

    In the middle of an outage the word to try again is enough: what the plan rests on is what the step itself changed.
    """
    is_under_way = step.head.effect is Effect.OUTAGE and step.has_begun
    return consent.digest == preparation.digest or (
        consent.is_retry and (is_under_way or not step.head.needs_word)
    )


def _after_unknown_result(view: RunView, step: StepView) -> NextAction:
    """Return the next action for a step whose result is unknown."""
    if step.has_result and step.verification is None:
        return Verify(step.id)
    if step.probe_result is None:
        return Probe(step.id)
    if step.probe_result.answer is Answer.NO and step.failure is not None:
        return _after_failure(view, step)
    if step.failure is None and _may_repeat(step, step.probe_result.answer):
        return Retry(step.id, 0.0, is_counted=False)
    return _after_failure(view, step, is_known=False)


def _may_repeat(step: StepView, answer: Answer) -> bool:
    """Whether a step that was only interrupted is simply done again, given the result of its probe."""
    head = step.head
    if not head.changes or head.is_manual:
        return True
    is_retry_confirmed = step.consent is not None and step.consent.is_retry
    return answer is Answer.NO and (head.may_retry or head.needs_word or is_retry_confirmed)


def _after_failure(view: RunView, step: StepView, *, is_known: bool = True) -> NextAction:
    head = step.head
    if is_known and head.may_retry and step.retries < head.retries:
        return Retry(step.id, head.retry_every_s, is_counted=True)
    sentence = _failure_sentence(step)
    # What was only interrupted has not failed.
    if step.failure is not None and head.on_failure is OnFailure.UNDO and _can_undo(view, step):
        return BeginUndo(undo_scope(view, step.id), sentence)
    # An outage has an end, whatever the runbook says of failures.
    if head.on_failure is OnFailure.ASK or (view.is_in_outage and _can_undo(view, step)):
        return _ask(view, step, QuestionKind.FAILURE, Choice.RETRY)
    hint = step.failure.hint if step.failure is not None else ""
    if is_known:
        return Halt(Why.FAILED, sentence, hint)
    advice = (
        f"Find out its state yourself, then: vipconsole decide {view.header.run_id} {step.id} retry, skip "
        "or undo."
    )
    return Halt(Why.UNKNOWN, sentence, f"{hint} {advice}".strip())


def _failure_sentence(step: StepView) -> str:
    if step.failure is not None:
        return f"{step.id}: {step.failure.sentence}"
    probe_sentence = step.probe_result.sentence if step.probe_result is not None else ""
    return f"{step.id} was interrupted. {probe_sentence}".strip()


def _can_undo(view: RunView, step: StepView) -> bool:
    scope = undo_scope(view, step.id)
    return bool(scope) and not view.step(scope[0]).head.no_undo_because


def may_skip(step: StepView, kind: QuestionKind) -> bool:
    """Whether it makes sense to go on without a step.

    The steps after an outage rest on it. Once everything is brought back and only some of it does not run yet, the
    operator may go on.
    """
    if step.head.effect is not Effect.OUTAGE:
        return True
    if kind is QuestionKind.GO_AHEAD:
        return False
    outage = step.outage
    return outage is None or not outage.down or outage.phase == outage.phases[-1]


def _ask(view: RunView, step: StepView, kind: QuestionKind, first: Choice) -> Ask:
    can_undo = _can_undo(view, step)
    skip = (Choice.SKIP,) if may_skip(step, kind) else ()
    choices = (first, *skip, *((Choice.UNDO,) if can_undo else ()), Choice.STOP)
    return Ask(step.id, kind, choices, UNDO_AFTER_S if view.is_in_outage and can_undo else None)


def _next_undo_action(view: RunView, step: StepView) -> NextAction:
    again = f"vipconsole decide {view.header.run_id} {step.id} undo tries it again."
    if step.undo_failure is not None:
        return Halt(
            Why.FAILED,
            f"{step.id} could not be undone: {step.undo_failure.sentence}",
            step.undo_failure.hint or again,
        )
    if step.head.no_undo_because:
        return Halt(Why.FAILED, f"{step.id} cannot be undone: {step.head.no_undo_because}")
    # An undo or an act whose result is unknown is probed before anything is done.
    if (step.is_being_undone or step.state is StepState.UNKNOWN) and step.probe_result is None:
        return Probe(step.id)
    return UndoStep(step.id)


def _after_undoing(view: RunView) -> NextAction:
    if not view.has_changed:
        return Finish(is_undone=True)
    remaining = [step.id for step in view.steps if step.head.changes and step.has_begun]
    first = next(step.id for step in view.steps if step.state is StepState.UNDONE)
    run = view.header.run_id
    return Halt(
        Why.UNDONE,
        f"Undone back to {first}. Not undone: {', '.join(remaining)}.",
        f"`vipconsole decide {run} {remaining[0]} undo` undoes more, `vipconsole abandon {run}` leaves it so, "
        f"and `vipconsole resume {run}` does the undone steps again.",
    )

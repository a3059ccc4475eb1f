"""Which decisions can be taken at this moment, and what somebody typed read as one of them. Pure."""

from datetime import datetime

from console.frozen import frozen
from console.host.who import Who
from console.runbook.run.events import Choice, Decided, QuestionKind
from console.runbook.run.next_action import may_skip
from console.runbook.run.replay_steps import undo_scope
from console.runbook.run.view import Question, RunState, RunView, StepView


@frozen
class DecisionRequest:
    """What an operator wants. Where attempt, digest and question are given, they are those that were shown."""

    step: str
    choice: Choice
    word: str = ""
    """The typed word, for a confirmation."""
    reason: str = ""
    attempt: int | None = None
    digest: str = ""
    """The digest of the plan; its beginning is enough."""
    question: int | None = None
    """The number of the question that it answers."""


def decision_for(view: RunView, request: DecisionRequest, who: Who, *, is_alive: bool) -> Decided | str:
    """Return the decision that a request becomes, or why it cannot be taken, a sentence.

    `is_alive` says whether a runner works on the run. Where none does, nothing is under way that could be in the way.
    """
    # What a run has done can be undone for as long as its log is there; one that was given up has been answered for.
    can_be_undone = view.state is RunState.DONE and request.choice is Choice.UNDO
    if view.is_over and not can_be_undone:
        return f"The run is over ({view.state})."
    if request.step not in {step_view.id for step_view in view.steps}:
        return f"The run has no step {request.step}."
    step = view.step(request.step)
    is_going = view.state is RunState.GOING and is_alive
    match request.choice:
        case Choice.STOP:
            problem = "The run has already stopped." if view.state is RunState.STOPPED else ""
        case Choice.UNDO:
            problem = _problem_with_undo(view, step, request, is_going=is_going)
        case _:
            problem = _problem_with_moment(view, step, request, is_going=is_going) or _problem_with(
                view, request
            )
    if problem:
        return problem
    return Decided(step.id, step.attempt, _current_digest(view, step), request.choice, who, request.reason)


def _problem_with_undo(view: RunView, step: StepView, request: DecisionRequest, *, is_going: bool) -> str:
    scope = undo_scope(view, step.id)
    if not scope:
        return f"There is nothing to undo at {step.id}."
    if is_going:
        return "The run is under way. Stop it first."
    change = _change_since_display(view, step, request)
    if change:
        return change
    last = view.step(scope[0])
    if last.head.no_undo_because:
        return f"{last.id} cannot be undone: {last.head.no_undo_because}"
    return ""


def _problem_with_moment(view: RunView, step: StepView, request: DecisionRequest, *, is_going: bool) -> str:
    """Return why nothing can be decided about a step now, or why what was shown is no longer so."""
    if view.current is None or view.current.id != step.id:
        where = "everything is done" if view.current is None else f"the run is at {view.current.id}"
        return f"There is no open question about {step.id}: {where}."
    if is_going:
        return f"There is no open question about {step.id}: it is under way."
    return _change_since_display(view, step, request)


def _change_since_display(view: RunView, step: StepView, request: DecisionRequest) -> str:
    """Return what is no longer as it was shown to the operator who decides, a sentence, or nothing."""
    if request.attempt is not None and request.attempt != step.attempt:
        return (
            f"{step.id} is now at attempt {step.attempt}, but you were shown attempt {request.attempt}. Check "
            "it again."
        )
    if request.digest and not _current_digest(view, step).startswith(request.digest):
        return f"The plan of {step.id} has changed since it was shown to you. Check it again."
    if request.question is not None and (view.question is None or view.question.number != request.question):
        return f"The question about {step.id} has changed since it was shown to you. Check it again."
    return ""


def _problem_with(view: RunView, request: DecisionRequest) -> str:
    question = view.question
    choices = () if question is None else question.event.choices
    if request.choice is Choice.SKIP:
        return _problem_with_skip(view.step(request.step), question, request)
    if request.choice is Choice.RETRY:
        has_failed = question is None or Choice.RETRY in choices
        return "" if has_failed else f"{request.step} has not failed, so there is nothing to retry."
    if question is None or Choice.CONFIRM not in choices:
        return f"{request.step} is not waiting for a confirmation."
    if request.word != question.event.word:
        return f"Wrong word. Type `{question.event.word}` to confirm {request.step}."
    return ""


def _problem_with_skip(step: StepView, question: Question | None, request: DecisionRequest) -> str:
    kind = QuestionKind.FAILURE if step.has_begun else QuestionKind.GO_AHEAD
    is_allowed = may_skip(step, kind) if question is None else Choice.SKIP in question.event.choices
    if not is_allowed:
        return f"{step.id} cannot be skipped: the steps after it need what it does."
    return "" if request.reason else "Skipping a step needs a reason."


def _current_digest(view: RunView, step: StepView) -> str:
    if view.question is not None and view.question.event.step == step.id:
        return view.question.event.digest
    return "" if step.preparation is None else step.preparation.digest


@frozen
class QuestionView:
    """A question as the operator saw it."""

    step: str
    choices: tuple[Choice, ...]
    word: str = ""
    """To be typed for `confirm`; without a word, `confirm` itself is typed."""
    attempt: int | None = None
    digest: str = ""
    """Digest of the plan that was shown; its beginning is enough."""
    number: int | None = None
    """Number of its entry in the log; None where the run did not ask, such as whether to stop it."""
    sentence: str = ""
    """What is asked, where that is shown with it."""
    expires_at: datetime | None = None
    """When it is undone without an answer, where an outage must not last."""


def question_view(question: Question) -> QuestionView:
    """Return a question of a run as it is shown."""
    event = question.event
    return QuestionView(
        event.step, event.choices, event.word, event.attempt, event.digest, number=question.number
    )


def stop_question(view: RunView) -> QuestionView | None:
    """Return what can be answered while a run is at work and asks nothing: that it stops; None where it cannot."""
    step = view.current
    if step is None or view.state is not RunState.GOING or view.wants_stop:
        return None
    return QuestionView(step.id, (Choice.STOP,), attempt=step.attempt)


def parse_answer(question: QuestionView, answer: str) -> DecisionRequest | str:
    """Return what was decided, or why that is no answer to the question, a sentence.

    A word that is asked for has to be typed exactly, alone or as `confirm=WORD`. Where it is called like another choice,
    it is the word.
    """
    text = answer.strip()
    expected = (question.word, f"{Choice.CONFIRM}={question.word}") if question.word else (Choice.CONFIRM,)
    if Choice.CONFIRM in question.choices and text in expected:
        return _request(question, Choice.CONFIRM, word=question.word)
    first, _, rest = text.partition(" ")
    reason = rest.strip()
    for choice in question.choices:
        if choice is Choice.CONFIRM or first != choice:
            continue
        if choice is Choice.SKIP and not reason:
            return f"Skipping a step needs a reason. {ways_of(question)}"
        return _request(question, choice, reason=reason)
    problem = "Wrong word." if question.word else "That is not an answer."
    return f"{problem} {ways_of(question)}"


def ways_of(question: QuestionView) -> str:
    """Return how a question is answered, a line."""
    ways = [f"{question.word or Choice.CONFIRM} to go on"] if Choice.CONFIRM in question.choices else []
    forms = {Choice.SKIP: "skip REASON"}
    ways += [forms.get(choice, str(choice)) for choice in question.choices if choice is not Choice.CONFIRM]
    return f"Type {', or '.join(ways)}."


def _request(question: QuestionView, choice: Choice, *, word: str = "", reason: str = "") -> DecisionRequest:
    return DecisionRequest(
        question.step, choice, word, reason, question.attempt, question.digest, question.number
    )

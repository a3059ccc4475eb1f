"""What somebody typed, read as an answer to the question that was shown. Pure; every face reads answers with it.

The decision names the question, the attempt and the plan that were shown, so that it counts for nothing else.
"""

from dataclasses import dataclass

from console.runbook.run.decisions import Wish
from console.runbook.run.events import Choice
from console.runbook.run.view import Question, RunState, RunView


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question as the operator saw it."""

    step: str
    choices: tuple[Choice, ...]
    word: str = ""
    """To be typed for `confirm`; where there is none, `confirm` itself is typed."""
    attempt: int | None = None
    digest: str = ""
    """Of the plan that was shown; its beginning suffices."""
    number: int | None = None
    """Of its entry in the log; None where the run did not ask, such as whether to stop it."""


def shown_question(question: Question) -> ShownQuestion:
    """Return a question of a run as it is shown."""
    asked = question.asked
    return ShownQuestion(
        asked.step, asked.choices, asked.word, asked.attempt, asked.digest, number=question.number
    )


def stop_question(view: RunView) -> ShownQuestion | None:
    """Return what can be answered while a run is at work and asks nothing: that it stops; None where it cannot."""
    step = view.current
    if step is None or view.state is not RunState.GOING or view.wants_stop:
        return None
    return ShownQuestion(step.id, (Choice.STOP,), attempt=step.attempt)


def parse_answer(shown: ShownQuestion, typed: str) -> Wish | str:
    """Return what was decided, or why that is no answer to the question, a sentence.

    A word that is asked for has to be typed exactly, alone or as `confirm=WORD`. Where it is called like another choice,
    it is the word.
    """
    text = typed.strip()
    expected = (shown.word, f"{Choice.CONFIRM}={shown.word}") if shown.word else (Choice.CONFIRM,)
    if Choice.CONFIRM in shown.choices and text in expected:
        return _decided(shown, Choice.CONFIRM, word=shown.word)
    first, _, rest = text.partition(" ")
    reason = rest.strip()
    for choice in shown.choices:
        if choice is Choice.CONFIRM or first != choice:
            continue
        if choice is Choice.SKIP and not reason:
            return f"A step is skipped with a reason only. {ways_of(shown)}"
        return _decided(shown, choice, reason=reason)
    return f"That is no answer. {ways_of(shown)}"


def ways_of(shown: ShownQuestion) -> str:
    """Return how a question is answered, a line."""
    ways = [f"{shown.word or Choice.CONFIRM} to go on"] if Choice.CONFIRM in shown.choices else []
    forms = {Choice.SKIP: "skip REASON"}
    ways += [forms.get(each, str(each)) for each in shown.choices if each is not Choice.CONFIRM]
    return f"Type {', or '.join(ways)}."


def _decided(shown: ShownQuestion, choice: Choice, *, word: str = "", reason: str = "") -> Wish:
    return Wish(shown.step, choice, word, reason, shown.attempt, shown.digest, shown.number)

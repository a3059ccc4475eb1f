"""A run as it goes on, in lines of plain text. Does not load Rich."""

import shlex
from collections.abc import Iterator
from datetime import datetime

from console.durations import duration
from console.runbook.language.values import ActionPlan, Answer
from console.runbook.run.decisions import question_view
from console.runbook.run.events import Choice, QuestionKind
from console.runbook.run.view import Question, RunView, StepState, StepView, StoredRun
from screens.present.run_progress import StepProgress, has_turned, progress_line, progress_of, silence_text
from screens.present.run_question import fact_lines, outcome, situation
from screens.present.step_plan import ExpectedSpan, expected_of, fold_lines, group_calls, plan_facts

OUTAGE_EVERY_S, PROGRESS_EVERY_S = 10.0, 60.0
"""How often a line tells how far a step is: one that takes services down, and any other."""
LINES_AT_FIRST = 5
"""How many earlier lines of a step are shown at first."""
MARKS = {Answer.YES: "yes", Answer.NO: "NO", Answer.CANNOT_TELL: "cannot tell"}


def news(before: StoredRun | None, now: StoredRun) -> Iterator[str]:
    """Yield a line for everything that has happened between two snapshots of a run."""
    old = {step.id: step for step in before.view.steps} if before is not None else {}
    for step in now.view.steps:
        yield from _step_news(old.get(step.id), step)
        lines = now.live.lines.get(step.id, ())
        known_lines = before.live.lines.get(step.id, ()) if before is not None else ()
        new = lines[-LINES_AT_FIRST:] if before is None else _new_lines(known_lines, lines)
        yield from (f"{step.id} | {line}" for line in new)
    waiting = now.live.waiting
    known_headline = None if before is None or before.live.waiting is None else before.live.waiting.headline
    if waiting is not None and waiting.headline not in ("", known_headline):
        yield f"{waiting.step} {waiting.headline}"
    view_before = before.view if before is not None else None
    yield from (note for note in now.view.notes if view_before is None or note not in view_before.notes)
    if now.view.stop_reason is not None and (
        view_before is None or view_before.stop_reason != now.view.stop_reason
    ):
        yield f"stopped: {now.view.stop_reason.sentence} {now.view.stop_reason.hint}".rstrip()
    if now.is_interrupted and (before is None or not before.is_interrupted) and not now.live.is_alive:
        yield f"the runner process has died. To continue: vipconsole resume {now.view.header.run_id}"
    if now.view.is_over and (view_before is None or not view_before.is_over):
        yield f"{now.view.state} after {duration(_took_s(now.view))}"


def _step_news(old: StepView | None, step: StepView) -> Iterator[str]:
    if old is not None and len(step.decisions) > len(old.decisions):
        for decision in step.decisions[len(old.decisions) :]:
            reason = f": {decision.reason}" if decision.reason else ""
            yield f"{step.id}: {decision.choice} by {decision.who}{reason}"
    state_before = StepState.PENDING if old is None else old.state
    is_again = old is not None and old.attempt != step.attempt
    # Between the answer and the act a step is pending for a moment: nothing to report.
    if is_again or (step.state is not state_before and step.state is not StepState.PENDING):
        yield f"{step.id} {step.state}{_why(step)}"
    if step.is_being_undone and (old is None or not old.is_being_undone):
        yield f"{step.id} is being undone"
    if step.undo_failure is not None and (old is None or old.undo_failure is None):
        yield f"{step.id} could not be undone: {step.undo_failure.sentence}"


def _why(step: StepView) -> str:
    if step.state is StepState.SKIPPED:
        return f": {step.skipped_because}"
    if step.failure is not None and step.state is not StepState.UNDONE:
        return f": {step.failure.sentence} {step.failure.hint}".rstrip()
    if step.state is StepState.DONE:
        how = " ".join(result.found.sentence for result in step.results)
        took = f" in {duration(step.took_s)}" if step.has_begun else ", already in place"
        return f"{took}: {how}" if how else took
    if step.attempt > 1:
        return f", attempt {step.attempt}"
    return ""


def _new_lines(known_lines: tuple[str, ...], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return what follows the last known line; both are tails of the same growing text."""
    if not known_lines:
        return lines
    for start in range(len(lines) - 1, -1, -1):
        if (
            lines[start] == known_lines[-1]
            and lines[: start + 1] == known_lines[len(known_lines) - start - 1 :]
        ):
            return lines[start + 1 :]
    return lines


def outcome_lines(run: StoredRun, now: datetime) -> Iterator[str]:
    """Yield how a run has ended or stopped."""
    facts = outcome(run, now)
    if facts:
        yield f"{run.view.header.run_id}:"
    yield from fact_lines(facts)


def question_lines(run: StoredRun, question: Question, now: datetime) -> Iterator[str]:
    """Yield what the operator needs to know to answer: the situation, what each answer does, then the details."""
    event, step = question.event, run.view.step(question.event.step)
    yield f"{step.id}: {step.head.title}"
    yield from fact_lines(situation(run, question_view(question), now))
    if event.kind is QuestionKind.GO_AHEAD:
        if step.preparation is not None and step.preparation.plan is not None:
            yield from plan_lines(step.preparation.plan, expected_of(step, run.live))
        if step.preparation is not None:
            yield from (
                f"  requires {require.name}: {MARKS[require.found.answer]}. {require.found.sentence}"
                for require in step.preparation.requires
            )
    elif step.probe_result is not None:
        yield f"  probe: {step.probe_result.sentence}"
    if event.undo_after_s is not None:
        yield f"  SERVICES MAY BE DOWN. Without an answer within {duration(event.undo_after_s)}, the step is undone."
    yield f"  plan {event.digest[:12]}, attempt {event.attempt}"


def answers(question: Question) -> str:
    """Return what can be typed, in a line."""
    event = question.event
    forms = {Choice.CONFIRM: event.word, Choice.SKIP: "skip REASON"}
    return f"  answer: {', '.join(forms.get(choice, str(choice)) for choice in event.choices)}"


def commands(view: RunView, question: Question) -> Iterator[str]:
    """Yield the commands that answer, a line each."""
    event = question.event
    forms = {Choice.CONFIRM: f"confirm={shlex.quote(event.word)}", Choice.SKIP: "skip --reason TEXT"}
    for choice in event.choices:
        yield f"  vipconsole decide {view.header.run_id} {event.step} {forms.get(choice, choice)}"


def plan_lines(plan: ActionPlan, expected: ExpectedSpan | None) -> Iterator[str]:
    """Yield the plan of a step as it must be known to confirm it: long rows are folded, and calls are counted."""
    yield f"  {plan.summary}"
    yield from (f"  {label.upper():<8} {sentence}" for label, sentence in plan_facts(plan, expected))
    if plan.not_applicable:
        yield f"  skipped: {plan.not_applicable}"
    yield from (f"  reads    {read}" for read in plan.reads)
    yield from (f"  changes  {change}" for change in fold_lines(plan.changes))
    yield from (f"  calls    {call}" for call in group_calls(plan.calls))
    yield from (f"  checked  {MARKS[result.answer]}: {result.sentence}" for result in plan.checked)


class ProgressNews:
    """Says when a line about the step under way is due: at each phase, when somebody falls silent, and now and then."""

    def __init__(self) -> None:
        self._last: StepProgress | None = None
        """The progress of the last line."""
        self._last_at: datetime | None = None
        self._was_silent = False

    def lines(self, run: StoredRun, now: datetime) -> Iterator[str]:
        """Yield a line where one is due."""
        progress = progress_of(run)
        if progress is None or run.is_interrupted:
            self._last = self._last_at = None
            return
        is_silent = bool(silence_text(progress, now))
        is_new = self._last is None or self._last.step.id != progress.step.id
        every_s = OUTAGE_EVERY_S if progress.outage is not None else PROGRESS_EVERY_S
        is_time = self._last_at is not None and (now - self._last_at).total_seconds() >= every_s
        is_due = has_turned(self._last, progress) or (is_silent and not self._was_silent) or is_time
        self._was_silent = is_silent
        if is_due or is_new:
            self._last, self._last_at = progress, now
        if is_due:
            yield f"{progress.step.id} {progress_line(progress, now)}"


def _took_s(view: RunView) -> float:
    return 0.0 if view.at is None else (view.at - view.began_at).total_seconds()

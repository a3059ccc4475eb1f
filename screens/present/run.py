"""A maintenance run at a glance: a line, a row for each step, what comes next, and the open question."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from console.durations import duration
from console.runbook.language.values import Effect
from console.runbook.run.decisions import (
    DecisionRequest,
    QuestionView,
    decision_for,
    question_view,
    stop_question,
)
from console.runbook.run.events import Choice, Decided, QuestionKind
from console.runbook.run.view import Question, RunState, RunView, StepState, StepView, StoredRun
from screens.present.step_plan import expected_of
from screens.present.text import (
    ASCII,
    BAD,
    DIM,
    PLAIN,
    STRONG,
    UNKNOWN,
    WARN,
    Glyphs,
    Row,
    Span,
    Spans,
    text_of,
)

STATE_GLYPHS = {
    StepState.PENDING: "\N{MIDDLE DOT}",
    StepState.WAITING: "?",
    StepState.RUNNING: "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}",
    StepState.DONE: "\N{CHECK MARK}",
    StepState.FAILED: "\N{MULTIPLICATION SIGN}",
    StepState.UNKNOWN: "!",
    StepState.SKIPPED: "-",
    StepState.UNDONE: "\N{LEFTWARDS ARROW}",
}
ASCII_STATE_GLYPHS = {
    **STATE_GLYPHS,
    StepState.PENDING: ".",
    StepState.RUNNING: ">",
    StepState.DONE: "+",
    StepState.FAILED: "x",
    StepState.UNDONE: "<",
}
STATE_TONES = {
    StepState.PENDING: DIM,
    StepState.WAITING: WARN,
    StepState.RUNNING: STRONG,
    StepState.FAILED: BAD,
    StepState.UNKNOWN: UNKNOWN,
    StepState.SKIPPED: DIM,
    StepState.UNDONE: WARN,
}
END_WORDS = {
    RunState.STOPPED: "stopped",
    RunState.DONE: "done",
    RunState.UNDONE: "undone",
    RunState.ABANDONED: "abandoned",
}


def current_place(view: RunView) -> int:
    """Return the place of the step that matters now: waiting or running, else failed, else the first pending one."""
    for states in (
        (StepState.WAITING, StepState.RUNNING),
        (StepState.FAILED, StepState.UNKNOWN),
        (StepState.PENDING,),
    ):
        for place, step in enumerate(view.steps):
            if step.state in states:
                return place
    return max(0, len(view.steps) - 1)


def headline(run: StoredRun, now: datetime, width: int | None = None) -> Spans:
    """Return a run in one line: which, how far, since when, by whom, and whether its runner is alive.

    Where that is too wide, it is left out from where the operator came, then who it was, then since when.
    """
    ago = duration((now - run.view.began_at).total_seconds())
    began = f"  started {ago} ago"
    lines = [
        _headline(run, text)
        for text in (f"{began} by {run.view.who}", f"{began} by {run.view.who.user}", began)
    ]
    return next((line for line in lines if width is None or len(text_of(line)) <= width), _headline(run, ""))


def _headline(run: StoredRun, began: str) -> Spans:
    view = run.view
    if not run.has_begun:
        return (
            (f"runbook {view.header.runbook_id}", STRONG),
            (f"  {len(view.steps)} steps, not started", PLAIN),
        )
    parts = [(f"run {view.header.run_id}", STRONG)]
    if view.state in END_WORDS:
        parts.append((f"  {END_WORDS[view.state]}", STRONG))
    else:
        parts.append((f"  step {current_place(view) + 1} of {len(view.steps)}", PLAIN))
    parts.append((began, DIM))
    if view.state is RunState.GOING:
        parts.append(("  runner up", DIM) if run.live.is_alive else ("  runner GONE", BAD))
    return tuple(parts)


def step_rows(view: RunView, glyphs: Glyphs) -> list[Row]:
    """Return a row for each step: a glyph and a word for its state, its title, how long it took."""
    letters = ASCII_STATE_GLYPHS if glyphs is ASCII else STATE_GLYPHS
    return [
        Row(
            step.id,
            (
                _state_span(step, letters),
                (f" {clock(step.took_s or None):>6}  ", DIM),
                (step.head.title or step.id, DIM if step.state is StepState.PENDING else STRONG),
            ),
            step,
        )
        for step in view.steps
    ]


def _state_span(step: StepView, letters: Mapping[StepState, str]) -> Span:
    if step.is_being_undone:
        return (f"{letters[StepState.UNDONE]} {'undoing':8}", WARN)
    return (f"{letters[step.state]} {step.state:8}", STATE_TONES.get(step.state, PLAIN))


def clock(seconds: float | None) -> str:
    """Return a span as a stopwatch shows it, `3:41`; nothing where there is none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def next_advice(run: StoredRun) -> str:
    """Return what comes next where a run does not go on by itself, or what it waits for; nothing where that is plain."""
    view = run.view
    run_id = view.header.run_id
    if run.is_interrupted:
        return (
            f"The runner process has died. `vipconsole resume {run_id}` probes its last step and continues."
        )
    if view.is_over:
        return f"The run is over ({view.state}). `vipconsole report {run_id}` shows what it did. q quits."
    if view.state is RunState.STOPPED:
        return f"The run has stopped. `vipconsole resume {run_id}` continues it."
    if view.wants_stop:
        return "Stop requested. The run stops as soon as it can."
    waiting = run.live.waiting
    if waiting is not None and waiting.text and view.state is RunState.GOING:
        for_s = (waiting.at - waiting.began_at).total_seconds()
        return f"{waiting.step}, {duration(for_s)}: {waiting.text}"
    return ""


def open_question(run: StoredRun) -> QuestionView | None:
    """Return the question that the operator can answer: the run's own, else what to do with the step at which it stopped."""
    if run.view.question is not None:
        return _open_question(run, run.view.question)
    return _question_of_stopped_run(run)


def stop_offer(run: StoredRun) -> QuestionView | None:
    """Return the question whether to stop a run that asks nothing; None where there is nothing to stop."""
    offer = stop_question(run.view) if run.live.is_alive else None
    if offer is None:
        return None
    return replace(
        offer, sentence=f"Stop the run? It stops as soon as {offer.step} allows it, and can be resumed."
    )


def _open_question(run: StoredRun, question: Question) -> QuestionView:
    event, step = question.event, run.view.step(question.event.step)
    if event.kind is QuestionKind.GO_AHEAD:
        may = "Have you done it?" if step.head.is_manual else "Continue?"
        sentence = f"Next: {step.head.title or step.id}. {may}"
        expected = expected_of(step, run.live)
        if step.head.effect is Effect.OUTAGE and expected is not None:
            sentence += f" Services will be down for {expected.about}."
    else:
        why = (
            step.failure.sentence
            if step.failure is not None
            else "It was interrupted. Its result is unknown."
        )
        sentence = f"{step.head.title or step.id}: {why} What now?"
    lapses = None if event.undo_after_s is None else question.at + timedelta(seconds=event.undo_after_s)
    return replace(question_view(question), sentence=sentence, expires_at=lapses)


def _question_of_stopped_run(run: StoredRun) -> QuestionView | None:
    view, step = run.view, run.view.current
    if step is None or view.stop_reason is None or view.state is not RunState.STOPPED:
        return None
    has_failed = step.state in (StepState.FAILED, StepState.UNKNOWN)
    candidates = (*((Choice.RETRY,) if has_failed else ()), Choice.SKIP, Choice.UNDO)
    choices = tuple(
        choice for choice in candidates if _can_decide(run, DecisionRequest(step.id, choice, reason="-"))
    )
    if not choices:
        return None
    digest = "" if step.preparation is None else step.preparation.digest
    sentence = f"{step.head.title or step.id}: the run has stopped. {view.stop_reason.sentence} What now?"
    return QuestionView(step.id, choices, attempt=step.attempt, digest=digest, sentence=sentence)


def _can_decide(run: StoredRun, request: DecisionRequest) -> bool:
    return isinstance(decision_for(run.view, request, run.view.who, is_alive=run.live.is_alive), Decided)

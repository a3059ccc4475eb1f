"""A maintenance run on screen: its steps, what each does and did, and the question to the operator.

The values here are what the pane needs, from any source: a runbook before its run, a run from the store, or one that
is under way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from console.runbook.language.values import Call, Effect, Runbook, Step
from console.runbook.run.decisions import ShownQuestion, ways_of
from console.runbook.run.events import Choice
from console.text import SENTENCE_LIMIT, clean, duration
from screens.present.text import (
    ASCII,
    BAD,
    DIM,
    EMPTY,
    PLAIN,
    STRONG,
    UNKNOWN,
    WARN,
    Glyphs,
    Paragraph,
    Parts,
    Row,
    says,
)


class StepState(StrEnum):
    """The state of a step."""

    PENDING = "pending"
    WAITING = "waiting"
    """For quiet, or for the operator."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It began, and no result is recorded."""
    SKIPPED = "skipped"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Fact:
    """A piece of evidence: what it is of, and what was found. Both clean."""

    label: str
    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class StepView:
    """One step. All texts are clean."""

    id: str
    title: str
    state: StepState
    effect: Effect
    does: str
    """What it does, a sentence or a call."""
    because: str = ""
    """Why it is in its state: what it waits for, why it failed or was skipped."""
    took_s: float | None = None
    """How long it took, or has taken so far; None if it did not begin."""
    changes: tuple[str, ...] = ()
    """What it changes, in order."""
    calls: tuple[str, ...] = ()
    """The exact calls and commands."""
    checks: tuple[str, ...] = ()
    """What must hold before and after."""
    refused: tuple[str, ...] = ()
    no_return: str = ""
    outage_s: float | None = None
    undo: str = ""
    """How it is taken back, or why it cannot be."""
    evidence: tuple[Fact, ...] = ()
    output: tuple[str, ...] = ()
    """What it said while it ran, the newest last."""
    waiting: tuple[str, ...] = ()
    """What it waits for now: each thing that blocks."""
    waits: tuple[Fact, ...] = ()
    """What it waited for, and how long in total."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the operator. The answer counts for this step, this attempt and this plan only."""

    step_id: str
    attempt: int
    digest: str
    """Of the plan that is shown."""
    sentence: str
    word: str
    """To be typed for `confirm`; nothing where a key is enough."""
    choices: tuple[Choice, ...]
    lapses_at: datetime | None = None
    """When it is undone without an answer, where an outage must not last."""
    number: int | None = None
    """Of its entry in the run's log; None where the run did not ask by itself."""

    @property
    def shown(self) -> ShownQuestion:
        """What an answer to it is read by."""
        return ShownQuestion(
            self.step_id, self.choices, self.word, self.attempt, self.digest, number=self.number
        )


@dataclass(frozen=True, slots=True)
class RunView:
    """A run, or a runbook before any."""

    id: str
    """Of the run; empty for a runbook that was not started."""
    runbook_id: str
    title: str
    about: str
    source: str
    """The file of the runbook."""
    steps: tuple[StepView, ...]
    started_at: datetime | None = None
    by: str = ""
    ended: str = ""
    """How it ended, in a word; empty while it has not."""
    is_runner_up: bool | None = None
    """Whether the process that does the work lives; None where that has no meaning or is not known."""
    question: Question | None = None
    stop: Question | None = None
    """How it is stopped while it asks nothing; None where there is nothing to stop."""
    standing: str = ""
    """What comes next where it does not go on by itself, a sentence or two."""

    @property
    def current(self) -> int:
        """The place of the step that matters now: the one asked about or at work, else the first that is not done."""
        for states in (
            (StepState.WAITING, StepState.RUNNING),
            (StepState.FAILED, StepState.UNKNOWN),
            (StepState.PENDING,),
        ):
            for place, step in enumerate(self.steps):
                if step.state in states:
                    return place
        return max(0, len(self.steps) - 1)


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
EFFECT_WORDS = {Effect.READ: "read-only", Effect.CHANGE: "CHANGES", Effect.OUTAGE: "OUTAGE"}
EFFECT_TONES = {Effect.READ: DIM, Effect.CHANGE: WARN, Effect.OUTAGE: BAD}
OUTPUT_SHOWN = 200


def view_of(runbook: Runbook, effects: dict[str, Effect]) -> RunView:
    """Return a runbook as what it would do; `effects` are those of its actions, by name."""
    return RunView(
        "",
        runbook.id,
        clean(runbook.title, SENTENCE_LIMIT),
        clean(runbook.about, SENTENCE_LIMIT),
        runbook.source,
        tuple(_pending(each, effects) for each in runbook.steps),
    )


def _pending(step: Step, effects: dict[str, Effect]) -> StepView:
    # What is not known to only read may change something.
    effect = effects.get(step.action.name, Effect.CHANGE) if step.action else Effect.READ
    checks = [f"before: {_call(each)}" for each in step.requires]
    checks += [f"before: step {clean(each)} still holds" for each in step.requires_steps]
    checks += [f"done already if: {_call(each)}" for each in step.probe]
    checks += [f"after: {_call(each)}" for each in step.verify]
    if step.unverified_because:
        checks.append(f"after: not verified. {clean(step.unverified_because, SENTENCE_LIMIT)}")
    if step.confirm:
        checks.append(f"asks for the word {clean(step.confirm)}")
    if step.is_checkpoint:
        checks.append("the run stops before this step until an operator continues it")
    undo = _call(step.undo.call) if step.undo.call else clean(step.undo.none_because, SENTENCE_LIMIT)
    return StepView(
        step.id,
        clean(step.title, SENTENCE_LIMIT),
        StepState.PENDING,
        effect,
        _call(step.action) if step.action else f"by hand: {clean(step.manual, SENTENCE_LIMIT)}",
        checks=tuple(checks),
        undo=undo,
    )


def _call(call: Call) -> str:
    parameters = ", ".join(f"{clean(str(key))} {clean(str(value))}" for key, value in call.parameters.items())
    return f"{clean(call.name)}" + (f" ({parameters})" if parameters else "")


def headline(run: RunView, now: datetime) -> Parts:
    """Return a run in one line: which, how far, since when, by whom, and whether its runner is alive."""
    if not run.id:
        return ((f"runbook {run.runbook_id}", STRONG), (f"  {len(run.steps)} steps, not started", PLAIN))
    parts = [(f"run {run.id}", STRONG)]
    if run.ended:
        parts.append((f"  {run.ended}", BAD if run.ended in ("failed", "unknown") else STRONG))
    else:
        parts.append((f"  step {run.current + 1} of {len(run.steps)}", PLAIN))
    if run.started_at is not None:
        ago = duration((now - run.started_at).total_seconds())
        parts.append((f"  started {ago} ago" + (f" by {run.by}" if run.by else ""), DIM))
    if not run.ended and run.is_runner_up is not None:
        parts.append(("  runner up", DIM) if run.is_runner_up else ("  runner GONE", BAD))
    return tuple(parts)


def step_rows(run: RunView, glyphs: Glyphs) -> list[Row]:
    """Return a row for each step: a glyph and a word for its state, its title, how long it took."""
    letters = ASCII_STATE_GLYPHS if glyphs is ASCII else STATE_GLYPHS
    return [
        Row(
            each.id,
            (
                (f"{letters[each.state]} {each.state:8}", STATE_TONES.get(each.state, PLAIN)),
                (f" {clock(each.took_s):>6}  ", DIM),
                (each.title or each.id, DIM if each.state is StepState.PENDING else STRONG),
            ),
            each,
        )
        for each in run.steps
    ]


def clock(seconds: float | None) -> str:
    """Return a span as a stopwatch shows it, `3:41`; nothing where there is none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def step_says(step: StepView) -> tuple[Paragraph, ...]:
    """Return everything about a step: what it does, what it would change, what holds, what was found and said."""
    told = [
        Paragraph(
            ((f"{step.title or step.id}  ", STRONG), (EFFECT_WORDS[step.effect], EFFECT_TONES[step.effect]))
        ),
        says(step.does),
    ]
    if step.because:
        told.append(says(step.because, STATE_TONES.get(step.state, PLAIN), label=str(step.state)))
    told += (
        [says("waits for", WARN), *(says(each, label=" ") for each in step.waiting)] if step.waiting else []
    )
    told += [says(each, BAD, label="refused") for each in step.refused]
    if step.no_return:
        told.append(says(step.no_return, BAD, label="no way back"))
    if step.outage_s is not None:
        told.append(says(f"about {duration(step.outage_s)}", BAD, label="outage"))
    told += _listed("changes", step.changes)
    told += _listed("checks", step.checks)
    told += _listed("calls", step.calls)
    if step.undo and not (step.no_return and step.no_return in step.undo):
        told += [EMPTY, says(step.undo, label="way back")]
    if step.evidence:
        told += [EMPTY, says("evidence", DIM)]
        told += [
            says(each.text, BAD if each.is_bad else PLAIN, label=f"  {each.label}") for each in step.evidence
        ]
    if step.waits:
        told += [EMPTY, says("waited for", DIM)]
        told += [says(each.text, label=f"  {each.label}") for each in step.waits]
    if step.output:
        told += [EMPTY, says("output", DIM), *(says(each) for each in step.output[-OUTPUT_SHOWN:])]
    return tuple(told)


def _listed(label: str, lines: Iterable[str]) -> list[Paragraph]:
    told = [says(each, label=" ") for each in lines]
    return [EMPTY, says(label, DIM), *told] if told else []


def question_says(question: Question, now: datetime) -> tuple[Paragraph, ...]:
    """Return the question, and how to answer it."""
    told = [says(question.sentence, BAD), says(ways_of(question.shown), STRONG)]
    if question.lapses_at is not None:
        left = max(0.0, (question.lapses_at - now).total_seconds())
        told.append(says(f"Without an answer, the step is undone in {duration(left)}.", WARN))
    return tuple(told)

"""What a runner can do next with a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from console.runbook.run import events as e
from console.runbook.run.events import About, Choice, Why
from console.runbook.run.view import Question, RunView

LAPSED = "What it rests on has changed since it was confirmed."


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing: the run is over or has stopped."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the answer to a question."""

    question: Question


@dataclass(frozen=True, slots=True)
class Prepare:
    """Look at everything that a step rests on: is it done already, what would it do, does it meet its requirements."""

    step: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Look into an attempt, or an undo, of which it is not known what came of it."""

    step: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the operator."""

    step: str
    about: About
    choices: tuple[Choice, ...]
    undo_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Lapse:
    """Let a consent lapse, for what it was given for has changed."""

    step: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Let a step fail before it acts."""

    step: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PassOver:
    """Pass over a step that has no meaning here."""

    step: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Act:
    """Do what a step does."""

    step: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Look whether a step came to what it should."""

    step: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a step again by itself."""

    step: str
    after_s: float
    is_counted: bool


@dataclass(frozen=True, slots=True)
class BeginUndo:
    """Begin to undo steps, because the runbook or the time says so."""

    steps: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class UndoStep:
    """Undo a step."""

    step: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop until somebody lets the run go on."""

    why: Why
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the run."""

    is_undone: bool = False


Move: TypeAlias = (
    Rest
    | Await
    | Prepare
    | Probe
    | Ask
    | Lapse
    | Fail
    | PassOver
    | Act
    | Verify
    | Retry
    | BeginUndo
    | UndoStep
    | Halt
    | Finish
)


def event_of(move: Move, view: RunView) -> e.Event:
    """Return the event of a move for which nothing has to be looked at or done. Raises KeyError for any other move."""
    return _EVENTS[type(move)](move, view)


def _asked(move: Ask, view: RunView) -> e.Asked:
    step = view.step(move.step)
    shown = step.prepared
    word = shown.word if shown is not None and e.Choice.CONFIRM in move.choices else ""
    digest = "" if shown is None else shown.digest
    return e.Asked(move.step, step.attempt, move.about, digest, word, move.choices, move.undo_after_s)


def _lapsed(move: Lapse, view: RunView) -> e.Lapsed:
    return e.Lapsed(move.step, view.step(move.step).attempt, LAPSED)


def _failed(move: Fail, view: RunView) -> e.Failed:
    return e.Failed(move.step, view.step(move.step).attempt, move.sentence)


def _retried(move: Retry, view: RunView) -> e.Retried:
    return e.Retried(move.step, view.step(move.step).attempt + 1, move.is_counted)


_EVENTS: dict[type[Any], Callable[[Any, RunView], e.Event]] = {
    Ask: _asked,
    Lapse: _lapsed,
    Fail: _failed,
    Retry: _retried,
    PassOver: lambda move, _: e.NotApplicable(move.step, move.sentence),
    BeginUndo: lambda move, _: e.UndoBegan(move.steps, move.sentence),
    Halt: lambda move, _: e.Stopped(move.why, move.sentence, move.hint),
    Finish: lambda move, view: e.Ended(move.is_undone, tuple(each.id for each in view.left_behind)),
}

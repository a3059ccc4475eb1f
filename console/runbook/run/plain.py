"""The events of moves that are nothing but an event. Pure."""

from collections.abc import Callable
from typing import Any

from console.runbook.run import events as e
from console.runbook.run import moves as m
from console.runbook.run.view import RunView

LAPSED = "What it rests on has changed since it was confirmed."


def event_of(move: m.Move, view: RunView) -> e.Event:
    """Return the event of a move for which nothing has to be looked at or done. Raises KeyError for any other move."""
    return _EVENTS[type(move)](move, view)


def _asked(move: m.Ask, view: RunView) -> e.Asked:
    step = view.step(move.step)
    shown = step.prepared
    word = shown.word if shown is not None and e.Choice.CONFIRM in move.choices else ""
    digest = "" if shown is None else shown.digest
    return e.Asked(move.step, step.attempt, move.about, digest, word, move.choices, move.undo_after_s)


def _lapsed(move: m.Lapse, view: RunView) -> e.Lapsed:
    return e.Lapsed(move.step, view.step(move.step).attempt, LAPSED)


def _failed(move: m.Fail, view: RunView) -> e.Failed:
    return e.Failed(move.step, view.step(move.step).attempt, move.sentence)


def _retried(move: m.Retry, view: RunView) -> e.Retried:
    return e.Retried(move.step, view.step(move.step).attempt + 1, move.is_counted)


_EVENTS: dict[type[Any], Callable[[Any, RunView], e.Event]] = {
    m.Ask: _asked,
    m.Lapse: _lapsed,
    m.Fail: _failed,
    m.Retry: _retried,
    m.PassOver: lambda move, _: e.NotApplicable(move.step, move.sentence),
    m.BeginUndo: lambda move, _: e.UndoBegan(move.steps, move.sentence),
    m.Halt: lambda move, _: e.Stopped(move.why, move.sentence, move.hint),
    m.Finish: lambda move, view: e.Ended(move.is_undone, tuple(each.id for each in view.left_behind)),
}

"""Replays the entries of a log into a view of the run. Pure, and with `replay_steps` the only place that knows what an event means."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from console.errors import HostError
from console.runbook.run import events, replay_steps
from console.runbook.run.replay_steps import undo_scope
from console.runbook.run.view import Question, RunState, RunView, StepState, StepView

REBOOTED = (
    "This machine was rebooted while the run was under way. Steps confirmed before need a new confirmation."
)


def replay(entries: Iterable[events.LogEntry]) -> RunView:
    """Return the run of a whole log. Raises HostError for a log that is none."""
    view: RunView | None = None
    for entry in entries:
        view = initial_view(entry) if view is None else after(view, entry)
    if view is None:
        raise HostError("The run's log is empty.", "It was never used; its folder can be removed.")
    return view


def initial_view(entry: events.LogEntry) -> RunView:
    """Return a run of which only the first entry is known. Raises HostError where that is another one."""
    event = entry.event
    if not isinstance(event, events.Began):
        raise HostError("The run's log lacks its beginning.", events.DAMAGED_LOG_HINT)
    steps = tuple(StepView(step) for step in event.steps)
    return RunView(
        event.header, event.who, entry.at, steps, entry.number, entry.at, boot_id=event.header.boot_id
    )


def after(view: RunView, entry: events.LogEntry) -> RunView:
    """Return a run with one more entry."""
    change = _CHANGES.get(type(entry.event), _apply_to_step)
    idle = view.idle_starts + 1 if isinstance(entry.event, events.RunnerStarted) else 0
    return replace(change(view, entry.event, entry), number=entry.number, at=entry.at, idle_starts=idle)


def _apply_to_step(view: RunView, event: Any, entry: events.LogEntry) -> RunView:
    return _replace_step(view, event.step, lambda step: replay_steps.after(step, event, entry))


def _replace_step(view: RunView, step_id: str, change: Callable[[StepView], StepView]) -> RunView:
    return replace(view, steps=tuple(change(step) if step.id == step_id else step for step in view.steps))


def _refuse_second_beginning(_view: RunView, _event: events.Began, _entry: events.LogEntry) -> RunView:
    raise HostError("The run's log has two beginnings.", events.DAMAGED_LOG_HINT)


def _with_new_runner(view: RunView, event: events.RunnerStarted, _entry: events.LogEntry) -> RunView:
    is_new_boot = event.boot_id != view.boot_id
    steps = tuple(replay_steps.with_new_runner(step, is_new_boot=is_new_boot) for step in view.steps)
    notes = (*view.notes, REBOOTED) if is_new_boot else view.notes
    return replace(view, steps=steps, boot_id=event.boot_id, notes=notes)


def _resume(view: RunView, event: events.Resumed, _entry: events.LogEntry) -> RunView:
    """Let a run go on: with undoing what was being undone, else with the first step that is not done.

    Where steps were undone, everything from the first of them on is done once more.
    """
    view = replace(
        view, state=RunState.GOING, stop_reason=None, question=None, wants_stop=False, last_who=event.who
    )
    if view.undoing:
        return _begin_undoing(view, view.undoing)
    first_undone = next((at for at, step in enumerate(view.steps) if step.state is StepState.UNDONE), None)
    steps = tuple(
        replay_steps.redo(step)
        if first_undone is not None and at >= first_undone
        else replay_steps.resume(step)
        for at, step in enumerate(view.steps)
    )
    return replace(view, steps=steps)


def _accept_runbook(view: RunView, event: events.Accepted, _entry: events.LogEntry) -> RunView:
    header = replace(view.header, digest=event.digest, variables=event.variables)
    old_steps = {step.id: step for step in view.steps}
    steps = tuple(
        replace(old_steps[step.id], head=step, is_fresh=False, consent=None)
        if step.id in old_steps
        else StepView(step)
        for step in event.steps
    )
    return replace(view, header=header, steps=steps)


def _ask(view: RunView, event: events.Asked, entry: events.LogEntry) -> RunView:
    def wait(step: StepView) -> StepView:
        state = StepState.WAITING if event.kind is events.QuestionKind.GO_AHEAD else step.state
        return replace(step, state=state, is_fresh=False)

    question = Question(entry.number, event, entry.at)
    return replace(_replace_step(view, event.step, wait), state=RunState.WAITING, question=question)


def _decide(view: RunView, event: events.Decided, entry: events.LogEntry) -> RunView:
    view = _replace_step(view, event.step, lambda step: replay_steps.decide(step, event, entry))
    if event.choice is events.Choice.STOP and view.state is not RunState.WAITING:
        return replace(view, wants_stop=True)
    if event.choice is events.Choice.STOP:
        stop_reason = events.Stopped(events.Why.OPERATOR, f"Stopped by {event.who}.")
        return replace(view, state=RunState.STOPPED, stop_reason=stop_reason, question=None)
    view = replace(
        view, state=RunState.GOING, stop_reason=None, question=None, undoing=(), last_who=event.who
    )
    if event.choice is events.Choice.UNDO:
        return _begin_undoing(view, undo_scope(view, event.step))
    return view


def _begin_undoing(view: RunView, steps: tuple[str, ...]) -> RunView:
    new_steps = tuple(replace(step, undo_failure=None) if step.id in steps else step for step in view.steps)
    return replace(view, steps=new_steps, undoing=steps)


def _begin_undo(view: RunView, event: events.UndoBegan, _entry: events.LogEntry) -> RunView:
    return _begin_undoing(view, event.steps)


def _end_undo_of_step(view: RunView, event: events.Undone, entry: events.LogEntry) -> RunView:
    rest = tuple(step_id for step_id in view.undoing if step_id != event.step)
    return replace(_apply_to_step(view, event, entry), undoing=rest)


def _add_note(view: RunView, event: events.Noted, _entry: events.LogEntry) -> RunView:
    return replace(view, notes=(*view.notes, event.sentence))


def _stop(view: RunView, event: events.Stopped, _entry: events.LogEntry) -> RunView:
    return replace(view, state=RunState.STOPPED, stop_reason=event, question=None, wants_stop=False)


def _end(view: RunView, event: events.Ended, _entry: events.LogEntry) -> RunView:
    return replace(view, state=RunState.UNDONE if event.is_undone else RunState.DONE)


def _abandon(view: RunView, event: events.Abandoned, _entry: events.LogEntry) -> RunView:
    return replace(view, state=RunState.ABANDONED, question=None, abandonment=event.left)


_CHANGES: dict[type[Any], Callable[[RunView, Any, events.LogEntry], RunView]] = {
    events.Began: _refuse_second_beginning,
    events.RunnerStarted: _with_new_runner,
    events.Resumed: _resume,
    events.Accepted: _accept_runbook,
    events.Asked: _ask,
    events.Decided: _decide,
    events.UndoBegan: _begin_undo,
    events.Undone: _end_undo_of_step,
    events.Noted: _add_note,
    events.Stopped: _stop,
    events.Ended: _end,
    events.Abandoned: _abandon,
}

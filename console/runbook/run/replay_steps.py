"""Replays events into a single step. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from console.frozen import frozen
from console.runbook.language.values import NOTHING, Answer, Json
from console.runbook.run import events
from console.runbook.run.outage import advance_outage, restart_outage, settle_outage
from console.runbook.run.view import (
    ActSpan,
    ChangedObject,
    Consent,
    Decision,
    Failure,
    RunView,
    StepState,
    StepView,
)
from console.runbook.run.waits import merge_rows

RUNNING = "running_as_before"
"""The evidence of a verification that names the services that its act left down and that run as before now."""
STATES = {Answer.YES: StepState.DONE, Answer.NO: StepState.FAILED, Answer.CANNOT_TELL: StepState.UNKNOWN}
"""How a verification changes a step."""


@frozen
class ChangeRecord:
    """What an attempt of a step recorded of an object before it changed it."""

    number: int
    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    """What the object was before."""
    result: Mapping[str, Any] | None
    """Result of the change; None where unknown: it may have been made or not."""


class ChangeRecordsByStep:
    """The change records of the steps since each was undone last. Only entries that change it cost anything."""

    def __init__(self) -> None:
        self._by_step: dict[str, dict[int, ChangeRecord]] = {}

    def take(self, entry: events.LogEntry) -> None:
        """Take in the next entry of the log."""
        match entry.event:
            case events.ChangeBegan(step, kind, object_id, what, state):
                change = ChangeRecord(entry.number, kind, object_id, what, state, None)
                self._by_step.setdefault(step, {})[entry.number] = change
            case events.ChangeEnded(step, number, result):
                of_step = self._by_step.get(step, {})
                if number in of_step:
                    of_step[number] = replace(of_step[number], result=result)
            case events.Undone(step):
                self._by_step.pop(step, None)

    def of(self, step: str) -> tuple[ChangeRecord, ...]:
        """Return what a step changed, in order."""
        return tuple(self._by_step.get(step, {}).values())


def undo_scope(view: RunView, step_id: str) -> tuple[str, ...]:
    """Return the steps that undoing at a step undoes, the last one first.

    At the step that the run is at, it goes back to the last checkpoint that was passed and no further, for what lies
    before it was found good by an operator. At an earlier step, it goes back to that one and includes it.
    """
    current = view.current
    last = len(view.steps) - 1 if current is None else view.steps.index(current)
    place = next(number for number, step in enumerate(view.steps) if step.id == step_id)
    first = place if place < last else _after_checkpoint(view.steps, last)
    return tuple(step.id for step in reversed(view.steps[first:]) if step.head.changes and step.has_begun)


def _after_checkpoint(steps: tuple[StepView, ...], last: int) -> int:
    for number in range(last, 0, -1):
        if steps[number].head.is_checkpoint:
            return number
    return 0


def again(step: StepView, *, attempt: int | None = None) -> StepView:
    """Return a step that is to be tried (again): no earlier check counts any longer."""
    return replace(
        step,
        state=StepState.PENDING,
        attempt=step.attempt + 1 if attempt is None else attempt,
        is_acting=False,
        is_fresh=False,
        probe_result=None,
        failure=None,
        has_result=False,
        verification=None,
        undo_failure=None,
    )


def with_new_runner(step: StepView, *, is_new_boot: bool) -> StepView:
    """Return a step as a new runner finds it: what was open is unknown, and each check has to be repeated."""
    stale_step = replace(
        step, is_fresh=False, probe_result=None, consent=None if is_new_boot else step.consent
    )
    if step.is_acting:
        return replace(stale_step, state=StepState.UNKNOWN, is_acting=False, failure=None)
    if step.state is StepState.UNKNOWN:
        return replace(stale_step, verification=None)
    return stale_step


def resume(step: StepView) -> StepView:
    """Return a step of a run that an operator lets go on: a failed one is tried again, an unknown one is probed again."""
    if step.is_acting or step.state is StepState.UNKNOWN:
        # The operator who says so knows that it was interrupted: if a probe shows that it is not done, it may act again.
        return replace(step, probe_result=None, verification=None, consent=Consent("", is_retry=True))
    if step.state is StepState.FAILED:
        return replace(again(step), retries=0, consent=None)
    if step.state is StepState.WAITING:
        return replace(step, state=StepState.PENDING, is_fresh=False)
    return step


def redo(step: StepView) -> StepView:
    """Return a step that is to be done once more because it, or one before it, was undone."""
    if step.state is StepState.PENDING:
        return step
    return replace(
        again(step), consent=None, intent=None, retries=0, results=(), skipped_because="", outputs=NOTHING
    )


def decide(step: StepView, event: events.Decided, entry: events.LogEntry) -> StepView:
    """Return a step about which somebody decided."""
    decisions = (*step.decisions, Decision(event.choice, event.who, entry.at, event.reason))
    step = replace(step, decisions=decisions, is_fresh=False)
    match event.choice:
        case events.Choice.CONFIRM:
            return replace(step, state=StepState.PENDING, consent=Consent(event.digest))
        case events.Choice.RETRY:
            return replace(again(step), consent=Consent(event.digest, is_retry=True), retries=0)
        case events.Choice.SKIP:
            # Nor does it act any longer: else the next runner would take it for one that was interrupted.
            return replace(
                step,
                state=StepState.SKIPPED,
                skipped_because=event.reason,
                ended_at=entry.at,
                is_acting=False,
            )
    return step


def after(step: StepView, event: Any, entry: events.LogEntry) -> StepView:
    """Return a step after an event of its own; one after any other event is as it was."""
    change = _CHANGES.get(type(event))
    return step if change is None else change(step, event, entry)


def _prepare(step: StepView, event: events.Prepared, entry: events.LogEntry) -> StepView:
    step = replace(step, preparation=event, is_fresh=True, began_at=step.began_at or entry.at)
    if event.probe.answer is not Answer.YES:
        return step
    return replace(step, has_result=True, verification=None, outputs=step.outputs or event.probe.evidence)


def _probe(step: StepView, event: events.Probed, _entry: events.LogEntry) -> StepView:
    step = replace(step, probe_result=event.found)
    if event.found.answer is not Answer.YES or step.is_being_undone:
        return step
    return replace(step, has_result=True, verification=None, outputs=step.outputs or event.found.evidence)


def _expire_consent(step: StepView, _event: events.ConsentExpired, _entry: events.LogEntry) -> StepView:
    return replace(step, consent=None)


def _begin_act(step: StepView, event: events.Intended, entry: events.LogEntry) -> StepView:
    return replace(
        step,
        state=StepState.RUNNING,
        intent=event,
        is_acting=True,
        has_begun=True,
        is_fresh=False,
        probe_result=None,
        failure=None,
        has_result=False,
        verification=None,
        results=(),
        outputs=NOTHING,
        began_at=step.began_at or entry.at,
        took_s=0.0,
        act_spans=(*step.act_spans, ActSpan(entry.at)),
        outage=restart_outage(step.outage),
    )


def _close_span(
    step: StepView, entry: events.LogEntry, outputs: Mapping[str, Json] = NOTHING, *, has_succeeded: bool
) -> StepView:
    if not step.act_spans or step.act_spans[-1].ended_at is not None:
        return step
    *earlier_spans, span = step.act_spans
    closed = replace(span, ended_at=entry.at, outputs=outputs, has_succeeded=has_succeeded)
    return replace(step, act_spans=(*earlier_spans, closed))


def _succeed(step: StepView, event: events.Succeeded, entry: events.LogEntry) -> StepView:
    step = _close_span(step, entry, event.outputs, has_succeeded=True)
    return replace(
        step, is_acting=False, outputs=event.outputs, has_result=True, verification=None, took_s=event.took_s
    )


def _fail(step: StepView, event: events.Failed, entry: events.LogEntry) -> StepView:
    if step.is_acting:
        step = _close_span(step, entry, has_succeeded=False)
    if event.was_stopped:
        return again(step)
    return replace(
        step,
        state=StepState.FAILED if event.is_known else StepState.UNKNOWN,
        is_acting=False,
        is_fresh=False,
        failure=Failure(event.sentence, event.hint),
        ended_at=entry.at,
        took_s=event.took_s or step.took_s,
    )


def _verify(step: StepView, event: events.Verified, entry: events.LogEntry) -> StepView:
    wrong = " ".join(
        result.found.sentence for result in event.results if result.found.answer is not Answer.YES
    )
    return replace(
        step,
        state=STATES[event.answer],
        is_fresh=False,
        failure=None if event.answer is Answer.YES else Failure(wrong),
        verification=event.answer,
        results=event.results,
        act_spans=_with_running(step, event, entry),
        outage=settle_outage(step.outage, entry.at) if event.answer is Answer.YES else step.outage,
        ended_at=entry.at,
        took_s=step.took_s + event.took_s,
    )


def _with_running(step: StepView, event: events.Verified, entry: events.LogEntry) -> tuple[ActSpan, ...]:
    """Return the acts of a step, the last one with the services that its verification saw running as before."""
    lists = [result.found.evidence.get(RUNNING) for result in event.results]
    names = [str(name) for running in lists if isinstance(running, list | tuple) for name in running]
    if not names or not step.act_spans:
        return step.act_spans
    *earlier_spans, span = step.act_spans
    # What an earlier verification saw, it saw sooner.
    return (*earlier_spans, replace(span, running_at={**dict.fromkeys(names, entry.at), **span.running_at}))


def _retry(step: StepView, event: events.Retried, _entry: events.LogEntry) -> StepView:
    consent = step.consent if event.is_counted or not step.head.needs_word else None
    return replace(
        again(step, attempt=event.attempt), consent=consent, retries=step.retries + event.is_counted
    )


def _skip(step: StepView, event: events.NotApplicable, entry: events.LogEntry) -> StepView:
    return replace(
        step,
        state=StepState.SKIPPED,
        skipped_because=event.sentence,
        is_inapplicable=True,
        ended_at=entry.at,
    )


def _begin_undo(step: StepView, _event: events.UndoIntended, entry: events.LogEntry) -> StepView:
    return replace(
        step,
        is_being_undone=True,
        undo_failure=None,
        probe_result=None,
        is_acting=False,
        act_spans=(*step.act_spans, ActSpan(entry.at, is_undo=True)),
        outage=restart_outage(step.outage),
    )


def _end_undo(step: StepView, event: events.Undone, entry: events.LogEntry) -> StepView:
    return replace(
        _close_span(step, entry, event.outputs, has_succeeded=True),
        state=StepState.UNDONE,
        is_being_undone=False,
        is_fresh=False,
        has_begun=False,
        has_result=False,
        verification=None,
        consent=None,
        outage=settle_outage(step.outage, entry.at),
        ended_at=entry.at,
        took_s=event.took_s,
    )


def _fail_undo(step: StepView, event: events.UndoFailed, entry: events.LogEntry) -> StepView:
    failure = Failure(event.sentence, event.hint)
    step = _close_span(step, entry, has_succeeded=False)
    return replace(
        step, state=StepState.FAILED, is_being_undone=False, undo_failure=failure, ended_at=entry.at
    )


def _begin_change(step: StepView, event: events.ChangeBegan, entry: events.LogEntry) -> StepView:
    changed_object = ChangedObject(entry.number, event.kind, event.object_id, event.what)
    return replace(step, changed_objects=(*step.changed_objects, changed_object))


def _end_change(step: StepView, event: events.ChangeEnded, _entry: events.LogEntry) -> StepView:
    changed_objects = tuple(
        replace(changed_object, is_finished=True)
        if changed_object.number == event.changed_object
        else changed_object
        for changed_object in step.changed_objects
    )
    return replace(step, changed_objects=changed_objects)


def _store_daemon_log(step: StepView, event: events.DaemonLogged, _entry: events.LogEntry) -> StepView:
    return replace(step, daemon_log=event.lines)


def _progress_outage(step: StepView, event: events.OutageProgressed, entry: events.LogEntry) -> StepView:
    return replace(step, outage=advance_outage(step.outage, event, entry.at))


def _add_waits(step: StepView, event: events.Waited, entry: events.LogEntry) -> StepView:
    return replace(step, waits=merge_rows((*step.waits, *event.rows)), waits_logged_at=entry.at)


_CHANGES: dict[type[Any], Callable[[StepView, Any, events.LogEntry], StepView]] = {
    events.Prepared: _prepare,
    events.Probed: _probe,
    events.ConsentExpired: _expire_consent,
    events.Intended: _begin_act,
    events.Succeeded: _succeed,
    events.Failed: _fail,
    events.Verified: _verify,
    events.Retried: _retry,
    events.NotApplicable: _skip,
    events.UndoIntended: _begin_undo,
    events.Undone: _end_undo,
    events.UndoFailed: _fail_undo,
    events.ChangeBegan: _begin_change,
    events.ChangeEnded: _end_change,
    events.DaemonLogged: _store_daemon_log,
    events.Waited: _add_waits,
    events.OutageProgressed: _progress_outage,
}

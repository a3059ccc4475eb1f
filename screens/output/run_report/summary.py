"""A run in its few most important facts. Pure; `lines` makes text of them."""

from collections.abc import Iterator
from datetime import datetime

from console.frozen import frozen
from console.rehearsal.forecast import Forecast
from console.runbook.language.values import Answer
from console.runbook.run.comparison import Comparison, comparisons
from console.runbook.run.downtime import Downtime, downtime_of
from console.runbook.run.events import QuestionKind
from console.runbook.run.view import Decision, RunState, RunView, StepState, StepView, StoredRun
from screens.output.run_report.expectation import Expectation, expectation_of


@frozen
class SkippedSteps:
    """Steps that were skipped for one reason."""

    steps: tuple[str, ...]
    reason: str


@frozen
class RunSummary:
    """The facts."""

    run_id: str
    title: str
    outcome: str
    """One word in capitals: `DONE`, `UNDONE`, `WAITING`."""
    exit_code: int
    details: tuple[str, ...]
    """What follows the outcome: where the run is and why, each a sentence or a part of one."""
    operator: str
    began_at: datetime
    last_at: datetime
    is_over: bool
    downtime: Downtime
    expectation: Expectation | None
    """How long services were expected to be down; None where nothing foretold it."""
    comparisons: tuple[Comparison, ...]
    decisions: tuple[tuple[str, Decision], ...]
    """By step, in the order in which they were made."""
    skipped_steps: tuple[SkippedSteps, ...]
    not_reached: tuple[str, ...]
    not_checked: tuple[str, ...]
    """What was asked for and could not be told, each a sentence behind its step."""
    next_command: str


def summary_of(stored_run: StoredRun, forecast: Forecast | None = None) -> RunSummary:
    """Return the facts of a run; `forecast` is of the rehearsal that was about it, if any."""
    view = stored_run.view
    decisions = [(step.id, decision) for step in view.steps for decision in step.decisions]
    return RunSummary(
        run_id=view.header.run_id,
        title=view.header.title,
        outcome=outcome_word(stored_run),
        exit_code=stored_run.exit_code,
        details=tuple(_details(stored_run)),
        operator=str(view.who),
        began_at=view.began_at,
        last_at=view.at or view.began_at,
        is_over=view.is_over,
        downtime=downtime_of(view.steps),
        expectation=expectation_of(view, forecast),
        comparisons=comparisons(view.steps),
        decisions=tuple(sorted(decisions, key=lambda item: item[1].at)),
        skipped_steps=_skipped_steps(view),
        not_reached=tuple(step.id for step in view.steps if _is_not_reached(step)),
        not_checked=tuple(f"{step.id}: {gap}" for step in view.steps for gap in dict.fromkeys(_gaps(step))),
        next_command=_next_command(stored_run),
    )


def outcome_word(stored_run: StoredRun) -> str:
    """Return how far a run is, as one word in capitals."""
    if stored_run.is_interrupted:
        return "INTERRUPTED"
    state = stored_run.view.state
    return "UNDER WAY" if state is RunState.GOING else str(state).upper()


def _details(stored_run: StoredRun) -> Iterator[str]:
    view = stored_run.view
    counts = {state: sum(step.state is state for step in view.steps) for state in StepState}
    parts = [
        f"{count} {state}"
        for state, count in counts.items()
        if count and state in (StepState.DONE, StepState.SKIPPED, StepState.UNDONE, StepState.FAILED)
    ]
    yield f"{len(view.steps)} steps: {', '.join(parts) or 'none done'}."
    current = view.current
    if not view.is_over and current is not None:
        yield f"It is at step {current.id}."
    if view.is_in_outage:
        yield "SERVICES MAY BE DOWN."
    if stored_run.is_interrupted:
        yield "The runner process has died."
    if view.stop_reason is not None and view.state is not RunState.DONE:
        yield view.stop_reason.sentence
    if view.question is not None and not view.is_over:
        event = view.question.event
        is_go_ahead = event.kind is QuestionKind.GO_AHEAD
        yield (
            f"It asks whether {event.step} may begin."
            if is_go_ahead
            else f"It asks what to do about {event.step}."
        )
    yield from _failures(view)
    if view.abandonment:
        yield view.abandonment
    if view.blocks:
        yield "It blocks other commands that change the swarm."


def _failures(view: RunView) -> Iterator[str]:
    stop = "" if view.stop_reason is None else view.stop_reason.sentence
    for step in view.steps:
        for what, failure in (("failed", step.failure), ("could not be undone", step.undo_failure)):
            if failure is not None and failure.sentence not in stop:
                yield f"{step.id} {what}: {failure.sentence}"


def _skipped_steps(view: RunView) -> tuple[SkippedSteps, ...]:
    by_reason: dict[str, list[str]] = {}
    for step in view.steps:
        if step.state is StepState.SKIPPED:
            by_reason.setdefault(step.skipped_because, []).append(step.id)
    return tuple(SkippedSteps(tuple(steps), reason) for reason, steps in by_reason.items())


def _is_not_reached(step: StepView) -> bool:
    return step.state is StepState.PENDING and not step.act_spans


def _gaps(step: StepView) -> Iterator[str]:
    """Yield what a step was to check, or to measure, and could not."""
    if step.state is StepState.SKIPPED or _is_not_reached(step):
        return
    checks = [result.found for result in step.results]
    if step.preparation is not None:
        checks += [require.found for require in step.preparation.requires]
        checks += step.preparation.plan.checked if step.preparation.plan is not None else ()
    yield from (
        check.sentence for check in checks if check.answer is Answer.CANNOT_TELL or check.nothing_checked
    )
    if "leaked" in step.outputs and step.outputs["leaked"] is None:
        yield str(step.outputs.get("verdict") or "The leaks are unknown.")


def _next_command(stored_run: StoredRun) -> str:
    view, run = stored_run.view, stored_run.view.header.run_id
    if view.is_over:
        return f"vipconsole abandon {run}" if view.blocks else ""
    if stored_run.is_interrupted or view.state is RunState.STOPPED:
        return f"vipconsole resume {run}"
    return f"vipconsole attach {run}"

"""The plan of a run before it starts: on one screen, whole with every call, and as JSON. Does not load Rich."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, TextIO

from console.durations import duration
from console.runbook.language.values import ActionPlan, Runbook
from console.runbook.runner.creation import StepPlan, refusals
from screens.output.plain import json_text, say, size_of
from screens.output.run_lines import MARKS
from screens.present.plan import overview, plan_screen
from screens.present.step_plan import downtime_sentence, group_calls

SCHEMA = "vipconsole.plan/1"
HEIGHT_WITHOUT_TERMINAL = 40


def show_plan(runbook: Runbook, plans: tuple[StepPlan, ...], host: str, stream: TextIO) -> None:
    """Write the plan of a run on one screen of the terminal."""
    width, height = size_of(stream)
    say(plan_screen(runbook, plans, host, width, height or HEIGHT_WITHOUT_TERMINAL), stream)


def show_check(
    runbook: Runbook, plans: tuple[StepPlan, ...], host: str, *, is_json: bool, with_calls: bool
) -> None:
    """Write what `run --check` is asked for to standard output."""
    if is_json:
        sys.stdout.write(plan_as_json(runbook, plans, host))
        return
    show_plan(runbook, plans, host, sys.stdout)
    if with_calls:
        say(every_step(plans))


def exit_code(plans: tuple[StepPlan, ...]) -> int:
    """Return the exit code of `run --check`: 2 where the run would be refused as things are now."""
    return 2 if refusals(plans) else 0


def plan_as_json(runbook: Runbook, plans: tuple[StepPlan, ...], host: str) -> str:
    """Return the plan as one ASCII document, with every call."""
    document = {
        "schema": SCHEMA,
        "title": runbook.title,
        "runbook": {"id": runbook.id, "source": runbook.source, "sha256": runbook.digest},
        "engine": host,
        "exit_code": exit_code(plans),
        "would_stop_at": next((step for step, _ in refusals(plans)), None),
        "overview": asdict(overview(plans)),
        "steps": [_step(plan) for plan in plans],
    }
    return json_text(document)


def _step(step_plan: StepPlan) -> dict[str, Any]:
    step, head, plan = step_plan.step, step_plan.head, step_plan.plan
    return {
        "id": step.id,
        "title": step.title,
        "action": head.action,
        "effect": str(head.effect),
        "is_checkpoint": step.is_checkpoint,
        "word": step_plan.word or None,
        "requires": [*step.requires_steps, *(call.name for call in step.requires)],
        "verified_by": [call.name for call in step.verify],
        "can_be_undone": head.changes and not head.no_undo_because,
        "no_undo_because": head.no_undo_because or None,
        "timeout_s": step.timeout_s,
        "on_failure": str(step.on_failure),
        "waits_for": step_plan.waits_for or None,
        "rehearsed_s": step_plan.rehearsed_s,
        "former_s": step_plan.former_s,
        "plan": None if plan is None else _plan(plan),
    }


def _plan(plan: ActionPlan) -> dict[str, Any]:
    return {
        "summary": plan.summary,
        "reads": list(plan.reads),
        "changes": list(plan.changes),
        "calls": list(plan.calls),
        "calls_grouped": list(group_calls(plan.calls)),
        "checked": [{"answer": str(result.answer), "sentence": result.sentence} for result in plan.checked],
        "not_checked": [asdict(part) for part in plan.not_checked],
        "refused": list(plan.refused),
        "skipped_because": plan.not_applicable or None,
        "no_return": plan.no_return or None,
        "outage_s": plan.outage_s,
        "downtimes": [asdict(downtime) for downtime in plan.downtimes],
    }


def every_step(plans: tuple[StepPlan, ...]) -> Iterator[str]:
    """Yield all that is known of every step, with every call."""
    for number, step_plan in enumerate(plans, 1):
        yield ""
        yield f"{number}. {step_plan.step.id}: {step_plan.step.title} [{step_plan.head.action}, {step_plan.head.effect}]"
        if step_plan.step.is_checkpoint:
            yield "  CHECKPOINT: the run stops before this step"
        if step_plan.word:
            yield f"  asks for the word  {step_plan.word}"
        if step_plan.plan is not None:
            yield from _plan_lines(step_plan.plan)
        else:
            yield f"  {step_plan.waits_for}"
        yield from _conditions(step_plan)


def _plan_lines(plan: ActionPlan) -> Iterator[str]:
    yield f"  {plan.summary}"
    yield from (f"  reads    {read}" for read in plan.reads)
    yield from (f"  changes  {change}" for change in plan.changes)
    yield from (f"  calls    {call}" for call in plan.calls)
    yield from (f"  checked  {MARKS[result.answer]}: {result.sentence}" for result in plan.checked)
    yield from (f"  NOT CHECKED  {part.what}: {part.why}" for part in plan.not_checked)
    yield from (f"  REFUSED  {refusal}" for refusal in plan.refused)
    if plan.not_applicable:
        yield f"  skipped: {plan.not_applicable}"
    if plan.downtimes:
        yield f"  OUTAGE   {downtime_sentence(plan.downtimes)}"
        yield from (
            f"  down     {downtime.service}, about {duration(downtime.seconds)}"
            for downtime in plan.downtimes
        )
    elif plan.outage_s is not None:
        yield f"  OUTAGE   services are down for about {duration(plan.outage_s)}"
    if plan.no_return:
        yield f"  POINT OF NO RETURN: {plan.no_return}"


def _conditions(step_plan: StepPlan) -> Iterator[str]:
    step = step_plan.step
    needs = [*step.requires_steps, *(call.name for call in step.requires)]
    if needs:
        yield f"  requires {', '.join(needs)}, checked immediately before the step acts"
    if step.verify:
        yield f"  verified by {', '.join(call.name for call in step.verify)}"
    why = step_plan.head.no_undo_because
    # The plan of the step may contain the same sentence.
    if step_plan.head.changes and not (
        why and step_plan.plan is not None and step_plan.plan.no_return == why
    ):
        yield f"  cannot be undone: {why}" if why else "  can be undone"
    yield f"  time limit {duration(step.timeout_s)}; on failure: {step.on_failure}"

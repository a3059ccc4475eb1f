"""The plan of a whole run, as text."""

from collections.abc import Iterator

from console.runbook.language.values import Effect, Runbook
from console.runbook.runner.creation import StepPlan, refusals
from console.text import duration, plural
from screens.printed.run_lines import plan_lines


def whole_plan(runbook: Runbook, plans: tuple[StepPlan, ...], host: str) -> Iterator[str]:
    """Yield what would be done, step by step."""
    yield f"{runbook.title} ({runbook.id}, {runbook.source}, sha256 {runbook.digest[:12]}) at {host}"
    for number, each in enumerate(plans, 1):
        yield ""
        yield f"{number}. {each.step.id}: {each.step.title} [{each.head.action}, {each.head.effect}]"
        if each.step.is_checkpoint:
            yield "  CHECKPOINT: the run stops in front of it"
        if each.word:
            yield f"  asks for the word  {each.word}"
        if each.plan is not None:
            yield from plan_lines(each.plan)
        else:
            yield f"  {each.waits_for}"
        yield from _around(each)
    yield ""
    changing = sum(each.head.effect is not Effect.READ for each in plans)
    yield f"{plural(len(plans), 'step')}, {changing} of them change something."
    refused = refusals(plans)
    if refused:
        yield f"As things are now, it would stop at {refused[0][0]}: {refused[0][1]}"


def _around(each: StepPlan) -> Iterator[str]:
    step = each.step
    needs = [*step.requires_steps, *(call.name for call in step.requires)]
    if needs:
        yield f"  requires {', '.join(needs)}, looked at immediately before it acts"
    if step.verify:
        yield f"  verified by {', '.join(call.name for call in step.verify)}"
    why = each.head.no_undo_because
    # The plan of the step may have said so already.
    if each.head.changes and not (why and each.plan is not None and each.plan.no_return == why):
        yield f"  cannot be undone: {why}" if why else "  can be undone"
    yield f"  within {duration(step.timeout_s)}; on failure: {step.on_failure}"

"""The plan of a whole run: everything that is known before anything is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.errors import HostError, RunbookError
from console.operations.changes import Touches
from console.runbook.actions.base import Blocking, Touched
from console.runbook.actions.registry import action_of
from console.runbook.answers import Planned
from console.runbook.run.header import StepHead
from console.runbook.runner.context import NoTouches
from console.runbook.runner.looking import planned
from console.runbook.runner.resolving import ready, word_of
from console.runbook.runner.world import RunWorld
from console.runbook.substitution import Names, unfilled
from console.runbook.values import Effect, Json, Runbook, Step

NOT_BEGUN = "not-begun"
"""Stands for the run's name in a plan."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What is known of a step before the run."""

    step: Step
    head: StepHead
    word: str = ""
    """What is typed before it begins."""
    plan: Planned | None = None
    waits_for: str = ""
    """Why there is no plan yet, a sentence: it needs what an earlier step comes to."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What an action is given that only tells what it would do, outside of any run."""

    world: RunWorld
    timeout_s: float
    run_id: str = NOT_BEGUN
    touches: Touches = field(default_factory=NoTouches)
    touched: tuple[Touched, ...] = ()

    async def say(self, line: str) -> None:
        """Drop it: nobody watches."""

    async def waits_for(self, blocking: Sequence[Blocking], note: str = "") -> None:
        """Drop it: a plan does not wait."""

    async def keep(self, name: str, text: str) -> str:
        """Refuse: there is no run to keep anything with."""
        raise HostError(f"There is no run yet that {name} ({len(text)} characters) could be kept with.")


async def plan_of(runbook: Runbook, variables: Mapping[str, Json], world: RunWorld) -> tuple[StepPlan, ...]:
    """Return what every step would do, as of now. Reads only. Raises RunbookError for a value that cannot be used."""
    run: Mapping[str, Json] = {"id": NOT_BEGUN, "started_at": NOT_BEGUN, "engine": world.host}
    names = Names(variables, {}, run)
    return tuple([await _plan_of(each, names, world) for each in runbook.steps])


async def _plan_of(step: Step, names: Names, world: RunWorld) -> StepPlan:
    head = head_of(step)
    _, call = action_of(step)
    missing = unfilled(call, names)
    if missing:
        return StepPlan(step, head, waits_for=f"It is planned when {', '.join(map(str, missing))} is known.")
    plan = await planned(PlanContext(world, step.timeout_s), ready(step, names))
    try:
        word = word_of(step, names)
    except RunbookError:
        word = step.confirm
    return StepPlan(step, head, word, plan)


def head_of(step: Step) -> StepHead:
    """Return what is known of a step from its runbook and its action. Raises RunbookError for an unknown action."""
    action, call = action_of(step)
    no_undo = "" if step.undo.call is not None else step.undo.none_because or action.no_undo_because
    return StepHead(
        id=step.id,
        title=step.title,
        action=call.name,
        effect=action.effect,
        is_manual=step.action is None,
        is_checkpoint=step.is_checkpoint,
        needs_word=bool(step.confirm),
        may_retry=action.may_retry,
        retries=step.retries,
        retry_every_s=step.retry_every_s,
        timeout_s=step.timeout_s,
        on_failure=step.on_failure,
        no_undo_because=no_undo,
    )


def changes_anything(plans: tuple[StepPlan, ...]) -> bool:
    """Whether any step of a plan changes something."""
    return any(each.head.effect is not Effect.READ for each in plans)


def refusals(plans: tuple[StepPlan, ...]) -> tuple[tuple[str, str], ...]:
    """Return what must not be done as things are now, and why, by step."""
    return tuple((each.step.id, why) for each in plans if each.plan is not None for why in each.plan.refused)

"""Plans a whole run, and creates it: its directory, its header, its first event. The swarm stays as it is."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

from console import __version__
from console.errors import Declined, HostError, RunbookError
from console.frozen import frozen
from console.host.identity import boot_id
from console.host.who import Who
from console.operations.changes import ChangeRecorder
from console.operations.outage import OutageReport
from console.runbook.actions.registry import action_of
from console.runbook.contracts import Blocking, ChangeRecord, Measure
from console.runbook.language.source import read_bytes
from console.runbook.language.substitution import Names, Reference, missing_references
from console.runbook.language.values import ActionPlan, Json, Runbook, Step
from console.runbook.run import events
from console.runbook.run.header import RunHeader, StepHeader
from console.runbook.run.view import Live, RunView, StepView, StoredRun
from console.runbook.runner.context import NoChanges, RunWorld, ready_action, word_of
from console.runbook.runner.gate import where_this_is
from console.runbook.runner.inspection import plan_action
from console.runbook.store.folders import create_run, new_run_id, store_runbook
from console.text import SENTENCE_LIMIT, clean, listed

NOT_BEGUN = "not-begun"
"""Stands for the run's name in a plan."""


@frozen
class StepPlan:
    """What is known of a step before the run."""

    step: Step
    head: StepHeader
    word: str = ""
    """The word typed before it begins."""
    plan: ActionPlan | None = None
    waits_for: str = ""
    """Why there is no plan yet, a sentence: it needs an output of an earlier step."""
    rehearsed_s: float | None = None
    """How long its services were down in a rehearsal of the same plan."""
    former_s: float | None = None
    """How long it took in an earlier run; where it takes services down, how long these were."""

    @property
    def is_skipped(self) -> bool:
        """Whether the step does not apply on this host."""
        return self.plan is not None and bool(self.plan.not_applicable)


@frozen
class PlanContext:
    """What an action is given that only tells what it would do, outside of any run."""

    world: RunWorld
    timeout_s: float
    run_id: str = NOT_BEGUN
    change_recorder: ChangeRecorder = field(default_factory=NoChanges)
    recorded_changes: tuple[ChangeRecord, ...] = ()

    async def say(self, line: str) -> None:
        """Drop it: nobody watches."""

    async def waits_for(
        self, blocking: Sequence[Blocking], note: str = "", measure: Measure | None = None
    ) -> None:
        """Drop it: a plan does not wait."""

    async def report_outage(self, report: OutageReport) -> None:
        """Drop it: a plan takes nothing down."""

    async def keep(self, name: str, text: str) -> str:
        """Refuse: there is no run to keep anything with."""
        raise HostError(f"No run exists yet, so {name} ({len(text)} characters) cannot be stored with one.")


async def plan_of(runbook: Runbook, variables: Mapping[str, Json], world: RunWorld) -> tuple[StepPlan, ...]:
    """Return what every step would do, as of now. Reads only. Raises RunbookError for a value that cannot be used."""
    run: Mapping[str, Json] = {"id": NOT_BEGUN, "started_at": NOT_BEGUN, "engine": world.host}
    names = Names(variables, {}, run)
    plans: list[StepPlan] = []
    for step in runbook.steps:
        plans.append(await _plan_of(step, names, world, plans))
    return tuple(plans)


async def _plan_of(step: Step, names: Names, world: RunWorld, earlier: Sequence[StepPlan]) -> StepPlan:
    head = head_of(step)
    _, call = action_of(step)
    try:
        word = word_of(step, names)
    except RunbookError:
        word = step.confirm
    missing = missing_references(call, names)
    if missing:
        skipped = next((plan for plan in earlier if plan.is_skipped and plan.step.id in _ids(missing)), None)
        if skipped is not None:
            reason = f"It needs {skipped.step.id}, which is skipped."
            return StepPlan(step, head, word, ActionPlan(step.title, not_applicable=reason))
        return StepPlan(step, head, word, waits_for=f"Its plan needs {', '.join(map(str, missing))}.")
    plan = await plan_action(PlanContext(world, step.timeout_s), ready_action(step, names))
    return StepPlan(step, head, word, plan)


def _ids(references: Iterable[Reference]) -> set[str]:
    return {reference.step for reference in references}


def head_of(step: Step) -> StepHeader:
    """Return what is known of a step from its runbook and its action. Raises RunbookError for an unknown action."""
    action, call = action_of(step)
    no_undo = "" if step.undo.call is not None else step.undo.none_because or action.no_undo_because
    return StepHeader(
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


def preview_run(runbook: Runbook, now: datetime) -> StoredRun:
    """Return the run that would begin now, as far as the runbook alone tells. Raises RunbookError for an unknown action."""
    header = RunHeader(
        run_id="",
        runbook_id=runbook.id,
        title=clean(runbook.title, SENTENCE_LIMIT),
        digest=runbook.digest,
        source=runbook.source,
        host="",
        machine_id="",
        boot_id="",
        cluster_id="",
        node_id="",
        engine_name="",
        engine_version="",
        tool_version=__version__,
    )
    heads = (replace(head_of(step), title=clean(step.title, SENTENCE_LIMIT)) for step in runbook.steps)
    return StoredRun(RunView(header, Who(""), now, tuple(map(StepView, heads))), Live(), runbook)


def refusals(plans: tuple[StepPlan, ...]) -> tuple[tuple[str, str], ...]:
    """Return what must not be done as things are now, and why, by step."""
    return tuple((plan.step.id, why) for plan in plans if plan.plan is not None for why in plan.plan.refused)


async def begin_run(
    state: Path, runbook: Runbook, variables: Mapping[str, Json], world: RunWorld, who: Who
) -> Path:
    """Make the folder of a new run and return it. Raises HostError, RunbookError, and an EngineError or SwarmError."""
    clock = world.clock
    place = await where_this_is(world.reader)
    source = str(await asyncio.to_thread(Path(runbook.source).absolute))
    data = await asyncio.to_thread(_read_unchanged, runbook)
    now = clock.now()
    header = RunHeader(
        run_id=await asyncio.to_thread(new_run_id, state, runbook.id, now),
        runbook_id=runbook.id,
        title=runbook.title,
        digest=runbook.digest,
        source=source,
        host=world.host,
        machine_id=place.machine_id,
        boot_id=boot_id(),
        cluster_id=place.engine.cluster_id,
        node_id=place.engine.node_id,
        engine_name=place.engine.name,
        engine_version=place.engine.version,
        tool_version=__version__,
        variables=variables,
        # Who is told is no matter of a run, and a webhook may hold a secret.
        settings=replace(world.settings, alert=()),
    )
    heads = tuple(head_of(step) for step in runbook.steps)
    return await asyncio.to_thread(create_run, state, events.Began(header, heads, who), data, now)


def accept_runbook(
    view: RunView, folder: Path, runbook: Runbook, variables: Mapping[str, Json], who: Who
) -> events.Accepted:
    """Return the event with which a changed runbook takes the place of the one that was planned, and keep it; blocks.

    Raises Declined where it does not fit what was done already.
    """
    heads = tuple(head_of(step) for step in runbook.steps)
    why = _misfit(view, heads)
    if why:
        raise Declined(why, "Undo what was done, or abandon the run, then start another run.")
    store_runbook(folder, runbook.digest, _read_unchanged(runbook))
    return events.Accepted(who, runbook.digest, heads, variables)


def _misfit(view: RunView, heads: Sequence[StepHeader]) -> str:
    """Return why other steps cannot go on where a run is, a sentence, or nothing."""
    positions = [at for at, step in enumerate(view.steps) if step.is_settled or step.has_begun]
    before = view.steps[: positions[-1] + 1] if positions else ()
    for at, step in enumerate(before):
        if at >= len(heads) or heads[at].id != step.id or heads[at].action != step.head.action:
            ids = listed([step_view.id for step_view in before], 10)
            return (
                f"The changed runbook does not begin with the steps that were started ({ids}), in this "
                f"order and with the same actions: {step.id} is missing, moved, or does something else."
            )
    return ""


def new_variables(view: RunView, runbook: Runbook) -> Mapping[str, Json]:
    """Return the variables of a changed runbook: as they were set, and as it says where it has new ones.

    Raises RunbookError for a new one that has no default.
    """
    values = {
        variable.name: view.header.variables.get(variable.name, variable.default)
        for variable in runbook.variables
    }
    unset = [name for name, value in values.items() if value is None]
    if unset:
        raise RunbookError(
            f"The changed runbook has variables without a value: {listed(unset)}.", "Give each a default."
        )
    return values


def _read_unchanged(runbook: Runbook) -> bytes:
    data = read_bytes(Path(runbook.source))
    if hashlib.sha256(data).hexdigest() != runbook.digest:
        raise RunbookError(f"The runbook {runbook.source} was changed while it was read.", "Try again.")
    return data

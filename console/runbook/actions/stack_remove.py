"""Removes stacks without losing addresses: with the operation that `vipconsole stack-rm` uses."""

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.durations import duration
from console.errors import Declined, StepFailed, UsageError
from console.operations.changes import ChangeRecorder
from console.operations.stack_removal.plan import RemovalPlan, plan_removal
from console.operations.stack_removal.removal import RemovalOutcome, RemovalState, Remover, StackRemoval
from console.runbook.answers import cannot_tell_on_error, check_result, time_to_wait_s
from console.runbook.contracts import ActionPlan, CheckResult, Context, Name, Parameters
from console.runbook.language.values import NOTHING, Effect, Json
from console.swarm.model import ObjectKind
from console.text import listed, plural

NAMED = 8


class StackRemoveParameters(Parameters):
    """Which stacks."""

    stacks: list[Name] = Field(min_length=1, max_length=500, description="The names of the stacks.")


class StackRemove:
    """Stacks are removed in the order that loses no address: services, then a wait until nothing runs, then the rest."""

    name: ClassVar[str] = "stack.remove"
    effect: ClassVar[Effect] = Effect.OUTAGE
    parameters: ClassVar[type[BaseModel]] = StackRemoveParameters
    # It only ever removes what it sees, and sees first.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = "To bring a stack back, deploy it again with its own files."
    outputs: ClassVar[tuple[str, ...]] = ("removed", "kept")

    async def plan(self, context: Context, parameters: StackRemoveParameters) -> ActionPlan:
        """Tell what of each stack is removed, what is kept and why, and how long it may take."""
        plan = await _plan(context, parameters)
        if plan is None:
            sentence = f"{listed(parameters.stacks, NAMED)} not found (already removed or misspelled)."
            return ActionPlan(sentence, checked=(check_result(False, sentence),))
        missing = [
            check_result(False, f"{stack} not found (already removed or misspelled).")
            for stack in plan.absent
        ]
        needs_s = max(stack.grace_s for stack in plan.stacks)
        short = f"One of its containers may take {duration(needs_s)} to stop, longer than the step's timeout."
        return ActionPlan(
            f"Remove {listed([stack.name for stack in plan.stacks], NAMED)} without leaking an address.",
            reads=("services, tasks, networks, secrets, configs and containers",),
            changes=tuple(_changes(plan)),
            calls=tuple(
                f"DELETE /{stack_object.kind}s/{stack_object.id}"
                for stack in plan.stacks
                for stack_object in stack.objects
            ),
            checked=tuple(missing),
            refused=(short,) if needs_s >= time_to_wait_s(context) else (),
            no_return=self.no_undo_because,
            outage_s=None,
            basis={"objects": [*sorted(plan.object_ids)]},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: StackRemoveParameters) -> CheckResult:
        """Tell whether nothing is left of the stacks but what others use."""
        remaining = _remaining(await _plan(context, parameters))
        names = listed(parameters.stacks, NAMED)
        return check_result(
            not remaining,
            f"Still there of {names}: {listed(remaining, NAMED)}."
            if remaining
            else f"{names}: nothing is left to remove.",
        )

    async def act(self, context: Context, parameters: StackRemoveParameters) -> Mapping[str, Json]:
        """Remove the stacks, or what an earlier attempt left of them."""
        reader = context.world.reader
        try:
            plan = plan_removal(parameters.stacks, await reader.stack_snapshot(), time_to_wait_s(context))
        except UsageError:
            return {"removed": [], "kept": []}
        remover = _RecordingRemover(context.world.changer(), context.change_recorder, plan)
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        removal = StackRemoval(
            plan, reader, remover, context.world.clock, lambda outcome: lines.put_nowait(_progress(outcome))
        )
        telling = asyncio.create_task(_tell(context, lines))
        try:
            outcomes = await removal.run()
        finally:
            lines.put_nowait(None)
            await telling
        remaining = [outcome for outcome in outcomes if outcome.state is not RemovalState.REMOVED]
        if remaining:
            raise StepFailed(
                " ".join(_unfinished_sentence(outcome) for outcome in remaining),
                "To remove the rest, try again.",
            )
        return {
            "removed": [
                f"{stack_object.kind} {stack_object.name}"
                for outcome in outcomes
                for stack_object in outcome.removed_objects
            ],
            "kept": [
                f"{retained_object.object.kind} {retained_object.object.name}: {retained_object.reason}"
                for outcome in outcomes
                for retained_object in outcome.retained_objects
            ],
        }

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: StackRemoveParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether nothing is left of the stacks but what others use."""
        return await self.probe(context, parameters)

    async def undo(
        self, context: Context, parameters: StackRemoveParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Refuse: see `no_undo_because`."""
        raise Declined(self.no_undo_because)


async def _plan(context: Context, parameters: StackRemoveParameters) -> RemovalPlan | None:
    """Return what is there to remove; None where nothing is."""
    snapshot = await context.world.reader.stack_snapshot()
    try:
        return plan_removal(parameters.stacks, snapshot)
    except UsageError:
        return None


def _remaining(plan: RemovalPlan | None) -> list[str]:
    if plan is None:
        return []
    retained_ids = {
        retained_object.object.id for stack in plan.stacks for retained_object in stack.retained_objects
    }
    objects = [
        f"{stack_object.kind} {stack_object.name}"
        for stack in plan.stacks
        for stack_object in stack.objects
        if stack_object.id not in retained_ids
    ]
    tasks = sum(stack.live_tasks for stack in plan.stacks)
    return [*objects, *([plural(tasks, "task")] if tasks else [])]


def _changes(plan: RemovalPlan) -> list[str]:
    lines = []
    for stack in plan.stacks:
        for kind in ObjectKind:
            names = [stack_object.name for stack_object in stack.of(kind)]
            if names:
                lines.append(f"{stack.name}: remove {plural(len(names), kind)}: {listed(names, NAMED)}")
        lines += [
            f"{stack.name}: keep {retained_object.object.kind} {retained_object.object.name}: {retained_object.reason}"
            for retained_object in stack.retained_objects
        ]
    return lines


def _progress(outcome: RemovalOutcome) -> str:
    if outcome.state is RemovalState.REMOVED:
        return f"{outcome.stack}: removed"
    waits = f", waits for {listed(list(outcome.waits_for), 3)}" if outcome.waits_for else ""
    return f"{outcome.stack}: {plural(len(outcome.removed_objects), 'object')} removed{waits}"


def _unfinished_sentence(outcome: RemovalOutcome) -> str:
    waits = f" It is still waiting for {listed(list(outcome.waits_for), 3)}." if outcome.waits_for else ""
    refusals = f" {' '.join(outcome.refusals)}" if outcome.refusals else ""
    return f"{outcome.stack} is {outcome.state}.{waits}{refusals}"


async def _tell(context: Context, lines: asyncio.Queue[str | None]) -> None:
    """Tell each line, unless it is the same again, until there are no more."""
    last_line = ""
    while (line := await lines.get()) is not None:
        if line != last_line:
            await context.say(line)
            last_line = line


class _RecordingRemover:
    """Removes, and records each object before and after."""

    def __init__(self, remover: Remover, change_recorder: ChangeRecorder, plan: RemovalPlan) -> None:
        self._remover = remover
        self._change_recorder = change_recorder
        self._names = {
            stack_object.id: stack_object.name for stack in plan.stacks for stack_object in stack.objects
        }

    async def remove_service(self, service_id: str) -> None:
        number = await self._before(ObjectKind.SERVICE, service_id)
        await self._remover.remove_service(service_id)
        await self._change_recorder.after(number, NOTHING)

    async def remove_network(self, network_id: str) -> None:
        number = await self._before(ObjectKind.NETWORK, network_id)
        await self._remover.remove_network(network_id)
        await self._change_recorder.after(number, NOTHING)

    async def remove_secret(self, secret_id: str) -> None:
        number = await self._before(ObjectKind.SECRET, secret_id)
        await self._remover.remove_secret(secret_id)
        await self._change_recorder.after(number, NOTHING)

    async def remove_config(self, config_id: str) -> None:
        number = await self._before(ObjectKind.CONFIG, config_id)
        await self._remover.remove_config(config_id)
        await self._change_recorder.after(number, NOTHING)

    async def _before(self, kind: ObjectKind, object_id: str) -> int:
        return await self._change_recorder.before(
            kind, object_id, "remove", {"name": self._names.get(object_id, "")}
        )

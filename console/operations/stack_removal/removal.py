"""Removes stacks without losing addresses: services, then a wait until nothing of them runs, then the rest.

It only ever takes a snapshot, decides and acts on it. So it does not matter where it was interrupted:
calling it again finishes what is left.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from console.clock import Clock
from console.concurrency import together
from console.errors import EngineError, SwarmError, VipconsoleError
from console.frozen import frozen
from console.operations.stack_removal.plan import RemovalPlan, RetainedObject, StackPlan
from console.operations.stack_removal.steps import HiddenTasks, RemovalStep, next_step
from console.swarm.model import ObjectKind, StackObject
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import StackSnapshot

POLL_S = 0.25
"""Pause between two snapshots while there is nothing to do but wait."""
SLOWEST_RETRY_S = 5.0
"""What the engine refuses is retried less and less often, for each try is logged in the journal."""
GONE_AFTER_S = 30.0
"""Give up after an engine has not answered for so long."""
AT_ONCE = 4
"""Removals under way at the same time; also the most networks that are removed on one snapshot, so that it is
fresh."""


class RemovalState(StrEnum):
    """How far the removal of a stack is."""

    UNDER_WAY = "under way"
    REMOVED = "removed"
    """Everything of the stack is gone, except what is kept."""
    UNFINISHED = "unfinished"
    """Timed out before everything was removed."""
    UNKNOWN = "unknown"
    """The engine no longer answers."""


@frozen
class RemovalOutcome:
    """How far the removal of one stack is, or how it ended."""

    stack: str
    state: RemovalState = RemovalState.UNDER_WAY
    removed_objects: tuple[StackObject, ...] = ()
    retained_objects: tuple[RetainedObject, ...] = ()
    waits_for: tuple[str, ...] = ()
    """What is still running, or could not be removed yet, by name."""
    is_drained: bool = False
    """Whether all its tasks and containers were seen to have ended."""
    refusals: tuple[str, ...] = ()
    """The engine's refusals to remove, as sentences."""
    took_s: float = 0.0


ProgressListener = Callable[[RemovalOutcome], object]
"""Receives each change of a stack's progress."""


class Remover(Protocol):
    """The part of `console.swarm.changer.SwarmChanger` that a removal needs."""

    async def remove_service(self, service_id: str) -> None:
        """Remove a service; its tasks go on until they have stopped."""
        ...

    async def remove_network(self, network_id: str) -> None:
        """Remove a network; the engine refuses it while a service or a task that is to run is on it."""
        ...

    async def remove_secret(self, secret_id: str) -> None:
        """Remove a secret."""
        ...

    async def remove_config(self, config_id: str) -> None:
        """Remove a config."""
        ...


@dataclass(slots=True)
class _Stack:
    """A stack while it is being removed."""

    plan: StackPlan
    outcome: RemovalOutcome
    hidden_tasks: HiddenTasks
    refusals: dict[str, str] = field(default_factory=dict)
    """By object, the engine's last error."""
    refusal_counts: dict[str, int] = field(default_factory=dict)
    """By object, how many refusals."""
    again_s: dict[str, float] = field(default_factory=dict)
    """By object, when it is retried."""

    @property
    def removed_ids(self) -> frozenset[str]:
        return frozenset(stack_object.id for stack_object in self.outcome.removed_objects)


class StackRemoval:
    """Removes planned stacks, all at once, and knows at any time how far each is."""

    def __init__(
        self,
        plan: RemovalPlan,
        reader: SwarmReader,
        changer: Remover,
        clock: Clock,
        on_progress: ProgressListener,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._clock = clock
        self._on_progress = on_progress
        self._began_s = clock.monotonic()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._going = frozenset(
            stack_object.id for stack in plan.stacks for stack_object in stack.of(ObjectKind.SERVICE)
        )
        self._stacks = [
            _Stack(stack, RemovalOutcome(stack.name), HiddenTasks(stack)) for stack in plan.stacks
        ]
        self._act: dict[ObjectKind, Callable[[str], Coroutine[Any, Any, None]]] = {
            ObjectKind.SERVICE: changer.remove_service,
            ObjectKind.NETWORK: changer.remove_network,
            ObjectKind.SECRET: changer.remove_secret,
            ObjectKind.CONFIG: changer.remove_config,
        }

    @property
    def outcomes(self) -> tuple[RemovalOutcome, ...]:
        """How far each stack is, at any time."""
        return tuple(stack.outcome for stack in self._stacks)

    async def run(self) -> tuple[RemovalOutcome, ...]:
        """Remove the stacks, wait as long as the plan's limit allows, and return how it ended for each.

        Of a stack whose tasks have not ended by then no network is removed. Raises nothing that the engine may do:
        that is `RemovalState.UNKNOWN`. When it is cancelled nothing more is started, and `outcomes` tells how far it came.
        """
        self._began_s = self._clock.monotonic()
        end_s = self._began_s + self._plan.limit_s
        try:
            while under_way := [
                stack for stack in self._stacks if stack.outcome.state is RemovalState.UNDER_WAY
            ]:
                snapshot = await self._snapshot(end_s)
                steps = [(stack, self._next_step(stack, snapshot)) for stack in under_way]
                if self._clock.monotonic() >= end_s:
                    self._finish(under_way, RemovalState.UNFINISHED)
                elif not await self._take(steps) and any(not step.is_last for _, step in steps):
                    await self._clock.sleep(POLL_S)
        except (EngineError, SwarmError) as error:
            self._give_up(error)
        return self.outcomes

    async def _snapshot(self, end_s: float) -> StackSnapshot:
        """Return a snapshot; try again while the engine may be coming back."""
        failing_since_s: float | None = None
        while True:
            try:
                return await self._reader.stack_snapshot()
            except (EngineError, SwarmError):
                now_s = self._clock.monotonic()
                failing_since_s = now_s if failing_since_s is None else failing_since_s
                if now_s - failing_since_s >= GONE_AFTER_S or now_s >= end_s:
                    raise
            await self._clock.sleep(POLL_S)

    def _next_step(self, stack: _Stack, snapshot: StackSnapshot) -> RemovalStep:
        now_s = self._clock.monotonic()
        hidden_names = stack.hidden_tasks.after(snapshot, now_s)
        step = next_step(stack.plan, self._going, snapshot, stack.removed_ids, hidden_names)
        stack.outcome = replace(
            stack.outcome,
            state=RemovalState.REMOVED if step.is_last else RemovalState.UNDER_WAY,
            waits_for=step.waits_for,
            retained_objects=step.retained_objects,
            is_drained=step.is_drained,
            took_s=now_s - self._began_s,
        )
        self._on_progress(stack.outcome)
        return step

    async def _take(self, steps: list[tuple[_Stack, RemovalStep]]) -> bool:
        """Remove what the steps say, and return whether anything was removed."""
        now_s = self._clock.monotonic()
        due = [
            (stack, stack_object)
            for stack, step in steps
            for stack_object in step.remove
            if stack.again_s.get(stack_object.id, now_s) <= now_s
        ]
        others = [removal for removal in due if removal[1].kind is not ObjectKind.NETWORK]
        # Those that were refused come last, so that one of them holds up no other.
        networks = sorted(
            (removal for removal in due if removal[1].kind is ObjectKind.NETWORK),
            key=lambda removal: removal[0].refusal_counts.get(removal[1].id, 0),
        )
        return any(await together(*(self._remove(*network) for network in (*networks[:AT_ONCE], *others))))

    async def _remove(self, stack: _Stack, item: StackObject) -> bool:
        async with self._room:
            try:
                await self._act[item.kind](item.id)
            except (EngineError, SwarmError) as error:
                # Whether it was done after all, and whether the engine is still there, the next snapshot tells.
                stack.refusals[item.id] = error.sentence
                times = stack.refusal_counts[item.id] = stack.refusal_counts.get(item.id, 0) + 1
                stack.again_s[item.id] = self._clock.monotonic() + min(times * POLL_S, SLOWEST_RETRY_S)
                return False
        stack.refusals.pop(item.id, None)
        stack.outcome = replace(stack.outcome, removed_objects=(*stack.outcome.removed_objects, item))
        return True

    def _finish(self, stacks: Iterable[_Stack], state: RemovalState, why: tuple[str, ...] = ()) -> None:
        for stack in stacks:
            if stack.outcome.state is RemovalState.UNDER_WAY:
                refusals = (*stack.refusals.values(), *why)
                stack.outcome = replace(stack.outcome, state=state, refusals=refusals)
                self._on_progress(stack.outcome)

    def _give_up(self, error: VipconsoleError) -> None:
        self._finish(self._stacks, RemovalState.UNKNOWN, (error.sentence,))

"""Carries out what comes next in a run, one action at a time. Each leaves an event."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from console.errors import HostError
from console.runbook.actions.registry import action_of
from console.runbook.language.values import Step
from console.runbook.run import events as e
from console.runbook.run import moves as m
from console.runbook.run.moves import event_of
from console.runbook.runner.acting import acted, logged_since, undone
from console.runbook.runner.context import Ready, Tools, made_ready
from console.runbook.runner.gate import Gate
from console.runbook.runner.inspection import prepared, probed, verified
from console.runbook.runner.waits import Patience
from console.runbook.store.folders import hold_reserve, release_reserve

STOPPED = "It was ended, because the run is to stop."


class Mover:
    """Makes moves, with the maintenance lock held. Every method raises StoreFailed where the log cannot be written."""

    def __init__(self, tools: Tools, gate: Gate, patience: Patience) -> None:
        self._tools = tools
        self._log = tools.log
        self._gate = gate
        self._patience = patience
        self._deeds: dict[type[Any], Callable[[Any, int], Awaitable[None]]] = {
            m.Prepare: self._prepare,
            m.Probe: self._probe,
            m.Act: self._act,
            m.Verify: self._verify,
            m.Retry: self._retry,
            m.UndoStep: self._undo,
            m.Finish: self._finish,
        }

    async def make(self, move: m.Move, seen: int) -> None:
        """Make a move that was decided upon with the log as of the entry `seen`.

        Where somebody has appended since, a move that could rest on something else by now is not made.
        """
        deed = self._deeds.get(type(move))
        if deed is not None:
            await deed(move, seen)
        else:
            await self._log.append_if_current(event_of(move, self._tools.view), seen)

    async def _prepare(self, move: m.Prepare, seen: int) -> None:
        why = await self._gate.runbook_changed()
        if why is not None:
            await self._log.append_if_current(why, seen)
            return
        event = await self._patience.unless_stopped(prepared(self._tools, self._step(move.step)))
        if event is not None:
            await self._log.append_if_current(event, seen)

    async def _probe(self, move: m.Probe, _seen: int) -> None:
        found = await self._patience.unless_stopped(probed(self._tools, self._step(move.step)))
        if found is not None:
            await self._log.append(e.Probed(move.step, self._tools.view.step(move.step).attempt, found))

    async def _act(self, move: m.Act, seen: int) -> None:
        step, view = self._step(move.step), self._tools.view.step(move.step)
        if view.prepared is None:
            raise RuntimeError("nothing was prepared to be done")
        action, _ = action_of(step)
        what = made_ready(action, view.prepared.call)
        if what.changes and not await self._may_change(seen):
            return
        intent = e.Intended(step.id, view.attempt, what.call, view.prepared.digest, view.prepared.probe)
        if not await self._log.append_if_current(intent, seen):
            return
        began = self._tools.world.clock.now()
        await self._log.append(await self._result(step, what, view.attempt))
        # After what came of it, which must not lack the room. Killed between the two, the next runner makes up for it.
        await self._tools.keep_waits(step.id)
        if what.changes:
            await self._keep_what_was_logged(step, began)

    async def _result(self, step: Step, what: Ready, attempt: int) -> e.Event:
        if what.changes:
            tell = self._gate.tell_for(step.id)
            tell(f"step {step.id} begins, attempt {attempt}: {what.call.name}")
            return await acted(await self._tools.changing(step.id, tell), step, what, attempt)
        context = await self._tools.looking(step.id)
        event = await self._patience.unless_stopped(acted(context, step, what, attempt))
        return event or e.Failed(step.id, attempt, STOPPED, was_stopped=True)

    async def _verify(self, move: m.Verify, _seen: int) -> None:
        event = await self._patience.unless_stopped(verified(self._tools, self._step(move.step)))
        if event is not None:
            await self._log.append(event)
        await self._tools.keep_waits(move.step)

    async def _retry(self, move: m.Retry, seen: int) -> None:
        if move.after_s and await self._patience.for_news(move.after_s):
            return
        await self._log.append_if_current(event_of(move, self._tools.view), seen)

    async def _undo(self, move: m.UndoStep, seen: int) -> None:
        if not await self._may_change(seen):
            return
        step, began = self._step(move.step), self._tools.world.clock.now()
        tell = self._gate.tell_for(step.id)
        tell(f"step {step.id} is undone")
        await undone(self._tools, step, tell)
        await self._tools.keep_waits(step.id)
        await self._keep_what_was_logged(step, began)

    async def _finish(self, move: m.Finish, seen: int) -> None:
        if await self._log.append_if_current(event_of(move, self._tools.view), seen):
            release_reserve(self._tools.folder)
            self._gate.tell_for("")("the run ends")

    async def _may_change(self, seen: int) -> bool:
        """Return whether the world may be changed here and now; where not, the run is stopped, saying why."""
        why = await self._gate.closed()
        try:
            await asyncio.to_thread(hold_reserve, self._tools.folder)
        except HostError as error:
            why = e.Stopped(e.Why.REFUSED, error.sentence, error.hint)
        if why is not None:
            await self._log.append_if_current(why, seen)
        return why is None

    async def _keep_what_was_logged(self, step: Step, began: datetime) -> None:
        await self._log.append(e.Logged(step.id, await logged_since(self._tools.world, began)))

    def _step(self, step_id: str) -> Step:
        return self._tools.step(step_id)

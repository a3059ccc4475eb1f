"""Works on a run until it is over, has stopped, or nobody answers: one action after the other, each leaving an event.

The lock of the host is held while there is work, and through an outage; while the run waits for the operator it is not.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from console import __version__
from console.durations import duration
from console.errors import HostError, LockHeld, RunbookError
from console.host.identity import boot_id
from console.host.lock import maintenance_lock
from console.host.lock_probe import LOCK
from console.runbook.actions.registry import action_of
from console.runbook.language.file import parse_runbook
from console.runbook.language.values import Runbook, Step
from console.runbook.run import events
from console.runbook.run.header import THE_RUN
from console.runbook.run.next_action import (
    Act,
    Await,
    Finish,
    NextAction,
    Prepare,
    Probe,
    Retry,
    UndoStep,
    Verify,
    choose_next_action,
    event_of,
    needs_runner,
)
from console.runbook.run.view import Question
from console.runbook.runner.context import ReadyAction, RunnerContext, RunWorld, bind_parameters
from console.runbook.runner.gate import Gate
from console.runbook.runner.inspection import act, prepare, probe, read_daemon_log, undo, verify
from console.runbook.runner.waits import WaitPolicy, Waits, store_interrupted_wait
from console.runbook.store.folders import hold_reserve, release_reserve, runbook_path
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output

STOPPED = "It was stopped with the run."

LOCK_WITHIN_S = 30.0
"""How long to wait for another command that holds the lock."""
FULL = "The disk is full. The run's reserved space was needed to record the result of its last step."


class Executor:
    """Executes actions, with the maintenance lock held. Every method raises StoreFailed where the log cannot be written."""

    def __init__(self, runner: RunnerContext, gate: Gate, wait_policy: WaitPolicy) -> None:
        self._runner = runner
        self._log = runner.log
        self._gate = gate
        self._wait_policy = wait_policy
        self._handlers: dict[type[Any], Callable[[Any, int], Awaitable[None]]] = {
            Prepare: self._prepare,
            Probe: self._probe,
            Act: self._act,
            Verify: self._verify,
            Retry: self._retry,
            UndoStep: self._undo,
            Finish: self._finish,
        }

    async def execute(self, next_action: NextAction, number: int) -> None:
        """Execute an action that was chosen from the log as of the entry `number`.

        Where somebody has appended since, an action whose conditions may have changed is not done.
        """
        handler = self._handlers.get(type(next_action))
        if handler is not None:
            await handler(next_action, number)
        else:
            await self._log.append_if_current(event_of(next_action, self._runner.view), number)

    async def _prepare(self, next_action: Prepare, number: int) -> None:
        why = await self._gate.check_runbook()
        if why is not None:
            await self._log.append_if_current(why, number)
            return
        event = await self._wait_policy.unless_stopping(prepare(self._runner, self._step(next_action.step)))
        if event is not None:
            await self._log.append_if_current(event, number)

    async def _probe(self, next_action: Probe, _number: int) -> None:
        result = await self._wait_policy.unless_stopping(probe(self._runner, self._step(next_action.step)))
        if result is not None:
            await self._log.append(
                events.Probed(next_action.step, self._runner.view.step(next_action.step).attempt, result)
            )

    async def _act(self, next_action: Act, number: int) -> None:
        step, view = self._step(next_action.step), self._runner.view.step(next_action.step)
        if view.preparation is None:
            raise RuntimeError("nothing was prepared")
        action, _ = action_of(step)
        ready = bind_parameters(action, view.preparation.call)
        if ready.changes and not await self._may_change(number):
            return
        intent = events.Intended(
            step.id, view.attempt, ready.call, view.preparation.digest, view.preparation.probe
        )
        if not await self._log.append_if_current(intent, number):
            return
        began_at = self._runner.world.clock.now()
        await self._log.append(await self._result(step, ready, view.attempt))
        # The result comes first, so that it never lacks disk space. If this runner is killed between the two, the next one
        # logs the waits.
        await self._runner.keep_waits(step.id)
        if ready.changes:
            await self._store_daemon_log(step, began_at)

    async def _result(self, step: Step, ready: ReadyAction, attempt: int) -> events.Event:
        if ready.changes:
            tell = self._gate.tell_for(step.id)
            tell(f"step {step.id} begins, attempt {attempt}: {ready.call.name}")
            return await act(await self._runner.changing_context(step.id, tell), step, ready, attempt)
        context = await self._runner.reading_context(step.id)
        event = await self._wait_policy.unless_stopping(act(context, step, ready, attempt))
        return event or events.Failed(step.id, attempt, STOPPED, was_stopped=True)

    async def _verify(self, next_action: Verify, _number: int) -> None:
        event = await self._wait_policy.unless_stopping(verify(self._runner, self._step(next_action.step)))
        if event is not None:
            await self._log.append(event)
        await self._runner.keep_waits(next_action.step)

    async def _retry(self, next_action: Retry, number: int) -> None:
        if next_action.after_s and await self._wait_policy.for_news(next_action.after_s):
            return
        await self._log.append_if_current(event_of(next_action, self._runner.view), number)

    async def _undo(self, next_action: UndoStep, number: int) -> None:
        if not await self._may_change(number):
            return
        step, began_at = self._step(next_action.step), self._runner.world.clock.now()
        tell = self._gate.tell_for(step.id)
        tell(f"step {step.id} is undone")
        await undo(self._runner, step, tell)
        await self._runner.keep_waits(step.id)
        await self._store_daemon_log(step, began_at)

    async def _finish(self, next_action: Finish, number: int) -> None:
        if await self._log.append_if_current(event_of(next_action, self._runner.view), number):
            release_reserve(self._runner.folder)
            self._gate.tell_for("")("the run ends")

    async def _may_change(self, number: int) -> bool:
        """Return whether the world may be changed here and now; where not, the run is stopped, saying why."""
        why = await self._gate.reason_to_stop()
        try:
            await asyncio.to_thread(hold_reserve, self._runner.folder)
        except HostError as error:
            why = events.Stopped(events.Why.REFUSED, error.sentence, error.hint)
        if why is not None:
            await self._log.append_if_current(why, number)
        return why is None

    async def _store_daemon_log(self, step: Step, began_at: datetime) -> None:
        await self._log.append(
            events.DaemonLogged(step.id, await read_daemon_log(self._runner.world, began_at))
        )

    def _step(self, step_id: str) -> Step:
        return self._runner.step(step_id)


class Runner:
    """Works on one run until it rests; the lock of the host is held only while there is work."""

    def __init__(
        self,
        log: RunLog,
        world: RunWorld,
        output: Output,
        wait_policy: WaitPolicy,
        lock: Path = LOCK,
    ) -> None:
        self._log = log
        self._world = world
        self._output = output
        self._clock = world.clock
        self._wait_policy = wait_policy
        self._lock = lock
        self._has_started = False

    async def has_work(self) -> bool:
        """Whether there is anything to be done without anybody's decision. Raises HostError."""
        return needs_runner(await self._log.read())

    async def work(self) -> None:
        """Work. Raises HostError where the log cannot be read or written."""
        while not self._wait_policy.ending.is_set():
            view = await self._log.read()
            if needs_runner(view):
                await self._work_with_lock()
            elif view.question is None or not await self._wait_policy.for_an_answer():
                return

    async def _work_with_lock(self) -> None:
        view = self._log.view
        end_s = self._clock.monotonic() + LOCK_WITHIN_S
        while True:
            try:
                async with maintenance_lock(
                    f"vipconsole run {view.header.run_id}", view.on_behalf_of, self._clock, self._lock
                ):
                    await self._session()
            except LockHeld as error:
                if self._clock.monotonic() < end_s and not self._wait_policy.ending.is_set():
                    continue
                await self._stop(
                    error.sentence, f"When it has ended: vipconsole resume {view.header.run_id}."
                )
            return

    async def _session(self) -> None:
        if not self._has_started:
            await self._log.append(events.RunnerStarted(os.getpid(), boot_id(), __version__))
            self._has_started = True
            await store_interrupted_wait(self._log)
        executor, digest = None, ""
        while not self._wait_policy.ending.is_set():
            view = await self._log.read()
            if not needs_runner(view):
                return
            next_action = choose_next_action(view)
            if self._log.used_reserve:
                await self._stop(FULL, f"Free some space, then: vipconsole resume {view.header.run_id}.")
            elif executor is None or digest != view.header.digest:
                executor, digest = await self._executor(), view.header.digest
            elif isinstance(next_action, Await):
                await self._undo_if_nobody_answers(next_action.question)
            else:
                await executor.execute(next_action, view.number)
        # Where nothing is left to do, nothing is stopped: a run that is done stays done, and a question stays open. Where
        # something is left, it is said, even if another process appends: a run must not look as if it went on.
        sentence = "The runner was told to end."
        hint = f"vipconsole resume {self._log.view.header.run_id} continues it."
        while needs_runner(self._log.view):
            if await self._log.append_if_current(
                events.Stopped(events.Why.SIGNAL, sentence, hint), self._log.view.number
            ):
                return

    async def _executor(self) -> Executor | None:
        """Return the executor for the runbook that is valid now; where there is none, stop the run."""
        header = self._log.view.header
        try:
            runbook = stored_runbook(self._log.folder, header.digest, header.source)
        except RunbookError as error:
            await self._stop(error.sentence, error.hint)
            return None
        waits = Waits(self._log.folder, self._clock)
        runner = RunnerContext(self._log.folder, self._log, runbook, self._world, self._output, waits)
        return Executor(runner, Gate(runner), self._wait_policy)

    async def _undo_if_nobody_answers(self, question: Question) -> None:
        event, within_s = question.event, question.event.undo_after_s or 0.0
        if await self._wait_policy.for_news(within_s) or self._wait_policy.ending.is_set():
            return
        reason = f"Timed out after {duration(within_s)} waiting for an answer, while services may be down."
        decision = events.Decided(
            event.step, event.attempt, event.digest, events.Choice.UNDO, THE_RUN, reason
        )
        await self._log.append_if_current(decision, self._log.view.number)

    async def _stop(self, sentence: str, hint: str) -> None:
        await self._log.append_if_current(
            events.Stopped(events.Why.REFUSED, sentence, hint), self._log.view.number
        )


def stored_runbook(folder: Path, digest: str, source: str) -> Runbook:
    """Return the runbook of a digest as it is kept with the run. Raises RunbookError where it is not, or no longer so."""
    lost = f"Put {runbook_path(folder, digest)} back from a backup, or give the run up: vipconsole abandon {folder.name}."
    try:
        runbook = parse_runbook(runbook_path(folder, digest).read_bytes(), source)
    except OSError as error:
        raise RunbookError(
            f"The run's copy of the runbook cannot be read: {error.strerror}.", lost
        ) from error
    except RunbookError as error:
        hint = "Use the version of vipconsole that began the run."
        raise RunbookError(error.sentence, hint, error.problems) from error
    if runbook.digest != digest:
        raise RunbookError("The run's copy of the runbook is not the planned one.", lost)
    return runbook

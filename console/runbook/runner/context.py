"""What a run's actions can reach, and what one of them is given for one attempt of one step, every placeholder filled."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from console.clock import Clock
from console.errors import HostError, NotAllowed
from console.frozen import frozen
from console.journal.reader import DaemonLog
from console.operations.changes import ChangeRecorder
from console.operations.outage import OutageReport
from console.runbook.actions.registry import action_by_name, action_of, parameters_for
from console.runbook.contracts import Action, Blocking, ChangeRecord, Measure
from console.runbook.language.substitution import Names, substitute_call, substitute_text
from console.runbook.language.values import Call, Json, Runbook, Step
from console.runbook.run import events
from console.runbook.run.codec import plain
from console.runbook.run.view import RunView, StepState, StepView
from console.runbook.runner.waits import Waits
from console.runbook.store.log import RunLog
from console.runbook.store.output import Output
from console.settings import Settings
from console.storage.state import write_atomically
from console.swarm.changer import EngineChanger, Tell
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader, SwarmReader
from console.text import SENTENCE_LIMIT, clean

CONTINUE = "continue"
"""The word at a checkpoint whose step has no word of its own."""


class RunWorld:
    """What actions read. It cannot change anything; `with_changer` gives one that can."""

    def __init__(
        self,
        connection: EngineConnection,
        settings: Settings,
        clock: Clock,
        log: DaemonLog,
        tell: Tell | None = None,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._log = log
        self._tell = tell

    def with_changer(self, tell: Tell) -> "RunWorld":
        """Return the same world for an action that changes it; every change is told first."""
        return RunWorld(self._connection, self._settings, self._clock, self._log, tell)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def host(self) -> str:
        return self._connection.host

    @property
    def reader(self) -> SwarmReader:
        return EngineReader(self._connection)

    @property
    def connection(self) -> EngineConnection:
        """The engine, for its events."""
        return self._connection

    @property
    def log(self) -> DaemonLog:
        return self._log

    def changer(self) -> EngineChanger:
        """Return what changes the swarm. Raises NotAllowed where nothing may be changed."""
        if self._tell is None:
            raise NotAllowed("A read-only action asked for write access to the swarm: this is a bug.")
        return EngineChanger(self._connection, self._tell)


@frozen
class ReadyAction:
    """An action with its parameters."""

    action: Action[Any]
    call: Call
    parameters: BaseModel

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.action.effect != "read"


def names_of(view: RunView, own: StepView | None = None) -> Names:
    """Return the values that placeholders stand for: variables, the run, the outputs of what is done, and a step's own."""
    outputs = {step.id: step.outputs for step in view.steps if step.state is StepState.DONE}
    if own is not None:
        outputs[own.id] = own.outputs
    run: Mapping[str, Json] = {
        "id": view.header.run_id,
        "started_at": view.began_at.isoformat(timespec="seconds"),
        "engine": view.header.host,
    }
    return Names(view.header.variables, outputs, run)


def ready_action(step: Step, names: Names) -> ReadyAction:
    """Return what a step does. Raises RunbookError where something has no value, or parameters are wrong."""
    action, call = action_of(step)
    return bind_parameters(action, substitute_call(call, names))


def bind_parameters(action: Action[Any], call: Call) -> ReadyAction:
    """Return an action with the parameters of a call in which everything is filled. Raises RunbookError."""
    return ReadyAction(action, call, parameters_for(call, action.parameters))


def ready_undo(step: Step, names: Names) -> ReadyAction | None:
    """Return the action that undoes a step, or None where its own action does. Raises RunbookError."""
    if step.undo.call is None:
        return None
    return bind_parameters(action_by_name(step.undo.call.name), substitute_call(step.undo.call, names))


def word_of(step: Step, names: Names) -> str:
    """Return what is typed before a step begins, or nothing."""
    return substitute_text(step.confirm, names) or (CONTINUE if step.is_checkpoint else "")


def digest_of(runbook: str, call: Call, basis: Mapping[str, Json]) -> str:
    """Return the digest of a plan: it differs when the step would do something else, or what it rests on has changed."""
    text = json.dumps(
        plain([runbook, call.name, call.parameters, basis]), sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


@frozen
class StepContext:
    """A step's attempt, as its action sees it."""

    world: RunWorld
    run_id: str
    step: str
    timeout_s: float
    folder: Path
    output: Output
    change_recorder: ChangeRecorder
    waits: Waits
    log: RunLog
    recorded_changes: Sequence[ChangeRecord] = field(default_factory=tuple)

    async def waits_for(
        self, blocking: Sequence[Blocking], note: str = "", measure: Measure | None = None
    ) -> None:
        """Tell what is waited for at this moment, and how far the wait is."""
        await self.waits.report(self.step, blocking, note, measure)

    async def report_outage(self, report: OutageReport) -> None:
        """Record how far an outage is, and who is down. Raises StoreFailed."""
        await self.log.append(
            events.OutageProgressed(
                self.step,
                report.phases,
                report.phase,
                tuple(clean(name) for name in report.down),
                tuple(clean(name) for name in report.up),
                clean(report.note, SENTENCE_LIMIT),
                report.way_back,
            )
        )

    async def say(self, line: str) -> None:
        """Report a line of progress."""
        await asyncio.to_thread(self.output.put, self.step, line)

    async def keep(self, name: str, text: str) -> str:
        """Write a file into the run's folder and return its path. Raises HostError."""
        if "/" in name or name.startswith(".") or not name.isprintable() or not name:
            raise HostError(f"{clean(name)} is not a valid file name in a run.")
        path = self.folder / name
        await asyncio.to_thread(write_atomically, path, text, 0o600)
        return str(path)


class LoggedChanges:
    """Records in the run's log what a step changes."""

    def __init__(self, log: RunLog, step: str) -> None:
        self._log = log
        self._step = step

    async def before(self, kind: str, object_id: str, what: str, state: Mapping[str, Any]) -> int:
        """Record that an object is about to be changed, and return the number of this change record."""
        event = events.ChangeBegan(self._step, clean(kind), clean(object_id), clean(what), state)
        return (await self._log.append(event)).number

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Record that a change was made."""
        await self._log.append(events.ChangeEnded(self._step, number, result))


class NoChanges:
    """For reading: a read-only action changes nothing."""

    async def before(
        self,
        kind: str,
        object_id: str,
        what: str,
        state: Mapping[str, Any],  # noqa: ARG002 - what the protocol gives
    ) -> int:
        """Refuse."""
        raise RuntimeError(f"a read-only action tried to {what} the {kind} {object_id}")

    async def after(self, number: int, result: Mapping[str, Any]) -> None:
        """Refuse."""
        raise RuntimeError(f"a read-only action claims that it changed {number}: {sorted(result)}")


@frozen
class RunnerContext:
    """A run's folder, its log, its runbook, and the world."""

    folder: Path
    log: RunLog
    runbook: Runbook
    world: RunWorld
    output: Output
    waits: Waits

    @property
    def view(self) -> RunView:
        """The run as it was read last."""
        return self.log.view

    def step(self, step_id: str) -> Step:
        """Return a step as the runbook has it."""
        return next(step for step in self.runbook.steps if step.id == step_id)

    async def reading_context(self, step_id: str) -> StepContext:
        """Return the context for an action that only reads."""
        return await self._context(step_id, self.world, NoChanges())

    async def changing_context(self, step_id: str, tell: Tell) -> StepContext:
        """Return the context for an action that may change something."""
        return await self._context(step_id, self.world.with_changer(tell), LoggedChanges(self.log, step_id))

    async def _context(self, step_id: str, world: RunWorld, change_recorder: ChangeRecorder) -> StepContext:
        recorded_changes = await self.log.recorded_changes(step_id)
        return StepContext(
            world,
            self.view.header.run_id,
            step_id,
            self.step(step_id).timeout_s,
            self.folder,
            self.output,
            change_recorder,
            self.waits,
            self.log,
            recorded_changes,
        )

    async def keep_waits(self, step_id: str) -> None:
        """Put into the log how long what kept a step waiting, and show no wait any more. Raises StoreFailed."""
        rows = self.waits.rows(step_id)
        if rows:
            await self.log.append(events.Waited(step_id, rows))
        await self.waits.end()

"""Where a run belongs, and whether it may go on, here and now."""

import asyncio
import hashlib
from pathlib import Path

from console.concurrency import until
from console.errors import Declined, EngineError, HostError, RunbookError, SwarmError
from console.frozen import frozen
from console.host.audit import Audit
from console.host.identity import machine_id
from console.operations.claims import Claimant, clear_the_way
from console.runbook.actions.network_recreate import NetworkRecreate
from console.runbook.language.source import read_bytes
from console.runbook.run import events
from console.runbook.run.header import RunHeader
from console.runbook.runner.context import RunnerContext
from console.runbook.store.folders import run_names, runbook_path
from console.runbook.store.viewer import decline_if_unfinished
from console.swarm.changer import EngineChanger, Tell
from console.swarm.model import Engine
from console.swarm.reader import SwarmReader

LEFTOVERS_WITHIN_S = 10.0
"""For the snapshot that finds them."""
REACHED_WITHIN_S = 60.0
"""How long to wait, before any change, for an engine that does not answer: dockerd may be restarting."""
REACH_EVERY_S = 2.0


@frozen
class Location:
    """A machine, and the swarm that is seen from it."""

    machine_id: str
    engine: Engine


async def where_this_is(reader: SwarmReader) -> Location:
    """Return where this process is. Raises EngineError or SwarmError where the engine does not tell."""
    return Location(machine_id(), await reader.engine())


def location_refusal(header: RunHeader, place: Location) -> str:
    """Return why a run must not go on here, a sentence, or nothing. No option overrides it."""
    if place.machine_id != header.machine_id:
        return f"The run began on another machine ({header.machine_id}); this one is {place.machine_id}."
    if place.engine.cluster_id != header.cluster_id:
        return (
            f"The engine at {header.host} is part of another swarm than the run: "
            f"{place.engine.cluster_id or 'none'} instead of {header.cluster_id}."
        )
    return ""


def location_note(header: RunHeader, place: Location) -> str:
    """Return what is different here and worth knowing, a sentence, or nothing."""
    engine = place.engine
    if engine.version != header.engine_version:
        return f"The engine is now {engine.version}; when the run began, it was {header.engine_version}."
    if engine.node_id != header.node_id:
        return f"The run began on another node of the swarm ({header.engine_name})."
    return ""


class Gate:
    """Knows what keeps a run from going on, and tells the system journal of every change."""

    def __init__(self, runner: RunnerContext) -> None:
        self._runner = runner
        self._has_begun = False

    async def check_runbook(self) -> events.Stopped | None:
        """Return why the run stops because its runbook is no longer the one that was planned, or None."""
        header, run = self._runner.view.header, self._runner.view.header.run_id
        copy_note = f"the run keeps a copy, {runbook_path(self._runner.folder, header.digest)}"
        again = f"vipconsole resume {run}"
        try:
            data = await asyncio.to_thread(read_bytes, Path(header.source))
        except RunbookError as error:
            return events.Stopped(
                events.Why.RUNBOOK_CHANGED, error.sentence, f"Put it back ({copy_note}), then run: {again}"
            )
        if hashlib.sha256(data).hexdigest() == header.digest:
            return None
        return events.Stopped(
            events.Why.RUNBOOK_CHANGED,
            f"The runbook {header.source} has changed since it was planned.",
            f"Put it back ({copy_note}). Or check the new plan and accept it: {again} --accept-changed",
        )

    async def reason_to_stop(self) -> events.Stopped | None:
        """Return why nothing may be changed here and now, or None. It waits for an engine that is restarting.

        What a command of this machine that was killed left in the swarm is removed on the way.
        """

        async def ask_engine() -> tuple[events.Stopped | None]:
            return (await self._check_location(),)

        clock = self._runner.world.clock
        retry_on = (EngineError, SwarmError)
        try:
            answer = await until(ask_engine, clock, REACHED_WITHIN_S, REACH_EVERY_S, despite=retry_on)
        except (EngineError, SwarmError, Declined, HostError) as error:
            return events.Stopped(events.Why.REFUSED, error.sentence, error.hint)
        return answer[0] if answer else None

    async def _check_location(self) -> events.Stopped | None:
        header = self._runner.view.header
        place = await where_this_is(self._runner.world.reader)
        why = location_refusal(header, place)
        if why:
            return events.Stopped(events.Why.REFUSED, why, "It can only continue where it began.")
        if not self._has_begun:
            await self._begin_to_change(place.machine_id)
        await self._note(location_note(header, place))
        return None

    async def _begin_to_change(self, machine: str) -> None:
        folder = self._runner.folder.absolute()
        state, run = folder.parents[1], folder.name
        await asyncio.to_thread(decline_if_unfinished, state, run)
        tell = self.tell_for("")
        if not tell("begins to change the swarm"):
            await self._note("There is no system journal here to record the changes in.")
        world = self._runner.world
        changer = EngineChanger(world.connection, tell)
        steps = self._runner.runbook.steps
        recreates_network = any(
            step.action is not None and step.action.name == NetworkRecreate.name for step in steps
        )
        claimant = Claimant(
            machine, await asyncio.to_thread(run_names, state), run, brings_back=recreates_network
        )
        for name in await clear_the_way(world.reader, changer, claimant, LEFTOVERS_WITHIN_S):
            await self._note(f"Removed {name}, left behind by an interrupted census.")
        self._has_begun = True

    def tell_for(self, step_id: str) -> Tell:
        """Return what tells the journal of a change that a step makes, with who let it begin."""
        view = self._runner.view
        decisions = view.step(step_id).decisions if step_id else ()
        who = decisions[-1].who if decisions else view.on_behalf_of
        name = f"vipconsole run {view.header.run_id}" + (f", step {step_id}" if step_id else "")
        return Audit(who, name).tell

    async def _note(self, sentence: str) -> None:
        if sentence and sentence not in self._runner.view.notes:
            await self._runner.log.append(events.Noted(sentence))

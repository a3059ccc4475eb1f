"""Switches this NixOS host to a system that is already built, and back."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import ClassVar

from pydantic import BaseModel, Field

from console.durations import duration
from console.errors import Declined, HostError, StepFailed, VipconsoleError
from console.host.background import ProgramState
from console.host.reader import read_units
from console.nixos.file import NOT_NIXOS, PLACES, NixosPaths, short
from console.nixos.prediction import docker_units_at_risk, predict, require_system
from console.nixos.rebuild import keep
from console.nixos.switching import (
    Switch,
    SwitchOutcome,
    SwitchVerdict,
    begin,
    forget,
    new_switch,
    other_switch,
    status_of,
    switch_command,
    watch,
)
from console.runbook.answers import (
    System,
    cannot_tell_on_error,
    check_result,
    folder_of,
    recorded_changes,
    require_this_host,
    time_to_wait_s,
    why_this_host_is_refused,
)
from console.runbook.contracts import ActionPlan, ChangeRecord, CheckResult, Context, Parameters
from console.runbook.language.values import Effect, Json
from console.text import listed

FORTH, BACK = "switch", "switch back"
_SYSTEM = "system"


class SwitchParameters(Parameters):
    """What the host is switched to."""

    system: System = Field(
        description="The store path of a system that is already built, such as `${steps.build.outputs.new_system}`."
    )
    may_restart_docker: bool = Field(
        default=False,
        description="Whether the switch may stop or restart the docker unit, and with it every container. If "
        "false, such a switch is refused.",
    )


class NixosSwitch:
    """Makes a built system the one that runs and boots. The switch outlives the terminal, and this program."""

    name: ClassVar[str] = "nixos.switch"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = SwitchParameters
    # It goes on with a switch that was interrupted, and switching twice gives the same system.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = ""
    outputs: ClassVar[tuple[str, ...]] = ("system", "old_system", "log")

    def __init__(self, places: NixosPaths = PLACES) -> None:
        self._places = places

    async def plan(self, context: Context, parameters: SwitchParameters) -> ActionPlan:
        """Tell the exact command, and what it would do to units."""
        places, system = self._places, parameters.system
        summary = f"Switch this host to {short(system)}."
        if not places.is_nixos:
            return ActionPlan(summary, not_applicable=NOT_NIXOS)
        refusal = await why_this_host_is_refused(context)
        if refusal:
            return ActionPlan(summary, refused=(refusal,))
        pending = await self._pending(context, FORTH)
        if pending is not None:
            name = _switch(pending).name
            return ActionPlan(
                f"Wait for the end of the switch that has started: {name}.", basis={"begun": name}
            )
        running, following = places.running_system(), places.next_system()
        activation = await predict(system, places)
        dangers = await docker_units_at_risk(context.world.settings.docker_unit, activation, places)
        sentences = tuple(danger.sentence for danger in dangers)
        other = await other_switch(places)
        return ActionPlan(
            summary,
            reads=(str(places.running), str(places.profile)),
            changes=(
                f"this host runs and boots {short(system)}; now it runs {short(running)}, and boots {short(following)}",
                *(f"it {effect}" for effect in activation.lines),
                *sentences,
            ),
            calls=(" ".join(await switch_command(system, places)),),
            refused=(
                *(sentences if not parameters.may_restart_docker else ()),
                *((other,) if other else ()),
            ),
            basis={
                "system": system,
                "running": running,
                "next": following,
                "activation": list(activation.lines),
                "endangered": list(sentences),
            },
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: SwitchParameters) -> CheckResult:
        """Tell whether the host runs and boots the system, and no switch of this step is still to be watched."""
        pending, last = await self._pending(context, FORTH), _last(context, FORTH)
        if pending is not None:
            # How it ended is more than which system runs: units may have failed.
            return check_result(
                False, f"The switch has started, and its end is not known yet: {_switch(pending).name}."
            )
        evidence: dict[str, Json] = {"system": parameters.system}
        if last is not None:
            evidence |= {"old_system": self._before(context), "log": _switch(last).log}
        return self._is_switched(parameters.system, evidence)

    async def act(self, context: Context, parameters: SwitchParameters) -> Mapping[str, Json]:
        """Switch; an attempt that was interrupted is watched to its end instead."""
        await require_this_host(context, self._places)
        pending = await self._pending(context, FORTH)
        if pending is None:
            await self._tidy(context, FORTH)
            await self._require_docker_goes_on(context, parameters)
            switch, number = await self._begin(context, parameters.system, FORTH)
        else:
            switch, number = _switch(pending), pending.number
            await context.say(f"The switch has already started: {switch.name}.")
        verdict = await self._end(context, switch, number)
        if verdict.outcome is not SwitchOutcome.SWITCHED:
            raise StepFailed(f"{verdict.sentence} {self._now()}", verdict.hint)
        return {
            "system": switch.system,
            "old_system": self._before(context) or switch.running,
            "log": switch.log,
        }

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: SwitchParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether the host runs and boots the system, and what had failed in the switch runs now."""
        result = self._is_switched(parameters.system, {"system": parameters.system})
        last = _last(context, FORTH)
        failed_units = [] if last is None or last.result is None else last.result.get("failed_units", [])
        if failed_units and self._places.has_systemd:
            limit_s = context.world.settings.snapshot.call_timeout_s
            units = await read_units(failed_units, limit_s, self._places.run)
            still_failed = [unit.name for unit in units if unit.state == "failed"]
            if still_failed:
                return check_result(
                    False,
                    f"The system is switched, but {listed(still_failed)} failed and "
                    f"{'is' if len(still_failed) == 1 else 'are'} not running.",
                )
        return result

    async def undo(self, context: Context, parameters: SwitchParameters, outputs: Mapping[str, Json]) -> None:
        """Switch back to the system that ran before, and let the next boot start what it would have started."""
        first = next(reversed(tuple(recorded_changes(context, _SYSTEM, FORTH))), None)
        if first is None:
            return
        await require_this_host(context, self._places)
        for direction in (FORTH, BACK):
            # One that an interrupted attempt left under way: none is ended halfway.
            pending = await self._pending(context, direction)
            if pending is not None:
                await context.say(f"Wait until {_switch(pending).name} has ended.")
                await self._end(context, _switch(pending), pending.number)
        before = _switch(first)
        if self._systems() != (before.running, before.running):
            switch, number = await self._begin(context, before.running, BACK)
            verdict = await self._end(context, switch, number)
            if verdict.outcome is SwitchOutcome.UNITS_FAILED and self._systems() == (
                before.running,
                before.running,
            ):
                # They may have failed before as well, and the system is back.
                await context.say(
                    f"Switched back, but some units are not running: {listed(verdict.failed_units)}."
                )
            elif verdict.outcome is not SwitchOutcome.SWITCHED:
                raise StepFailed(f"Switching back: {verdict.sentence} {self._now()}", verdict.hint)
        if before.next != before.running:
            await self._places.run(
                ("nix-env", "--profile", str(self._places.profile), "--set", before.next), 60.0
            )
        await context.say(f"This host runs {short(before.running)} again.")

    async def _begin(self, context: Context, system: str, direction: str) -> tuple[Switch, int]:
        places = self._places
        await asyncio.to_thread(require_system, system)
        folder = await folder_of(context, f"{direction.replace(' ', '-')}.txt", f"{system}\n")
        stem = f"vipconsole-{context.run_id}-{direction.replace(' ', '-')}"
        # A log that is there is an earlier attempt's, and what it says must not be taken for this one's.
        names = (f"{stem}-{attempt}" for attempt in count(1))
        name = next(candidate for candidate in names if not (folder / f"{candidate}.log").exists())
        switch = new_switch(system, name, folder, places)
        # Before anything else: the way back must not be garbage-collected.
        await keep(switch.running, folder / f"{name}.before", places)
        number = await context.change_recorder.before(_SYSTEM, system, direction, switch.to_json())
        try:
            await begin(switch, places)
        except VipconsoleError as error:
            await context.change_recorder.after(
                number, {"outcome": SwitchOutcome.NOT_RUN.value, "sentence": error.sentence}
            )
            raise
        await context.say(f"{name} switches this host to {short(system)}; its output goes to {switch.log}.")
        return switch, number

    async def _end(self, context: Context, switch: Switch, number: int) -> SwitchVerdict:
        limit_s = time_to_wait_s(context)
        try:
            async with asyncio.timeout(limit_s):
                verdict = await watch(switch, self._places, context.world.clock, context.say)
        except TimeoutError as error:
            raise StepFailed(
                f"Timed out after {duration(limit_s)}. The switch is still running: {switch.name}.",
                "It is never stopped halfway. Retry the step to keep waiting.",
            ) from error
        await context.change_recorder.after(
            number,
            {
                "outcome": verdict.outcome.value,
                "sentence": verdict.sentence,
                "failed_units": list(verdict.failed_units),
            },
        )
        await forget(switch, self._places)
        return verdict

    async def _pending(self, context: Context, direction: str) -> ChangeRecord | None:
        """Return the switch whose end an interrupted attempt did not see, if it can still be watched."""
        last = _last(context, direction)
        if last is None or last.result is not None:
            return None
        status = await status_of(_switch(last), self._places)
        return None if status.state is ProgramState.LOST else last

    async def _tidy(self, context: Context, direction: str) -> None:
        """Remove what an attempt left that was interrupted after it had written down the end."""
        last = _last(context, direction)
        if last is not None and last.result is not None:
            await forget(_switch(last), self._places)

    async def _require_docker_goes_on(self, context: Context, parameters: SwitchParameters) -> None:
        """Raise Declined where the switch would stop docker and may not, as of this very moment."""
        activation = await predict(parameters.system, self._places)
        docker_unit = context.world.settings.docker_unit
        dangers = await docker_units_at_risk(docker_unit, activation, self._places)
        if dangers and not parameters.may_restart_docker:
            raise Declined(
                " ".join(endangered_unit.sentence for endangered_unit in dangers),
                "Every container stops with it. To allow that, set may_restart_docker.",
            )

    def _is_switched(self, system: str, evidence: dict[str, Json]) -> CheckResult:
        running, following = self._systems()
        if running == following == system:
            return check_result(True, f"This host runs and boots {short(system)}.", **evidence)
        return check_result(False, self._now())

    def _now(self) -> str:
        try:
            running, following = self._systems()
        except HostError as error:
            return error.sentence
        return f"This host runs {short(running)}, and the next boot starts {short(following)}."

    def _systems(self) -> tuple[str, str]:
        return self._places.running_system(), self._places.next_system()

    def _before(self, context: Context) -> str:
        """Return the system that ran before the first attempt of this step, or nothing where this is the first."""
        first = next(reversed(tuple(recorded_changes(context, _SYSTEM, FORTH))), None)
        return "" if first is None else _switch(first).running


def _switch(change: ChangeRecord) -> Switch:
    return Switch.from_json(change.state)


def _last(context: Context, direction: str) -> ChangeRecord | None:
    return next(recorded_changes(context, _SYSTEM, direction), None)

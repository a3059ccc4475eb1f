"""Restarts an ordered chain of units, such as the oneshots that make the swarm and deploy its stacks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, Field

from console.durations import duration
from console.errors import Declined, HostError, StepFailed
from console.host.process import output_of
from console.host.reader import BOOTED, Run, has_systemd
from console.host.unit_chain import ChainUnit, expand, restart
from console.runbook.answers import (
    cannot_tell_on_error,
    check_result,
    recorded_changes,
    time_to_wait_s,
    why_this_host_is_refused,
)
from console.runbook.contracts import (
    ActionPlan,
    ChangeRecord,
    CheckResult,
    Context,
    Parameters,
    Seconds,
    UnitName,
)
from console.runbook.language.values import Effect, Json
from console.text import listed, plural

NO_SYSTEMD = "systemd does not run this machine."
_KIND, _WHAT = "unit", "restart"
_NAMED = 6


class UnitsRestartParameters(Parameters):
    """Which units, in which order."""

    units: Annotated[list[UnitName], Field(min_length=1, max_length=100)] = Field(
        description="Units in the order in which they restart. A glob such as `deploy-*` matches several "
        "units; systemd decides their order."
    )
    limit: Seconds = Field(default=300.0, description="How long each unit may take.")


class UnitsRestart:
    """Restarts units one after the other, each to its end; at the first that fails it stops."""

    name: ClassVar[str] = "units.restart"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = UnitsRestartParameters
    # It goes on with the first unit that is not done.
    may_retry: ClassVar[bool] = True
    no_undo_because: ClassVar[str] = (
        "Restarting a unit cannot be undone: what it did at its start is unknown."
    )
    outputs: ClassVar[tuple[str, ...]] = ("restarted",)

    def __init__(self, run: Run = output_of, booted: Path = BOOTED) -> None:
        self._run, self._booted = run, booted

    async def plan(self, context: Context, parameters: UnitsRestartParameters) -> ActionPlan:
        """Name the units in order, and refuse those that are not there."""
        if not has_systemd(self._booted):
            return ActionPlan("Restart units.", not_applicable=NO_SYSTEMD)
        refusal = await why_this_host_is_refused(context)
        links = await self._links(parameters)
        refusals = [f"{link.name} {link.trouble}." for link in links if link.load != "loaded"]
        refusals += ["No unit of this host matches."] if not links else []
        names = [link.name for link in links]
        return ActionPlan(
            f"Restart {plural(len(links), 'unit')}, each within {duration(parameters.limit)}.",
            reads=tuple(names),
            changes=tuple(names),
            calls=tuple(f"systemctl restart {name}" for name in names),
            refused=(*((refusal,) if refusal else ()), *refusals),
            no_return=self.no_undo_because,
            basis={"units": list(names)},
        )

    @cannot_tell_on_error
    async def probe(self, context: Context, parameters: UnitsRestartParameters) -> CheckResult:
        """Tell whether all were started since this step began, and are well."""
        links = await self._links(parameters)
        changes = {change.state["unit"]: change for change in recorded_changes(context, _KIND, _WHAT)}
        remaining = [link.name for link in links if not _is_done(link, changes.get(link.name))]
        if not links or remaining:
            return check_result(
                False, f"Not restarted yet: {listed(remaining, _NAMED)}." if remaining else "No unit matches."
            )
        names = [link.name for link in links]
        return check_result(
            True, f"Restarted and running well: {listed(names, _NAMED)}.", restarted=list(names)
        )

    async def act(self, context: Context, parameters: UnitsRestartParameters) -> Mapping[str, Json]:
        """Restart them in order; those that an earlier attempt, or a unit before them, has restarted are skipped."""
        if not has_systemd(self._booted):
            raise HostError(NO_SYSTEMD)
        refusal = await why_this_host_is_refused(context)
        if refusal:
            raise Declined(refusal)
        links = await self._links(parameters)
        wrong = [f"{unit.name} {unit.trouble}" for unit in links if unit.load != "loaded"]
        if wrong or not links:
            raise Declined(
                f"{listed(wrong, _NAMED) or 'No unit of this host matches'}.",
                "`systemctl list-units` shows those that are loaded.",
            )
        before = _before(context)
        numbers = {change.state["unit"]: change.number for change in recorded_changes(context, _KIND, _WHAT)}
        # All of them before the first: restarting one restarts those that need it.
        numbers |= {
            unit.name: await context.change_recorder.before(
                _KIND, unit.name, _WHAT, {"unit": unit.name, "invocation": unit.invocation}
            )
            for unit in links
            if unit.name not in before
        }
        names: list[str] = []
        clock, run = context.world.clock, self._run
        end_s = clock.monotonic() + time_to_wait_s(context)
        for unit in links:
            began_s = clock.monotonic()
            since = before.get(unit.name, unit.invocation)
            limit_s = min(parameters.limit, end_s - began_s)
            try:
                restarted_unit = await restart(unit.name, since, limit_s, run, clock)
            except StepFailed as error:
                remaining = [unit.name for unit in links[len(names) + 1 :]]
                note = f" Not restarted yet: {listed(remaining, _NAMED)}." if remaining else ""
                raise StepFailed(error.sentence, f"{error.hint}{note}") from error
            await context.change_recorder.after(numbers[unit.name], {"invocation": restarted_unit.invocation})
            names.append(unit.name)
            elapsed = duration(clock.monotonic() - began_s)
            await context.say(
                f"{unit.name} is {restarted_unit.state} ({restarted_unit.detail}) after {elapsed}."
            )
        return {"restarted": list(names)}

    @cannot_tell_on_error
    async def verify(
        self, context: Context, parameters: UnitsRestartParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether all are well now."""
        links = await self._links(parameters)
        wrong = [f"{link.name} {what}" for link in links if (what := _trouble(link))]
        if wrong:
            return check_result(False, f"{listed(wrong, _NAMED)}.")
        return check_result(bool(links), f"Running well: {listed([link.name for link in links], _NAMED)}.")

    async def undo(
        self, context: Context, parameters: UnitsRestartParameters, outputs: Mapping[str, Json]
    ) -> None:
        """Refuse: see `no_undo_because`."""
        raise Declined(self.no_undo_because)

    async def _links(self, parameters: UnitsRestartParameters) -> tuple[ChainUnit, ...]:
        return await expand(parameters.units, self._run)


def _before(context: Context) -> dict[str, str]:
    """Return the start of each unit that was its last before this step began, by its name."""
    return {
        change.state["unit"]: change.state["invocation"] for change in recorded_changes(context, _KIND, _WHAT)
    }


def _is_done(link: ChainUnit, change: ChangeRecord | None) -> bool:
    if change is None or _trouble(link):
        return False
    # Of a oneshot that has ended, systemd may have forgotten the start.
    return change.result is not None or link.has_been_started_since(change.state["invocation"])


def _trouble(link: ChainUnit) -> str:
    return f"is {link.state} ({link.detail})" if link.is_busy else link.trouble

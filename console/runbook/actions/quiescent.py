"""Waits until swarm and host have been seen quiet for a while, and names what blocks meanwhile."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import ClassVar

from pydantic import BaseModel, Field

from console.diagnosis.quiescence.values import (
    QuiescenceRules,
    QuiescenceVerdict,
    Report,
    blocking_text,
    list_blockers,
)
from console.diagnosis.quiescence.waiter import Progress, WaitDependencies, wait_for_quiet
from console.errors import StepFailed
from console.host.survey import HostReader
from console.runbook.answers import ReadOnly, time_to_wait_s
from console.runbook.contracts import (
    Answer,
    Blocking,
    CheckResult,
    Context,
    Name,
    Parameters,
    ActionPlan,
    Seconds,
)
from console.runbook.language.values import Json
from console.swarm.events import EventSource
from console.text import clean, duration

_ANSWERS = {
    QuiescenceVerdict.QUIET: Answer.YES,
    QuiescenceVerdict.BUSY: Answer.NO,
    QuiescenceVerdict.UNKNOWN: Answer.CANNOT_TELL,
}


class QuiescentParameters(Parameters):
    """What counts as quiet."""

    stable_for: Seconds | None = Field(
        default=None,
        description="How long it must be quiet without a break; default: the setting quiet.dwell_s.",
    )
    accept: list[Name] = Field(
        default=[], description="Names of services that may be stuck, and of nodes whose tasks may be."
    )


class SwarmQuiescent(ReadOnly[QuiescentParameters]):
    """Nothing is deployed, updated, started or stopped, for a while, on the swarm and on this host."""

    name: ClassVar[str] = "swarm.quiescent"
    parameters: ClassVar[type[BaseModel]] = QuiescentParameters
    outputs: ClassVar[tuple[str, ...]] = ("quiet_for_s", "waited_s")

    async def plan(self, context: Context, parameters: QuiescentParameters) -> ActionPlan:
        """Tell for how long it will wait, and what would block now."""
        dwell_s, limit_s = _dwell_s(context, parameters), time_to_wait_s(context)
        refusals = () if dwell_s < limit_s else (_too_long(dwell_s, context.timeout_s),)
        return ActionPlan(
            f"Wait until it has been quiet for {duration(dwell_s)}, at most {duration(limit_s)}.",
            reads=(
                "services, tasks, networks and nodes",
                "the engine's events",
                "processes, units and jobs here",
            ),
            checked=(await _at_this_moment(context, parameters),),
            refused=refusals,
        )

    async def act(self, context: Context, parameters: QuiescentParameters) -> Mapping[str, Json]:
        """Wait, telling what blocks at every look; fail where it does not become quiet in time."""
        dwell_s, limit_s = _dwell_s(context, parameters), time_to_wait_s(context)
        if dwell_s >= limit_s:
            raise StepFailed(_too_long(dwell_s, context.timeout_s), "Give the step a longer timeout.")
        last = None
        async for last in _states(context, _rules(context, parameters, dwell_s), limit_s):
            blocking = [Blocking(*thing) for thing in list_blockers(last.report)]
            await context.waits_for(blocking, _so_far(last))
        if last is None or last.outcome is not QuiescenceVerdict.QUIET:
            why = (
                "no result yet"
                if last is None
                else blocking_text(last.report) or "it was never quiet long enough"
            )
            after = "" if last is None else f" after {duration(last.waited_s)}"
            raise StepFailed(f"It is not quiet{after}: {why}.", "Wait for it, end it, or accept it by name.")
        return {"quiet_for_s": round(last.quiet_for_s, 1), "waited_s": round(last.waited_s, 1)}

    async def verify(
        self, context: Context, parameters: QuiescentParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether it is quiet at this moment."""
        return await _at_this_moment(context, parameters)


async def _at_this_moment(context: Context, parameters: QuiescentParameters) -> CheckResult:
    report: Report | None = None
    async for state in _states(context, _rules(context, parameters, 0.0), context.timeout_s):
        report = state.report
    if report is None:
        return CheckResult(Answer.CANNOT_TELL, "No snapshot was taken.")
    blocking = blocking_text(report)
    sentence = f"It is not quiet now: {blocking}." if blocking else "It is quiet now."
    checks: dict[str, Json] = {check.code: check.state.value for check in report.checks}
    return CheckResult(_ANSWERS[report.verdict], sentence, checks)


async def _states(context: Context, rules: QuiescenceRules, limit_s: float) -> AsyncGenerator[Progress, None]:
    world = context.world
    snapshot = world.settings.snapshot
    dependencies = WaitDependencies(
        world.reader,
        # The run holds the maintenance lock itself, so nobody else does.
        HostReader(rules.settings, snapshot.call_timeout_s, holds_lock=True),
        EventSource(world.connection, world.clock),
    )
    async with aclosing(wait_for_quiet(dependencies, world.clock, rules, snapshot, limit_s)) as states:
        async for state in states:
            yield state


def _so_far(progress: Progress) -> str:
    so_far, required = duration(progress.quiet_for_s), duration(progress.dwell_s)
    return f"quiet for {so_far} so far; required: {required}"


def _rules(context: Context, parameters: QuiescentParameters, dwell_s: float) -> QuiescenceRules:
    settings = context.world.settings
    accepted_names = frozenset(clean(name) for name in parameters.accept)
    return QuiescenceRules(settings.quiet, settings.thresholds, dwell_s, accepted_names)


def _dwell_s(context: Context, parameters: QuiescentParameters) -> float:
    return context.world.settings.quiet.dwell_s if parameters.stable_for is None else parameters.stable_for


def _too_long(dwell_s: float, timeout_s: float) -> str:
    return f"It cannot be quiet for {duration(dwell_s)} within the step's timeout of {duration(timeout_s)}."

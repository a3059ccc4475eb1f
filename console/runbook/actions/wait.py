"""Waits until swarm and host are quiet, until predicates hold at once, or until the operator has done something."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field, JsonValue

from console.diagnosis.quiescence.values import (
    QuiescenceRules,
    QuiescenceVerdict,
    Report,
    blocking_text,
    list_blockers,
)
from console.diagnosis.quiescence.waiter import WaitDependencies, WaitProgress, wait_for_quiet
from console.durations import duration
from console.errors import StepFailed
from console.host.reader import HostReader
from console.runbook.answers import ReadOnly, all_of, time_to_wait_s
from console.runbook.contracts import (
    ActionPlan,
    Answer,
    Blocking,
    CheckResult,
    Conditions,
    Context,
    Measure,
    Name,
    Parameters,
    Seconds,
)
from console.runbook.language.substitution import calls_in
from console.runbook.language.values import NOTHING, Call, Effect, Json
from console.runbook.predicates.registry import answer_to
from console.runbook.run.codec import plain
from console.swarm.events import EventSource
from console.text import clean

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
        """Wait, telling what blocks at every snapshot; fail where it does not become quiet in time."""
        dwell_s, limit_s = _dwell_s(context, parameters), time_to_wait_s(context)
        if dwell_s >= limit_s:
            raise StepFailed(_too_long(dwell_s, context.timeout_s), "Give the step a longer timeout.")
        last = None
        async for last in _states(context, _rules(context, parameters, dwell_s), limit_s):
            blocking = [Blocking(*thing) for thing in list_blockers(last.report)]
            measure = Measure(last.quiet_for_s, last.dwell_s, "s")
            await context.waits_for(blocking, _so_far(last), measure)
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


async def _states(
    context: Context, rules: QuiescenceRules, limit_s: float
) -> AsyncGenerator[WaitProgress, None]:
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


def _so_far(progress: WaitProgress) -> str:
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


class ManualParameters(Parameters):
    """What the operator is told."""

    what: str = Field(min_length=1, description="What the operator has to do.")


class Manual:
    """The operator does it, and says so with the step's word; the step's own `verify` tells whether it is so."""

    name: ClassVar[str] = "manual"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = ManualParameters
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = "Only the operator can undo what the operator did."
    outputs: ClassVar[tuple[str, ...]] = ()

    async def plan(self, context: Context, parameters: ManualParameters) -> ActionPlan:
        """Tell what the operator is to do."""
        return ActionPlan("You do this yourself, and confirm when it is done.", changes=(parameters.what,))

    async def probe(self, context: Context, parameters: ManualParameters) -> CheckResult:
        """Tell that only the step's own `probe` and `verify` can know."""
        return CheckResult(Answer.CANNOT_TELL, "Whether the operator has done it is unknown here.")

    async def act(self, context: Context, parameters: ManualParameters) -> Mapping[str, Json]:
        """Do nothing: the word that let the step begin says that it is done."""
        return NOTHING

    async def verify(
        self, context: Context, parameters: ManualParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell that the operator said so; what the step verifies comes on top."""
        return CheckResult(Answer.YES, "The operator confirms that it is done.")

    async def undo(self, context: Context, parameters: ManualParameters, outputs: Mapping[str, Json]) -> None:
        """Do nothing."""


def _require_some(value: JsonValue) -> JsonValue:
    if not value:
        raise ValueError("must name at least one predicate")
    return value


class WaitParameters(Parameters):
    """What is waited for."""

    until: Annotated[Conditions, AfterValidator(_require_some)] = Field(
        description="Predicates that must hold at the same time."
    )
    every: Seconds = Field(default=2.0, gt=0, description="The pause between two checks.")

    def calls(self) -> tuple[Call, ...]:
        """Return the predicates."""
        until: JsonValue = self.until
        return calls_in(until)


class WaitUntil(ReadOnly[WaitParameters]):
    """Predicates hold; they are looked at again and again until the step's time limit."""

    name: ClassVar[str] = "wait.until"
    parameters: ClassVar[type[BaseModel]] = WaitParameters
    outputs: ClassVar[tuple[str, ...]] = ("waited_s",)

    async def plan(self, context: Context, parameters: WaitParameters) -> ActionPlan:
        """Tell what is waited for, and whether it holds already."""
        calls = parameters.calls()
        return ActionPlan(
            f"Wait until all predicates hold, at most {duration(time_to_wait_s(context))}.",
            reads=tuple(call.name for call in calls),
            checked=await _answers(context, calls),
        )

    async def act(self, context: Context, parameters: WaitParameters) -> Mapping[str, Json]:
        """Check until all predicates hold; fail with those that do not when the time is over."""
        clock, calls = context.world.clock, parameters.calls()
        began_s = clock.monotonic()
        while True:
            answers = await _answers(context, calls)
            waited_s = clock.monotonic() - began_s
            if all_of(answers) is Answer.YES:
                return {"waited_s": round(waited_s, 1)}
            missing = " ".join(answer.sentence for answer in answers if answer.answer is not Answer.YES)
            if waited_s + parameters.every > time_to_wait_s(context):
                raise StepFailed(f"After {duration(waited_s)}: {missing}")
            await context.waits_for(
                [
                    Blocking(_label(call), answer.sentence)
                    for call, answer in zip(calls, answers, strict=True)
                    if answer.answer is not Answer.YES
                ]
            )
            await clock.sleep(parameters.every)

    async def verify(
        self, context: Context, parameters: WaitParameters, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Tell whether it holds now."""
        answers = await _answers(context, parameters.calls())
        return CheckResult(all_of(answers), " ".join(answer.sentence for answer in answers))


def _label(call: Call) -> str:
    """Return a condition with its parameters: it may be there more than once."""
    return f"{call.name} {json.dumps(plain(call.parameters))}" if call.parameters else call.name


async def _answers(context: Context, calls: tuple[Call, ...]) -> tuple[CheckResult, ...]:
    return tuple([await answer_to(context, call) for call in calls])

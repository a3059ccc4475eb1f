"""Waits until predicates hold at the same time, or until the operator has done something by hand."""

import json
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, Field, JsonValue

from console.errors import StepFailed
from console.runbook.answers import ReadOnly, all_of, time_to_wait_s
from console.runbook.contracts import (
    Answer,
    Blocking,
    CheckResult,
    Conditions,
    Context,
    Parameters,
    ActionPlan,
    Seconds,
)
from console.runbook.language.substitution import calls_in
from console.runbook.language.values import NOTHING, Call, Effect, Json
from console.runbook.predicates.registry import answer_to
from console.runbook.run.codec import plain
from console.text import duration


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
        """Look until all of it holds; fail with what does not, where the time is over."""
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

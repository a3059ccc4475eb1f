"""A step that the operator does. The run tells what is to be done, waits for the word, and looks whether it came true."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, Field

from console.runbook.actions.base import Answer, Context, Found, Planned
from console.runbook.actions.parameters import Parameters
from console.runbook.values import NOTHING, Effect, Json


class ManualParameters(Parameters):
    """What the operator is told."""

    what: str = Field(min_length=1, description="What the operator is to do.")


class Manual:
    """The operator does it, and says so with the step's word; the step's own `verify` tells whether it is so."""

    name: ClassVar[str] = "manual"
    effect: ClassVar[Effect] = Effect.CHANGE
    parameters: ClassVar[type[BaseModel]] = ManualParameters
    may_retry: ClassVar[bool] = False
    no_undo_because: ClassVar[str] = "What the operator did, only the operator can take back."
    outputs: ClassVar[tuple[str, ...]] = ()

    async def plan(self, context: Context, parameters: ManualParameters) -> Planned:
        """Tell what the operator is to do."""
        return Planned("You do this yourself, and say so when it is done.", changes=(parameters.what,))

    async def probe(self, context: Context, parameters: ManualParameters) -> Found:
        """Tell that only the step's own `probe` and `verify` can know."""
        return Found(Answer.CANNOT_TELL, "Whether the operator has done it is not known from here.")

    async def act(self, context: Context, parameters: ManualParameters) -> Mapping[str, Json]:
        """Do nothing: the word that let the step begin says that it is done."""
        return NOTHING

    async def verify(
        self, context: Context, parameters: ManualParameters, outputs: Mapping[str, Json]
    ) -> Found:
        """Tell that the operator said so; what the step verifies comes on top."""
        return Found(Answer.YES, "The operator says that it is done.")

    async def undo(self, context: Context, parameters: ManualParameters, outputs: Mapping[str, Json]) -> None:
        """Do nothing."""

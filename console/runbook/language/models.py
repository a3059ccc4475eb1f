"""The shape of a runbook file: names and types of its keys. What they mean together is checked in `meaning`."""

from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from console.runbook.contracts import Conditions, Seconds
from console.runbook.language.values import ID, VARIABLE, OnFailure
from console.runbook.language.variables import KINDS

SCHEMA = "vipconsole.runbook/1"
"""The value of the key `schema`."""
MAX_STEPS = 100

Id: TypeAlias = Annotated[str, Field(pattern=ID)]
Line: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, validate_by_name=False)


class RetryPolicy(_Shape):
    """How often a step is tried again by itself."""

    max: int = Field(ge=0, le=100, description="How often the step is retried.")
    every: Seconds = Field(default=5.0, description="The pause before each retry.")


class Confirm(_Shape):
    """What the operator types before a step begins."""

    type: Line = Field(
        description="The word that the operator types. The name of what is changed is better than `yes`."
    )


class UndoShape(_Shape):
    """How a step is undone; without it, as its action says."""

    uses: str | None = Field(default=None, description="The action that undoes it.")
    with_: dict[str, JsonValue] | None = Field(
        default=None, alias="with", description="The parameters of that action."
    )
    none: Line | None = Field(default=None, description="Why it cannot be undone.")


def _retries(value: object) -> object:
    return {"max": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _confirm(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


RetriesOrNumber: TypeAlias = Annotated[
    RetryPolicy,
    BeforeValidator(_retries, json_schema_input_type=Annotated[int, Field(ge=0, le=100)] | RetryPolicy),
]
ConfirmOrWord: TypeAlias = Annotated[
    Confirm, BeforeValidator(_confirm, json_schema_input_type=Line | Confirm)
]


class Defaults(_Shape):
    """What holds for every step that does not say otherwise."""

    timeout: Seconds = Field(default=60.0, gt=0, description="How long a step may take.")
    retries: RetriesOrNumber = Field(
        default=RetryPolicy(max=0), description="For steps whose action is safe to retry."
    )
    on_failure: OnFailure = Field(default=OnFailure.STOP, description="What the run does when a step fails.")


class VariableShape(_Shape):
    """A value that can be set for a run with `--set NAME=VALUE`."""

    type: Literal[KINDS] = Field(description="The type of its value.")  # type: ignore[valid-type] # one list of kinds, beside their checks
    default: JsonValue = Field(
        default=None, description="Its default. A variable without a default must be set for each run."
    )
    about: str = Field(default="", max_length=500, description="What it is for.")


class StepShape(_Shape):
    """One step: an action (`uses` and `with`), or something that the operator does (`manual`)."""

    id: Id = Field(description="Its name in the run's records; never change it while a run is under way.")
    title: Line | None = Field(default=None, description="Its title on the screen.")
    uses: str | None = Field(default=None, description="The action.")
    with_: dict[str, JsonValue] | None = Field(
        default=None, alias="with", description="The action's parameters."
    )
    manual: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = Field(
        default=None, description="What the operator has to do."
    )
    requires: Conditions = Field([], description="Steps and predicates that must hold right before it acts.")
    probe: Conditions = Field(default=[], description="Predicates that hold when it is already done.")
    confirm: ConfirmOrWord | None = Field(
        default=None, description="The word that the operator types before it begins."
    )
    verify: Conditions = Field(
        default=[],
        description="Predicates that must hold when it is done. The run waits for them until the step times out.",
    )
    undo: UndoShape | None = Field(default=None, description="How it is undone. Default: as its action says.")
    timeout: Seconds | None = Field(default=None, gt=0, description="How long it may take.")
    retries: RetriesOrNumber | None = Field(
        default=None, description="How often it is retried automatically."
    )
    on_failure: OnFailure | None = Field(default=None, description="What the run does when it fails.")
    checkpoint: bool = Field(
        default=False, description="Whether the run stops before it until an operator confirms."
    )


class RunbookShape(_Shape):
    """A runbook of vipconsole: typed steps, done one after the other."""

    version: Literal["vipconsole.runbook/1"] = Field(
        alias="schema", description="The version of this format."
    )
    id: Id = Field(description="Its name in the records of runs.")
    title: Line = Field(description="What it does, in one line.")
    about: str = Field(
        default="", max_length=4000, description="What an operator should know before starting it."
    )
    vars: dict[Annotated[str, Field(pattern=VARIABLE)], VariableShape] = Field(
        default={}, description="Values that can be set for each run. Use them as `${vars.NAME}`."
    )
    defaults: Defaults = Field(Defaults(), description="Defaults for every step.")
    steps: list[StepShape] = Field(min_length=1, max_length=MAX_STEPS, description="The steps, in order.")

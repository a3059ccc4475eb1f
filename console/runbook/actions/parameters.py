"""What the parameters of actions and predicates are made of."""

from ipaddress import IPv4Network
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from console.durations import seconds_of
from console.host.units import full_name
from console.runbook.patterns import ABSOLUTE, CIDR4, MEANINGS, NETWORK, SPAN, URL
from console.runbook.variables import problem_with


class Parameters(BaseModel):
    """The base of every model of parameters: strict, with nothing unknown in it, and never changed.

    A predicate can be written with a value instead of a mapping; that is its first parameter.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError(MEANINGS[SPAN])  # noqa: TRY004 - what pydantic expects
    return seconds_of(value)


Seconds: TypeAlias = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=Annotated[str, Field(pattern=SPAN)]),
]
"""A span of time, written with its unit: `30s`, `15m`, `1h`."""


def _subnet(value: object) -> object:
    problem = problem_with("cidr4", value if isinstance(value, str) else None)
    if problem:
        raise ValueError(problem)
    return value


Subnet4: TypeAlias = Annotated[
    IPv4Network, BeforeValidator(_subnet, json_schema_input_type=Annotated[str, Field(pattern=CIDR4)])
]
"""An IPv4 subnet without host bits."""

NetworkName: TypeAlias = Annotated[str, Field(pattern=NETWORK, description="A network's name.")]
"""The name of a network, as the engine allows it."""

AbsolutePath: TypeAlias = Annotated[str, Field(pattern=ABSOLUTE, max_length=4096)]
"""The absolute path of a file or program."""

Url: TypeAlias = Annotated[str, Field(pattern=URL, max_length=2000)]
"""An address to ask with HTTP."""

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
"""The name of anything that the engine or systemd knows by a name."""


UnitName: TypeAlias = Annotated[Name, AfterValidator(full_name)]
"""The name of a unit of systemd, or a glob; one without a type is a service, as systemctl has it."""


class HoldsConditions:
    """Marks a parameter that is made of predicates, which are checked one by one where they stand."""


MARK = "x-conditions"
"""Where the schema of predicates belongs, which knows them all."""

Conditions: TypeAlias = Annotated[JsonValue, HoldsConditions(), WithJsonSchema({MARK: True})]
"""Predicates: a mapping of them by name, or a list of such mappings and of names of those that need no parameters."""

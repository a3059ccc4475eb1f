"""What an action and a predicate are, what they are given, and the parameters that they take."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Annotated, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from console.clock import Clock
from console.durations import SPAN, SPAN_MEANING, seconds_of
from console.host.activity import full_name
from console.journal.reader import DaemonLog
from console.operations.changes import ChangeRecorder
from console.operations.outage import OutageReport
from console.runbook.language.values import (
    ABSOLUTE,
    CIDR4,
    NETWORK,
    URL,
    ActionPlan,
    Answer,
    CheckResult,
    Effect,
    Json,
)
from console.runbook.language.variables import problem_with
from console.runbook.run.replay_steps import ChangeRecord
from console.runbook.run.waits import Blocking, Measure
from console.settings import Settings
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.reader import SwarmReader

NetworkName: TypeAlias = Annotated[str, Field(pattern=NETWORK, description="The name of a network.")]
"""The name of a network, as the engine allows it."""
AbsolutePath: TypeAlias = Annotated[str, Field(pattern=ABSOLUTE, max_length=4096)]
"""The absolute path of a file or program."""
Url: TypeAlias = Annotated[str, Field(pattern=URL, max_length=2000)]
"""A URL that is requested with HTTP."""
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
"""The name of an object of the engine or of systemd."""

UnitName: TypeAlias = Annotated[Name, AfterValidator(full_name)]
"""The name of a systemd unit, or a glob. A name without a type is a service, as in systemctl."""

CONDITIONS_KEY = "x-conditions"
"""Where the schema of predicates belongs, which knows them all."""

__all__ = [
    "Action",
    "ActionPlan",
    "Answer",
    "Blocking",
    "ChangeRecord",
    "CheckResult",
    "Context",
    "Measure",
    "Predicate",
    "World",
]
P_contra = TypeVar("P_contra", bound=BaseModel, contravariant=True)


class Parameters(BaseModel):
    """The base of every model of parameters: strict, with nothing unknown in it, and never changed.

    A predicate can be written with a value instead of a mapping; that is its first parameter.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError(SPAN_MEANING)  # noqa: TRY004 - what pydantic expects
    return seconds_of(value)


Seconds: TypeAlias = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=Annotated[str, Field(pattern=SPAN)]),
]
"""A duration with its unit: `30s`, `15m`, `1h`."""


def _subnet(value: object) -> object:
    problem = problem_with("cidr4", value if isinstance(value, str) else None)
    if problem:
        raise ValueError(problem)
    return value


Subnet4: TypeAlias = Annotated[
    IPv4Network, BeforeValidator(_subnet, json_schema_input_type=Annotated[str, Field(pattern=CIDR4)])
]
"""An IPv4 subnet without host bits."""


class ConditionsField:
    """Marks a parameter that is made of predicates, which are checked one by one where they stand."""


Conditions: TypeAlias = Annotated[JsonValue, ConditionsField(), WithJsonSchema({CONDITIONS_KEY: True})]
"""Predicates: a mapping of them by name, or a list of such mappings and of names of those that need no parameters."""


class World(Protocol):
    """What actions see and change the world with; the runner gives it. Whatever it gives is opened when first asked for."""

    @property
    def clock(self) -> Clock:
        """The time of day, the monotonic time, and sleep."""
        ...

    @property
    def settings(self) -> Settings:
        """As they were when the run began."""
        ...

    @property
    def host(self) -> str:
        """The engine's address."""
        ...

    @property
    def reader(self) -> SwarmReader:
        """What reads the swarm."""
        ...

    @property
    def connection(self) -> EngineConnection:
        """The engine, for its events. Whatever changes goes through `changer`."""
        ...

    @property
    def log(self) -> DaemonLog:
        """Where dockerd's lines are read from."""
        ...

    def changer(self) -> EngineChanger:
        """Return what changes the swarm. Raises for an action that declared to only read."""
        ...


class Context(Protocol):
    """What an action is given for one attempt of one step."""

    @property
    def world(self) -> World:
        """What it reads and changes."""
        ...

    @property
    def run_id(self) -> str:
        """Of the run; safe in labels and file names."""
        ...

    @property
    def timeout_s(self) -> float:
        """For how long this attempt may go on. What waits ends by itself before, and says what it waited for."""
        ...

    @property
    def change_recorder(self) -> ChangeRecorder:
        """Records every object before it changes it, and after."""
        ...

    @property
    def recorded_changes(self) -> Sequence[ChangeRecord]:
        """What all earlier attempts of this step recorded of the objects that they changed, in order.

        An attempt that goes on where another was interrupted, and an undo, find there what was before.
        """
        ...

    async def keep(self, name: str, text: str) -> str:
        """Write a file of this name into the run's own folder, for root only and atomically; return its path.

        A file of that name is replaced. Raises HostError.
        """
        ...

    async def waits_for(
        self, blocking: Sequence[Blocking], note: str = "", measure: Measure | None = None
    ) -> None:
        """Tell what is waited for at this moment, at every check of a wait; `note` where nothing blocks.

        `measure` tells how far the wait is, where it has a known end.

        With neither, the wait is over, though the step goes on.

        It is shown in one place, and stored as how long each thing blocked: it adds nothing to the output.
        """
        ...

    async def report_outage(self, report: OutageReport) -> None:
        """Record how far an outage is, and who is down. Raises StoreFailed."""
        ...

    async def say(self, line: str) -> None:
        """Report a line of progress. It is cleaned, stored and bounded."""
        ...


class Action(Protocol, Generic[P_contra]):
    """Something that a step can do. Every method raises a `VipconsoleError` for what it expects to go wrong.

    A class may also have `outputs: ClassVar[tuple[str, ...]]`, the names of all outputs of `act`; then a runbook that
    uses another one is refused when it is read.
    """

    name: ClassVar[str]
    effect: ClassVar[Effect]
    parameters: ClassVar[type[BaseModel]]
    """The model of its parameters: strict, no unknown keys, every field described."""
    may_retry: ClassVar[bool]
    """Whether acting twice does no harm."""
    no_undo_because: ClassVar[str]
    """Why it cannot be undone; empty where `undo` works."""

    async def plan(self, context: Context, parameters: P_contra) -> ActionPlan:
        """Tell what it would do. Reads only."""
        ...

    async def probe(self, context: Context, parameters: P_contra) -> CheckResult:
        """Return whether it is already done, no matter by whom and how far an attempt got. Reads only.

        Where it says yes, its evidence holds the outputs of `act` as far as they can be seen: later steps use them.
        """
        ...

    async def act(self, context: Context, parameters: P_contra) -> Mapping[str, Json]:
        """Do it and return its outputs. Called again after an interrupted attempt, it finishes that one."""
        ...

    async def verify(
        self, context: Context, parameters: P_contra, outputs: Mapping[str, Json]
    ) -> CheckResult:
        """Return whether the result is as it should be, as of now. Reads only.

        It is asked again and again until it says yes or the time is over, and once more, however much later, before
        a step that requires this one. `outputs` may lack what was lost with an interrupted attempt.
        """
        ...

    async def undo(
        self, context: Context, parameters: P_contra, outputs: Mapping[str, Json]
    ) -> Mapping[str, Json] | None:
        """Bring things back to what they were, however far an attempt came. Called again, it finishes what it began.

        Returns outputs of its own for the report, if it has any.
        """
        ...


class Predicate(Protocol, Generic[P_contra]):
    """Something that holds or does not; used in `requires`, `probe` and `verify`. It only reads."""

    name: ClassVar[str]
    parameters: ClassVar[type[BaseModel]]

    async def check(self, context: Context, parameters: P_contra) -> CheckResult:
        """Tell whether it holds now."""
        ...

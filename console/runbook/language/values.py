"""A runbook as frozen values, the patterns of its texts, and what its steps answer."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from console.durations import SPAN, SPAN_MEANING
from console.frozen import frozen
from console.nixos.file import STORE_PATH

ID = r"^[a-z][a-z0-9-]{0,39}$"
VARIABLE = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
NETWORK = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$"
CIDR4 = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"
ABSOLUTE = r"^/[^\x00-\x1f\x7f]*$"
URL = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$"

MEANINGS: Mapping[str, str] = {
    ID: "must be small letters, digits and hyphens, a letter first, at most 40",
    VARIABLE: "must be letters, digits, hyphens and underscores, a letter first, at most 40",
    SPAN: SPAN_MEANING,
    NETWORK: "must be the name of a network",
    CIDR4: "must be an IPv4 subnet without host bits, such as 10.10.0.0/16",
    ABSOLUTE: "must be an absolute path",
    STORE_PATH: "must be a path in the Nix store",
    URL: "must be a URL that begins with http:// or https://, without user, password and fragment",
}
"""By pattern, the end of a sentence."""


if TYPE_CHECKING:
    Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
else:
    # A type that holds itself is more than pydantic reads out of an alias; it takes such values as they are.
    Json = Any
"""What a parameter can be. Texts in it may hold `${vars.x}`, `${steps.id.outputs.name}` and `${run.name}`."""
Parameters: TypeAlias = Mapping[str, Json]
NOTHING: Mapping[str, Json] = MappingProxyType({})


class Effect(StrEnum):
    """What the worst is that an action does. It belongs to the action; no file can set it."""

    READ = "read"
    CHANGE = "change"
    OUTAGE = "outage"


class OnFailure(StrEnum):
    """What a run does when a step fails."""

    STOP = "stop"
    UNDO = "undo"
    ASK = "ask"


@frozen
class SourcePosition:
    """Where in its file something stands; lines and columns begin with 1."""

    line: int
    column: int


@frozen
class Call:
    """An action or a predicate by its name, with its parameters as written."""

    name: str
    parameters: Parameters = field(default_factory=lambda: NOTHING)
    place: SourcePosition | None = field(default=None, compare=False)


@frozen
class Undo:
    """How a step is undone: by a call of its own, by its action's own undo, or not at all and why."""

    call: Call | None = None
    none_because: str = ""


@frozen
class Variable:
    """A value that can be set for a run."""

    name: str
    kind: str
    """`string`, `integer`, `boolean`, `duration`, `network`, `cidr4`, `file` or `list` (of texts)."""
    default: Json
    """None where it must be set for every run."""
    about: str = ""


@frozen
class Step:
    """One step. Exactly one of `action` and `manual` is set."""

    id: str
    title: str
    action: Call | None = None
    manual: str = ""
    """What the operator has to do."""
    requires: tuple[Call, ...] = ()
    """Must hold right before the act, even if they held earlier."""
    requires_steps: tuple[str, ...] = ()
    """Steps whose own verification must still hold right before the act."""
    probe: tuple[Call, ...] = ()
    """Hold when it is already done; the action's own probe where there is none."""
    confirm: str = ""
    """The word that the operator types, as written; empty for a step that needs none. A manual step has one."""
    verify: tuple[Call, ...] = ()
    unverified_because: str = ""
    """Why a manual step has no `verify`."""
    undo: Undo = field(default_factory=Undo)
    timeout_s: float = 60.0
    retries: int = 0
    retry_every_s: float = 5.0
    on_failure: OnFailure = OnFailure.STOP
    is_checkpoint: bool = False
    """Whether the run stops before it until an operator confirms."""
    place: SourcePosition | None = field(default=None, compare=False)


@frozen
class Runbook:
    """A whole runbook."""

    id: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    steps: tuple[Step, ...]
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    source: str
    """Where it was read from, clean."""


class Answer(StrEnum):
    """The answer of a check."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot tell"


@frozen
class CheckResult:
    """An answer, in a sentence, with what it rests on."""

    answer: Answer
    sentence: str
    evidence: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    """For the report. No environment, arguments or config data of services: they may be secrets."""
    nothing_checked: bool = False
    """Whether the runbook let it hold without a check: what was asked for is an empty list."""


@frozen
class ExpectedDowntime:
    """How long a service is expected to be down."""

    service: str
    seconds: float


@frozen
class NotChecked:
    """Something that could matter and was not checked."""

    what: str
    """A few words, without a full stop."""
    why: str
    """A sentence."""


@frozen
class ActionPlan:
    """What a step would do, told before anything is done."""

    summary: str
    """A sentence."""
    reads: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """Each a line, in order."""
    calls: tuple[str, ...] = ()
    """The exact API calls and commands, each a line."""
    checked: tuple[CheckResult, ...] = ()
    refused: tuple[str, ...] = ()
    """Why it must not be done, each a sentence; empty where it may."""
    not_applicable: str = ""
    """Why it does not apply on this host; then the step is skipped, which is not a failure."""
    no_return: str = ""
    """What cannot be undone, a sentence; empty where everything can."""
    outage_s: float | None = None
    """How long services are expected to be down; None where none is."""
    downtimes: tuple[ExpectedDowntime, ...] = ()
    """The services that go down, in the order in which they come back; empty where that is not known service by service."""
    basis: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    """The conditions of the plan. If they differ at the moment of acting, the operator's decision no longer
    counts."""
    not_checked: tuple[NotChecked, ...] = ()

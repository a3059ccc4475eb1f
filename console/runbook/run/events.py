"""The events of a run's log. It is only ever appended to; everything that is known of a run follows from it.

What is done to the world stands between two of them: `Intended` and `Succeeded` or `Failed`, `ChangeBegan` and
`ChangeEnded`, `UndoIntended` and `Undone` or `UndoFailed`. Where the second is missing, it may have been done or not.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from console.frozen import frozen
from console.host.who import Who
from console.runbook.language.values import NOTHING, ActionPlan, Answer, Call, CheckResult, Json
from console.runbook.run.header import RunHeader, StepHeader
from console.runbook.run.waits import BlockedTime


class Choice(StrEnum):
    """What an operator can decide about a step."""

    CONFIRM = "confirm"
    SKIP = "skip"
    RETRY = "retry"
    UNDO = "undo"
    STOP = "stop"


class QuestionKind(StrEnum):
    """What an operator is asked about."""

    GO_AHEAD = "go ahead"
    """Whether a step may begin: the operator types its word, or lets its checkpoint pass."""
    FAILURE = "failure"
    """What to do about a step that failed, or whose result is unknown."""


class Why(StrEnum):
    """Why a run has stopped."""

    OPERATOR = "operator"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"
    SIGNAL = "signal"
    RUNBOOK_CHANGED = "runbook changed"
    REFUSED = "refused"
    """It must not continue here and now; the sentence says why."""


@frozen
class ConditionResult:
    """The result of a condition, under the name that the runbook has for it."""

    name: str
    found: CheckResult


@frozen
class Began:
    """A run was made. Always the first event."""

    header: RunHeader
    steps: tuple[StepHeader, ...]
    who: Who


@frozen
class RunnerStarted:
    """A process began to work on the run. What an earlier one left open is unknown from here on."""

    pid: int
    boot_id: str
    tool_version: str


@frozen
class Resumed:
    """An operator let a run go on that had stopped or been cut short."""

    who: Who


@frozen
class Accepted:
    """An operator accepted that the runbook has changed."""

    who: Who
    digest: str
    steps: tuple[StepHeader, ...]
    variables: Mapping[str, Json] = field(default_factory=lambda: NOTHING)


@frozen
class Prepared:
    """A step was probed and planned, and its requirements were checked. It is valid at this moment only."""

    step: str
    attempt: int
    call: Call
    """With everything substituted."""
    digest: str
    """Of the plan: what a decision names."""
    word: str
    """What the operator types, or nothing."""
    probe: CheckResult
    plan: ActionPlan | None = None
    """None where the probe says that it is already done."""
    requires: tuple[ConditionResult, ...] = ()


@frozen
class Probed:
    """An attempt whose result was unknown was probed."""

    step: str
    attempt: int
    found: CheckResult


@frozen
class Asked:
    """The operator is asked for a decision."""

    step: str
    attempt: int
    kind: QuestionKind
    digest: str
    word: str = ""
    choices: tuple[Choice, ...] = ()
    undo_after_s: float | None = None
    """After so many seconds without an answer the step is undone."""


@frozen
class Decided:
    """Somebody decided about a step, for the attempt and the plan that they were shown."""

    step: str
    attempt: int
    digest: str
    choice: Choice
    who: Who
    reason: str = ""


@frozen
class ConsentExpired:
    """What the plan rested on has changed since it was decided upon."""

    step: str
    attempt: int
    sentence: str


@frozen
class Intended:
    """A step is about to act."""

    step: str
    attempt: int
    call: Call
    digest: str
    before: CheckResult
    """The state before, as the probe found it."""


@frozen
class ChangeBegan:
    """An object is about to be changed."""

    step: str
    kind: str
    object_id: str
    what: str
    state: Mapping[str, Any]
    """What it was before. It may hold secrets and never leaves the log."""


@frozen
class ChangeEnded:
    """An object was changed. `changed_object` is the number of the entry of its beginning."""

    step: str
    changed_object: int
    result: Mapping[str, Any]


@frozen
class Succeeded:
    """An act returned."""

    step: str
    attempt: int
    outputs: Mapping[str, Json]
    took_s: float


@frozen
class Failed:
    """A step failed, before it acted or while it did."""

    step: str
    attempt: int
    sentence: str
    hint: str = ""
    is_known: bool = True
    """Whether the result of the act is known; if not, a probe has to find out."""
    was_stopped: bool = False
    """Whether it was ended only because the run was told to stop."""
    took_s: float = 0.0


@frozen
class Verified:
    """The result of a step was checked."""

    step: str
    attempt: int
    answer: Answer
    results: tuple[ConditionResult, ...]
    outputs: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    took_s: float = 0.0


@frozen
class Retried:
    """A step is tried again by itself."""

    step: str
    attempt: int
    is_counted: bool
    """Whether it is one of the retries that the runbook allows; repeating an interrupted attempt is not."""


@frozen
class NotApplicable:
    """A step does not apply on this host and is skipped."""

    step: str
    sentence: str


@frozen
class UndoBegan:
    """Steps are undone, in this order, without an operator having said so."""

    steps: tuple[str, ...]
    sentence: str


@frozen
class UndoIntended:
    """A step is about to be undone."""

    step: str
    call: Call


@frozen
class Undone:
    """A step was undone."""

    step: str
    took_s: float
    outputs: Mapping[str, Json] = field(default_factory=lambda: NOTHING)


@frozen
class UndoFailed:
    """A step could not be undone, or not wholly."""

    step: str
    sentence: str
    hint: str = ""


@frozen
class DaemonLogged:
    """What dockerd logged while a step was under way."""

    step: str
    lines: tuple[str, ...]


@frozen
class Waited:
    """A wait of a step is over: how long each thing kept it waiting."""

    step: str
    rows: tuple[BlockedTime, ...]


@frozen
class OutageProgressed:
    """What has changed in the outage of a step since the last of these."""

    step: str
    phases: tuple[str, ...]
    """All phases of the outage, in order: each says what is so once it is over."""
    phase: str
    """The one that is under way."""
    down: tuple[str, ...] = ()
    """Services that went down."""
    up: tuple[str, ...] = ()
    """Services that run as before; the first of these events has all that do."""
    note: str = ""
    way_back: str = ""
    """What brings services back if something fails in this phase, a sentence."""


@frozen
class Noted:
    """Something worth knowing for a reader of the log."""

    sentence: str
    step: str = ""


@frozen
class Stopped:
    """The run goes no further until somebody lets it."""

    why: Why
    sentence: str
    hint: str = ""


@frozen
class Ended:
    """The run is over: every step is done or skipped, or everything that it changed is undone."""

    is_undone: bool = False
    left: tuple[str, ...] = ()
    """Changing steps that were started and are neither verified nor undone: they were skipped."""


@frozen
class Abandoned:
    """An operator gave the run up as it is, and answers for what it has left behind."""

    who: Who
    left: str
    """What was neither verified nor undone, a sentence."""


Event: TypeAlias = (
    Began
    | RunnerStarted
    | Resumed
    | Accepted
    | Prepared
    | Probed
    | Asked
    | Decided
    | ConsentExpired
    | Intended
    | ChangeBegan
    | ChangeEnded
    | Succeeded
    | Failed
    | Verified
    | Retried
    | NotApplicable
    | UndoBegan
    | UndoIntended
    | Undone
    | UndoFailed
    | DaemonLogged
    | Waited
    | OutageProgressed
    | Noted
    | Stopped
    | Ended
    | Abandoned
)


DAMAGED_LOG_HINT = "Keep its folder, and begin another run."
"""What to do about a log in which the order or the shape of entries is wrong."""


@frozen
class LogEntry:
    """An event with its place in the log."""

    number: int
    """Grows by one with each."""
    at: datetime
    """The time of day when it was written. Only the number gives the order."""
    event: Event

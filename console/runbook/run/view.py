"""A run as its log tells it: the one view that the runner acts on and every face shows."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from console.frozen import frozen
from console.host.who import Who
from console.runbook.language.values import NOTHING, Answer, CheckResult, Effect, Json, Runbook, Step
from console.runbook.run.events import Asked, Choice, ConditionResult, Intended, Prepared, Stopped, Why
from console.runbook.run.header import RunHeader, StepHeader
from console.runbook.run.outage import OutageView
from console.runbook.run.waits import BlockedTime, Waiting, merge_rows


class StepState(StrEnum):
    """How far a step is."""

    PENDING = "pending"
    WAITING = "waiting"
    """Waiting for the operator, or for its conditions."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It was started, and its result is unknown."""
    SKIPPED = "skipped"
    UNDONE = "undone"


class RunState(StrEnum):
    """How far a run is."""

    GOING = "going"
    """A runner works on it, or should: see `Live.is_alive`."""
    WAITING = "waiting"
    """Waiting for a decision."""
    STOPPED = "stopped"
    """It continues when an operator says so."""
    DONE = "done"
    UNDONE = "undone"
    ABANDONED = "abandoned"


@frozen
class Decision:
    """What somebody decided about a step."""

    choice: Choice
    who: Who
    at: datetime
    reason: str = ""


@frozen
class Consent:
    """An operator let a step begin, for the plan of a digest."""

    digest: str
    is_retry: bool = False
    """Whether it came as the word to retry."""


@frozen
class Failure:
    """What went wrong with a step."""

    sentence: str
    hint: str = ""


@frozen
class ChangedObject:
    """An object that a step changed, or was about to: of its `ChangeRecord` what may be shown. What it was may hold secrets."""

    number: int
    kind: str
    object_id: str
    what: str
    is_finished: bool = False


@frozen
class ActSpan:
    """One act of a step, or one undo of it: from its intent to its result."""

    began_at: datetime
    is_undo: bool = False
    ended_at: datetime | None = None
    """None where there is no result: it is under way, or was interrupted."""
    has_succeeded: bool = False
    outputs: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    running_at: Mapping[str, datetime] = field(default_factory=dict)
    """By name: when a verification after it first saw a service running as before."""


@frozen
class StepView:
    """A step, and everything that is known of it."""

    head: StepHeader
    state: StepState = StepState.PENDING
    attempt: int = 1
    preparation: Prepared | None = None
    """Its conditions at the last check; what is shown."""
    is_fresh: bool = False
    """Whether they were checked at this very moment, so that acting on them is sound."""
    consent: Consent | None = None
    intent: Intended | None = None
    """What the last attempt set out to do."""
    is_acting: bool = False
    """Whether that attempt has no result yet."""
    has_begun: bool = False
    """Whether any part of it may have been done and was not undone since."""
    probe_result: CheckResult | None = None
    """The probe of an attempt whose result was unknown."""
    failure: Failure | None = None
    outputs: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    has_result: bool = False
    """Whether it has to be verified now: it acted, or was found already done."""
    verification: Answer | None = None
    results: tuple[ConditionResult, ...] = ()
    """What its last verification found, condition by condition."""
    retries: int = 0
    """How often it was retried automatically."""
    changed_objects: tuple[ChangedObject, ...] = ()
    is_being_undone: bool = False
    """Whether an undo of it has started and its result is unknown."""
    undo_failure: Failure | None = None
    skipped_because: str = ""
    is_inapplicable: bool = False
    """Whether it was skipped because it does not apply on this host; nobody decided that."""
    decisions: tuple[Decision, ...] = ()
    began_at: datetime | None = None
    ended_at: datetime | None = None
    took_s: float = 0.0
    """Duration of the last act and its verification, by the monotonic clock."""
    daemon_log: tuple[str, ...] = ()
    waits: tuple[BlockedTime, ...] = ()
    """How long each thing kept it waiting, in all its attempts."""
    waits_logged_at: datetime | None = None
    """When the newest of these entered the log."""
    act_spans: tuple[ActSpan, ...] = ()
    """All its acts and undos, in order."""
    outage: OutageView | None = None
    """What it took down, where it reports that."""

    @property
    def id(self) -> str:
        """Its name in the log."""
        return self.head.id

    @property
    def is_settled(self) -> bool:
        """Whether the run goes on to the next step."""
        return self.state in (StepState.DONE, StepState.SKIPPED)

    @property
    def has_left_something(self) -> bool:
        """Whether it may have changed something that is neither verified nor undone."""
        return self.head.changes and self.has_begun and self.state is not StepState.DONE


@frozen
class Question:
    """What the operator is asked. The first answer counts."""

    number: int
    """Of its entry in the log."""
    event: Asked
    at: datetime


@frozen
class RunView:
    """A run, replayed from its log: its state, its steps, and the question that is open."""

    header: RunHeader
    who: Who
    began_at: datetime
    steps: tuple[StepView, ...]
    number: int = 0
    """Of the last entry of the log that is in this."""
    at: datetime | None = None
    """When that was written."""
    state: RunState = RunState.GOING
    question: Question | None = None
    stop_reason: Stopped | None = None
    wants_stop: bool = False
    """Whether it is to stop as soon as it can."""
    undoing: tuple[str, ...] = ()
    """Steps that are being undone, in order; those that are, are no longer in it."""
    last_who: Who | None = None
    """Who continued it last."""
    boot_id: str = ""
    """ID of the boot in which it was worked on last."""
    idle_starts: int = 0
    """How many runners have started since anything else happened."""
    notes: tuple[str, ...] = ()
    abandonment: str = ""

    def step(self, step_id: str) -> StepView:
        """Return a step. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    @property
    def on_behalf_of(self) -> Who:
        """Who set last going what the run does."""
        return self.last_who or self.who

    @property
    def current(self) -> StepView | None:
        """The step that the run is at; None where all are settled."""
        return next((step for step in self.steps if not step.is_settled), None)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        return self.state in (RunState.DONE, RunState.UNDONE, RunState.ABANDONED)

    @property
    def has_changed(self) -> bool:
        """Whether it has begun to change anything."""
        return any(step.head.changes and step.has_begun for step in self.steps)

    @property
    def left_behind(self) -> tuple[StepView, ...]:
        """The changing steps that were begun and are neither verified nor undone."""
        return tuple(step for step in self.steps if step.has_left_something)

    @property
    def blocks(self) -> bool:
        """Whether every other command that changes the swarm has to wait for this run."""
        if self.state is RunState.ABANDONED:
            return False
        return bool(self.left_behind) if self.is_over else self.has_changed

    @property
    def is_in_outage(self) -> bool:
        """Whether services may be down because of it."""
        return any(
            step.head.effect is Effect.OUTAGE
            and step.has_left_something
            and step.state is not StepState.SKIPPED
            for step in self.steps
        )

    @property
    def outcome(self) -> int:
        """The exit code of its result so far: 0 done, 1 undone or with skipped steps, 2 failed, 3 unknown, 4 waiting.

        A run whose runner process has died is 3 for a caller who knows that it has.
        """
        states = {step.state for step in self.steps}
        if StepState.UNKNOWN in states:
            return 3
        match self.state:
            case RunState.DONE:
                return (
                    1 if any(step.state is StepState.SKIPPED and step.decisions for step in self.steps) else 0
                )
            case RunState.UNDONE | RunState.ABANDONED:
                return 1
            case RunState.STOPPED if self.stop_reason is not None and self.stop_reason.why is Why.UNDONE:
                return 1
            case RunState.STOPPED if StepState.FAILED in states:
                return 2
        return 4


@frozen
class Live:
    """What is known of a run beyond its log: whether somebody works on it, and what that says."""

    is_alive: bool = False
    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By step: its newest lines of progress."""
    waiting: Waiting | None = None
    """What its step is waiting for now, or was waiting for when its runner was killed."""
    pulse_at: datetime | None = None
    """When its runner gave the last sign of life."""
    engine_silent_since: datetime | None = None
    """Since when the engine owes the runner an answer, as of that sign; None where it owes none."""
    folder: str = ""
    """Where the run's files are."""
    former_s: Mapping[str, float] = field(default_factory=dict)
    """By step: how long it took in an earlier run of the same runbook; where it takes services down, how long these were."""
    rehearsed_s: Mapping[str, float] = field(default_factory=dict)
    """By step: how long its services were down in a rehearsal of the same plan."""


def is_logged(waiting: Waiting, step: StepView) -> bool:
    """Whether the log has it already how long what kept a step waiting."""
    return step.waits_logged_at is not None and waiting.at <= step.waits_logged_at


def waits_of(step: StepView, live: Live) -> tuple[BlockedTime, ...]:
    """Return how long what kept a step waiting, with the wait that goes on now or was cut short."""
    waiting = live.waiting
    if waiting is None or waiting.step != step.id:
        return step.waits
    return merge_rows((*step.waits, *waiting.rows))


@frozen
class StoredRun:
    """A run as a viewer sees it."""

    view: RunView
    live: Live
    runbook: Runbook | None = None
    """What it would follow, for a run that nobody has begun yet."""

    @property
    def has_begun(self) -> bool:
        """Whether there is such a run; if not, this is what it would be."""
        return self.runbook is None

    def runbook_step(self, step_id: str) -> Step | None:
        """Return a step as the runbook has it, for a run that nobody has begun yet."""
        steps = () if self.runbook is None else self.runbook.steps
        return next((step for step in steps if step.id == step_id), None)

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody should work on it and nobody does."""
        return self.has_begun and self.view.state is RunState.GOING and not self.live.is_alive

    @property
    def exit_code(self) -> int:
        """See `RunView.outcome`."""
        return 3 if self.is_interrupted else self.view.outcome

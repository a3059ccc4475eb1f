"""What a run's log begins with: where it belongs, and what its steps are."""

from collections.abc import Mapping
from dataclasses import field

from console.frozen import frozen
from console.host.who import Who
from console.runbook.language.values import NOTHING, Effect, Json, OnFailure
from console.settings import Settings

THE_RUN = Who("the run itself")
"""Who decides when nobody decided in time."""


@frozen
class StepHeader:
    """What is known of a step before anything of it is done."""

    id: str
    title: str
    action: str
    """The name of its action."""
    effect: Effect
    is_manual: bool = False
    is_checkpoint: bool = False
    needs_word: bool = False
    """Whether the operator types a word before it begins."""
    may_retry: bool = False
    """Whether acting twice does no harm."""
    retries: int = 0
    retry_every_s: float = 5.0
    timeout_s: float = 60.0
    on_failure: OnFailure = OnFailure.STOP
    no_undo_because: str = ""
    """Why it cannot be undone; empty where it can."""

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.effect is not Effect.READ


@frozen
class RunHeader:
    """The engine, host and runbook that a run is bound to: it can be resumed nowhere else."""

    run_id: str
    runbook_id: str
    title: str
    digest: str
    """SHA-256 of the runbook's file, in hexadecimal."""
    source: str
    """The path of that file, absolute."""
    host: str
    """The engine's address."""
    machine_id: str
    boot_id: str
    cluster_id: str
    node_id: str
    engine_name: str
    engine_version: str
    tool_version: str
    variables: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    settings: Settings = field(default_factory=Settings)
    """All settings but the alerts, as they were when the run began."""

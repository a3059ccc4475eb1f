"""Everything of a step that placeholders stand in, filled with what is known at this moment."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from console.runbook.actions.base import Action
from console.runbook.actions.registry import action_named, action_of, parameters_for
from console.runbook.run.codec import plain
from console.runbook.run.view import RunView, StepState, StepView
from console.runbook.substitution import Names, resolved_call, resolved_text
from console.runbook.values import Call, Json, Step

CONTINUE = "continue"
"""What is typed at a checkpoint whose step has no word of its own."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An action with its parameters."""

    action: Action[Any]
    call: Call
    parameters: BaseModel

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self.action.effect != "read"


def names_of(view: RunView, own: StepView | None = None) -> Names:
    """Return the values that placeholders stand for: variables, the run, the outputs of what is done, and a step's own."""
    outputs = {each.id: each.outputs for each in view.steps if each.state is StepState.DONE}
    if own is not None:
        outputs[own.id] = own.outputs
    run: Mapping[str, Json] = {
        "id": view.header.run_id,
        "started_at": view.began_at.isoformat(timespec="seconds"),
        "engine": view.header.host,
    }
    return Names(view.header.variables, outputs, run)


def ready(step: Step, names: Names) -> Ready:
    """Return what a step does. Raises RunbookError where something has no value, or parameters are wrong."""
    action, call = action_of(step)
    return made_ready(action, resolved_call(call, names))


def made_ready(action: Action[Any], call: Call) -> Ready:
    """Return an action with the parameters of a call in which everything is filled. Raises RunbookError."""
    return Ready(action, call, parameters_for(call, action.parameters))


def ready_to_undo(step: Step, names: Names) -> Ready | None:
    """Return the action that undoes a step, or None where its own action does. Raises RunbookError."""
    if step.undo.call is None:
        return None
    return made_ready(action_named(step.undo.call.name), resolved_call(step.undo.call, names))


def word_of(step: Step, names: Names) -> str:
    """Return what is typed before a step begins, or nothing."""
    return resolved_text(step.confirm, names) or (CONTINUE if step.is_checkpoint else "")


def digest_of(runbook: str, call: Call, basis: Mapping[str, Json]) -> str:
    """Return the digest of a plan: it differs when the step would do something else, or what it rests on has changed."""
    held = json.dumps(
        plain([runbook, call.name, call.parameters, basis]), sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(held.encode()).hexdigest()

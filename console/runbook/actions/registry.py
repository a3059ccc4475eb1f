"""Every action that a runbook can name. There are no others. Predicates are beside it, in `predicates`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from console.errors import RunbookError
from console.runbook.actions.allocator_reclaim import AllocatorReclaim
from console.runbook.actions.capture import EvidenceCapture
from console.runbook.actions.checks import ChecksAll
from console.runbook.actions.execute import Exec
from console.runbook.actions.leaks import LeakProbeAction, NetworkCensus
from console.runbook.actions.network_recreate import NetworkRecreate
from console.runbook.actions.nix_edit import NixEditAndBuild
from console.runbook.actions.nixos_switch import NixosSwitch
from console.runbook.actions.reclaim import AllocatorHandover, DaemonRestartAction
from console.runbook.actions.stack_remove import StackRemove
from console.runbook.actions.units_restart import UnitsRestart
from console.runbook.actions.wait import Manual, SwarmQuiescent, WaitUntil
from console.runbook.contracts import Action
from console.runbook.language.checking import parameters_for
from console.runbook.language.values import Call, Step
from console.runbook.predicates.registry import PREDICATES, predicate_by_name
from console.text import clean, nearest

__all__ = [
    "ACTIONS",
    "MANUAL",
    "PREDICATES",
    "action_by_name",
    "action_of",
    "parameters_for",
    "predicate_by_name",
]

MANUAL: Action[Any] = Manual()
"""The action of a step that the operator does by hand. It is written `manual: …`, never by its name."""

_ALL: tuple[Action[Any], ...] = (
    ChecksAll(),
    SwarmQuiescent(),
    WaitUntil(),
    EvidenceCapture(),
    StackRemove(),
    AllocatorHandover(),
    AllocatorReclaim(),
    DaemonRestartAction(),
    LeakProbeAction(),
    NetworkCensus(),
    NetworkRecreate(),
    NixEditAndBuild(),
    NixosSwitch(),
    UnitsRestart(),
    Exec(),
)

ACTIONS: Mapping[str, Action[Any]] = MappingProxyType({action.name: action for action in _ALL})
"""By name."""


def action_of(step: Step) -> tuple[Action[Any], Call]:
    """Return what a step does, and the call of it. Raises RunbookError for an action that is not known."""
    if step.action is None:
        return MANUAL, Call(MANUAL.name, {"what": step.manual}, step.place)
    return action_by_name(step.action.name), step.action


def action_by_name(name: str) -> Action[Any]:
    """Return an action. Raises RunbookError where there is none of this name."""
    if name not in ACTIONS:
        raise RunbookError(
            f"Unknown action {clean(name)}{nearest(name, ACTIONS)}.", "`vipconsole schema` lists all actions."
        )
    return ACTIONS[name]

"""Makes a runbook of a file in which nothing is wrong."""

from console.runbook.actions.registry import ACTIONS
from console.runbook.conditions import Entry, entries_of
from console.runbook.models import Defaults, Retries, RunbookShape, StepShape, UndoShape
from console.runbook.tree import Node
from console.runbook.values import Call, Place, Runbook, Step, Undo, Variable

NONE = Retries(max=0)
WORD_WHEN_DONE = "done"
"""What the operator types for a manual step that names no other word."""


def build(root: Node, shape: RunbookShape, digest: str, source: str) -> Runbook:
    """Return the runbook of a shape that was checked, with the places of its file."""
    variables = tuple(
        Variable(name, each.type, each.default, each.about) for name, each in shape.vars.items()
    )
    steps = root.at(("steps",))
    return Runbook(
        id=shape.id,
        title=shape.title,
        about=shape.about,
        variables=variables,
        steps=tuple(
            _step(each, steps.at((number,)), shape.defaults) for number, each in enumerate(shape.steps)
        ),
        digest=digest,
        source=source,
    )


def _step(shape: StepShape, node: Node, defaults: Defaults) -> Step:
    requires, verify = _entries(node, "requires"), node.child("verify")
    # A default is for those that may be tried again; an action that must not be is simply not.
    may_retry = shape.uses is not None and ACTIONS[shape.uses].may_retry
    retries = shape.retries or (defaults.retries if may_retry else NONE)
    confirm = shape.confirm.type if shape.confirm else ""
    reason = verify.child("none") if verify is not None else None
    return Step(
        id=shape.id,
        title=shape.title or shape.id,
        action=_call(shape.uses, shape.with_, node.at(("uses",)).place),
        manual=shape.manual or "",
        requires=tuple(each.call() for each in requires if not each.is_step),
        requires_steps=tuple(each.name for each in requires if each.is_step),
        probe=tuple(each.call() for each in _entries(node, "probe")),
        confirm=confirm or (WORD_WHEN_DONE if shape.manual else ""),
        verify=() if reason else tuple(each.call() for each in _entries(node, "verify")),
        unverified_because=str(reason.value) if reason else "",
        undo=_undo(shape.undo, node),
        timeout_s=shape.timeout or defaults.timeout,
        retries=retries.max,
        retry_every_s=retries.every,
        on_failure=shape.on_failure or defaults.on_failure,
        is_checkpoint=shape.checkpoint,
        place=node.place,
    )


def _undo(shape: UndoShape | None, node: Node) -> Undo:
    if shape is None:
        return Undo()
    return Undo(_call(shape.uses, shape.with_, node.at(("undo", "uses")).place), shape.none or "")


def _call(name: str | None, parameters: object, place: Place) -> Call | None:
    return None if name is None else Call(name, parameters if isinstance(parameters, dict) else {}, place)


def _entries(node: Node, key: str) -> list[Entry]:
    inside = node.child(key)
    return [] if inside is None else [each for each in entries_of(inside) if isinstance(each, Entry)]

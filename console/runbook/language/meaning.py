"""What the keys of a runbook mean together: references, order, and what an action asks of its step."""

from collections.abc import Callable, Iterator, Mapping

from console.runbook.actions.registry import ACTIONS
from console.runbook.language.call_checks import Scope, check_action, check_conditions, check_placeholders
from console.runbook.language.checking import shown
from console.runbook.language.substitution import Entry, entries_of
from console.runbook.language.tree import Flaw, Node
from console.runbook.language.values import Effect, Json
from console.runbook.language.variables import KINDS, problem_with
from console.text import nearest

LITERAL = ("id", "uses", "timeout", "retries", "on_failure", "checkpoint")


def check_meaning(root: Node) -> Iterator[Flaw]:
    """Yield what is wrong with a runbook beyond its shape. Where the shape is wrong, it passes over what it cannot tell."""
    variables = root.child("vars") or Node({}, root.place)
    steps = root.child("steps") or Node([], root.place)
    yield from _check_variables(variables)
    values = _defaults(variables)
    items = (
        [each for each in steps.value if isinstance(each.value, dict)]
        if isinstance(steps.value, list)
        else []
    )
    ids = [_text(each.child("id")) for each in items]
    outputs: dict[str, tuple[str, ...] | None] = {}
    for number, step in enumerate(items):
        own, later = ids[number], frozenset(each for each in ids[number:] if each)
        if own and own in ids[:number]:
            yield Flaw((step.child("id") or step).place, f"there is a step {shown(own)} already")
        before = Scope(values, dict(outputs), later)
        if own:
            outputs[own] = _declared_outputs(step)
        yield from _check_step(step, before, Scope(values, dict(outputs), later - {own}))


def _check_variables(variables: Node) -> Iterator[Flaw]:
    if not isinstance(variables.value, dict):
        return
    for name, each in variables.value.items():
        kind, default = _text(each.child("type")), each.child("default")
        if default is None or default.value is None:
            continue
        if any(isinstance(one.value, str) and "${" in one.value for _, one in default.walk()):
            yield Flaw(
                default.place, f"the default of {shown(name)} is taken as it is: nothing is put into it"
            )
        elif kind in KINDS and (problem := problem_with(kind, default.plain())):
            yield Flaw(default.place, f"the default of {shown(name)} {problem}")


def _defaults(variables: Node) -> Mapping[str, Json]:
    """Return the variables with the defaults that can be used."""
    found: dict[str, Json] = {}
    if isinstance(variables.value, dict):
        for name, each in variables.value.items():
            kind, default = _text(each.child("type")), each.child("default")
            value = None if default is None else default.plain()
            found[name] = value if kind in KINDS and not problem_with(kind, value) else None
    return found


def _declared_outputs(step: Node) -> tuple[str, ...] | None:
    if step.child("uses") is None:
        return ()
    declared: tuple[str, ...] | None = getattr(ACTIONS.get(_text(step.child("uses"))), "outputs", None)
    return declared


def _check_step(step: Node, before: Scope, after: Scope) -> Iterator[Flaw]:
    yield from check_action(step.child("uses"), step.child("with"), before)
    for key in ("requires", "probe", "verify"):
        inside = step.child(key)
        if inside is not None and not (key == "verify" and _reason(inside) is not None):
            scope = after if key == "verify" else before
            yield from check_conditions(inside, scope, with_steps=key == "requires")
    for key in ("confirm", "manual", "title"):
        if (inside := step.child(key)) is not None:
            yield from check_placeholders(inside, before)
    for key in LITERAL:
        for _, each in (step.child(key) or Node(None, step.place)).walk():
            if isinstance(each.value, str) and "${" in each.value:
                yield Flaw(each.place, f"a placeholder cannot stand in {key}")
    for check in _CHECKS:
        yield from check(step, before)
    if (undo := step.child("undo")) is not None:
        yield from _check_undo(undo, after)


def _check_kind(step: Node, _scope: Scope) -> Iterator[Flaw]:
    uses, manual = step.child("uses"), step.child("manual")
    if uses is None and manual is None:
        yield Flaw(step.place, "a step needs either uses (an action) or manual (what the operator is to do)")
    if uses is not None and manual is not None:
        yield Flaw(step.keys.get("manual", manual.place), "a step has either uses or manual, not both")
    if manual is not None and uses is None and "with" in step.keys:
        yield Flaw(step.keys["with"], "with belongs to uses: what the operator does has no parameters")


def _check_requires(step: Node, scope: Scope) -> Iterator[Flaw]:
    for each in entries_of(step.child("requires") or Node(None, step.place)):
        if isinstance(each, Entry) and each.is_step and each.name not in scope.outputs:
            if each.name in scope.later:
                yield Flaw(each.place, f"{shown(each.name)} does not come before this step")
            else:
                near = nearest(each.name, scope.outputs)
                yield Flaw(
                    each.place,
                    f"there is no step {shown(each.name)}{near}; a predicate has a dot in its name",
                )


def _check_verify(step: Node, _scope: Scope) -> Iterator[Flaw]:
    verify, manual = step.child("verify"), step.child("manual")
    reason = None if verify is None else _reason(verify)
    if manual is not None and (verify is None or not verify.value):
        yield Flaw(
            step.keys.get("manual", step.place), "manual needs verify, or verify: {none: why it cannot be}"
        )
    if reason is not None and not _text(reason).strip():
        yield Flaw(reason.place, "none needs a reason, a text")
    if reason is not None and manual is None:
        yield Flaw(reason.place, "only a manual step can do without verify: an action verifies itself")


def _check_confirm(step: Node, _scope: Scope) -> Iterator[Flaw]:
    confirm = step.child("confirm")
    if confirm is not None:
        word = confirm.child("type") or confirm
        text = _text(word)
        if text and (text != text.strip() or not text.isprintable()):
            yield Flaw(word.place, "the word must be one that can be typed, without spaces around it")
    action = ACTIONS.get(_text(step.child("uses")))
    if action is not None and action.effect is Effect.OUTAGE and confirm is None:
        place = (step.child("uses") or step).place
        yield Flaw(
            place,
            f"{action.name} stops services, so its step needs confirm, a word that is typed before it begins",
        )


def _check_retries(step: Node, _scope: Scope) -> Iterator[Flaw]:
    retries, action = step.child("retries"), ACTIONS.get(_text(step.child("uses")))
    if retries is None:
        return
    wanted = (retries.child("max") or retries).value
    if not isinstance(wanted, int) or not wanted:
        return
    if step.child("manual") is not None:
        yield Flaw(retries.place, "what the operator does is not tried again by itself")
    elif action is not None and not action.may_retry:
        yield Flaw(retries.place, f"{action.name} must not be tried again by itself: retries must be 0")


_CHECKS: tuple[Callable[[Node, Scope], Iterator[Flaw]], ...] = (
    _check_kind,
    _check_requires,
    _check_verify,
    _check_confirm,
    _check_retries,
)


def _check_undo(undo: Node, scope: Scope) -> Iterator[Flaw]:
    uses, none = undo.child("uses"), undo.child("none")
    if isinstance(undo.value, dict) and (uses is None) == (none is None):
        yield Flaw(undo.place, "undo is either uses (an action) or none (why it cannot be undone)")
    if uses is None and "with" in undo.keys:
        yield Flaw(undo.keys["with"], "with belongs to uses")
    yield from check_action(uses, undo.child("with"), scope)


def _reason(verify: Node) -> Node | None:
    return verify.child("none") if isinstance(verify.value, dict) and set(verify.value) == {"none"} else None


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""

"""What the keys of a runbook mean together: references, order, calls that can work, and what an action asks of its step."""

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel

from console.errors import RunbookError
from console.frozen import frozen
from console.runbook.actions.registry import ACTIONS
from console.runbook.contracts import ConditionsField
from console.runbook.language.checking import Problem, display_text, validate
from console.runbook.language.substitution import (
    RUN_NAMES,
    ConditionEntry,
    Names,
    Reference,
    Source,
    entries_of,
    in_full,
    references,
    substitute,
)
from console.runbook.language.tree import Flaw, Value, YamlNode
from console.runbook.language.values import Effect, Json
from console.runbook.language.variables import KINDS, problem_with
from console.runbook.predicates.registry import PREDICATES
from console.text import nearest

LITERAL = ("id", "uses", "timeout", "retries", "on_failure", "checkpoint")


@frozen
class Scope:
    """What placeholders can name at some place of a runbook."""

    variables: Mapping[str, Json]
    """Every variable with its default; None where it has none, or none that is valid."""
    outputs: Mapping[str, tuple[str, ...] | None]
    """By step whose outputs are known: their names, or None where its action does not declare them."""
    later: frozenset[str]
    """Steps that come later."""

    @property
    def names(self) -> Names:
        """The values that are known when the file is read."""
        return Names({name: value for name, value in self.variables.items() if value is not None})

    def problem_with(self, reference: Reference) -> str:
        """Return why a placeholder names nothing, or nothing."""
        match reference.source:
            case Source.VARS if reference.name not in self.variables:
                return f"unknown variable {display_text(reference.name)}{nearest(reference.name, self.variables)}"
            case Source.RUN if reference.name not in RUN_NAMES:
                return f"unknown run value {display_text(reference.name)}: use {', '.join(RUN_NAMES)}"
            case Source.OUTPUTS:
                return self._problem_with_output(reference)
        return ""

    def _problem_with_output(self, reference: Reference) -> str:
        if reference.step in self.later:
            return f"{display_text(reference.step)} has no outputs yet: name a step before this one"
        if reference.step not in self.outputs:
            return f"unknown step {display_text(reference.step)}{nearest(reference.step, self.outputs)}"
        names = self.outputs[reference.step]
        if names is not None and reference.name not in names:
            near = nearest(reference.name, names)
            return f"the step {reference.step} has no output {display_text(reference.name)}{near}"
        return ""


def check_action(name: YamlNode | None, parameters: YamlNode | None, scope: Scope) -> Iterator[Flaw]:
    """Yield what is wrong with `uses` and `with`."""
    if parameters is not None:
        yield from check_placeholders(parameters, scope)
    if name is None or not isinstance(name.value, str):
        return
    if "${" in name.value:
        return
    if name.value not in ACTIONS:
        is_predicate = name.value in PREDICATES
        hint = " (it is a predicate: use it in verify, or in wait.until)" if is_predicate else ""
        yield Flaw(
            name.place, f"unknown action {display_text(name.value)}{hint or nearest(name.value, ACTIONS)}"
        )
        return
    node = (
        parameters
        if parameters is not None and isinstance(parameters.value, dict)
        else YamlNode({}, name.place)
    )
    yield from _check_parameters(ACTIONS[name.value].parameters, node, scope)


def check_conditions(node: YamlNode, scope: Scope, *, with_steps: bool = False) -> Iterator[Flaw]:
    """Yield what is wrong with predicates; names of steps are skipped where they may stand among them."""
    for entry in entries_of(node):
        if isinstance(entry, Flaw):
            yield entry
        elif not (with_steps and entry.is_step):
            yield from _check_predicate(entry, scope)


def _check_predicate(entry: ConditionEntry, scope: Scope) -> Iterator[Flaw]:
    yield from check_placeholders(entry.parameters, scope)
    if entry.name in PREDICATES:
        parameters = in_full(entry.name, entry.parameters)
        yield from _check_parameters(PREDICATES[entry.name].parameters, parameters, scope)
    else:
        hint = (
            " (it is an action: use it in a step)"
            if entry.name in ACTIONS
            else nearest(entry.name, PREDICATES)
        )
        yield Flaw(entry.place, f"unknown predicate {display_text(entry.name)}{hint}")


def _check_parameters(model: type[BaseModel], node: YamlNode, scope: Scope) -> Iterator[Flaw]:
    """Hold parameters against their model, as far as they are known before the run."""
    data = _fill(node, scope.names)
    _, problems = validate(model, data)
    for problem in problems:
        if not _depends_on_the_run(problem, node, scope.names):
            yield Flaw(node.place_of(problem.path, is_about_key=problem.is_about_key), problem.sentence_end)
    for name, field in model.model_fields.items():
        inside = node.child(field.alias or name)
        if inside is not None and any(isinstance(marker, ConditionsField) for marker in field.metadata):
            yield from check_conditions(inside, scope)


def _fill(node: YamlNode, names: Names) -> Json:
    """Return data with every placeholder filled that can be; what is wrong with the others is told elsewhere."""
    if isinstance(node.value, dict):
        return {key: _fill(child, names) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [_fill(child, names) for child in node.value]
    try:
        return substitute(node.value, names)
    except RunbookError:
        return node.value


def _depends_on_the_run(problem: Problem, node: YamlNode, names: Names) -> bool:
    """Whether a value is only known in the run, so that nothing can be said of it yet."""
    if problem.is_about_key or problem.is_missing:
        return False
    if any(isinstance(key, str) and "${" in key for key in problem.path):
        return True
    return any(_has_missing_value(key.value, names) for _, key in node.at(problem.path).walk())


def _has_missing_value(value: Value, names: Names) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return not all(names.holds(reference) for reference in references(value))
    except RunbookError:
        return True


def check_placeholders(node: YamlNode, scope: Scope) -> Iterator[Flaw]:
    """Yield the placeholders in data that name nothing, or that cannot stand where they do."""
    for _, child in node.walk():
        for key, place in child.keys.items():
            if "${" in key:
                yield Flaw(place, "a placeholder cannot stand in a key")
        if isinstance(child.value, str):
            yield from _check_text(child, child.value, scope)


def _check_text(node: YamlNode, text: str, scope: Scope) -> Iterator[Flaw]:
    try:
        text_references = dict.fromkeys(references(text))
        problems = [problem for reference in text_references if (problem := scope.problem_with(reference))]
        if not problems and not _has_missing_value(text, scope.names):
            substitute(text, scope.names)
    except RunbookError as error:
        yield Flaw(
            node.place,
            " ".join(
                (error.sentence.rstrip("."), f"({error.hint.rstrip('.')})" if error.hint else "")
            ).strip(),
        )
        return
    for problem in problems:
        yield Flaw(node.place, problem)


def check_meaning(root: YamlNode) -> Iterator[Flaw]:
    """Yield what is wrong with a runbook beyond its shape. Where the shape is wrong, it skips what it cannot tell."""
    variables = root.child("vars") or YamlNode({}, root.place)
    steps = root.child("steps") or YamlNode([], root.place)
    yield from _check_variables(variables)
    values = _defaults(variables)
    items = (
        [node for node in steps.value if isinstance(node.value, dict)]
        if isinstance(steps.value, list)
        else []
    )
    ids = [_text(item.child("id")) for item in items]
    outputs: dict[str, tuple[str, ...] | None] = {}
    for number, step in enumerate(items):
        own, later = ids[number], frozenset(id_ for id_ in ids[number:] if id_)
        if own and own in ids[:number]:
            yield Flaw(
                (step.child("id") or step).place, f"another step already has the id {display_text(own)}"
            )
        before = Scope(values, dict(outputs), later)
        if own:
            outputs[own] = _output_names(step)
        yield from _check_step(step, before, Scope(values, dict(outputs), later - {own}))


def _check_variables(variables: YamlNode) -> Iterator[Flaw]:
    if not isinstance(variables.value, dict):
        return
    for name, variable in variables.value.items():
        kind, default = _text(variable.child("type")), variable.child("default")
        if default is None or default.value is None:
            continue
        if any(isinstance(child.value, str) and "${" in child.value for _, child in default.walk()):
            yield Flaw(default.place, f"the default of {display_text(name)} must not contain ${{…}}")
        elif kind in KINDS and (problem := problem_with(kind, default.plain())):
            yield Flaw(default.place, f"the default of {display_text(name)} {problem}")


def _defaults(variables: YamlNode) -> Mapping[str, Json]:
    """Return the variables with the defaults that can be used."""
    defaults: dict[str, Json] = {}
    if isinstance(variables.value, dict):
        for name, variable in variables.value.items():
            kind, default = _text(variable.child("type")), variable.child("default")
            value = None if default is None else default.plain()
            defaults[name] = value if kind in KINDS and not problem_with(kind, value) else None
    return defaults


def _output_names(step: YamlNode) -> tuple[str, ...] | None:
    if step.child("uses") is None:
        return ()
    names: tuple[str, ...] | None = getattr(ACTIONS.get(_text(step.child("uses"))), "outputs", None)
    return names


def _check_step(step: YamlNode, before: Scope, after: Scope) -> Iterator[Flaw]:
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
        for _, child in (step.child(key) or YamlNode(None, step.place)).walk():
            if isinstance(child.value, str) and "${" in child.value:
                yield Flaw(child.place, f"a placeholder cannot stand in {key}")
    for check in _CHECKS:
        yield from check(step, before)
    if (undo := step.child("undo")) is not None:
        yield from _check_undo(undo, after)


def _check_kind(step: YamlNode, _scope: Scope) -> Iterator[Flaw]:
    uses, manual = step.child("uses"), step.child("manual")
    if uses is None and manual is None:
        yield Flaw(step.place, "a step needs either uses (an action) or manual (what the operator has to do)")
    if uses is not None and manual is not None:
        yield Flaw(step.keys.get("manual", manual.place), "a step has either uses or manual, not both")
    if manual is not None and uses is None and "with" in step.keys:
        yield Flaw(step.keys["with"], "with belongs to uses: a manual step has no parameters")


def _check_requires(step: YamlNode, scope: Scope) -> Iterator[Flaw]:
    for entry in entries_of(step.child("requires") or YamlNode(None, step.place)):
        if isinstance(entry, ConditionEntry) and entry.is_step and entry.name not in scope.outputs:
            if entry.name in scope.later:
                yield Flaw(entry.place, f"{display_text(entry.name)} does not come before this step")
            else:
                near = nearest(entry.name, scope.outputs)
                yield Flaw(
                    entry.place,
                    f"unknown step {display_text(entry.name)}{near}; a predicate has a dot in its name",
                )


def _check_verify(step: YamlNode, _scope: Scope) -> Iterator[Flaw]:
    verify, manual = step.child("verify"), step.child("manual")
    reason = None if verify is None else _reason(verify)
    if manual is not None and (verify is None or not verify.value):
        yield Flaw(
            step.keys.get("manual", step.place), "manual needs verify, or verify: {none: why it cannot be}"
        )
    if reason is not None and not _text(reason).strip():
        yield Flaw(reason.place, "none needs a text: the reason")
    if reason is not None and manual is None:
        yield Flaw(reason.place, "only a manual step can do without verify: an action verifies itself")


def _check_confirm(step: YamlNode, _scope: Scope) -> Iterator[Flaw]:
    confirm = step.child("confirm")
    if confirm is not None:
        word = confirm.child("type") or confirm
        text = _text(word)
        if text and (text != text.strip() or not text.isprintable()):
            yield Flaw(word.place, "the word must be easy to type, without spaces around it")
    action = ACTIONS.get(_text(step.child("uses")))
    if action is not None and action.effect is Effect.OUTAGE and confirm is None:
        place = (step.child("uses") or step).place
        yield Flaw(
            place,
            f"{action.name} stops services, so its step needs confirm: a word that the operator types "
            "before it begins",
        )


def _check_retries(step: YamlNode, _scope: Scope) -> Iterator[Flaw]:
    retries, action = step.child("retries"), ACTIONS.get(_text(step.child("uses")))
    if retries is None:
        return
    count = (retries.child("max") or retries).value
    if not isinstance(count, int) or not count:
        return
    if step.child("manual") is not None:
        yield Flaw(retries.place, "a manual step is not retried: retries must be 0")
    elif action is not None and not action.may_retry:
        yield Flaw(retries.place, f"{action.name} is not safe to retry: retries must be 0")


_CHECKS: tuple[Callable[[YamlNode, Scope], Iterator[Flaw]], ...] = (
    _check_kind,
    _check_requires,
    _check_verify,
    _check_confirm,
    _check_retries,
)


def _check_undo(undo: YamlNode, scope: Scope) -> Iterator[Flaw]:
    uses, none = undo.child("uses"), undo.child("none")
    if isinstance(undo.value, dict) and (uses is None) == (none is None):
        yield Flaw(undo.place, "undo is either uses (an action) or none (why it cannot be undone)")
    if uses is None and "with" in undo.keys:
        yield Flaw(undo.keys["with"], "with belongs to uses")
    yield from check_action(uses, undo.child("with"), scope)


def _reason(verify: YamlNode) -> YamlNode | None:
    return verify.child("none") if isinstance(verify.value, dict) and set(verify.value) == {"none"} else None


def _text(node: YamlNode | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""

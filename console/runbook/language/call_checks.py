"""Whether calls in a runbook's file can work: names, parameters, and the placeholders in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from console.errors import RunbookError
from console.runbook.actions.registry import ACTIONS
from console.runbook.contracts import HoldsConditions
from console.runbook.language.checking import Problem, checked, shown
from console.runbook.language.substitution import (
    RUN_NAMES,
    Entry,
    Names,
    Reference,
    Source,
    entries_of,
    in_full,
    references,
    resolved,
)
from console.runbook.language.tree import Flaw, Node, Value
from console.runbook.language.values import Json
from console.runbook.predicates.registry import PREDICATES
from console.text import nearest


@dataclass(frozen=True, slots=True)
class Scope:
    """What placeholders can name at some place of a runbook."""

    variables: Mapping[str, Json]
    """Every variable with its default; None where it has none, or none that can be used."""
    outputs: Mapping[str, tuple[str, ...] | None]
    """By step whose outputs are there: their names, or None where its action does not declare them."""
    later: frozenset[str]
    """Steps that are not done by then."""

    @property
    def names(self) -> Names:
        """The values that are known when the file is read."""
        return Names({name: value for name, value in self.variables.items() if value is not None})

    def problem_with(self, reference: Reference) -> str:
        """Return why a placeholder names nothing, or nothing."""
        match reference.source:
            case Source.VARS if reference.name not in self.variables:
                return (
                    f"there is no variable {shown(reference.name)}{nearest(reference.name, self.variables)}"
                )
            case Source.RUN if reference.name not in RUN_NAMES:
                return f"a run has no {shown(reference.name)}: it has {', '.join(RUN_NAMES)}"
            case Source.OUTPUTS:
                return self._problem_with_output(reference)
        return ""

    def _problem_with_output(self, reference: Reference) -> str:
        if reference.step in self.later:
            return f"{shown(reference.step)} has no outputs yet: only a step before this one has"
        if reference.step not in self.outputs:
            return f"there is no step {shown(reference.step)}{nearest(reference.step, self.outputs)}"
        declared = self.outputs[reference.step]
        if declared is not None and reference.name not in declared:
            near = nearest(reference.name, declared)
            return f"the step {reference.step} has no output {shown(reference.name)}{near}"
        return ""


def check_action(name: Node | None, parameters: Node | None, scope: Scope) -> Iterator[Flaw]:
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
            name.place, f"there is no action {shown(name.value)}{hint or nearest(name.value, ACTIONS)}"
        )
        return
    given = (
        parameters if parameters is not None and isinstance(parameters.value, dict) else Node({}, name.place)
    )
    yield from _check_parameters(ACTIONS[name.value].parameters, given, scope)


def check_conditions(node: Node, scope: Scope, *, with_steps: bool = False) -> Iterator[Flaw]:
    """Yield what is wrong with predicates; names of steps are passed over where they may stand among them."""
    for each in entries_of(node):
        if isinstance(each, Flaw):
            yield each
        elif not (with_steps and each.is_step):
            yield from _check_predicate(each, scope)


def _check_predicate(entry: Entry, scope: Scope) -> Iterator[Flaw]:
    yield from check_placeholders(entry.parameters, scope)
    if entry.name in PREDICATES:
        given = in_full(entry.name, entry.parameters)
        yield from _check_parameters(PREDICATES[entry.name].parameters, given, scope)
    else:
        hint = (
            " (it is an action: use it in a step)"
            if entry.name in ACTIONS
            else nearest(entry.name, PREDICATES)
        )
        yield Flaw(entry.place, f"there is no predicate {shown(entry.name)}{hint}")


def _check_parameters(model: type[BaseModel], given: Node, scope: Scope) -> Iterator[Flaw]:
    """Hold parameters against their model, as far as they are known before the run."""
    filled = _filled(given, scope.names)
    _, problems = checked(model, filled)
    for each in problems:
        if not _depends_on_the_run(each, given, scope.names):
            yield Flaw(given.place_of(each.path, is_about_key=each.is_about_key), each.sentence_end)
    for name, field in model.model_fields.items():
        inside = given.child(field.alias or name)
        if inside is not None and any(isinstance(each, HoldsConditions) for each in field.metadata):
            yield from check_conditions(inside, scope)


def _filled(node: Node, names: Names) -> Json:
    """Return data with every placeholder filled that can be; what is wrong with the others is told elsewhere."""
    if isinstance(node.value, dict):
        return {key: _filled(each, names) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [_filled(each, names) for each in node.value]
    try:
        return resolved(node.value, names)
    except RunbookError:
        return node.value


def _depends_on_the_run(problem: Problem, given: Node, names: Names) -> bool:
    """Whether a value is only known in the run, so that nothing can be said of it yet."""
    if problem.is_about_key or problem.is_missing:
        return False
    if any(isinstance(each, str) and "${" in each for each in problem.path):
        return True
    return any(_is_unfilled(each.value, names) for _, each in given.at(problem.path).walk())


def _is_unfilled(value: Value, names: Names) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return not all(names.holds(each) for each in references(value))
    except RunbookError:
        return True


def check_placeholders(node: Node, scope: Scope) -> Iterator[Flaw]:
    """Yield the placeholders in data that name nothing, or that cannot stand where they do."""
    for _, each in node.walk():
        for key, place in each.keys.items():
            if "${" in key:
                yield Flaw(place, "a placeholder cannot stand in a key")
        if isinstance(each.value, str):
            yield from _check_text(each, each.value, scope)


def _check_text(node: Node, text: str, scope: Scope) -> Iterator[Flaw]:
    try:
        found = dict.fromkeys(references(text))
        problems = [problem for each in found if (problem := scope.problem_with(each))]
        if not problems and not _is_unfilled(text, scope.names):
            resolved(text, scope.names)
    except RunbookError as error:
        yield Flaw(
            node.place,
            " ".join(
                (error.sentence.rstrip("."), f"({error.hint.rstrip('.')})" if error.hint else "")
            ).strip(),
        )
        return
    for each in problems:
        yield Flaw(node.place, each)

"""Puts values in the place of `${vars.x}`, `${steps.id.outputs.name}` and `${run.name}`, also in conditions.

One pass over data, never over what was put in: a value that looks like a placeholder stays as it is. Nothing is
computed and nothing of the environment is read. A text that is one placeholder and nothing else becomes the value
itself, of whatever type; within a longer text only texts, numbers and truth values can stand. `$${` is a plain `${`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum

from pydantic import BaseModel

from console.errors import RunbookError
from console.frozen import frozen
from console.runbook.language.tree import Flaw, YamlNode
from console.runbook.language.values import NOTHING, Call, Json, SourcePosition
from console.runbook.predicates.registry import PREDICATES
from console.text import clean

FORM = "must be predicates by name, such as  - network.unique: proxy"

RUN_NAMES: Mapping[str, str] = {
    "id": "the identifier of the run",
    "started_at": "when the run began, such as 2026-06-12T02:00:00+00:00",
    "engine": "the address of the engine",
}
"""What `${run.…}` can name."""
FORMS = "${vars.NAME}, ${steps.ID.outputs.NAME} or ${run.NAME}"
_WORD = r"[A-Za-z][A-Za-z0-9_-]*"
_PLACEHOLDER = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ESCAPED = "$${"
_INSIDE = re.compile(rf"(?:(vars|run)\.({_WORD})|steps\.({_WORD})\.outputs\.({_WORD}))")


@frozen
class ConditionEntry:
    """One predicate, or the name of a step, as it stands in a file."""

    name: str
    place: SourcePosition
    parameters: YamlNode
    is_bare: bool = False
    """Whether only its name stands there."""

    @property
    def is_step(self) -> bool:
        """Whether it is written as a step is: predicates have a dot in their name, and steps have none."""
        return self.is_bare and "." not in self.name

    def call(self) -> Call:
        """Return it as a call, its parameters as a mapping."""
        plain = in_full(self.name, self.parameters).plain()
        return Call(self.name, plain if isinstance(plain, dict) else {}, self.place)


def entries_of(node: YamlNode) -> Iterator[ConditionEntry | Flaw]:
    """Yield the entries of a mapping, or of a list of mappings and names, and what can be none."""
    items: Iterable[YamlNode] = node.value if isinstance(node.value, list) else (node,)
    if node.value is None:
        return
    for item in items:
        if isinstance(item.value, dict):
            for name, parameters in item.value.items():
                yield ConditionEntry(name, item.keys.get(name, item.place), parameters)
        elif isinstance(item.value, str) and item is not node:
            yield ConditionEntry(item.value, item.place, YamlNode({}, item.place), is_bare=True)
        else:
            yield Flaw(item.place, FORM)


def calls_in(value: Json) -> tuple[Call, ...]:
    """Return the predicates in a parameter that was checked."""
    return tuple(
        entry.call() for entry in entries_of(YamlNode.of(value)) if isinstance(entry, ConditionEntry)
    )


def in_full(name: str, parameters: YamlNode) -> YamlNode:
    """Return the parameters of a predicate as a mapping: anything else is the value of its first parameter."""
    if isinstance(parameters.value, dict):
        return parameters
    if parameters.value is None or name not in PREDICATES:
        return YamlNode({}, parameters.place)
    first = first_parameter(PREDICATES[name].parameters)
    return YamlNode({first: parameters}, parameters.place, {first: parameters.place})


def first_parameter(model: type[BaseModel]) -> str:
    """Return the name of a model's first parameter."""
    return next((field.alias or name for name, field in model.model_fields.items()), "")


class Source(StrEnum):
    """Where a value comes from."""

    VARS = "vars"
    OUTPUTS = "outputs"
    RUN = "run"


@frozen
class Reference:
    """One placeholder."""

    source: Source
    name: str
    step: str = ""
    """The step that has the output."""

    def __str__(self) -> str:
        """Return it as it is written."""
        if self.source is Source.OUTPUTS:
            return f"${{steps.{self.step}.outputs.{self.name}}}"
        return f"${{{self.source}.{self.name}}}"


@frozen
class Names:
    """All values that are known."""

    variables: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    outputs: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """By step."""
    run: Mapping[str, Json] = field(default_factory=lambda: NOTHING)

    def holds(self, reference: Reference) -> bool:
        """Whether a placeholder can be filled."""
        return reference.name in self._of(reference)

    def value(self, reference: Reference) -> Json:
        """Return the value of a placeholder. Raises RunbookError where it has none."""
        try:
            return self._of(reference)[reference.name]
        except KeyError:
            raise RunbookError(f"{clean(str(reference))} has no value.") from None

    def _of(self, reference: Reference) -> Mapping[str, Json]:
        if reference.source is Source.OUTPUTS:
            return self.outputs.get(reference.step, NOTHING)
        return self.variables if reference.source is Source.VARS else self.run


def references(value: Json) -> Iterator[Reference]:
    """Yield the placeholders in data. Raises RunbookError for what begins like one and is none."""
    if isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, str):
        for match in _PLACEHOLDER.finditer(value):
            if match[0] != _ESCAPED:
                yield _reference(match)


def is_whole(text: str) -> bool:
    """Whether a text is one placeholder and nothing else, so that it may stand for a value of any type."""
    match = _PLACEHOLDER.fullmatch(text)
    return match is not None and match[0] != _ESCAPED


def substitute(value: Json, names: Names) -> Json:
    """Return data with every placeholder filled. Raises RunbookError where one has no value or cannot stand there."""
    if isinstance(value, dict):
        return {key: substitute(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if is_whole(value):
        return names.value(next(references(value)))
    return substitute_text(value, names)


def substitute_text(text: str, names: Names) -> str:
    """Return a text with every placeholder filled, as `substitute` does; it stays a text."""
    return _PLACEHOLDER.sub(lambda match: _as_text(match, names), text)


def substitute_call(call: Call, names: Names) -> Call:
    """Return a call with every placeholder in its parameters filled, as `substitute` does."""
    return replace(call, parameters={key: substitute(value, names) for key, value in call.parameters.items()})


def missing_references(call: Call, names: Names) -> tuple[Reference, ...]:
    """Return the placeholders in a call that have no value yet: outputs of steps that have not been done."""
    call_references = dict.fromkeys(references(dict(call.parameters)))
    return tuple(reference for reference in call_references if not names.holds(reference))


def _reference(match: re.Match[str]) -> Reference:
    inside = _INSIDE.fullmatch(match[1] or "")
    if inside is None:
        raise RunbookError(
            f"{clean(match[0], 60)} is not a valid placeholder.",
            f"Write {FORMS}; write a literal ${{ as {_ESCAPED}.",
        )
    source, name, step, output = inside.groups()
    return Reference(Source.OUTPUTS, output, step) if step else Reference(Source(source), name)


def _as_text(match: re.Match[str], names: Names) -> str:
    if match[0] == _ESCAPED:
        return "${"
    reference = _reference(match)
    value = names.value(reference)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    kind = "empty" if value is None else "a list" if isinstance(value, list) else "a mapping"
    raise RunbookError(f"{clean(str(reference))} is {kind} and cannot be part of a text.")

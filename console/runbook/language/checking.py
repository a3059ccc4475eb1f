"""Holds data against a pydantic model, and says what is wrong with it in the words of this program."""

import json
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from console.errors import RunbookError
from console.frozen import frozen
from console.runbook.language.values import MEANINGS, Call, Json
from console.text import clean, listed, nearest

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]
"""Keys and indices that lead from the whole to a part."""

_SHOWN = 60
_MESSAGES = {
    "missing": "is missing",
    "string_type": "must be a text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "none_required": "must be empty",
}


@frozen
class Problem:
    """Something that is wrong with a part of the data."""

    path: Path
    message: str
    is_about_key: bool = False
    """Whether it is the key itself that is wrong, and not its value."""
    is_missing: bool = False
    """Whether a key is not there; the path leads to where it should be."""

    @property
    def sentence_end(self) -> str:
        """The message with the key that it is about."""
        label = label_of(self.path)
        if self.is_about_key:
            return self.message
        if self.is_missing:
            return f"{self.message}{f' in {label}' if label else ''}"
        return f"{label} {self.message}".lstrip()


def validate(model: type[M], data: Json) -> tuple[M | None, tuple[Problem, ...]]:
    """Return the data as its model has it, or everything that is wrong with it."""
    try:
        # Strict JSON mode refuses "5" for a number, and accepts text for what JSON has no type for: addresses, paths.
        return model.model_validate_json(json.dumps(data), strict=True), ()
    except ValidationError as error:
        return None, tuple(
            _merge(_problem(error_details, model, data) for error_details in error.errors(include_url=False))
        )


def display_text(value: object) -> str:
    """Return a value as it is shown in a message: on one line, clean and short."""
    return clean(value if isinstance(value, str) else json.dumps(value, default=str), _SHOWN)


def _problem(error: ErrorDetails, model: type[BaseModel], data: Json) -> Problem:
    path = real_path(error["loc"], data)
    kind, key = error["type"], error["loc"][-1] if error["loc"] else ""
    if kind == "extra_forbidden":
        near = nearest(str(key), known_keys(model, path[:-1]))
        return Problem(path, f"unknown key {clean(str(key), _SHOWN)}{near}", is_about_key=True)
    if kind == "missing":
        return Problem(path, f"{clean(str(key), _SHOWN)} is missing", is_missing=True)
    return Problem(path, _message(error))


def _message(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    if kind == "value_error":
        return clean(str(context.get("error", error["msg"])), 300)
    if kind in ("literal_error", "enum"):
        return f"must be {clean(str(context.get('expected')), 300)}"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return (
            f"{MEANINGS.get(pattern, f'must look like {pattern}')}, and {display_text(error['input'])} is not"
        )
    if kind == "extra_forbidden":
        return "unknown key"
    message = error["msg"]
    return (
        clean(message[:1].lower() + message[1:], 300)
        .replace("input should", "must")
        .replace("value should", "must")
    )


def real_path(location: Sequence[str | int], data: Json) -> Path:
    """Return the part of pydantic's location that leads through the data: tags of unions and missing keys do not."""
    path: list[str | int] = []
    here: Any = data
    for step in location:
        is_inside = isinstance(here, dict) and step in here
        if is_inside or (isinstance(here, list) and isinstance(step, int) and step < len(here)):
            here = here[step]
            path.append(step)
    return tuple(path)


def _merge(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yield one problem for each value: a union tells of each of its members."""
    by_path: dict[Path, dict[str, None]] = {}
    for problem in problems:
        if problem.is_about_key or problem.is_missing:
            yield problem
        else:
            by_path.setdefault(problem.path, {})[problem.message] = None
    for path, messages in by_path.items():
        if all(message.startswith("must be ") for message in messages):
            yield Problem(
                path, "must be " + choice_text([message.removeprefix("must be ") for message in messages])
            )
        else:
            yield Problem(path, "; ".join(messages))


def label_of(path: Path) -> str:
    """Return the key that a path leads to, with the index in its list where there is one: `accept[2]`."""
    index = f"[{path[-1]}]" if path and isinstance(path[-1], int) else ""
    return next((clean(step, _SHOWN) for step in reversed(path) if isinstance(step, str)), "") + index


def choice_text(words: list[str]) -> str:
    """Return words as a choice: `a, b or c`."""
    return words[0] if len(words) == 1 else f"{listed(words[:-1])} or {words[-1]}"


def known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that a model knows at a path."""
    here: list[Any] = [model]
    for step in path:
        here = [inner for annotation in here for inner in _inside(annotation, step)]
    return [
        field.alias or name
        for annotation in here
        for member in _members(annotation)
        if isinstance(member, type) and issubclass(member, BaseModel)
        for name, field in member.model_fields.items()
    ]


def _inside(annotation: Any, step: str | int) -> list[Any]:
    annotations: list[Any] = []
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            annotations += [
                field.annotation for name, field in member.model_fields.items() if step in (name, field.alias)
            ]
        elif arguments := [arg for arg in get_args(member) if arg is not Ellipsis]:
            annotations.append(arguments[-1])
    return annotations


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the one type that it is."""
    if get_origin(annotation) in (Union, UnionType):
        return [inner for arg in get_args(annotation) for inner in _members(arg)]
    if hasattr(annotation, "__metadata__"):
        return _members(get_args(annotation)[0])
    return [annotation]


def parameters_for(call: Call, model: type[M]) -> M:
    """Return the parameters of a call in which everything is substituted, as their model has them.

    Raises RunbookError that names every parameter that is wrong.
    """
    parameters, problems = validate(model, dict(call.parameters))
    if parameters is None:
        wrong = "; ".join(problem.sentence_end for problem in problems)
        raise RunbookError(f"The parameters of {call.name} are wrong: {wrong}.")
    return parameters

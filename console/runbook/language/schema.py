"""The JSON Schema of runbooks, made from the models: editors complete and check a runbook with it.

Only constructs of draft 7 are used, which the YAML language server understands. What a schema cannot say (that a step
exists, that a placeholder names something) only `vipconsole validate` tells.
"""

import json
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel

from console.durations import SPAN
from console.runbook.actions.registry import ACTIONS
from console.runbook.contracts import CONDITIONS_KEY, Action, Predicate
from console.runbook.language.models import RunbookShape
from console.runbook.language.substitution import first_parameter
from console.runbook.language.values import ID
from console.runbook.predicates.registry import PREDICATES

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The file in the source tree, beside this module."""
_REFERENCES = "#/definitions/{model}"
_PLACEHOLDER: Schema = {"$ref": "#/definitions/Placeholder"}
_STEP_ID: Schema = {"type": "string", "pattern": ID, "description": "An earlier step."}
_BY_NAME = ("properties", "patternProperties", "$defs")
"""What is a mapping of names to schemas, and no schema itself."""
_NOT_IN_DRAFT_7 = ("title", "gt")

_NO_VERIFY: Schema = {
    "type": "object",
    "properties": {"none": {"type": "string", "minLength": 1, "description": "Why it cannot be verified."}},
    "required": ["none"],
    "additionalProperties": False,
}


def runbook_schema() -> Schema:
    """Return the schema as data."""
    shape = RunbookShape.model_json_schema(ref_template=_REFERENCES)
    definitions: Schema = _plain(shape.pop("$defs"))
    for action in ACTIONS.values():
        definitions |= _parameters(action)
    for predicate in PREDICATES.values():
        definitions |= _parameters(predicate)
    step = definitions["StepShape"]
    step["properties"]["requires"] = _conditions(step["properties"]["requires"], _STEP_ID)
    for key in ("probe", "verify"):
        step["properties"][key] = _conditions(step["properties"][key])
    step["properties"]["verify"]["anyOf"].append(_NO_VERIFY)
    step["oneOf"] = [{"required": ["uses"]}, {"required": ["manual"]}]
    for holder in (step, definitions["UndoShape"]):
        _name_actions(holder)
    definitions["UndoShape"]["oneOf"] = [{"required": ["uses"]}, {"required": ["none"]}]
    definitions["Placeholder"] = {
        "type": "string",
        "pattern": r"^\$\{[^{}]+\}$",
        "description": "A value of the run: ${vars.NAME}, ${steps.ID.outputs.NAME} or ${run.NAME}.",
    }
    definitions["Conditions"] = _any_of_predicates()
    definitions["Predicates"] = _predicates()
    return {
        "$schema": DRAFT,
        "title": "A runbook of vipconsole",
        **_plain(shape),
        "definitions": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """Return the schema as it is checked in and printed."""
    return json.dumps(runbook_schema(), indent=2, ensure_ascii=True) + "\n"


def _parameters(of: Action[Any] | Predicate[Any]) -> Schema:
    """Return the definition of parameters, and those that it rests on, with placeholders where values can stand."""
    schema = of.parameters.model_json_schema(ref_template=_REFERENCES)
    inner: Schema = schema.pop("$defs", {})
    return {
        name: _with_placeholders(_plain(definition))
        for name, definition in {**inner, _definition(of): {**schema, "description": _sentence(of)}}.items()
    }


def _definition(of: Action[Any] | Predicate[Any]) -> str:
    return f"with.{of.name}"


def _sentence(of: Action[Any] | Predicate[Any]) -> str:
    text = cleandoc(type(of).__doc__ or "")
    effect = getattr(of, "effect", None)
    return f"{text} Effect: {effect}." if effect else text


def _with_placeholders(schema: Schema) -> Schema:
    """Let every value of an object or a list be a placeholder too, but for texts that can be anything already."""
    copy = dict(schema)
    for key in ("properties", "items", "additionalProperties"):
        inside = copy.get(key)
        if key == "properties" and isinstance(inside, dict):
            copy[key] = {name: _or_placeholder(value) for name, value in inside.items()}
        elif isinstance(inside, dict):
            copy[key] = _or_placeholder(inside)
    return copy


def _or_placeholder(schema: Schema) -> Schema:
    deep = _with_placeholders(schema)
    about: Schema = {key: deep.pop(key) for key in ("description", "default") if key in deep}
    if CONDITIONS_KEY in deep:
        return {**about, "allOf": [{"$ref": "#/definitions/Conditions"}]}
    if _takes_any_text(deep):
        return {**about, **deep}
    choices = deep.pop("anyOf", None)
    members = [_with_placeholders(choice) for choice in choices] if choices else [deep]
    if "type" in deep and deep["type"] == "string":
        # A text with a pattern, or one of several words: within it a placeholder may be a part.
        return {**about, "anyOf": [*members, {"type": "string", "pattern": r"\$\{[^{}]+\}"}]}
    return {**about, "anyOf": [*members, _PLACEHOLDER]}


def _takes_any_text(schema: Schema) -> bool:
    limits = {"pattern", "enum", "const", "format"}
    return schema.get("type") == "string" and limits.isdisjoint(schema)


def _name_actions(holder: Schema) -> None:
    """Let `uses` be the name of an action, and let `with` be its parameters."""
    properties = holder["properties"]
    properties["uses"] = {
        "description": properties["uses"]["description"],
        "anyOf": [{"const": action.name, "description": _sentence(action)} for action in ACTIONS.values()],
    }
    properties["with"] = {"type": "object", "description": properties["with"]["description"]}
    holder["allOf"] = [_when(action) for action in ACTIONS.values()]


def _when(action: Action[Any]) -> Schema:
    then: Schema = {"properties": {"with": {"$ref": f"#/definitions/{_definition(action)}"}}}
    if _has_required(action.parameters):
        then["required"] = ["with"]
    return {"if": {"properties": {"uses": {"const": action.name}}, "required": ["uses"]}, "then": then}


def _has_required(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def _conditions(field: Schema, *more: Mapping[str, Any]) -> Schema:
    return {"description": field["description"], **_any_of_predicates(more)}


def _any_of_predicates(more: Iterable[Mapping[str, Any]] = ()) -> Schema:
    names = {
        "enum": [
            predicate.name for predicate in PREDICATES.values() if not _has_required(predicate.parameters)
        ]
    }
    entry = {"anyOf": [{"$ref": "#/definitions/Predicates"}, names, *more]}
    return {"anyOf": [{"$ref": "#/definitions/Predicates"}, {"type": "array", "items": entry}]}


def _predicates() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {predicate.name: _predicate(predicate) for predicate in PREDICATES.values()},
    }


def _predicate(predicate: Predicate[Any]) -> Schema:
    full: Schema = {"$ref": f"#/definitions/{_definition(predicate)}"}
    first = first_parameter(predicate.parameters)
    short: Schema = {"$ref": f"#/definitions/{_definition(predicate)}/properties/{first}"}
    # Without anything behind it, it has the parameters that it has by itself.
    nothing = [] if _has_required(predicate.parameters) else [{"type": "null"}]
    return {"description": _sentence(predicate), "anyOf": [full, short, *nothing]}


def _plain(schema: Any) -> Any:
    """Return a schema of pydantic's in plain draft 7, without what only repeats a name or stands for a key left out."""
    if isinstance(schema, list):
        return [_plain(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        key: {name: _plain(named_schema) for name, named_schema in value.items()}
        if key in _BY_NAME
        else _plain(value)
        for key, value in schema.items()
        if key not in _NOT_IN_DRAFT_7
        and not (key == "default" and (value is None or isinstance(value, dict)))
    }
    choices = plain.get("anyOf")
    if choices and "default" in schema and schema["default"] is None:
        other_choices = [choice for choice in choices if choice != {"type": "null"}]
        plain = (
            {**other_choices[0], **_without(plain, "anyOf")}
            if len(other_choices) == 1
            else {**plain, "anyOf": other_choices}
        )
    if plain.get("pattern") == SPAN and isinstance(plain.get("default"), int | float):
        plain["default"] = f"{plain['default']:g}s"
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    if "$ref" in plain and len(plain) > 1:
        # Beside a reference nothing counts in draft 7.
        plain["allOf"] = [{"$ref": plain.pop("$ref")}]
    return plain


def _without(schema: Schema, key: str) -> Schema:
    return {name: value for name, value in schema.items() if name != key}

"""The JSON Schema of settings files: editors complete and check them with it. Draft 7, as that of runbooks."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from console.alerts.alert import FORMATS, LEVELS
from console.settings import LISTS, THEMES, Settings
from console.settings_file import descriptions

Schema = dict[str, Any]
CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Settings", "theme"): THEMES,
    ("Alert", "format"): FORMATS,
    ("Alert", "at"): LEVELS,
}
"""Keys that take one of a few words, by their class and name."""


def settings_schema() -> Schema:
    """Return the schema as data."""
    schema = _table(Settings())
    schema["properties"] |= {
        name: {
            "type": "array",
            "description": schema["properties"][name]["description"],
            "items": _table(kind(), may_be_empty=True),
        }
        for name, kind in LISTS.items()
    }
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "vipconsole settings", **schema}


def schema_text() -> str:
    """Return the schema as a JSON document."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def _table(table: Any, *, may_be_empty: bool = False) -> Schema:
    about = descriptions()
    kind = type(table).__name__
    properties = {}
    for key in fields(table):
        value = getattr(table, key.name)
        schema = _table(value) if is_dataclass(value) else _value(value, may_be_empty=may_be_empty)
        if (kind, key.name) in CHOICES:
            schema["enum"] = list(CHOICES[kind, key.name])
        text = " ".join(about[kind, key.name].split())
        properties[key.name] = schema | ({"description": text} if text else {})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value(default: object, *, may_be_empty: bool) -> Schema:
    text: Schema = {"type": "string"} if may_be_empty else {"type": "string", "minLength": 1}
    match default:
        case bool():
            return {"type": "boolean", "default": default}
        case int() | float():
            return {"type": "number", "exclusiveMinimum": 0, "default": default}
        case str():
            return text | ({"default": default} if default else {})
    return {"type": "array", "items": text, "default": list(default)}  # type: ignore[call-overload] # else a tuple of texts

"""Events as JSON, and back."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from console.errors import HostError
from console.runbook.run import events
from console.runbook.run.events import Event
from console.text import clean

_BY_NAME: Mapping[str, type[Any]] = {each.__name__: each for each in get_args(Event)}


def kind_of(event: Event) -> str:
    """Return the name under which an event is kept."""
    return type(event).__name__


def to_json(event: Event) -> str:
    """Return an event as JSON. What an action put into it that JSON has no form for is kept as text."""
    return json.dumps(plain(event), allow_nan=False, separators=(",", ":"))


def from_json(kind: str, text: str) -> Event:
    """Return the event that was kept. Raises HostError for what this version does not know."""
    try:
        event: Event = _made(_BY_NAME[kind], json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HostError(
            f"The run's log holds an event that cannot be read: {clean(kind)} ({type(error).__name__}).",
            "Another version of vipconsole wrote it: use that one for this run.",
        ) from error
    return event


def value_from(kind: type[Any], data: Any) -> Any:
    """Return a value of a type that `plain` made data of. Raises HostError where it is none."""
    try:
        return _made(kind, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HostError(f"What was kept is no {kind.__name__}: {clean(str(error), 200)}.") from error


def plain(value: Any) -> Any:
    """Return a value as plain data that JSON can hold."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    is_json = value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
    return value if is_json else str(value)


def _made(kind: Any, data: Any) -> Any:
    """Return data as a type has it. Only what events are made of is known here."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        # A field that a later version added is passed over; one that was added since has its default.
        hints = _hints(kind)
        return kind(**{name: _made(hint, data[name]) for name, hint in hints.items() if name in data})
    if origin in (Union, UnionType) and NoneType in arguments:
        (inner,) = (each for each in arguments if each is not NoneType)
        return None if data is None else _made(inner, data)
    if origin is tuple:
        return tuple(_made(arguments[0], each) for each in data)
    if isinstance(kind, type) and issubclass(kind, Enum | datetime):
        return kind(data) if issubclass(kind, Enum) else datetime.fromisoformat(data)
    if kind in (str, int, bool, float) and not isinstance(data, int if kind is float else kind):
        if kind is float and isinstance(data, float):
            return data
        raise TypeError(kind.__name__)
    return data


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind, vars(events))
    return {each.name: hints[each.name] for each in fields(kind)}

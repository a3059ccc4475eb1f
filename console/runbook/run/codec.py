"""Events as JSON, and back."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from enum import Enum
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from console.errors import DAMAGE, HostError
from console.runbook.run.events import DAMAGED_LOG_HINT, Event
from console.text import clean

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_BY_NAME: Mapping[str, type[Any]] = {arg.__name__: arg for arg in get_args(Event)}


def kind_of(event: Event) -> str:
    """Return the name under which an event is kept."""
    return type(event).__name__


def to_json(event: Event) -> str:
    """Return an event as JSON. What an action put into it that JSON has no form for is kept as text."""
    return json.dumps(plain(event), allow_nan=False, separators=(",", ":"))


def from_json(kind: object, text: str) -> Event:
    """Return the event that was kept. Raises HostError for what this version does not know.

    `kind` is a name, but a database that somebody has changed may have anything in its place.
    """
    name = str(kind)
    try:
        event: Event = _validate(_BY_NAME[name], json.loads(text))
    except DAMAGE as error:
        raise HostError(
            f"The run's log holds an event that cannot be read: {clean(name)} ({type(error).__name__}).",
            "Another version of vipconsole wrote it: use that version for this run.",
        ) from error
    return event


def value_from(kind: type[T], data: Any) -> T:
    """Return a value of a type that `plain` made data of. Raises HostError where it is none."""
    try:
        return _validate(kind, data)
    except DAMAGE as error:
        raise HostError(
            f"The stored data is not a {kind.__name__}: {clean(str(error), 200)}.", DAMAGED_LOG_HINT
        ) from error


def plain(value: Any) -> Any:
    """Return a value as plain data that JSON can hold."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    is_json = value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))
    return value if is_json else str(value)


def _validate(kind: type[T], data: Any) -> T:
    """Return data as a type has it. A field that a later version added is left out; one added since has its default."""
    value: T = _adapter(kind).validate_python(data)  # type: ignore[arg-type] # classes are hashable
    _require_possible(value)
    return value


def _require_possible(value: object) -> None:
    """Raise ValueError for times that no clock tells: they can be written, and not be shown."""
    if isinstance(value, datetime) and (value.tzinfo is None or not MINYEAR < value.year < MAXYEAR):
        raise ValueError("no time that a clock tells")
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            _require_possible(item)


@cache
def _adapter(kind: type[Any]) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - who reads no run does not wait for it

    return TypeAdapter(kind)

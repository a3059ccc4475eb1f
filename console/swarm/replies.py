"""What engines answer, as rows and events; and errors that stand in the place of an answer until all answers are there."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from console.errors import VipconsoleError
from console.swarm import parse_engine
from console.swarm.model import Event

T = TypeVar("T")


def read_rows(
    parser: Callable[[Mapping[str, Any]], T], rows: Iterable[Mapping[str, Any]] | None
) -> tuple[T, ...]:
    """Return the objects of a list. An engine writes null for an empty one."""
    return tuple(parser(row) for row in rows or ())


def read_events(answer: bytes) -> tuple[Event, ...]:
    """Return the events of an answer, one a line."""
    return tuple(parse_engine.event(json.loads(line)) for line in answer.splitlines() if line.strip())


async def reply_or_error(answer: Awaitable[T]) -> T | VipconsoleError:
    """Return an answer, or the error instead of it."""
    try:
        return await answer
    except VipconsoleError as error:
        return error


def require_reply(result: T | VipconsoleError) -> T:
    """Return an answer, or raise the error that stands in its place."""
    if isinstance(result, VipconsoleError):
        raise result
    return result

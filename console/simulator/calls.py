"""A call to a simulated engine, and what its handlers share."""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from console.frozen import frozen
from console.simulator.filters import Refusal
from console.simulator.joining import AnyEngine
from console.simulator.objects import Json


@frozen
class Request:
    """A request: method, path as sent (with or without `/v1.xx`), query and parsed body."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@frozen
class Response:
    """A response: `body` is JSON, text, or None for no content; the engine takes `seconds` to give it."""

    status: int
    body: Any = None
    seconds: float = 0.0


@frozen
class CallContext:
    """A call, the engine and the API version that it is for, and the object that its path names."""

    engine: AnyEngine
    call: Request
    api: tuple[int, int]
    reference: str


def is_set(context: CallContext, name: str) -> bool:
    """Whether a parameter of the query is true."""
    return context.call.query.get(name, "").lower() in ("1", "true")


def body_of(context: CallContext) -> Json:
    """Return the body of a call that needs one."""
    if not isinstance(context.call.body, dict):
        raise Refusal("invalid JSON: got EOF while reading request body", 400)
    return context.call.body


Route = tuple[str, re.Pattern[str], bool, Callable[[CallContext], Response]]


def route(method: str, path: str, act: Callable[[CallContext], Response], *, manager: bool = True) -> Route:
    """Return a route; unless `manager` says otherwise, only an engine that answers for the swarm takes it."""
    return method, re.compile("^" + path.replace("{id}", "([^/]+)") + "/?$"), manager, act

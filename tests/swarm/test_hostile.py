"""Whatever text an engine sends, and wherever it stands in an answer, leaves the door showing itself."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError

from console.errors import EngineRefused
from console.swarm import parse, stacks
from console.swarm.failures import engine_error

RECORDED = Path(__file__).with_name("recorded") / "20.10.24"
HOSTILE = "\x1b[2J\x1b]0;t\x07 \u202egnp \x9b a\nb\r"
STACK = {"com.docker.stack.namespace": "web"}
LABELLED = [{"ID": "o1", "Spec": {"Name": "web_key", "Labels": STACK}}]
EVENTS = [
    {"Type": "service", "Action": "update", "scope": "swarm", "timeNano": 1_781_229_600_000_000_000,
     "Actor": {"ID": "s1", "Attributes": {"name": "web_app", "updatestate.new": "completed"}}},
]  # fmt: skip
DOORS: dict[str, tuple[str | list[Any], Callable[[Any], object]]] = {
    "network": ("networks", parse.network),
    "network_detail": ("network-proxy", parse.network_detail),
    "service": ("services", parse.service),
    "task": ("tasks", parse.task),
    "node": ("nodes", parse.node),
    "engine": ("info", lambda data: parse.engine(data, (1, 41))),
    "event": (EVENTS, parse.event),
    "service_use": ("services", stacks.service_use),
    "task_use": ("tasks", stacks.task_use),
    "network_object": ("networks", stacks.network_object),
    "labelled_object": (LABELLED, lambda data: stacks.labelled_object(stacks.Kind.SECRET, data)),
    "running_container": ("containers", stacks.running_container),
    "node_state": ("nodes", stacks.node_state),
}


def texts(value: object) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    if isinstance(value, str):
        # The members of an enumeration are this program's own words.
        yield from () if isinstance(value, Enum) else (value,)
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))
    elif isinstance(value, dict):
        yield from texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from texts(each)


def leaves(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the texts of an answer are."""
    if isinstance(data, str):
        yield place
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, each in pairs:
        yield from leaves(each, (*place, key))


def with_hostile(data: Any, place: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(data)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = HOSTILE
    return changed


@pytest.mark.parametrize("door", DOORS)
def test_no_text_of_an_answer_leaves_the_door_raw(door: str) -> None:
    source, read = DOORS[door]
    answers = json.loads((RECORDED / f"{source}.json").read_text()) if isinstance(source, str) else source
    arrived = 0
    for answer in answers if isinstance(answers, list) else [answers]:
        for place in leaves(answer):
            try:
                value = read(with_hostile(answer, place))
            except ValueError:
                # A time or an address that is none is refused.
                continue
            found = list(texts(value))
            assert all(each.isprintable() for each in found), place
            arrived += any("\\x1b" in each for each in found)
    assert arrived, "no text came through at all"


def test_no_refusal_of_an_engine_is_passed_on_raw() -> None:
    answer = requests.Response()
    answer.status_code = 500
    error = engine_error(APIError("refused", answer, explanation=HOSTILE), "unix:///x", "list the tasks")
    assert isinstance(error, EngineRefused)
    assert "\\x1b[2J" in error.sentence
    assert error.sentence.isprintable()
    unknown = engine_error(ValueError(HOSTILE), "unix:///x", "list the tasks")
    assert unknown.sentence.isprintable()

"""Whatever text an engine sends, and wherever it stands in an answer, leaves the door showing itself."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from console.errors import EngineRefused
from console.swarm import parse, parse_engine
from console.swarm.engine_client import ErrorReply
from console.swarm.failures import engine_error
from console.swarm.model import Endpoint, ObjectKind

RECORDED = Path(__file__).with_name("recorded") / "20.10.24"
HOSTILE = "\x1b[2J\x1b]0;t\x07 \u202egnp \x9b a\nb\r"
STACK = {"com.docker.stack.namespace": "web"}
LABELLED = [{"ID": "o1", "Spec": {"Name": "web_key", "Labels": STACK}}]
EVENTS = [
    {"Type": "service", "Action": "update", "scope": "swarm", "timeNano": 1_781_229_600_000_000_000,
     "Actor": {"ID": "s1", "Attributes": {"name": "web_app", "updatestate.new": "completed"}}},
]  # fmt: skip
INSPECTED = {
    "Id": "c1",
    "Name": "/shell",
    "State": {"Running": True},
    "HostConfig": {"RestartPolicy": {"Name": "always"}},
    "NetworkSettings": {
        "Networks": {"proxy": {"NetworkID": "n1", "IPAddress": "10.0.1.9", "Aliases": ["shell"]}}
    },
}


def _shown(found: Endpoint | None) -> object:
    """Return what is shown of an endpoint: its configuration is the engine's own, and is written back as it is."""
    return found and replace(found, config={})


DOORS: dict[str, tuple[str | list[Any], Callable[[Any], object]]] = {
    "network": ("networks", parse.network),
    "network_detail": ("network-proxy", parse.network_detail),
    "service": ("services", parse.service),
    "task": ("tasks", parse.task),
    "node": ("nodes", parse.node),
    "engine": ("info", lambda data: parse_engine.engine(data, (1, 41))),
    "event": (EVENTS, parse_engine.event),
    "stack_object": (LABELLED, lambda data: parse.stack_object(ObjectKind.SECRET, data)),
    "container": ("containers", parse_engine.container),
    "endpoint": ([INSPECTED], lambda data: _shown(parse_engine.endpoint(data, "proxy"))),
    "restart_policy": ([INSPECTED], parse_engine.restart_policy),
}


def texts(value: object) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    if isinstance(value, str):
        # The members of an enumeration are this program's own words.
        yield from () if isinstance(value, Enum) else (value,)
    elif is_dataclass(value):
        for each in fields(value):
            # What a repr leaves out is the engine's own, and is never shown.
            if each.repr:
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


def test_what_the_engine_gave_is_carried_whole_and_shown_nowhere() -> None:
    services, networks = (
        json.loads((RECORDED / f"{name}.json").read_text()) for name in ("services", "networks")
    )
    secret = {"Env": ["PASSWORD=hunter2"]}
    for data in services:
        data["Spec"]["TaskTemplate"]["ContainerSpec"] |= secret
        data["PreviousSpec"] = data["Spec"]
        service = parse.service(data)
        assert service.spec == service.previous_spec == data["Spec"]
        assert "hunter2" not in repr(service)
    for data in networks:
        network = parse.network(data | {"Labels": {"password": "hunter2"}})
        assert network.body["Labels"] == {"password": "hunter2"}
        assert "hunter2" not in repr(network)


def test_no_refusal_of_an_engine_is_passed_on_raw() -> None:
    error = engine_error(ErrorReply(500, HOSTILE), "unix:///x", "list the tasks")
    assert isinstance(error, EngineRefused)
    assert "\\x1b[2J" in error.sentence
    assert error.sentence.isprintable()
    unknown = engine_error(ValueError(HOSTILE), "unix:///x", "list the tasks")
    assert unknown.sentence.isprintable()

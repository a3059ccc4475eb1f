"""An engine is asked in two ways, over its socket and with the docker SDK: what they give and raise is the same."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from console.errors import MalformedReply
from console.swarm import engine_client
from console.swarm.engine_client import EngineClient, ErrorReply, SocketClient
from console.swarm.failures import FAILURES, engine_error
from console.swarm.sdk_client import SdkClient
from tests.simulator.swarms import a_network, a_swarm
from tests.support import near
from tests.support import scripted as support
from tests.support.engines import Simulation, simulation

NOTHING_TO_CUT = ("cut", "no content")
KINDS = ("", "refuse", "hang", "cut", "garbage", "lose_answer", "slow_body", "status:404", "status:503")
SPEC = {"Name": "late", "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}}}
CALLS: dict[str, Callable[[EngineClient], Any]] = {
    "list": lambda client: json.loads(client.get("/networks")),
    "escaped": lambda client: json.loads(
        client.get("/networks?filters=%7B%22name%22%3A%5B%22pr%C3%B6%2Fxy%22%5D%7D")
    ),
    "missing": lambda client: client.get("/networks/pr%C3%B6%2Fxy"),
    "no such page": lambda client: client.get("/no/such/page"),
    "create": lambda client: client.send("POST", "/services/create", body=SPEC).keys(),
    "no content": lambda client: client.send("DELETE", "/networks/proxy"),
    "lost race": lambda client: client.send("POST", "/swarm/update", body={}, params={"version": "99999"}),
    "version": lambda client: client.newest_version(),
}
Ways = dict[str, Callable[[Path, float], EngineClient]]
WAYS: Ways = {
    "socket": lambda path, timeout_s: SocketClient(str(path), "1.41", timeout_s),
    "sdk": lambda path, timeout_s: SdkClient(f"unix://{path}", False, "1.41", timeout_s),
}


def outcome(way: str, kind: str, name: str) -> object:
    """Return what a call gives that meets a fault, or what is told of its failure, and what the next one gives."""
    # The SDK knows whole seconds only.
    timeout_s = 1 if kind == "hang" else 30
    engine = a_swarm("1.41")
    a_network(engine)
    with simulation(engine) as served:
        client = WAYS[way](served.socket, timeout_s)
        try:
            if kind:
                served.control("faults", [{"path": "*", "kind": kind, "seconds": 0.01, "times": 1}])
            return (
                outcome_of(client, CALLS[name]),
                outcome_of(client, CALLS["list"]),
                len(engine.store.services),
            )
        finally:
            client.close()


def outcome_of(client: EngineClient, call: Callable[[EngineClient], Any]) -> object:
    try:
        return call(client)
    except FAILURES as error:
        failure = engine_error(error, "HOST", "do it")
        return type(failure), failure.sentence, failure.hint


FAULTS = [(kind, name) for kind in KINDS for name in CALLS if (kind, name) != NOTHING_TO_CUT]


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_both_ways_tell_the_same(kind: str, name: str) -> None:
    assert outcome("socket", kind, name) == outcome("sdk", kind, name)


@pytest.mark.parametrize(("kind", "name"), [fault for fault in FAULTS if fault[0] != "hang"])
def test_near_and_far_the_program_sees_the_same(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        near.install(patch)
        near_by = outcome("socket", kind, name)
    with monkeypatch.context() as patch:
        patch.setattr(SocketClient, "call", near.far_call)
        assert near_by == outcome("socket", kind, name)


@pytest.fixture
def served() -> Iterator[Simulation]:
    with simulation(a_swarm("1.41")) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_events_come_until_they_are_closed_from_elsewhere(way: str, served: Simulation) -> None:
    client = WAYS[way](served.socket, 30)
    stream = client.events("1.000000000", {"type": ["network"], "event": ["create"]})
    network = served.running.run(lambda engine: engine.networks.create({"Name": "new", "Driver": "overlay"}))
    events = iter(stream)
    # The network of the swarm itself comes before.
    assert [next(events)["Actor"]["ID"] for _ in range(2)][1] == network
    closing = threading.Timer(0.05, stream.close)
    closing.start()
    assert list(events) == []
    closing.join()
    client.close()


Ended = Callable[[], None]


@contextmanager
def scripted(folder: Path, *answers: bytes) -> Iterator[tuple[Path, Ended]]:
    """Serve one answer on each connection, which ends without saying so, as that of an engine that is killed.

    The function that is given waits until the next one has ended.
    """
    waiting, path = list(answers), folder / "scripted.sock"
    with support.scripted(path, lambda *_: (waiting.pop(0), True)) as engine:
        yield path, engine.wait_for_end


def http(content: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_that_ended_a_kept_connection_is_asked_over_another_one(way: str, tmp_path: Path) -> None:
    with scripted(tmp_path, *(http(str(number).encode()) for number in range(5))) as (path, ended):
        client = WAYS[way](path, 30)
        for number in range(5):
            assert client.get("/networks") == str(number).encode()
            ended()
        client.close()


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_whose_pings_name_no_version_is_asked_for_it(way: str, tmp_path: Path) -> None:
    with scripted(tmp_path, http(b"OK", "Connection: close\r\n"), http(b'{"ApiVersion": "1.30"}')) as (
        path,
        _,
    ):
        client = WAYS[way](path, 30)
        assert client.newest_version() == "1.30"
        client.close()


@pytest.mark.parametrize("way", WAYS)
def test_events_come_also_where_the_connection_is_closed_after_them(way: str, tmp_path: Path) -> None:
    answer = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"Type": "network"}\n'
    with scripted(tmp_path, answer) as (path, _):
        client = WAYS[way](path, 30)
        assert list(client.events("1.000000000", {})) == [{"Type": "network"}]
        client.close()


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_that_failed_on_the_way_is_refused(way: str, tmp_path: Path) -> None:
    said = b'{"status": "Extracting"}\r\n{"errorDetail": {}, "error": "no space left on device"}\r\n'
    with scripted(tmp_path, http(b'{"status": "sha256:1"}\r\n'), http(said)) as (path, ended):
        client = WAYS[way](path, 30)
        client.upload("/images/create", b"tar", {"fromSrc": "-"})
        ended()
        with pytest.raises(ErrorReply, match="no space left on device"):
            client.upload("/images/create", b"tar", {"fromSrc": "-"})
        client.close()


def unending(said: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(said), said)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_client, "LONGEST_ANSWER_BYTES", 3 << 20)
    with scripted(tmp_path, unending(b"[" * (4 << 20)), http(b"[]")) as (path, ended):
        client = WAYS[way](path, 30)
        with pytest.raises(FAILURES) as failure:
            client.get("/tasks")
        ended()
        told_error = engine_error(failure.value, "HOST", "list the tasks")
        assert isinstance(told_error, MalformedReply)
        assert "(asked to list the tasks: its answer is longer than 3 MB)" in told_error.sentence
        # Nothing of it is left for the next one.
        assert client.get("/tasks") == b"[]"
        client.close()


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_trickles_past_its_time_is_given_up(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count(step=20)
    with scripted(tmp_path, unending(b"[" * (4 << 20))) as (path, _):
        client = WAYS[way](path, 30)
        monkeypatch.setattr(engine_client, "monotonic", lambda: next(seconds))
        with pytest.raises(TimeoutError):
            client.get("/tasks")
        monkeypatch.undo()
        client.close()

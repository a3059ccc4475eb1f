"""An engine that is answered without its socket is told from one on its socket by nothing that a client can see."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError
from docker.transport.unixconn import UnixHTTPAdapter

from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support import near
from tests.support.engines import Simulation, simulation

KINDS = ("", "refuse", "hang", "cut", "garbage", "lose_answer", "slow_body", "status:404", "status:503")
ON_THE_WIRE = {"Content-Length", "Date", "Server"}
"""Headers that aiohttp adds to each answer; the SDK reads none."""


def created(client: Any) -> Any:
    spec = {"Name": "late", "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}}}
    return client._result(client._post_json(client._url("/services/create"), data=spec), json=True)


def written(client: Any) -> Any:
    # Escaped in the path, repeated and nested in the query.
    return client.networks(names=["prö/xy ?", "proxy"], filters={"label": ["a=b&c", "d"]})


CALLS: dict[str, Callable[[Any], Any]] = {
    "list": lambda client: client.services(),
    "text": lambda client: client.ping(),
    "filter": written,
    "missing": lambda client: client.inspect_network("prö/xy ?"),
    "create": created,
    "no content": lambda client: client.remove_network("proxy"),
    "no such page": lambda client: client._result(client._get(client._url("/no/such/page"))),
    "no JSON": lambda client: client._result(client._post(client._url("/networks/create"), data="{")),
    "streamed": lambda client: client._result(client._get(client._url("/version"), stream=True), json=True),
    "control": lambda client: client.post(
        f"{client.base_url}/_simulator/advance", json={"seconds": 1}
    ).json(),
    "bad control": lambda client: client.post(f"{client.base_url}/_simulator/lead", json={}).json(),
}


@contextmanager
def client_of(served: Simulation) -> Iterator[Any]:
    client: Any = docker.APIClient(base_url=served.host, version="1.41", timeout=30)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def put(patch: pytest.MonkeyPatch, *, is_near: bool) -> Iterator[list[str]]:
    """Put engines near or far, whatever this run asked for; tell which requests went over a socket."""
    went: list[str] = []
    over_socket = near.far

    def far(adapter: Any, request: Any, **more: Any) -> Any:
        went.append(request.path_url)
        return over_socket(adapter, request, **more)

    with patch.context() as inner:
        inner.setattr(near, "far", far)
        if is_near:
            near.install(inner)
        else:
            inner.setattr(UnixHTTPAdapter, "send", far)
            inner.setattr("docker.APIClient.request", requests.Session.request)
        yield went


def outcome(client: Any, call: Callable[[Any], Any]) -> Any:
    """Return what a call gives or raises, with all that the program looks at in it."""
    try:
        return call(client)
    except APIError as error:
        return type(error), str(error), error.status_code, error.explanation
    except (requests.RequestException, ValueError) as error:
        causes = [type(cause) for cause in error.args if isinstance(cause, BaseException)]
        return type(error), causes


def all_of_it(patch: pytest.MonkeyPatch, kind: str, name: str, *, is_near: bool) -> list[Any]:
    """Return what comes of a call that meets a fault, what comes of the next one, and the engine's state."""
    engine = a_swarm("1.41")
    a_service(engine, a_network(engine))
    with put(patch, is_near=is_near), simulation(engine) as served, client_of(served) as client:
        served.control("faults", [{"path": "*", "kind": kind, "skip": 1, "seconds": 0.01}] if kind else [])
        first = [outcome(client, CALLS["list"])]
        # A call that hangs is given up, all others are waited for.
        client.timeout = 0.05 if kind == "hang" else 30
        first.append(outcome(client, CALLS[name]))
        client.timeout = 30
        served.mend()
        return [*first, outcome(client, CALLS[name]), outcome(client, CALLS["list"]), engine.truth()]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_near_and_far_every_call_and_every_fault_look_the_same(
    kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    near_by = all_of_it(monkeypatch, kind, name, is_near=True)
    assert near_by == all_of_it(monkeypatch, kind, name, is_near=False)


@pytest.mark.parametrize("path", ["/services", "/networks/none", "/_ping", "/_simulator/state"])
def test_near_and_far_the_response_is_the_same(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def response(*, is_near: bool) -> tuple[Any, ...]:
        with (
            put(monkeypatch, is_near=is_near),
            simulation(a_swarm("1.41")) as served,
            client_of(served) as client,
        ):
            given = client.get(client.base_url + path)
            headers = {name: text for name, text in given.headers.items() if name not in ON_THE_WIRE}
            return (
                given.status_code,
                given.reason,
                given.url,
                given.encoding,
                headers,
                given.content,
                given.ok,
            )

    assert response(is_near=True) == response(is_near=False)


def test_only_what_needs_a_connection_goes_over_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        put(monkeypatch, is_near=True) as went,
        simulation(a_swarm("1.41")) as served,
        client_of(served) as client,
    ):
        client.services()
        assert client.inspect_swarm()
        assert went == []
        served.break_call("/services", "status:500", times=1)
        with pytest.raises(APIError):
            client.services()
        assert client.services() == []
        client.events(since=1, until=2).close()
        assert [path.partition("?")[0] for path in went] == ["/v1.41/services", "/v1.41/events"]


@pytest.mark.parametrize("by", ["its own thread", "a caller's"])
def test_an_engine_that_is_down_is_asked_over_its_socket_until_it_is_up(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        put(monkeypatch, is_near=True) as went,
        simulation(a_swarm("1.41")) as served,
        client_of(served) as client,
    ):
        if by == "its own thread":
            served.control("down", {"seconds": 0.2})
        else:
            client.post(f"{client.base_url}/_simulator/down", json={"seconds": 0.2})
        deadline = time.monotonic() + 60
        answers: list[bool] = []
        while answers[-2:] != [False, True]:
            assert time.monotonic() < deadline
            with suppress(requests.ConnectionError):
                answers.append(False)
                answers[-1] = client.services() == []
        assert len(went) >= answers.count(False)
        went.clear()
        assert client.services() == []
        assert went == []


def test_an_engine_over_tcp_is_asked_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = docker.APIClient(base_url="tcp://127.0.0.1:1", version="1.41", timeout=30)
    with put(monkeypatch, is_near=True), pytest.raises(requests.ConnectionError):
        client.info()
    client.close()

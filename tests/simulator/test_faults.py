import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from docker.errors import APIError

from console.errors import SimulatorError
from console.simulator.controls import Faults
from console.simulator.server import serve_in_thread
from tests.simulator.swarms import a_network, a_swarm


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Any]:
    engine = a_swarm()
    a_network(engine)
    path = tmp_path / "engine.sock"
    with serve_in_thread(engine, path):
        client: Any = docker.APIClient(base_url=f"unix://{path}", version="auto", timeout=60)
        yield client
        client.close()


def put(client: Any, kind: str, path: str = "/services", **more: Any) -> None:
    answer = client.post(f"{client.base_url}/_simulator/faults", json=[{"kind": kind, "path": path, **more}])
    assert answer.status_code == 200, answer.text


def test_refuse_drops_the_connection_and_only_that_often(client: Any) -> None:
    put(client, "refuse", times=2)
    for _ in range(2):
        with pytest.raises(requests.exceptions.ConnectionError):
            client.services()
    assert client.services() == []


def knock(path: Path) -> str:
    # docker's library leaves a socket open that was refused, so this one knocks by hand. Binding again replaces the file.
    with socket.socket(socket.AF_UNIX) as knocking:
        try:
            knocking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return "refused"
        return "open"


def wait_for(path: Path, answer: str) -> None:
    deadline = time.monotonic() + 60
    while knock(path) != answer:
        assert time.monotonic() < deadline, f"never {answer}"
        # The engine is in this process: it must come to run between two knocks.
        time.sleep(0.01)


def test_down_refuses_every_connection_until_it_is_up_again(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    client.post(f"{client.base_url}/_simulator/down", json={"seconds": 3.0})
    wait_for(path, "refused")
    wait_for(path, "open")
    assert client.services() == []


def test_hang_gives_no_answer(client: Any) -> None:
    put(client, "hang")
    max_wait_s, client.timeout = client.timeout, 0.3
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.services()
    client.timeout = max_wait_s
    assert client.services() == []


def test_cut_ends_in_the_middle(client: Any) -> None:
    put(client, "cut", "/networks")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        client.networks()
    assert client.networks()


def test_garbage_is_no_json(client: Any) -> None:
    put(client, "garbage")
    with pytest.raises(ValueError, match="Expecting value"):
        client.services()


def test_a_status_is_answered_and_nothing_is_done(client: Any) -> None:
    put(client, "status:503", "/networks/*", method="DELETE")
    with pytest.raises(APIError) as failed:
        client.remove_network("proxy")
    assert (failed.value.status_code, failed.value.explanation) == (503, "a simulated failure")
    assert client.inspect_network("proxy")


def test_lose_answer_acts_and_says_nothing(client: Any) -> None:
    put(client, "lose_answer", "/networks/*", method="DELETE")
    with pytest.raises(requests.exceptions.ConnectionError):
        client.remove_network("proxy")
    with pytest.raises(APIError, match="network proxy not found"):
        client.inspect_network("proxy")


def test_slow_body_trickles_below_every_read_timeout(client: Any) -> None:
    put(client, "slow_body", "/networks", seconds=4.0)
    client.timeout = 2.0
    began = time.monotonic()
    assert client.networks()
    assert time.monotonic() - began >= 4.0


def test_faults_can_be_taken_back(client: Any) -> None:
    put(client, "refuse", "*", times=100)
    client.delete(f"{client.base_url}/_simulator/faults")
    assert client.services() == []


def test_some_calls_are_let_through_before(client: Any) -> None:
    put(client, "status:500", skip=2)
    for _ in range(2):
        assert client.services() == []
    with pytest.raises(APIError):
        client.services()
    assert client.services() == []


def test_an_unknown_kind_is_an_error(client: Any) -> None:
    answer = client.post(f"{client.base_url}/_simulator/faults", json=[{"kind": "explode"}])
    assert answer.status_code == 400
    with pytest.raises(SimulatorError, match="Unknown fault 'status:200'"):
        Faults().add({"kind": "status:200"})

"""An engine that hangs, lies or dies while it is being read: each part says what happened, and the rest stands."""

import asyncio
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.errors import Unknown
from console.swarm.model import SwarmState
from tests.support.engines import Simulation, read_swarm, simulation

PARTS = {
    "networks": "/networks",
    "services": "/services",
    "tasks": "/tasks",
    "nodes": "/nodes",
    "engine": "/info",
}


@pytest.fixture
def quiet() -> Iterator[Simulation]:
    with simulation("quiet") as running:
        yield running


def reason(part: object) -> str:
    assert isinstance(part, Unknown), part
    assert part.reason.endswith(".")
    return part.reason


def unknown_parts(state: SwarmState) -> set[str]:
    return {name for name in PARTS if isinstance(getattr(state, name), Unknown)}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refuse", "without a valid reply|closed the connection in the middle"),
        ("cut", "closed the connection in the middle of its reply"),
        ("garbage", "does not speak the Docker Engine API|without a valid reply|sent a malformed reply"),
        ("status:500", "HTTP 500"),
        ("status:503", "HTTP 503"),
    ],
)
async def test_a_call_that_fails_leaves_the_others_standing(
    quiet: Simulation, part: str, kind: str, said: str
) -> None:
    quiet.break_call(PARTS[part], kind)
    state = await read_swarm(quiet.host)
    assert unknown_parts(state) == {part}
    assert re.search(said, reason(getattr(state, part)))


async def test_a_call_that_hangs_costs_its_time_limit_and_no_more(quiet: Simulation) -> None:
    quiet.break_call("/tasks", "hang")
    started = time.monotonic()
    state = await read_swarm(quiet.host, timeout_s=2)
    # The time limit of the whole look is 60 s.
    assert time.monotonic() - started < 50
    assert unknown_parts(state) == {"tasks"}
    assert "did not answer in time" in reason(state.tasks)


async def test_a_body_that_trickles_ends_with_the_deadline(quiet: Simulation) -> None:
    quiet.control("faults", [{"path": "/services", "kind": "slow_body", "seconds": 600}])
    started = time.monotonic()
    state = await read_swarm(quiet.host, timeout_s=30, deadline_s=2)
    assert time.monotonic() - started < 25
    assert unknown_parts(state) == {"services"}


async def test_an_engine_that_hangs_altogether_is_unknown_within_the_deadline(quiet: Simulation) -> None:
    quiet.break_call("*", "hang")
    started = time.monotonic()
    state = await read_swarm(quiet.host, timeout_s=1, deadline_s=2)
    assert time.monotonic() - started < 60
    assert unknown_parts(state) == set(PARTS)


async def test_one_network_that_cannot_be_inspected_is_unknown_by_itself(quiet: Simulation) -> None:
    networks = quiet.model.truth()
    assert "proxy" in str(networks)
    proxy = next(each for each in (await read_swarm(quiet.host)).networks or () if each.name == "proxy")  # type: ignore[union-attr] # nothing fails yet
    quiet.break_call(f"/networks/{proxy.id[:12]}", "status:500")
    state = await read_swarm(quiet.host)
    assert not unknown_parts(state)
    assert not isinstance(state.networks, Unknown)
    assert [each.name for each in state.networks if each.is_overlay and isinstance(each.detail, Unknown)] == [
        "proxy"
    ]


async def test_a_404_is_believed_only_when_the_list_agrees(quiet: Simulation) -> None:
    quiet.break_call("/networks/*", "status:404")
    state = await read_swarm(quiet.host)
    assert not isinstance(state.networks, Unknown)
    proxy = next(each for each in state.networks if each.name == "proxy")
    assert "lists this network but does not find it" in reason(proxy.detail)


async def test_no_socket_and_no_daemon_are_told_apart(tmp_path: Path) -> None:
    absent = await read_swarm(f"unix://{tmp_path}/none.sock")
    assert "socket does not exist" in reason(absent.engine)
    path = tmp_path / "left-behind.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    assert "daemon is not running" in reason((await read_swarm(f"unix://{path}")).engine)
    assert "daemon is not running" in reason((await read_swarm("tcp://127.0.0.1:1")).engine)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.process
async def test_a_socket_of_others_says_who_may_use_it(quiet: Simulation) -> None:
    quiet.socket.parent.chmod(0o755)
    quiet.socket.chmod(0o600)
    script = (
        "import asyncio, os; from tests.support.engines import read_swarm; os.seteuid(65534); "
        f"print(asyncio.run(read_swarm({quiet.host!r})).engine.reason)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    said, _ = await process.communicate()
    assert b"may not use the engine's socket" in said


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html/>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"ApiVersion": "x"} ',
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"ApiVersion"',
        b"",
    ],
)
async def test_whatever_else_listens_is_not_taken_for_an_engine(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    if client.recv(65536):
                        client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        state = await read_swarm(f"unix://{path}", timeout_s=10)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert unknown_parts(state) == set(PARTS)
    assert reason(state.engine)

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import docker
import pytest

from console.errors import EngineError, MalformedReply, UsageError
from console.swarm.address import DEFAULT_HOST, resolve_host
from console.swarm.client import EngineConnection
from console.swarm.engine_client import EngineClient
from tests.simulator.swarms import a_swarm
from tests.support.engines import read_swarm, simulation


@pytest.mark.parametrize(
    ("asked", "host"),
    [
        ("", DEFAULT_HOST),
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("unix:/run/docker.sock", "unix:///run/docker.sock"),
        ("/run/docker.sock", "unix:///run/docker.sock"),
        (" tcp://127.0.0.1:2375 ", "tcp://127.0.0.1:2375"),
    ],
)
def test_an_engine_is_named_as_docker_takes_it(
    asked: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert resolve_host(asked) == host
    monkeypatch.setenv("DOCKER_HOST", asked)
    assert resolve_host("") == host


@pytest.mark.parametrize(
    "asked", ["unix://", "unix:", "/", "tcp://", "npipe://x", "ssh://u@h", "docker.sock", "ftp://x"]
)
def test_what_is_no_address_is_wrong_usage(asked: str) -> None:
    with pytest.raises(UsageError):
        resolve_host(asked)


def test_an_address_is_shown_clean_and_used_as_it_is() -> None:
    connection = EngineConnection("unix:///run/evil\x1b[2J", 1)
    assert connection.host == "unix:///run/evil\\x1b[2J"
    connection.close()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a password for this machine, as another program may have left it, and a proxy that does not answer."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[str], dict[str, str]]]:
    """Record the headers of every request, and the proxies that it may take."""
    made: list[tuple[set[str], dict[str, str]]] = []
    send: Any = docker.APIClient.send

    def recorded(self: docker.APIClient, request: Any, **more: Any) -> object:
        made.append((set(request.headers), dict(more["proxies"])))
        return send(self, request, **more)

    monkeypatch.setattr(docker.APIClient, "send", recorded)
    return made


@pytest.mark.usefixtures("environment")
async def test_an_engine_over_tcp_is_asked_through_the_proxy_of_the_environment(
    sent: list[tuple[set[str], dict[str, str]]],
) -> None:
    await read_swarm("tcp://127.0.0.1:1")
    assert sent
    assert all(proxies["all"] == "http://127.0.0.1:1" for _, proxies in sent)


def silent_since(connection: EngineConnection) -> float:
    """Return since when the engine owes an answer; 0 where it owes none."""
    return connection.silent_since_s or 0.0


async def test_it_knows_since_when_the_engine_owes_an_answer() -> None:
    def refuse(_: EngineClient) -> None:
        raise MalformedReply("It is none.")

    with simulation(a_swarm()) as running:
        connection = EngineConnection(running.host, 30)
        hanging, ending = threading.Event(), threading.Event()

        def hang(_: EngineClient) -> None:
            hanging.set()
            ending.wait(60)

        try:
            await connection.ask("the version", lambda client: client.get("/version"))
            assert not silent_since(connection)
            before_s = time.monotonic()
            task = asyncio.create_task(connection.ask("something", hang))
            await asyncio.to_thread(hanging.wait, 60)
            asked_s = silent_since(connection)
            assert asked_s >= before_s
            # Another answer shows that it is there; from then on it owes the one.
            await connection.ask("the version", lambda client: client.get("/version"))
            assert silent_since(connection) > asked_s
            ending.set()
            await task
            assert not silent_since(connection)
            # What it answers is another matter.
            with pytest.raises(MalformedReply):
                await connection.ask("something", refuse)
            assert not silent_since(connection)
            running.break_call("/version", "refuse")
            with pytest.raises(EngineError):
                await connection.ask("the version", lambda client: client.get("/version"))
            assert silent_since(connection)
        finally:
            ending.set()
            connection.close()

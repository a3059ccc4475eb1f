import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.errors import EngineNotFound, EngineRefused, MalformedReply
from console.host.audit import Audit
from console.host.who import Who
from console.swarm.changer import EngineChanger, Tell
from console.swarm.client import EngineConnection
from console.swarm.engine_client import EngineClient, SocketClient, UnixConnection
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support import near
from tests.support.engines import Simulation, simulation


@pytest.fixture
def running() -> Iterator[Simulation]:
    with simulation(a_swarm()) as served:
        yield served


@contextmanager
def changer_of(served: Simulation, tell: Tell = lambda _: None) -> Iterator[EngineChanger]:
    connection = EngineConnection(served.host, 10)
    try:
        yield EngineChanger(connection, tell)
    finally:
        connection.close()


@pytest.fixture
def requests_made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, str]]]:
    """Record method, path and headers of every request."""
    made: list[tuple[str, str, dict[str, str]]] = []
    request: Any = UnixConnection.request

    def recorded(self: UnixConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        made.append((method, path, headers))
        request(self, method, path, body, headers)

    # Over the socket, also where this process serves the engine: only there are headers sent.
    monkeypatch.setattr(SocketClient, "call", near.far_call)
    monkeypatch.setattr(UnixConnection, "request", recorded)
    return made


async def test_an_update_changes_only_what_is_meant_and_keeps_what_is_not_known(
    running: Simulation, requests_made: list[tuple[str, str, dict[str, str]]]
) -> None:
    engine = running.model
    service = a_service(engine, a_network(engine), replicas=2)
    engine.store.services[service].spec["TaskTemplate"]["FieldOfTheFuture"] = {"Deep": [1, {"er": None}]}
    index = engine.store.services[service].index
    before = dict(engine.store.services[service].spec)

    with changer_of(running) as changer:
        await changer.update_service(service, lambda spec: spec["Mode"]["Replicated"].update(Replicas=0))

    after = engine.store.services[service].spec
    assert after == {**before, "Mode": {"Replicated": {"Replicas": 0}}}
    assert after["TaskTemplate"]["FieldOfTheFuture"] == {"Deep": [1, {"er": None}]}
    ((_, path, headers),) = [each for each in requests_made if each[0] == "POST"]
    assert path.endswith(f"/services/{service}/update?version={index}")
    # With this header the engine would forget the registry credentials that the service has.
    assert "x-registry-auth" not in {each.lower() for each in headers}


async def test_an_update_that_somebody_else_overtook_changes_nothing(running: Simulation) -> None:
    engine = running.model
    service = a_service(engine, a_network(engine))

    def change(spec: dict[str, Any]) -> None:
        spec["Mode"]["Replicated"]["Replicas"] = 9
        # Meanwhile another client updates the service.
        engine.services.update(
            service,
            engine.store.services[service].index,
            {**engine.store.services[service].spec, "Labels": {"by": "other"}},
        )

    with changer_of(running) as changer, pytest.raises(EngineRefused, match="update out of sequence"):
        await changer.update_service(service, change)

    spec = engine.store.services[service].spec
    assert (spec["Labels"], spec["Mode"]["Replicated"]["Replicas"]) == ({"by": "other"}, 1)


async def test_what_is_gone_already_is_removed_and_cannot_be_updated(running: Simulation) -> None:
    with changer_of(running) as changer:
        await changer.remove_service("gone")
        await changer.remove_network("gone")
        with pytest.raises(EngineNotFound):
            await changer.update_service("gone", lambda _: None)


async def test_an_answer_that_makes_no_sense_is_no_bug_of_this_program(running: Simulation) -> None:
    network = a_network(running.model)
    running.break_call("/services/create", "garbage", times=1)
    body = {"TaskTemplate": {"ContainerSpec": {"Image": "x"}, "Networks": [{"Target": network}]}, "Name": "a"}
    with changer_of(running) as changer:
        with pytest.raises(MalformedReply):
            await changer.create_service(body)
        service = await changer.create_service(body)
    assert running.model.store.services[service].spec["Name"] == "a"


async def test_an_answer_without_what_is_needed_is_no_bug_either(
    running: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EngineClient, "send", lambda *_, **__: {})
    with changer_of(running) as changer:
        with pytest.raises(MalformedReply):
            await changer.create_service({"Name": "a"})
        with pytest.raises(MalformedReply):
            await changer.update_service("a", lambda _: None)


async def test_every_change_is_told_to_the_journal_before_it_is_made(
    running: Simulation, tmp_path: Path
) -> None:
    engine = running.model
    network = a_network(engine)
    service = a_service(engine, network, replicas=0)
    path = tmp_path / "journal"
    told: list[tuple[str, bool, bool, int]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(5)
        audit = Audit(Who("root"), "test", path)

        def tell(change: str) -> None:
            audit.tell(change)
            message = journal.recv(65536).decode().splitlines()[0]
            spec = engine.store.services[service].spec if service in engine.store.services else {}
            told.append(
                (
                    message,
                    service in engine.store.services,
                    network in engine.store.networks,
                    len(spec.get("Labels", ())),
                )
            )

        with changer_of(running, tell) as changer:
            await changer.create_service(
                {"Name": "new", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}, "Mode": {"Replicated": {}}}
            )
            await changer.update_service(service, lambda spec: spec["Labels"].update(a="b"))
            await changer.remove_service(service)
            engine.advance(60)
            await changer.remove_network(network)
            await changer.remove_secret("s")
            await changer.remove_config("c")

    assert told == [
        ("MESSAGE=root: create the service new (test)", True, True, 0),
        ("MESSAGE=root: update the service app (test)", True, True, 0),
        (f"MESSAGE=root: remove the service {service} (test)", True, True, 1),
        (f"MESSAGE=root: remove the network {network} (test)", False, True, 0),
        ("MESSAGE=root: remove the secret s (test)", False, False, 0),
        ("MESSAGE=root: remove the config c (test)", False, False, 0),
    ]

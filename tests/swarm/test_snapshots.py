"""Whole snapshots: the engine's JSON as recorded, a whole simulated swarm, and what is asked of its values."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from console.errors import EngineError, EngineNotFound, MalformedReply, NotManager
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.stacks import Part, deploy
from console.swarm import parse, parse_engine
from console.swarm.client import EngineConnection
from console.swarm.model import DEFAULT_GRACE_S, ObjectKind
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import Simulation, simulation
from tests.support.monitors import CountingConnection

T = TypeVar("T")

RECORDED = Path(__file__).with_name("recorded") / "20.10.24"
LABELS = {"com.docker.stack.namespace": "web"}
SERVICE: dict[str, Any] = {
    "ID": "s1",
    "Version": {"Index": 12},
    "CreatedAt": "2026-06-12T02:00:00Z",
    "UpdatedAt": "2026-06-12T02:00:01.5Z",
    "Spec": {
        "Name": "web_app",
        "Labels": LABELS,
        "TaskTemplate": {
            "ContainerSpec": {
                "StopGracePeriod": 2_500_000_000,
                "Secrets": [{"SecretID": "k1", "SecretName": "key"}],
                "Configs": [{"ConfigID": "c1", "ConfigName": "conf"}, {"ConfigID": "c2", "Runtime": {}}],
                "Privileges": {"CredentialSpec": {"Config": "c3"}},
            },
            "Networks": [{"Target": "n1", "Aliases": ["app"]}, {"Target": "n2"}],
        },
    },
}
LISTS = ("/info", "/services", "/networks", "/tasks", "/containers/json", "/nodes")


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def test_a_service_needs_networks_secrets_and_configs_and_says_how_long_it_takes_to_stop() -> None:
    found = parse.service(SERVICE)
    assert (found.name, found.stack, found.version) == ("web_app", "web", 12)
    assert found.uses == {"n1", "n2", "k1", "c1", "c2", "c3"}
    assert found.grace_s == 2.5
    bare = parse.service({**SERVICE, "ID": "s2", "Spec": {"Name": "old", "Networks": [{"Target": "n9"}]}})
    assert (bare.stack, set(bare.uses), bare.grace_s) == ("", {"n9"}, DEFAULT_GRACE_S)
    assert bare.is_on("n9")
    assert not bare.is_on("n1")


def test_what_the_engine_sends_is_read_and_cleaned() -> None:
    for data in recorded("services"):
        assert parse.service(data).id == data["ID"]
    for data in recorded("networks"):
        assert parse.network(data).name == data["Name"]
    tasks = [parse.task(data) for data in recorded("tasks")]
    assert any(task.is_standalone for task in tasks)
    assert all(task.network_ids for task in tasks if task.is_standalone)
    hostile = parse.stack_object(
        ObjectKind.SECRET, {"ID": "x", "Spec": {"Name": "a\x1b[31m", "Labels": None}}
    )
    assert hostile.name == "a\\x1b[31m"


def test_a_task_keeps_a_network_that_it_only_wants_and_one_that_it_only_has() -> None:
    data = {
        "ID": "t1",
        "CreatedAt": "2026-06-12T02:00:00Z",
        "ServiceID": "s1",
        "Spec": {"ContainerSpec": {"Labels": LABELS}, "Networks": [{"Target": "n1"}]},
        "Status": {"State": "running", "Timestamp": "2026-06-12T02:00:00Z"},
        "DesiredState": "remove",
        "NetworksAttachments": [{"Network": {"ID": "n2", "Spec": {}}, "Addresses": None}],
    }
    task = parse.task(data)
    assert task.network_ids == {"n1", "n2"}
    assert (task.stack, task.is_alive, task.grace_s) == ("web", True, DEFAULT_GRACE_S)


def test_a_container_may_be_without_labels_names_and_networks() -> None:
    bare = parse_engine.container({"Id": "c", "Names": None, "Labels": None, "NetworkSettings": None})
    assert (bare.service_id, bare.stack, bare.networks) == ("", "", {})
    assert not bare.is_running


def test_a_network_is_allocated_with_its_subnets_and_vxlan_ids() -> None:
    networks = {data["Name"]: data for data in recorded("networks")}
    assert {name for name, data in networks.items() if parse.network(data).is_allocated} == {
        *("ingress", "shop_internal", "proxy", "docker_gwbridge", "bridge"),
    }
    assert not parse.network(networks["proxy"] | {"Options": None}).is_allocated


@pytest.fixture
def running() -> Iterator[Simulation]:
    model = a_swarm("1.41")
    a_network(model)
    deploy(model, "web", (Part("app", ("proxy",), replicas=2),))
    model.secrets.create({"Name": "web_key", "Labels": LABELS})
    model.configs.create({"Name": "conf"})
    by_hand = {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"proxy": {}}}}
    model.containers.start(model.containers.create("shell", by_hand))
    stopped = model.containers.create("stopped", by_hand)
    model.containers.start(stopped)
    model.containers.stop(stopped)
    model.advance(20)
    with simulation(model) as listening:
        yield listening


@asynccontextmanager
async def reader_on(running: Simulation) -> AsyncIterator[tuple[EngineReader, CountingConnection]]:
    connection = CountingConnection(running.host, 30)
    try:
        yield EngineReader(connection), connection
    finally:
        connection.close()


async def test_a_snapshot_is_whole(running: Simulation) -> None:
    async with reader_on(running) as (reader, connection):
        snapshot = await reader.snapshot()
        assert len(connection.asked) == len(LISTS)
    assert [service.name for service in snapshot.services] == ["web_app"]
    assert snapshot.services[0].spec["Name"] == "web_app"
    assert {container.name for container in snapshot.standalone_containers_on("proxy")} == {
        "shell",
        "stopped",
    }
    assert "stopped" not in {container.name for container in snapshot.running_containers}
    proxy = snapshot.overlay("proxy")
    assert proxy is not None
    assert snapshot.networks_with_name("proxy") == (proxy,)
    assert {task.is_standalone for task in snapshot.live_tasks_on(proxy.id)} == {True, False}
    node = snapshot.node(snapshot.here)
    assert node is not None
    assert node.hostname == "ci-host"
    assert snapshot.engine.default_pools
    assert snapshot.now == snapshot.engine.time


async def test_a_stack_snapshot_has_everything_that_stacks_consist_of(running: Simulation) -> None:
    async with reader_on(running) as (reader, connection):
        snapshot = await reader.stack_snapshot()
        assert len(connection.asked) == len(LISTS) + 2
    local = ("ingress", "docker_gwbridge", "bridge", "host", "none")
    assert {(each.kind, each.name, each.stack) for each in snapshot.objects() if each.name not in local} == {
        (ObjectKind.SERVICE, "web_app", "web"),
        (ObjectKind.NETWORK, "proxy", ""),
        (ObjectKind.NETWORK, "web_internal", "web"),
        (ObjectKind.SECRET, "web_key", "web"),
        (ObjectKind.CONFIG, "conf", ""),
    }
    of_services = [task for task in snapshot.tasks if not task.is_standalone]
    assert {(task.stack, task.state, task.node_id) for task in of_services} == {
        ("web", "running", snapshot.here)
    }
    assert {container.id for container in snapshot.running_containers} == {
        task.container_id for task in snapshot.tasks if task.is_alive
    }


@pytest.mark.parametrize("path", [*LISTS, "/secrets", "/configs"])
async def test_where_any_part_cannot_be_read_there_is_no_snapshot(running: Simulation, path: str) -> None:
    running.break_call(path, "status:500")
    async with reader_on(running) as (reader, _):
        with pytest.raises(EngineError):
            await reader.stack_snapshot()


class ThreadWatchingConnection(EngineConnection):
    """Knows which questions its threads have begun and ended."""

    def __init__(self, host: str, timeout_s: float) -> None:
        super().__init__(host, timeout_s)
        self.begun: list[str] = []
        self.ended: list[str] = []

    async def ask(self, asked: str, question: Callable[[Any], T]) -> T:
        def watched(client: Any) -> T:
            self.begun.append(asked)
            try:
                return question(client)
            finally:
                self.ended.append(asked)

        return await super().ask(asked, watched)


async def test_no_call_outlives_a_snapshot_that_failed(running: Simulation) -> None:
    slow = {"method": "*", "path": "/nodes", "kind": "slow_body", "seconds": 1.0}
    running.control("faults", [slow, {"method": "*", "path": "/info", "kind": "status:500"}])
    connection = ThreadWatchingConnection(running.host, 30)
    try:
        with pytest.raises(EngineError):
            await EngineReader(connection).snapshot()
        assert sorted(connection.begun) == sorted(connection.ended)
        assert "list the nodes" in connection.ended
    finally:
        connection.close()


async def test_what_is_no_answer_is_no_snapshot(running: Simulation) -> None:
    running.break_call("/tasks", "garbage")
    async with reader_on(running) as (reader, _):
        with pytest.raises(MalformedReply):
            await reader.stack_snapshot()


async def test_a_worker_has_no_snapshot() -> None:
    with simulation(SimulatedEngine(EngineInfo("1.51", membership="worker"))) as running:
        async with reader_on(running) as (reader, _):
            with pytest.raises(NotManager):
                await reader.snapshot()


async def test_a_service_is_gone_only_when_the_list_lacks_it_too(running: Simulation) -> None:
    async with reader_on(running) as (reader, _):
        (service,) = (await reader.snapshot()).services
        assert await reader.find_service("absent") is None
        with pytest.raises(EngineNotFound):
            await reader.service("absent")
        running.break_call("/services/*", "status:404")
        assert await reader.find_service(service.id) == service


async def test_an_endpoint_is_gone_only_when_the_list_of_containers_lacks_it_too(running: Simulation) -> None:
    async with reader_on(running) as (reader, _):
        shell, *_ = (await reader.snapshot()).standalone_containers_on("proxy")
        endpoint = await reader.find_endpoint(shell.id, "proxy")
        assert endpoint is not None
        assert (endpoint.name, endpoint.network_id) == (shell.name, shell.networks["proxy"])
        assert await reader.find_endpoint(shell.id, "other") is None
        assert await reader.find_endpoint("absent", "proxy") is None
        running.break_call("/containers/*/json", "status:404")
        with pytest.raises(EngineNotFound):
            await reader.find_endpoint(shell.id, "proxy")


async def test_what_is_attached_to_an_overlay(running: Simulation) -> None:
    async with reader_on(running) as (reader, _):
        attached = await reader.attachments("proxy")
        assert await reader.attachments("absent") is None
        running.break_call("/networks/*", "status:404")
        nameless = await reader.attachments("proxy")
    assert attached is not None
    assert nameless is not None
    assert [each.name for each in attached.services] == ["web_app"]
    assert attached.containers == ("shell",)
    # An engine may fail to find a healthy network: then a container is told by its ID.
    assert nameless.services == attached.services
    assert [len(each) for each in nameless.containers] == [12]


async def test_what_is_no_list_of_containers_is_an_error(running: Simulation) -> None:
    running.break_call("/containers/json", "garbage")
    async with reader_on(running) as (reader, _):
        with pytest.raises(MalformedReply):
            await reader.published_ports()
        with pytest.raises(MalformedReply):
            await reader.containers_that_stay_down()


async def test_containers_outside_the_swarm_stay_down_unless_they_are_started_again(
    running: Simulation,
) -> None:
    async with reader_on(running) as (reader, _):
        assert await reader.containers_that_stay_down() == ("shell",)
        running.break_call("/containers/*/json", "status:404")
        assert await reader.containers_that_stay_down() == ()

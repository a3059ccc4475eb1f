"""What stacks consist of, from the engine's JSON as recorded and from a whole simulated swarm."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.errors import EngineError, EngineNonsense
from console.simulator.stacks import Part, deploy
from console.swarm.connection import EngineConnection
from console.swarm.stack_reader import EngineStackReader
from console.swarm.stacks import (
    DEFAULT_GRACE_S,
    Kind,
    StackLook,
    labelled_object,
    network_object,
    running_container,
    service_use,
    task_use,
)
from tests.simulator.swarms import a_network, a_swarm
from tests.support.engines import Simulation, simulation

RECORDED = Path(__file__).with_name("recorded") / "20.10.24"
LABELS = {"com.docker.stack.namespace": "web"}
SERVICE: dict[str, Any] = {
    "ID": "s1",
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


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def test_a_service_needs_networks_secrets_and_configs_and_says_how_long_it_takes_to_stop() -> None:
    found = service_use(SERVICE)
    assert (found.object.kind, found.object.name, found.object.stack) == (Kind.SERVICE, "web_app", "web")
    assert found.uses == {"n1", "n2", "k1", "c1", "c2", "c3"}
    assert found.grace_s == 2.5
    bare = service_use({**SERVICE, "ID": "s2", "Spec": {"Name": "old", "Networks": [{"Target": "n9"}]}})
    assert (bare.object.stack, set(bare.uses), bare.grace_s) == ("", {"n9"}, DEFAULT_GRACE_S)


def test_what_the_engine_sends_is_read_and_cleaned() -> None:
    for each in recorded("services"):
        assert service_use(each).object.id == each["ID"]
    for each in recorded("networks"):
        assert network_object(each).name == each["Name"]
    tasks = [task_use(each) for each in recorded("tasks")]
    assert any(each.is_standalone for each in tasks)
    assert all(each.network_ids for each in tasks if each.is_standalone)
    hostile = labelled_object(Kind.SECRET, {"ID": "x", "Spec": {"Name": "a\x1b[31m", "Labels": None}})
    assert hostile.name == "a\\x1b[31m"


def test_a_task_keeps_a_network_that_it_only_wants_and_one_that_it_only_has() -> None:
    data = {
        "ID": "t1",
        "ServiceID": "s1",
        "Spec": {"ContainerSpec": {"Labels": LABELS}, "Networks": [{"Target": "n1"}]},
        "Status": {"State": "running"},
        "DesiredState": "remove",
        "NetworksAttachments": [{"Network": {"ID": "n2", "Spec": {}}, "Addresses": None}],
    }
    task = task_use(data)
    assert task.network_ids == {"n1", "n2"}
    assert (task.stack, task.is_alive, task.grace_s) == ("web", True, DEFAULT_GRACE_S)


def test_a_container_may_be_without_labels_names_and_networks() -> None:
    bare = running_container({"Id": "c", "Names": None, "Labels": None, "NetworkSettings": None})
    assert (bare.service_id, bare.stack, bare.network_ids) == ("", "", frozenset())


@pytest.fixture
def running() -> Iterator[Simulation]:
    model = a_swarm("1.41")
    a_network(model)
    deploy(model, "web", (Part("app", ("proxy",), replicas=2),))
    model.secrets.create({"Name": "web_key", "Labels": LABELS})
    model.configs.create({"Name": "conf"})
    model.advance(20)
    with simulation(model) as listening:
        yield listening


async def look_at(running: Simulation) -> StackLook:
    connection = EngineConnection(running.host, 30)
    try:
        return await EngineStackReader(connection).look()
    finally:
        connection.close()


async def test_a_look_is_whole(running: Simulation) -> None:
    look = await look_at(running)
    assert [each.object.name for each in look.services] == ["web_app"]
    local = ("ingress", "docker_gwbridge", "bridge", "host", "none")
    assert {(each.kind, each.name, each.stack) for each in look.objects if each.name not in local} == {
        (Kind.NETWORK, "proxy", ""),
        (Kind.NETWORK, "web_internal", "web"),
        (Kind.SECRET, "web_key", "web"),
        (Kind.CONFIG, "conf", ""),
    }
    assert {(each.stack, each.state, each.node_id) for each in look.tasks} == {("web", "running", look.here)}
    assert {each.id for each in look.containers} == {each.container_id for each in look.tasks}
    assert look.nodes[look.here].name == "ci-host"


@pytest.mark.parametrize(
    "path",
    ["/info", "/services", "/networks", "/secrets", "/configs", "/tasks", "/containers/json", "/nodes"],
)
async def test_where_any_part_cannot_be_read_there_is_no_look(running: Simulation, path: str) -> None:
    running.break_call(path, "status:500")
    with pytest.raises(EngineError):
        await look_at(running)


async def test_what_is_no_answer_is_no_look(running: Simulation) -> None:
    running.break_call("/tasks", "garbage")
    with pytest.raises(EngineNonsense):
        await look_at(running)

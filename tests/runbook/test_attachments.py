"""What is attached to an overlay, before and after."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
import pytest

from console.runbook.actions.capture import attachments_as_output
from console.runbook.language.values import Json
from console.swarm.changer import EngineChanger
from console.swarm.reader import EngineReader
from tests.simulator.swarms import a_network, a_swarm
from tests.support.benches import Bench, bench, is_yes


@pytest.fixture
def host() -> Iterator[Bench]:
    """Two services and a container on proxy; a third service elsewhere."""
    engine = a_swarm()
    a_network(engine)
    a_network(engine, "other", "10.0.2.0/28")
    for name, networks, mode in (
        ("web", [("proxy", ["www", "app"]), ("other", ["web"])], {"Replicated": {"Replicas": 2}}),
        ("agent", [("proxy", [])], {"Global": {}}),
        ("db", [("other", ["db"])], {"Replicated": {"Replicas": 1}}),
    ):
        engine.services.create(
            {
                "Name": name,
                "TaskTemplate": {
                    "ContainerSpec": {"Image": "busybox", "Env": ["PASSWORD=secret"]},
                    "Networks": [{"Target": one, "Aliases": aliases} for one, aliases in networks],
                },
                "Mode": mode,
            }
        )
    engine.advance(5)
    with bench(engine) as ready:
        client: Any = docker.APIClient(base_url=ready.running.host, version="1.52", timeout=30)
        try:
            config = client.create_networking_config({"proxy": client.create_endpoint_config()})
            created = client.create_container(
                "busybox", ["sleep", "1d"], name="probe", networking_config=config
            )
            client.start(created["Id"])
        finally:
            client.close()
        ready.advance(5)
        yield ready


async def before(host: Bench) -> Json:
    attached = await EngineReader(host.connection).attachments("proxy")
    assert attached is not None
    return attachments_as_output(attached)


async def change(host: Bench, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    changer = EngineChanger(host.connection, lambda _: None)
    service_id = next(each.id for each in host.model.store.services.values() if each.name == name)
    await changer.update_service(service_id, edit)
    host.advance(20)


def without_proxy(spec: dict[str, Any]) -> None:
    # It is the first of its networks.
    del spec["TaskTemplate"]["Networks"][0]


async def test_everything_that_is_attached_is_read_and_nothing_secret(host: Bench) -> None:
    found = await before(host)
    assert found == {
        "services": {
            "agent": {
                "mode": "global",
                "replicas": None,
                "endpoint_mode": "vip",
                "aliases": [],
                "options": {},
            },
            "web": {
                "mode": "replicated",
                "replicas": 2,
                "endpoint_mode": "vip",
                "aliases": ["app", "www"],
                "options": {},
            },
        },
        "containers": ["probe"],
    }
    assert "secret" not in str(found)
    assert await EngineReader(host.connection).attachments("nobody") is None


async def test_what_is_as_before_is_as_before_whatever_came_on_top(host: Bench) -> None:
    was = await before(host)
    found = await host.holds("network.attached_as_before", network="proxy", before=was)
    assert is_yes(found)
    assert found.sentence == "All 3 that were on proxy are on it as before."
    host.model.services.create(
        {
            "Name": "late",
            "TaskTemplate": {"ContainerSpec": {"Image": "busybox"}, "Networks": [{"Target": "proxy"}]},
            "Mode": {"Replicated": {"Replicas": 1}},
        }
    )
    found = await host.holds("network.attached_as_before", network="proxy", before=was)
    assert is_yes(found)
    assert found.sentence.endswith(" New on it: late.")


def scaled(spec: dict[str, Any]) -> None:
    spec["Mode"]["Replicated"]["Replicas"] = 0


def renamed(spec: dict[str, Any]) -> None:
    for each in spec["TaskTemplate"]["Networks"]:
        each["Aliases"] = ["www"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (without_proxy, "web is no longer attached"),
        (scaled, "web has replicas 0 instead of 2"),
        (renamed, "web has aliases www instead of app, www"),
    ],
)
async def test_what_differs_is_told(host: Bench, edit: Callable[[dict[str, Any]], None], said: str) -> None:
    was = await before(host)
    await change(host, "web", edit)
    found = await host.holds("network.attached_as_before", network="proxy", before=was)
    assert not is_yes(found)
    assert found.sentence == f"1 of 3 on proxy differ from before: {said}."
    assert is_yes(await host.holds("network.attached_as_before", network="proxy", before=was, accept=["w*"]))


async def test_a_container_that_is_gone_is_missed(host: Bench) -> None:
    was = await before(host)
    client: Any = docker.APIClient(base_url=host.running.host, version="1.52", timeout=30)
    try:
        client.disconnect_container_from_network("probe", "proxy", force=True)
    finally:
        client.close()
    host.advance(5)
    found = await host.holds("network.attached_as_before", network="proxy", before=was)
    assert not is_yes(found)
    assert "probe is no longer attached" in found.sentence


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({"services": ["web", "agent"], "containers": ["probe"]}, ""),
        ({"services": ["w*"]}, ""),
        ({}, ""),
        ({"services": ["web", "db", "x*"]}, "db, x* are not attached to proxy."),
        ({"containers": ["web"]}, "web is not attached to proxy."),
    ],
)
async def test_what_must_be_attached_is_or_is_missed(
    host: Bench, wanted: Mapping[str, Json], missing: str
) -> None:
    found = await host.holds("network.attached_includes", network="proxy", **wanted)
    assert is_yes(found) == (not missing)
    assert not missing or found.sentence == missing


async def test_a_network_that_is_not_there_has_nothing_attached(host: Bench) -> None:
    assert not is_yes(await host.holds("network.attached_includes", network="nobody"))
    assert not is_yes(await host.holds("network.attached_as_before", network="nobody", before={}))

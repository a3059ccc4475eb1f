"""The shape of a swarm: what a rehearsal builds, what it leaves out, and what it says of that."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from console.rehearsal.building import service_spec
from console.rehearsal.image import IGNORES_STOP, IMAGE, STOPS_AT_ONCE
from console.rehearsal.shape import Shape, StopBehavior, limit_tasks, shape_of
from console.swarm import parse
from console.swarm.model import Container, Endpoint, Node, Service
from console.swarm.snapshots import WholeSwarm
from tests.support.swarms import HERE, engine, network, task

MARKED = "hunter2"
"""Stands wherever a secret could be."""
PROXY = replace(
    network("proxy", "10.0.1.0/24"),
    body={
        "Name": "proxy",
        "Driver": "overlay",
        "Attachable": True,
        "Labels": {"owner": MARKED},
        "Options": {"com.docker.network.driver.mtu": "1400", "encrypted": "", "token": MARKED},
        "IPAM": {"Driver": "default", "Options": {"token": MARKED}, "Config": [{"Subnet": "10.0.1.0/24"}]},
    },
)
INGRESS = network("ingress", "10.0.0.0/24", ingress=True)


def service(name: str = "shop_web", replicas: int | None = 2, **more: Any) -> Service:
    """Return a service as the engine describes it, with a secret wherever one could be."""
    container: Mapping[str, Any] = {
        "Image": f"registry.example/{MARKED}:1",
        "Env": [f"PASSWORD={MARKED}"],
        "Args": [f"--password={MARKED}"],
        "Command": [MARKED],
        "Labels": {"token": MARKED},
        "Secrets": [{"SecretID": MARKED, "SecretName": MARKED}],
        "Configs": [{"ConfigID": MARKED, "ConfigName": MARKED}],
        "Mounts": [{"Type": "bind", "Source": f"/{MARKED}", "Target": "/x"}],
        "Healthcheck": {"Test": ["CMD", MARKED]},
        "StopGracePeriod": 7_000_000_000,
    }
    return parse.service(
        {
            "ID": f"id-{name}",
            "Version": {"Index": 1},
            "CreatedAt": "2026-06-01T00:00:00Z",
            "UpdatedAt": "2026-06-01T00:00:00Z",
            "Spec": {
                "Name": name,
                "Labels": {"com.docker.stack.namespace": "shop", "traefik.password": MARKED},
                "TaskTemplate": {
                    "ContainerSpec": container,
                    "Networks": [{"Target": "id-proxy", "Aliases": ["web"]}],
                    "Placement": {"Constraints": more.get("constraints", [])},
                    "RestartPolicy": {"Condition": "any", "Delay": 5_000_000_000},
                },
                "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
                "UpdateConfig": {"Parallelism": 1, "Delay": 1_000_000_000, "Order": "stop-first"},
                "EndpointSpec": {
                    "Mode": "vip",
                    "Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080}],
                },
            },
            "Endpoint": {},
        }
    )


def shape(
    *services: Service,
    nodes: tuple[Node, ...] = (HERE,),
    stops: Mapping[str, StopBehavior] | None = None,
    containers: tuple[Container, ...] = (),
    endpoints: tuple[Endpoint, ...] = (),
    manual: Mapping[tuple[str, str], bool] | None = None,
) -> Shape:
    tasks = tuple(task(one.name) for one in services)
    snapshot = WholeSwarm(engine(), (PROXY, INGRESS), services, tasks, nodes, containers)
    return shape_of(snapshot, endpoints, manual or {}, stops or {})


def test_nothing_that_could_be_a_secret_is_in_it() -> None:
    found = shape(service())
    text = json.dumps(asdict(found))
    assert MARKED not in text
    assert json.loads(text)["services"][0] == {
        "name": "shop_web",
        "stack": "shop",
        "mode": "replicated",
        "replicas": 2,
        "networks": [{"network": "proxy", "aliases": ["web"], "address": ""}],
        "endpoint_mode": "vip",
        "ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080}],
        "constraints": [],
        "grace_s": 7.0,
        "stop": "unknown",
        "update": {"Parallelism": 1, "Delay": 1_000_000_000, "Order": "stop-first"},
        "rollback": {},
        "restart": {"Condition": "any", "Delay": 5_000_000_000},
    }


def test_a_service_is_built_with_the_one_image_and_stops_as_its_own_containers_do() -> None:
    killed, quick = service("shop_killed"), service("shop_quick", None)
    stops = {killed.id: StopBehavior.WHOLE_GRACE, quick.id: StopBehavior.AT_ONCE}
    specs = [service_spec(one, {"proxy": "new-id"}) for one in shape(killed, quick, stops=stops).services]
    containers = [spec["TaskTemplate"]["ContainerSpec"] for spec in specs]
    assert [container["Command"] for container in containers] == [list(IGNORES_STOP), list(STOPS_AT_ONCE)]
    assert {container["Image"] for container in containers} == {IMAGE}
    assert {container["StopGracePeriod"] for container in containers} == {7_000_000_000}
    assert [spec["Mode"] for spec in specs] == [{"Replicated": {"Replicas": 2}}, {"Global": {}}]
    assert specs[0]["Labels"] == {"com.docker.stack.namespace": "shop"}
    assert specs[0]["TaskTemplate"]["Networks"] == [{"Target": "new-id", "Aliases": ["web"]}]


def test_what_is_not_known_of_stops_is_a_limit_that_names_the_services() -> None:
    known = service("shop_known")
    found = shape(service("shop_web"), known, stops={known.id: StopBehavior.AT_ONCE})
    (limit,) = (limit for limit in found.limits if "SIGTERM" in limit)
    assert "shop_web" in limit
    assert "shop_known" not in limit


def test_networks_keep_their_name_and_subnet_and_ingress_is_the_engines_own() -> None:
    (proxy,) = shape(service()).networks
    assert proxy.name == "proxy"
    assert proxy.body["IPAM"]["Config"] == [{"Subnet": "10.0.1.0/24"}]
    assert proxy.body["Labels"] == {}
    assert proxy.body["Options"] == {"com.docker.network.driver.mtu": "1400", "encrypted": ""}


def test_constraints_that_one_node_can_meet_are_kept_with_the_labels_that_they_need() -> None:
    here = replace(HERE, labels={"disk": "ssd"})
    constrained = service(constraints=["node.labels.disk==ssd", "node.id == abc"])
    found = shape(constrained, nodes=(here,))
    assert found.node_labels == {"disk": "ssd"}
    assert found.services[0].constraints == ("node.labels.disk==ssd",)
    assert any("Constraints" in limit and "shop_web" in limit for limit in found.limits)


def test_a_swarm_of_several_nodes_is_rehearsed_on_one_without_constraints() -> None:
    other = replace(HERE, id="node-b", hostname="b", is_leader=False)
    found = shape(service(constraints=["node.hostname==b"]), nodes=(HERE, other))
    assert found.services[0].constraints == ()
    assert any("2 nodes" in limit for limit in found.limits)


def test_a_container_attached_by_hand_keeps_an_address_that_was_given_by_hand() -> None:
    containers = tuple(
        Container(name, name, True, "", "", "", {"proxy": "id-proxy"}) for name in ("fixed", "shell")
    )
    endpoints = tuple(
        Endpoint(name, name, True, "id-proxy", f"10.0.1.{number}", {"Aliases": [f"{name}-alias"]})
        for number, name in enumerate(("fixed", "shell"), 7)
    )
    manual = {("fixed", "id-proxy"): True, ("shell", "id-proxy"): False}
    fixed, shell = shape(containers=containers, endpoints=endpoints, manual=manual).containers
    assert (fixed.networks[0].address, shell.networks[0].address) == ("10.0.1.7", "")
    assert fixed.networks[0].aliases == ("fixed-alias",)


def test_where_memory_is_short_the_largest_services_get_fewer_replicas_and_that_is_said() -> None:
    whole = shape(service("big", 20), service("small", 2), service("everywhere", None))
    found = limit_tasks(whole, 9)
    assert [one.replicas for one in found.services] == [6, 2, None]
    assert found.tasks == 9
    assert "big" in found.limits[-1]
    assert "small" not in found.limits[-1]
    assert limit_tasks(whole, 23) == whole
    # One each is the least.
    assert limit_tasks(whole, 1).tasks == 3

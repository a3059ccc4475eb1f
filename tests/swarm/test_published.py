"""Who publishes a port, and what else the lists of networks and services tell about why a task cannot start."""

from typing import Any

from console.swarm import parse, parse_engine
from console.swarm.model import PublishedPort
from console.swarm.snapshots import published_ports
from tests.swarm.test_parse import recorded

PORTS = [
    {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "ingress"},
    {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 53, "PublishMode": "host"},
    {"Protocol": "tcp", "TargetPort": 90},
]
READ = (PublishedPort(8080, "tcp", is_ingress=True), PublishedPort(53, "udp", is_ingress=False))


def service_json(**more: object) -> dict[str, Any]:
    (first, *_) = recorded("20.10.24", "services")
    return {**first, **more}


def test_ports_are_those_of_the_endpoint_or_else_those_that_were_asked_for() -> None:
    plain = service_json()
    spec = {**plain["Spec"], "EndpointSpec": {"Mode": "vip", "Ports": PORTS}}
    assert parse.service(service_json(Endpoint={"Ports": PORTS})).ports == READ
    assert parse.service(service_json(Spec=spec, Endpoint={"Spec": {}})).ports == READ
    assert parse.service(service_json(Endpoint={})).ports == ()


def test_a_network_says_whether_it_has_ipv6() -> None:
    (first, *_) = recorded("20.10.24", "networks")
    assert not parse.network(first).has_ipv6
    assert parse.network({**first, "EnableIPv6": True}).has_ipv6


def test_only_running_containers_outside_the_swarm_are_told_and_each_once() -> None:
    mapped = {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}
    plain = {"PrivatePort": 90, "Type": "tcp"}
    rows: tuple[dict[str, Any], ...] = (
        {"Id": "a", "Names": ["/web"], "Labels": {}, "Ports": [mapped, {**mapped, "IP": "::"}]},
        {"Id": "b", "Names": ["/mine.1.x"], "Labels": {"com.docker.swarm.task.id": "t"}, "Ports": [mapped]},
        {"Id": "c", "Names": ["/plain"], "Labels": None, "Ports": [plain]},
    )
    containers = [parse_engine.container({**row, "State": "running"}) for row in rows]
    assert published_ports(containers) == {8080: ("web",)}
    assert published_ports([parse_engine.container({**row, "State": "exited"}) for row in rows]) == {}

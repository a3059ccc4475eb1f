"""The engine's JSON as recorded from real engines, and as it must not be."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from console.addresses.accounting import account
from console.addresses.holders import HolderKind
from console.swarm import parse, parse_engine
from console.swarm.model import SubnetUse, SwarmState

RECORDED = Path(__file__).with_name("recorded")
VERSIONS = sorted(each.name for each in RECORDED.iterdir())


def recorded(version: str, name: str) -> Any:
    return json.loads((RECORDED / version / f"{name}.json").read_text())


def swarm_of(version: str) -> SwarmState:
    inspected = {
        each["Id"]: parse.network_detail(each)
        for path in (RECORDED / version).glob("network-*.json")
        for each in [json.loads(path.read_text())]
    }
    return SwarmState(
        parse_engine.engine(recorded(version, "info"), (1, 41)),
        tuple(
            parse.network(each, inspected.get(each["Id"], parse.NEVER_INSPECTED))
            for each in recorded(version, "networks")
        ),
        tuple(map(parse.service, recorded(version, "services"))),
        tuple(map(parse.task, recorded(version, "tasks"))),
        tuple(map(parse.node, recorded(version, "nodes"))),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_swarm_is_accounted_without_a_remainder(version: str) -> None:
    accounts = {each.network.name: each for each in account(swarm_of(version))}
    proxy = accounts["proxy"]
    assert proxy.count(HolderKind.VIP) >= 1
    assert proxy.count(HolderKind.CONTAINER) == 1
    assert proxy.count(HolderKind.LOAD_BALANCER) == 1
    assert not proxy.elsewhere
    assert not accounts["overlapping"].network.is_allocated
    assert accounts["ingress"].count(HolderKind.LOAD_BALANCER) == 1


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-06-12T02:00:00.123456789Z", 123_456),
        ("2026-06-12T02:00:00.1Z", 100_000),
        ("2026-06-12T02:00:00Z", 0),
        ("2026-06-12T04:00:00.5+02:00", 500_000),
    ],
)
def test_times_have_any_number_of_decimals(text: str, micros: int) -> None:
    assert parse.parse_moment(text).astimezone(UTC) == datetime(2026, 6, 12, 2, 0, 0, micros, tzinfo=UTC)


def test_the_engines_own_count_is_read_where_it_is_given() -> None:
    use = {"Subnets": {"10.0.1.0/24": {"IPsInUse": 5, "DynamicIPsAvailable": 251}}}
    assert parse.network_detail({"Status": {"IPAM": use}}).use == {"10.0.1.0/24": SubnetUse(5, 251)}
    nothing: tuple[Mapping[str, Any], ...]
    nothing = ({}, {"Status": None}, {"Status": {"IPAM": {}}}, {"Status": {"IPAM": {"Subnets": None}}})
    for absent in nothing:
        assert parse.network_detail(absent).use == {}


def test_a_service_without_a_vip_has_an_endpoint_that_says_nothing() -> None:
    data = recorded(VERSIONS[0], "services")[0] | {"Endpoint": {"Spec": {}}}
    assert parse.service(data).virtual_ips == ()


def test_ports_need_ingress_unless_they_are_the_hosts() -> None:
    data = recorded(VERSIONS[0], "services")[0]

    def publishing(*ports: Mapping[str, Any]) -> bool:
        return parse.service(
            data | {"Spec": data["Spec"] | {"EndpointSpec": {"Ports": ports}}}
        ).publishes_ingress

    assert publishing({"PublishedPort": 80})
    assert publishing({"PublishMode": "host"}, {"PublishMode": "ingress"})
    assert not publishing({"PublishMode": "host"})
    assert not publishing()


def test_names_and_errors_of_others_are_clean_values() -> None:
    data = recorded(VERSIONS[0], "tasks")[0]
    status = data["Status"] | {"Err": "no\x1b[2J such\nimage", "Message": "\u202ex"}
    task = parse.task(data | {"Status": status})
    assert (task.error, task.message) == ("no\\x1b[2J such\\nimage", "\\u202ex")


@pytest.mark.parametrize(
    ("parser", "name"),
    [
        *((parse.service, "services"), (parse.task, "tasks"), (parse.node, "nodes")),
        *((parse.network, "networks"), (parse_engine.container, "containers")),
    ],
)
@pytest.mark.parametrize("garbage", [None, 3, "x", [], {}, {"ID": 3}])
def test_garbage_raises_only_what_the_reader_catches(
    parser: Callable[[Any], object], name: str, garbage: object
) -> None:
    assert parser(recorded(VERSIONS[0], name)[0])
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError, IndexError)):
        parser(garbage)


def test_addresses_come_with_or_without_a_prefix() -> None:
    assert parse.bare_address("10.0.1.5/24") == parse.bare_address("10.0.1.5") == IPv4Address("10.0.1.5")

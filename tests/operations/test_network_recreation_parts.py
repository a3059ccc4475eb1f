"""The pure parts of a recreation: what is changed in a specification, what is waited for, the way back as a script."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from console.operations.network_recreation.create import body_with_subnet, free_subnet
from console.operations.network_recreation.parking import NOWHERE, Remaining, detach, park, restore
from console.operations.network_recreation.plan import RecreationEnvironment
from console.operations.network_recreation.record import (
    ContainerRecord,
    NetworkRecord,
    Record,
    UnreadableRecord,
    parked_label,
    read_parked_services,
    record_from_json,
    record_from_labels,
    record_to_json,
)
from console.operations.network_recreation.way_back import (
    connect_options,
    create_command,
    inexpressible_settings,
    way_back_script,
)
from console.swarm import parse
from console.swarm.parse import NETWORK_FIELDS, PARKED_LABEL, SUBNET_FIELDS
from console.swarm.parse_engine import endpoint
from console.swarm.snapshots import WholeSwarm
from tests.support.recreation import NEW, service, stage
from tests.support.recreation_store import RecordStore


async def recorded() -> tuple[Record, WholeSwarm]:
    """Return a record of a swarm of two nodes, and the snapshot that it was made of."""
    with stage(others=[("ci-host-2", "worker")]) as on:
        plan = await on.plan(may_change_address=("*",))
        assert plan.record is not None
        return plan.record, (await on.inputs()).snapshot


@pytest.mark.parametrize("name", ["shop_app", "everywhere", "idle_app"])
async def test_parking_and_restoring_leave_a_specification_as_it_was_but_for_the_networks_id(
    name: str,
) -> None:
    record, snapshot = await recorded()
    (seen,) = [each for each in snapshot.services if each.name == name]
    (known,) = [each for each in record.services if each.name == name]
    before = json.loads(json.dumps(seen.spec))
    spec = json.loads(json.dumps(seen.spec))

    park(spec, known, parked_label(record, known, snapshot.now))
    assert PARKED_LABEL in spec["Labels"]
    detach(spec, (record.network.id, "proxy"))
    assert record.network.id not in str(spec["TaskTemplate"])
    restore(spec, known, "new-id", {record.network.id})

    text = json.dumps(before, sort_keys=True).replace(record.network.id, "new-id")
    assert json.dumps(spec, sort_keys=True) == text


async def test_other_constraints_and_what_others_changed_meanwhile_stay() -> None:
    record, snapshot = await recorded()
    known = next(each for each in record.services if each.name == "everywhere")
    spec: dict[str, Any] = json.loads(
        json.dumps(next(e for e in snapshot.services if e.name == "everywhere").spec)
    )
    spec["TaskTemplate"]["Placement"] = {"Constraints": ["node.role==worker"], "MaxReplicas": 2}

    park(spec, known, "x")
    assert spec["TaskTemplate"]["Placement"]["Constraints"] == ["node.role==worker", NOWHERE]
    spec["TaskTemplate"]["Placement"]["Constraints"].append("node.labels.zone==a")
    restore(spec, known, "new-id", ())

    placement = {"Constraints": ["node.role==worker", "node.labels.zone==a"], "MaxReplicas": 2}
    assert spec["TaskTemplate"]["Placement"] == placement
    app = next(each for each in record.services if each.name == "plain_app")
    scaled: dict[str, Any] = {**service("plain_app", "x"), "Labels": {PARKED_LABEL: "x"}}
    scaled["Mode"] = {"Replicated": {"Replicas": 7}}
    restore(scaled, app, "new-id", {"x"})
    assert scaled["Mode"] == {"Replicated": {"Replicas": 7}}


async def test_a_record_is_the_same_after_it_was_kept_and_in_a_label_too(tmp_path: Path) -> None:
    record, snapshot = await recorded()
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record
    await RecordStore(tmp_path).keep(record)
    assert RecordStore(tmp_path).kept() == record
    parked = []
    for each in snapshot.services:
        known = record.service(each.id)
        if known is not None:
            spec = {**each.spec, "Labels": {PARKED_LABEL: parked_label(record, known, snapshot.now)}}
            parked.append(replace(each, spec=spec))

    told = record_from_labels(read_parked_services(replace(snapshot, services=tuple(parked))))

    assert told is not None
    by_name = tuple(sorted(record.services, key=lambda each: each.name))
    assert replace(told, services=by_name) == replace(record, services=by_name)


@pytest.mark.parametrize("data", [{}, {"v": 2}, {"v": 1, "run": "r"}, {"v": 1, "services": [1]}])
def test_a_record_that_is_none_is_said_to_be_none(data: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecord):
        record_from_json(data)


async def test_on_another_node_the_list_is_believed_only_while_nobody_updates_the_service() -> None:
    record, snapshot = await recorded()
    network = snapshot.overlay("proxy")
    assert network is not None
    known = next(each for each in record.services if each.name == "plain_app")
    seen = snapshot.service(known.id)
    assert seen is not None
    known = replace(known, is_elsewhere=True, grace_s=10.0)
    label = parked_label(record, known, snapshot.now)
    spec = {**seen.spec, "Labels": {PARKED_LABEL: label}, "Mode": {"Replicated": {"Replicas": 0}}}
    updated = snapshot.now - timedelta(seconds=4)
    parked = replace(seen, spec=spec, updated=updated)
    quiet = replace(snapshot, services=(parked,), tasks=(), containers=())

    def waits(at: WholeSwarm, emptied: dict[str, Any]) -> tuple[str, ...]:
        return Remaining(at, network, (), read_parked_services(at), emptied).names()

    assert waits(quiet, {known.id: updated}) == ()
    said = ("plain_app (may still be stopping on another node)",)
    # Somebody updated it since, or an earlier process parked it: engines before 29 forget its tasks then.
    assert waits(quiet, {known.id: updated - timedelta(seconds=1)}) == said
    assert waits(quiet, {}) == said
    assert (
        waits(replace(quiet, engine=replace(snapshot.engine, time=updated + timedelta(seconds=15))), {}) == ()
    )
    assert waits(replace(quiet, nodes=quiet.nodes[:1]), {}) == ()


async def test_a_container_that_runs_is_waited_for_though_no_task_is_listed() -> None:
    _, snapshot = await recorded()
    network = snapshot.overlay("proxy")
    assert network is not None
    unlisted = replace(snapshot, tasks=())
    here = {each.id for each in snapshot.containers if each.task_id and each.is_on(network.id)}

    said = Remaining(unlisted, network, (), (), {}).names()

    assert here
    assert len(said) == len(here)
    off = [replace(each, networks={}) for each in snapshot.containers]
    still = Remaining(replace(unlisted, containers=tuple(off)), network, here, (), {}).names()
    assert len(still) == len(here)


def is_shell(script: str) -> bool:
    """Whether a shell understands a script."""
    return subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0


async def test_the_way_back_is_a_script_of_plain_docker_commands() -> None:
    record, _ = await recorded()
    script = way_back_script(record)

    assert (
        "docker network create --driver overlay --attachable --label kept=yes "
        "--opt com.docker.network.driver.mtu=1400 --subnet 10.0.1.0/24 --gateway 10.0.1.1 proxy"
    ) in script
    known = {each.name: each.id for each in record.services}
    assert f"service {known['shop_app']} shop_app name=proxy,alias=app --replicas 2\n" in script
    nowhere = "node.labels.vipconsole.parked==nowhere"
    assert (
        f"service {known['everywhere']} everywhere name=proxy,alias=everywhere,alias=everywhere.local "
        f"--constraint-rm {nowhere}\n"
    ) in script
    assert "shell --alias shell-alias\n" in script
    assert is_shell(script)


FULL = {
    "Name": "proxy",
    "Id": "abc",
    "Created": "2026-06-01T00:00:00Z",
    "Scope": "swarm",
    "Driver": "overlay",
    "EnableIPv4": False,
    "EnableIPv6": True,
    "Internal": True,
    "Attachable": True,
    "IPAM": {
        "Driver": "own",
        "Options": {"x": "y"},
        "Config": [
            {
                "Subnet": "10.0.1.0/24",
                "Gateway": "10.0.1.1",
                "IPRange": "10.0.1.128/25",
                "AuxiliaryAddresses": {"router": "10.0.1.9"},
            },
        ],
    },
    "Options": {"encrypted": ""},
    "Labels": {"a": "b"},
}
"""A network in which every field that a recreation keeps says something else than usual."""


def leaves(body: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the fields of a body that hold a value, with their paths; a mapping of names is one."""
    if isinstance(body, dict) and path[-1:] not in (("Labels",), ("Options",), ("AuxiliaryAddresses",)):
        for key, value in body.items():
            yield from leaves(value, (*path, key))
    elif isinstance(body, list):
        for each in body:
            yield from leaves(each, path)
    else:
        yield path, body


def test_every_field_that_a_recreation_keeps_has_its_flag_in_the_way_back() -> None:
    body = parse.network(FULL).body
    fields = dict(leaves(body))
    # The example says something of each of them.
    assert {*NETWORK_FIELDS, *SUBNET_FIELDS} <= {path[-1] for path in fields}
    network = NetworkRecord("abc", "proxy", body)
    whole = create_command(network)
    assert inexpressible_settings(network, ()) == ()
    for path in fields:
        without = json.loads(json.dumps(body))
        place = without
        for key in path[:-1]:
            place = place[key][0] if isinstance(place[key], list) else place[key]
        del place[path[-1]]
        is_implied = path in (("Name",), ("CheckDuplicate",))
        command = create_command(NetworkRecord("abc", "proxy", without))
        assert (command == whole) == is_implied, path
    assert whole == (
        *("docker", "network", "create", "--driver", "overlay", "--attachable", "--internal", "--ipv6"),
        *("--ipv4=false", "--label", "a=b", "--opt", "encrypted=", "--ipam-driver", "own"),
        *("--ipam-opt", "x=y", "--subnet", "10.0.1.0/24", "--ip-range", "10.0.1.128/25"),
        *("--gateway", "10.0.1.1", "--aux-address", "router=10.0.1.9", "proxy"),
    )


def test_every_field_of_an_attachment_by_hand_has_its_flag_in_the_way_back() -> None:
    found = endpoint(
        {
            "Id": "c" * 64,
            "Name": "/shell",
            "State": {"Running": True},
            "NetworkSettings": {
                "Networks": {
                    "proxy": {
                        "IPAMConfig": {"IPv4Address": "10.0.1.9", "LinkLocalIPs": ["169.254.3.4"]},
                        "Aliases": ["sh"],
                        "Links": ["web:w"],
                        "DriverOpts": {"k": "v"},
                        "GwPriority": 7,
                        "NetworkID": "abc",
                    }
                }
            },
        },
        "proxy",
    )
    assert found is not None
    container = ContainerRecord(found.container_id, found.name, True, found.address, True, found.config)
    network = NetworkRecord("abc", "proxy", parse.network(FULL).body)
    options = connect_options(container)
    assert options == (
        *("--alias", "sh", "--link", "web:w", "--driver-opt", "k=v"),
        *("--gw-priority", "7", "--link-local-ip", "169.254.3.4"),
    )
    assert inexpressible_settings(network, (container,)) == ()
    for field in found.config:
        less = {key: value for key, value in found.config.items() if key != field}
        assert connect_options(replace(container, config=less)) != options, field


async def test_what_the_command_line_cannot_say_is_said_in_the_script() -> None:
    record, _ = await recorded()
    network = record.network
    assert "cannot say" not in way_back_script(record)
    ipam = {
        "Config": [
            {"Subnet": "10.0.1.0/24", "AuxiliaryAddresses": {"router": "10.0.1.9"}},
            {"Subnet": "fd00::/64", "AuxiliaryAddresses": {"router": "fd00::9"}, "Zone": "z"},
        ]
    }
    body = {**network.body, "IPAM": ipam, "FromTheFuture": {"x": "y"}, "Labels": {"a": "@STEPS@"}}
    container = replace(record.containers[0], name="sh\nell", config={"IPAMConfig": {"New": "x"}})
    script = way_back_script(replace(record, network=replace(network, body=body), containers=(container,)))
    (line,) = [each for each in script.splitlines() if "cannot say" in each]
    assert line.startswith("# Docker's command line cannot say this, so set it by hand: FromTheFuture, ")
    for each in ("IPAM.Config.Zone", "the auxiliary address router of a second subnet", "IPAMConfig.New"):
        assert each in line
    # What stands for something in the script does not in what is filled in.
    assert "--label a=@STEPS@ " in script
    assert is_shell(script)


def test_a_definition_keeps_what_makes_a_network_and_nothing_that_the_engine_gave_it() -> None:
    told = {
        "Name": "proxy",
        "Id": "abc",
        "Created": "2026-06-01T00:00:00Z",
        "Scope": "swarm",
        "Driver": "overlay",
        "EnableIPv4": True,
        "EnableIPv6": True,
        "IPAM": {
            "Driver": "default",
            "Options": {"x": "y"},
            "Config": [
                {"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1", "IPRange": "10.0.1.128/25"},
                {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            ],
        },
        "Internal": False,
        "Attachable": True,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Peers": [{"Name": "x", "IP": "192.0.2.1"}],
        "Status": {"IPAM": {}},
        "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097,4098", "encrypted": ""},
        "Labels": {"a": "b"},
    }
    definition = parse.network(told)

    assert definition.is_allocated
    body = body_with_subnet(definition.body, IPv4Network("10.10.0.0/16"))
    assert body == {
        "Name": "proxy",
        "CheckDuplicate": True,
        "Driver": "overlay",
        "EnableIPv4": True,
        "EnableIPv6": True,
        "Internal": False,
        "Attachable": True,
        "Labels": {"a": "b"},
        "Options": {"encrypted": ""},
        "IPAM": {
            "Driver": "default",
            "Options": {"x": "y"},
            "Config": [{"Subnet": "10.10.0.0/16"}, {"Subnet": "fd00::/64", "Gateway": "fd00::1"}],
        },
    }
    unallocated = {
        **told,
        "Driver": "",
        "IPAM": {"Driver": "", "Options": None, "Config": None},
        "Options": None,
    }
    assert not parse.network(unallocated).is_allocated


def test_a_free_subnet_is_in_nobodys_way() -> None:
    pool = (IPv4Network("10.0.0.0/8"),)
    taken = parse.network(
        {
            "Name": "x",
            "Id": "x",
            "Scope": "swarm",
            "Created": "2026-06-12T02:00:00Z",
            "IPAM": {"Config": [{"Subnet": "10.0.0.0/23"}]},
        }
    )
    around = RecreationEnvironment((), pool)
    assert str(free_subnet(24, [taken], around, [IPv4Network("10.0.2.0/24")])) == "10.0.3.0/24"
    assert free_subnet(4, [], around) is None
    assert free_subnet(16, [], RecreationEnvironment((), ())) is None
    assert NEW.prefixlen == 16

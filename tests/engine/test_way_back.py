"""The way back by hand on a real engine: its command makes the very network that was there."""

import subprocess
import time
from typing import Any

import pytest

from console.operations.network_recreation.record import NetworkRecord
from console.operations.network_recreation.way_back import create_command, inexpressible_settings
from console.swarm import parse
from console.swarm.parse import VXLAN_OPTION
from tests.contract.world import World
from tests.engine.lab import Engine

pytestmark = pytest.mark.engine

MTU = "com.docker.network.driver.mtu"
PLAIN: dict[str, Any] = {"Attachable": True}
FULL: dict[str, Any] = {
    "Attachable": True,
    "Internal": True,
    "Labels": {"purpose": "it's kept", "empty": ""},
    "Options": {MTU: "1400", "encrypted": ""},
    "IPAM": {
        "Config": [
            {
                "Subnet": "10.61.0.0/24",
                "IPRange": "10.61.0.128/25",
                "Gateway": "10.61.0.200",
                "AuxiliaryAddresses": {"router": "10.61.0.130", "printer": "10.61.0.131"},
            },
            {"Subnet": "10.62.0.0/24", "Gateway": "10.62.0.7"},
        ],
    },
}
LOCAL = {**FULL, "Driver": "bridge", "Options": {MTU: "1400"}, "Attachable": False}
LOCAL["IPAM"] = {"Config": FULL["IPAM"]["Config"][:1]}
"""Swarm forgets auxiliary addresses when it makes an overlay (seen on 20.10); a network of one node keeps them."""
SIX: dict[str, Any] = {
    "EnableIPv6": True,
    "IPAM": {"Config": [{"Subnet": "10.63.0.0/24"}, {"Subnet": "fd00:63::/64", "Gateway": "fd00:63::5"}]},
}


@pytest.mark.parametrize(
    ("name", "asked"), [("plain", PLAIN), ("full", FULL), ("six", SIX), ("local", LOCAL)]
)
def test_the_command_of_the_way_back_makes_an_equal_network(
    engine: Engine, name: str, asked: dict[str, Any]
) -> None:
    with World(engine.socket, time.sleep, engine.restart, "engine") as world:
        if asked.get("EnableIPv6") and not world.traits.allocates_ipv6:
            pytest.skip("this engine gives no subnet to an overlay that has an IPv6 one")
        body = {"Name": name, "CheckDuplicate": True, "Driver": "overlay", **asked}
        before = made(world, name, body)
        definition = parse.network(before)
        # What an API call makes, not what was asked for, is what there is to keep.
        record = NetworkRecord(definition.id, name, definition.body)
        assert inexpressible_settings(record, ()) == ()
        told = [each.get("AuxiliaryAddresses") for each in before["IPAM"]["Config"]]
        assert any(told) or asked is not LOCAL
        world.client.remove_network(name)
        world.wait_until(lambda: not listed(world, name), "the network is gone")
        done = subprocess.run(
            create_command(record),
            capture_output=True,
            check=False,
            text=True,
            timeout=100,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "DOCKER_HOST": engine.host,
                "HOME": "/nonexistent",
            },
        )
        assert done.returncode == 0, done.stderr
        after = allocated(world, name)
        assert comparable(after) == comparable(before)
        assert after["Id"] != before["Id"]
        world.client.remove_network(name)


def made(world: World, name: str, body: dict[str, Any]) -> dict[str, Any]:
    client = world.client
    client._raise_for_status(client._post_json(client._url("/networks/create"), data=body))
    return allocated(world, name)


def listed(world: World, name: str) -> list[dict[str, Any]]:
    return [each for each in world.client.networks(names=[name]) if each["Name"] == name]


def allocated(world: World, name: str) -> dict[str, Any]:
    """Return the inspection of a network once Swarm has given it its subnets."""

    def found() -> dict[str, Any] | None:
        (seen,) = listed(world, name)
        return seen if seen["Scope"] == "local" or parse.network(seen).is_allocated else None

    seen = world.wait_until(found, f"{name} has its subnets")
    assert seen is not None
    return seen


def comparable(network: dict[str, Any]) -> dict[str, Any]:
    """Return everything of a network but what each new one gets."""
    options = {key: value for key, value in network["Options"].items() if key != VXLAN_OPTION}
    # Of no options the command line makes an empty mapping.
    # The subnets it sends in no order of its own.
    subnets = sorted(network["IPAM"]["Config"], key=lambda each: str(each["Subnet"]))
    ipam = {**network["IPAM"], "Options": network["IPAM"]["Options"] or {}, "Config": subnets}
    gone = ("Id", "Created", "Peers", "Containers", "Status")
    kept = {key: value for key, value in network.items() if key not in gone}
    return {**kept, "Options": options, "IPAM": ipam}

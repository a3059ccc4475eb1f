"""Standalone containers on attachable overlays, and networks that are made again under the same name."""

from typing import Any

import pytest

from tests.contract.world import JSON, SLOW_S, Refused, World


@pytest.fixture
def network(world: World) -> str:
    """Give an attachable network of the test's own."""
    return world.create_overlay(world.fresh("attached"), world.fresh_subnet(27), attachable=True)


def create(world: World, network: str, **endpoint: Any) -> str:
    """Create a container on a network (by name or ID), and return its ID."""
    networking: JSON = {"EndpointsConfig": {network: endpoint}}
    body = {"Image": "lab/box:1", "Cmd": ["sleep", "86400"], "NetworkingConfig": networking, "StopTimeout": 1}
    return str(world.call("POST", f"/containers/create?name={world.fresh('c')}", body)["Id"])


def start(world: World, container: str) -> None:
    world.call("POST", f"/containers/{container}/start")


def seen(world: World, container: str) -> JSON:
    return dict(world.call("GET", f"/containers/{container}/json"))


def networks(world: World, container: str) -> JSON:
    return dict(seen(world, container)["NetworkSettings"]["Networks"])


def listed(world: World, container: str) -> JSON:
    (row,) = world.call("GET", f'/containers/json?all=1&filters={{"id":["{container}"]}}')
    return dict(row)


def name_of(world: World, network: str) -> str:
    return str(world.network(network)["Name"])


def own_aliases(world: World, container: str) -> list[str]:
    """Return the aliases that the engine adds by itself."""
    return [container[:12]] if world.traits.aliases_have_short_id else []


def made_anew(world: World, name: str, subnet: list[str]) -> str:
    """Make a network again whose name this node's copy still has, and return its ID."""

    def made() -> str:
        try:
            return world.request_overlay(name, subnet, attachable=True)
        except Refused:
            return ""

    network = world.wait_until(made, "the name is free", 60)
    world.wait_until(lambda: world.subnets(network) == subnet, "it has its subnet")
    return network


def test_what_a_container_is_attached_with(world: World, network: str) -> None:
    name = name_of(world, network)
    container = create(world, name, Aliases=["web"])
    assert networks(world, container)[name]["NetworkID"] == ""
    start(world, container)

    found = networks(world, container)[name]

    assert found["NetworkID"] == network
    assert found["Aliases"] == ["web", *own_aliases(world, container)]
    assert found["IPAMConfig"] == {"IPv4Address": found["IPAddress"]}
    assert listed(world, container)["NetworkSettings"]["Networks"][name]["NetworkID"] == network
    world.remove_container(container)


def test_once_stopped_it_shows_only_an_address_that_was_asked_for(world: World, network: str) -> None:
    name = name_of(world, network)
    subnet = world.subnets(network)[0]
    asked = f"{subnet.partition('/')[0].rpartition('.')[0]}.{int(subnet.partition('/')[0].rpartition('.')[2]) + 20}"
    any_one = create(world, name)
    fixed = create(world, name, IPAMConfig={"IPv4Address": asked})
    for each in (any_one, fixed):
        start(world, each)
    assert networks(world, fixed)[name]["IPAddress"] == asked
    for each in (any_one, fixed):
        world.call("POST", f"/containers/{each}/stop?t=0")

    assert networks(world, any_one)[name]["IPAMConfig"] is None
    assert networks(world, fixed)[name]["IPAMConfig"] == {"IPv4Address": asked}
    assert networks(world, any_one)[name]["NetworkID"] == network
    row = listed(world, any_one)
    assert (row["State"], row["NetworkSettings"]["Networks"][name]["NetworkID"]) == ("exited", network)
    for each in (any_one, fixed):
        world.remove_container(each)


def test_a_container_is_taken_off_and_attached_again(world: World, network: str) -> None:
    name = name_of(world, network)
    container, other = create(world, name), create(world, name)
    start(world, container)
    # With nobody left on it this node would forget the network.
    start(world, other)

    world.call("POST", f"/networks/{network}/disconnect", {"Container": container, "Force": False})

    assert networks(world, container) == {}
    assert seen(world, container)["State"]["Running"]
    world.wait_until(lambda: len(world.tasks(runtime=["attachment"])) == 1, "the swarm knows it")
    with pytest.raises(Refused) as refused:
        world.call("POST", f"/networks/{network}/disconnect", {"Container": container, "Force": False})
    assert (refused.value.status, refused.value.message) == (
        500,
        f"container {container} is not connected to network {name}",
    )
    again = {"Container": container, "EndpointConfig": {"Aliases": ["web", "app"]}}
    world.call("POST", f"/networks/{network}/connect", again)
    assert networks(world, container)[name]["Aliases"] == ["web", "app", *own_aliases(world, container)]
    with pytest.raises(Refused) as refused:
        world.call("POST", f"/networks/{network}/connect", again)
    assert refused.value.status == 409
    assert refused.value.message.endswith(f"is already attached to network {name}")
    for each in (container, other):
        world.remove_container(each)


def test_one_that_was_stopped_does_not_start_once_its_network_was_made_anew(
    world: World, network: str
) -> None:
    name = name_of(world, network)
    stopped, never = create(world, name, Aliases=["web"]), create(world, name)
    start(world, stopped)
    world.call("POST", f"/containers/{stopped}/stop?t=0")
    world.wait_until(lambda: not world.tasks(runtime=["attachment"]), "the swarm knows it")
    subnet = world.subnets(network)
    world.remove_network(network)
    new = made_anew(world, name, subnet)

    with pytest.raises(Refused) as refused:
        start(world, stopped)
    assert f"network {network} not found" in refused.value.message
    start(world, never)
    assert networks(world, never)[name]["NetworkID"] == new
    with pytest.raises(Refused) as refused:
        world.call("POST", f"/networks/{network}/disconnect", {"Container": stopped, "Force": False})
    assert (refused.value.status, refused.value.message) == (
        500,
        f"container {stopped} is not connected to the network {network}",
    )
    world.call("POST", f"/networks/{name}/disconnect", {"Container": stopped, "Force": False})
    assert networks(world, stopped) == {}
    again = {"Container": stopped, "EndpointConfig": {"Aliases": ["web"]}}
    world.call("POST", f"/networks/{name}/connect", again)
    assert networks(world, stopped)[name]["NetworkID"] == ""
    start(world, stopped)
    assert networks(world, stopped)[name]["NetworkID"] == new
    for each in (stopped, never):
        world.remove_container(each)


def test_the_name_is_taken_until_the_last_container_has_let_go(world: World) -> None:
    name, subnet = world.fresh("again"), world.fresh_subnet(27)
    network = world.create_overlay(name, subnet)
    service = world.create_service(world.fresh("slow"), [network], stop_grace_s=SLOW_S)
    tasks = world.wait_for_state(service, "running")
    world.remove_service(service)
    world.remove_network(network)

    with pytest.raises(Refused) as refused:
        world.request_overlay(name, subnet)

    assert (refused.value.status, refused.value.message) == (409, f"network with name {name} already exists")
    world.end(*tasks)
    made_anew(world, name, [subnet])


def test_a_whole_definition_is_kept(world: World) -> None:
    subnet = world.fresh_subnet(24)
    body = {
        "Name": world.fresh("whole"),
        "CheckDuplicate": True,
        "Driver": "overlay",
        "Attachable": True,
        "Internal": True,
        "EnableIPv6": False,
        "Labels": {"a": "b"},
        "Options": {"com.docker.network.driver.mtu": "1400"},
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [{"Subnet": subnet, "Gateway": f"{subnet.rpartition('.')[0]}.9"}],
        },
    }
    network = world.call("POST", "/networks/create", body)["Id"]
    world.wait_until(lambda: world.subnets(network), "it has its subnet")

    seen = world.network(network)

    kept = ("Name", "Driver", "Attachable", "Internal", "EnableIPv6", "Labels", "IPAM")
    assert {key: seen[key] for key in kept} == {key: body[key] for key in kept}
    vxlans = seen["Options"].pop("com.docker.network.driver.overlay.vxlanid_list")
    assert vxlans.isdigit()
    assert seen["Options"] == body["Options"]
    assert (seen["Scope"], seen["ConfigFrom"], seen["ConfigOnly"]) == ("swarm", {"Network": ""}, False)


def test_the_last_manager_stays_one(world: World) -> None:
    (node,) = world.client.nodes()
    path, spec = f"/nodes/{node['ID']}/update?version=", node["Spec"]
    for version, change, status, message in (
        (
            node["Version"]["Index"],
            {"Role": "worker"},
            400,
            "rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm",
        ),
        (1, {}, 500, "rpc error: code = Unknown desc = update out of sequence"),
    ):
        with pytest.raises(Refused) as refused:
            world.call("POST", f"{path}{version}", {**spec, **change})
        assert (refused.value.status, refused.value.message) == (status, message)

    world.call("POST", f"{path}{node['Version']['Index']}", {**spec, "Labels": {"a": "b"}})

    (after,) = world.client.nodes()
    assert after["Spec"] == {**spec, "Labels": {"a": "b"}}
    assert after["Version"]["Index"] > node["Version"]["Index"]

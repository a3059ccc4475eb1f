"""Networks: made in a moment or never, found by three names, refused by name."""

import pytest

from tests.contract.world import SLOW_S, Refused, World

LOCAL_ONLY = ("Containers", "Peers")
"""What only the inspection of one network carries, and only where this node takes part in it."""


def test_an_overlapping_subnet_is_accepted_and_never_allocated(world: World) -> None:
    subnet = world.fresh_subnet(27)
    world.create_overlay(world.fresh("first"), subnet)
    within = f"{subnet.partition('/')[0]}/28"

    name = world.fresh("overlapping")
    network = world.request_overlay(name, within)
    world.create_overlay(world.fresh("later"), world.fresh_subnet(30))

    seen = world.network(name)
    assert seen["Id"] == network
    assert (seen["Driver"], seen["Scope"], seen["Options"]) == ("", "swarm", None)
    assert seen["IPAM"] == {"Driver": "", "Options": None, "Config": None}


def test_an_unallocated_network_gives_a_service_no_vip(world: World) -> None:
    subnet = world.fresh_subnet(28)
    world.create_overlay(world.fresh("first"), subnet)
    network = world.request_overlay(world.fresh("overlapping"), subnet)
    service = world.create_service(world.fresh("stuck"), [network])
    world.wait_for_state(service, "new")

    assert world.service(service)["Endpoint"] == {"Spec": {}}


def test_it_is_allocated_once_the_other_network_is_gone(world: World) -> None:
    subnet = world.fresh_subnet(28)
    first = world.create_overlay(world.fresh("first"), subnet)
    network = world.request_overlay(world.fresh("overlapping"), subnet)
    world.create_overlay(world.fresh("later"), world.fresh_subnet(30))
    assert world.subnets(network) == []

    world.remove_network(first)
    service = world.create_service(
        world.fresh("other"), [world.create_overlay(world.fresh("other"))], replicas=0
    )
    world.remove_service(service)

    world.wait_until(lambda: world.subnets(network) == [subnet], "the waiting network has its subnet")


def test_names_are_unique(world: World) -> None:
    name = world.fresh("taken")
    world.create_overlay(name)

    with pytest.raises(Refused) as refused:
        world.request_overlay(name)

    assert (refused.value.status, refused.value.message) == (409, f"network with name {name} already exists")


def test_a_network_is_found_by_name_by_id_and_by_shortened_id(world: World) -> None:
    name = world.fresh("found")
    network = world.create_overlay(name, labels={"purpose": "test"}, attachable=True)

    answers = [world.network(each) for each in (name, network, network[:12])]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["Id"] == network
    assert answers[0]["Name"] == name
    assert answers[0]["Driver"] == "overlay"
    assert answers[0]["Scope"] == "swarm"
    assert answers[0]["Attachable"] is True
    assert answers[0]["Ingress"] is False
    assert answers[0]["Labels"] == {"purpose": "test"}
    assert answers[0]["Options"]["com.docker.network.driver.overlay.vxlanid_list"].isdigit()


def test_the_list_tells_less_than_the_inspection(world: World) -> None:
    name = world.fresh("seen")
    network = world.create_overlay(name)
    world.wait_for_state(world.create_service(world.fresh("app"), [network]), "running")
    world.wait_until(lambda: world.network(name).get("Peers"), "this node takes part in the network")

    listed = next(each for each in world.client.networks() if each["Id"] == network)

    assert listed["Name"] == name
    assert listed["IPAM"]["Config"] == world.network(name)["IPAM"]["Config"]
    assert not any(listed.get(each) for each in LOCAL_ONLY)
    assert all(world.network(each)[key] for each in (name, network, network[:12]) for key in LOCAL_ONLY)


def test_ingress_is_there_from_the_beginning(world: World) -> None:
    ingress = world.network("ingress")

    assert ingress["Ingress"] is True
    assert ingress["Attachable"] is False
    assert ingress["IPAM"]["Config"] == [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}]


@pytest.mark.parametrize("kind", ["network", "service", "task", "node"])
def test_what_is_not_there_is_not_found(world: World, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        world.call("GET", f"/{kind}s/missing")

    assert (refused.value.status, refused.value.message) == (404, f"{kind} missing not found")


@pytest.mark.parametrize("kind", ["network", "service"])
def test_what_is_not_there_cannot_be_removed(world: World, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        world.call("DELETE", f"/{kind}s/missing")

    assert (refused.value.status, refused.value.message) == (404, f"{kind} missing not found")


def test_a_path_that_does_not_exist(world: World) -> None:
    with pytest.raises(Refused) as refused:
        world.call("GET", "/missing")

    assert (refused.value.status, refused.value.message) == (404, "page not found")


def test_a_removed_network_is_gone_at_once(world: World) -> None:
    name = world.fresh("removed")
    network = world.create_overlay(name)

    world.remove_network(name)

    with pytest.raises(Refused) as refused:
        world.network(network)
    assert (refused.value.status, refused.value.message) == (404, f"network {network} not found")
    assert network not in [each["Id"] for each in world.client.networks()]


def test_a_network_removed_under_its_tasks_is_listed_as_the_nodes_own_copy_until_they_end(
    world: World,
) -> None:
    shared = world.create_overlay(world.fresh("shared"))
    stack = world.deploy_stack([shared], stop_grace_s=SLOW_S)
    tasks = world.wait_for_state(stack.services[0], "running")
    (own,) = stack.networks
    before = next(each for each in world.client.networks() if each["Id"] == own)
    assert not before.get("Peers")

    world.remove_stack(stack)

    copy = next(each for each in world.client.networks() if each["Id"] == own)
    assert (copy["Name"], copy["Scope"], copy["Driver"]) == (before["Name"], "swarm", "overlay")
    assert copy["IPAM"] == before["IPAM"]
    assert copy["Created"] > before["Created"]
    assert len(copy["Peers"]) == 1
    assert world.states(stack.services[0]) == ["running"]
    world.end(*tasks)
    world.wait_until(
        lambda: not any(each["Id"] == own for each in world.client.networks()), "the copy is gone", 60
    )

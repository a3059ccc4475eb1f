"""A network without free addresses: what it looks like from outside, and what an address given back does."""

import pytest

from tests.contract.world import NOWHERE, World


def fill(world: World, network: str, count: int) -> list[str]:
    """Take so many addresses of a network, and return the services that hold them."""
    services = [world.create_service(world.fresh("held"), [network], replicas=0) for _ in range(count)]
    for each in services:
        world.wait_for_vip(each, network)
    return services


def settle(world: World) -> None:
    """Wait until whatever was asked before has been tried: allocations are made one after another."""
    other = world.create_overlay(world.fresh("settle"), world.fresh_subnet(30))
    service = world.create_service(world.fresh("settle"), [other], replicas=0)
    world.wait_for_vip(service, other)
    world.remove_service(service)


@pytest.fixture
def small(world: World) -> str:
    """Give a network with five addresses to hand out."""
    return world.create_overlay(world.fresh("small"), world.fresh_subnet(29))


def test_a_service_without_an_address_has_no_vip_and_tasks_that_stay_new(world: World, small: str) -> None:
    fill(world, small, 5)
    late = world.create_service(world.fresh("late"), [small], constraints=NOWHERE)
    world.wait_for_state(late, "new")
    settle(world)

    assert world.service(late)["Endpoint"] == {"Spec": {}}
    (task,) = world.tasks(late)
    assert task["Status"]["State"] == "new"
    assert task["Status"]["Message"] == "created"
    assert "Err" not in task["Status"]
    assert task["DesiredState"] == "running"
    assert not task.get("NodeID")
    assert not task.get("NetworksAttachments")
    assert world.walk_ring(small) == set()


def test_a_task_without_an_address_stays_new_though_its_service_has_a_vip(world: World, small: str) -> None:
    fill(world, small, 4)
    late = world.create_service(world.fresh("late"), [small], constraints=NOWHERE)
    world.wait_for_vip(late, small)
    world.wait_for_state(late, "new")
    settle(world)

    (task,) = world.tasks(late)
    assert (task["Status"]["State"], task["Status"]["Message"]) == ("new", "created")
    assert not task.get("NetworksAttachments")


def test_an_address_given_back_goes_to_the_service_that_waits(world: World, small: str) -> None:
    held = fill(world, small, 5)
    late = world.create_service(world.fresh("late"), [small], constraints=NOWHERE)
    world.wait_for_state(late, "new")
    settle(world)
    freed = [world.vip(each, small) for each in held[:2]]

    world.remove_service(held[0])
    settle(world)
    world.wait_until(lambda: world.vip(late, small) == freed[0], "the waiting service has the freed address")
    assert world.states(late) == ["new"]

    world.remove_service(held[1])
    world.wait_for_state(late, "pending")
    assert world.task_addresses(small, late) == [freed[1]]


def test_only_as_many_replicas_as_addresses_get_on(world: World, small: str) -> None:
    service = world.create_service(world.fresh("wide"), [small], replicas=7, constraints=NOWHERE)

    world.wait_until(
        lambda: sorted(world.states(service)) == ["new"] * 3 + ["pending"] * 4, "four tasks wait for a node"
    )
    world.scale(service, 4)
    world.wait_until(lambda: len(world.states(service)) == 4, "three tasks are gone")

"""Addresses are given out in serial order: always the next free one, wrapping round at the end."""

import ipaddress

from tests.contract.world import NOWHERE, World


def hosts(subnet: str) -> list[str]:
    return [str(each) for each in ipaddress.ip_network(subnet).hosts()]


def take(world: World, network: str) -> tuple[str, str]:
    """Return a new service without tasks, and its VIP."""
    service = world.create_service(world.fresh("vip"), [network], replicas=0)
    return service, world.wait_for_vip(service, network)


def test_the_gateway_is_first_and_the_rest_follow_in_order(world: World) -> None:
    subnet = world.fresh_subnet(28)
    network = world.create_overlay(world.fresh("order"), subnet)
    gateway, *rest = hosts(subnet)

    assert world.network(network)["IPAM"]["Config"] == [{"Subnet": subnet, "Gateway": gateway}]
    assert [take(world, network)[1] for _ in range(4)] == rest[:4]


def test_a_freed_address_waits_until_the_pointer_comes_round(world: World) -> None:
    subnet = world.fresh_subnet(29)
    network = world.create_overlay(world.fresh("order"), subnet)
    rest = hosts(subnet)[1:]
    (first, held), _, (third, also_held) = [take(world, network) for _ in range(3)]
    assert [held, also_held] == [rest[0], rest[2]]

    world.remove_service(first)
    world.remove_service(third)

    assert [take(world, network)[1] for _ in range(4)] == [rest[3], rest[4], rest[0], rest[2]]


def test_tasks_take_addresses_before_any_node_is_found_for_them(world: World) -> None:
    subnet = world.fresh_subnet(28)
    network = world.create_overlay(world.fresh("order"), subnet)
    rest = hosts(subnet)[1:]

    service = world.create_service(world.fresh("waiting"), [network], replicas=3, constraints=NOWHERE)
    tasks = world.wait_for_state(service, "pending", 3)

    assert world.wait_for_vip(service, network) == rest[0]
    assert sorted(world.task_addresses(network, service)) == sorted(rest[1:4])
    assert not any(task.get("NodeID") for task in tasks)
    world.wait_until(
        lambda: all("no suitable node" in task["Status"].get("Err", "") for task in world.tasks(service)),
        "the scheduler says why the tasks wait",
    )


def test_a_walk_of_the_ring_finds_what_nobody_holds(world: World) -> None:
    subnet = world.fresh_subnet(28)
    network = world.create_overlay(world.fresh("order"), subnet)
    held = {take(world, network)[1] for _ in range(3)}

    assert world.walk_ring(network) == set(hosts(subnet)[1:]) - held

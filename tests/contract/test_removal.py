"""Removing networks: what is refused, what is allowed too early, and what that loses for good."""

import pytest

from tests.contract.world import NOWHERE, Refused, World


@pytest.fixture
def shared(world: World) -> str:
    """Give a network that outlives the stacks on it."""
    return world.create_overlay(world.fresh("shared"), world.fresh_subnet(28), attachable=True)


def refusal(world: World, network: str) -> str:
    with pytest.raises(Refused) as refused:
        world.remove_network(network)
    assert refused.value.status == 400
    return refused.value.message.removeprefix("rpc error: code = FailedPrecondition desc = ")


def test_a_network_with_a_service_stays(world: World, shared: str) -> None:
    service = world.create_service(world.fresh("app"), [shared], replicas=0)

    assert refusal(world, shared) == f"network {shared} is in use by service {service}"

    world.remove_service(service)
    world.remove_network(shared)


def test_a_network_with_an_attached_container_stays(world: World, shared: str) -> None:
    container = world.attach_container(world.fresh("container"), shared)
    (task,) = [
        each
        for each in world.tasks(runtime=["attachment"])
        if each["Spec"]["Networks"][0]["Target"] == shared
    ]

    assert refusal(world, shared) == f"network {shared} is in use by task {task['ID']}"

    world.remove_container(container)


def test_the_ingress_network_stays_while_a_service_publishes(world: World) -> None:
    service = world.create_service(world.fresh("web"), [], replicas=0, ports=[(18081, 80)])

    message = refusal(world, "ingress")

    assert message == f"ingress network cannot be removed because service {service} depends on it"
    world.remove_service(service)


def test_removing_a_network_under_stopping_tasks_leaks_one_address_each(world: World, shared: str) -> None:
    before = world.free_addresses(shared)
    lost = world.leak(shared, 3)

    assert len(lost) == 3
    world.wait_until(
        lambda: world.free_addresses(shared) == before - lost, "exactly the tasks' addresses are lost"
    )


def test_removing_a_network_under_waiting_tasks_leaks_the_same(world: World, shared: str) -> None:
    before = world.free_addresses(shared)

    lost = world.leak_fast(shared, 4) | world.leak_fast(shared, 2)

    assert len(lost) == 6
    assert world.free_addresses(shared) == before - lost


def test_removing_it_after_its_tasks_have_ended_leaks_nothing(world: World, shared: str) -> None:
    before = world.free_addresses(shared)
    stack = world.deploy_stack([shared], replicas=3)
    world.wait_for_state(stack.services[0], "running", 3)

    world.remove_stack_safely(stack)

    world.wait_until(lambda: world.free_addresses(shared) == before, "every address is free again")


def test_a_service_on_the_shared_network_alone_leaks_nothing(world: World, shared: str) -> None:
    before = world.free_addresses(shared)
    service = world.create_service(world.fresh("alone"), [shared], replicas=2, constraints=NOWHERE)
    world.wait_for_state(service, "pending", 2)

    world.remove_service(service)

    world.wait_until(lambda: not world.states(service), "its tasks are gone")
    assert world.free_addresses(shared) == before


def test_a_restart_gives_back_what_leaked(world: World, shared: str) -> None:
    before = world.free_addresses(shared)
    lost = world.leak_fast(shared, 5)
    kept = world.create_service(world.fresh("kept"), [shared], replicas=0)
    vip = world.wait_for_vip(kept, shared)
    assert not lost & world.free_addresses(shared)

    world.restart_engine()

    assert world.vip(kept, shared) == vip
    world.wait_until(lambda: world.free_addresses(shared) == before - {vip}, "the ring is whole again")

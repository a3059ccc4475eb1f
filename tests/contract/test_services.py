"""Services as objects: versions, refusals, and what becomes of their tasks."""

import pytest

from tests.contract.world import JSON, NOWHERE, SLOW_S, Refused, World


@pytest.fixture
def network(world: World) -> str:
    """Give a network of the test's own."""
    return world.create_overlay(world.fresh("services"), world.fresh_subnet(27))


def test_every_update_moves_the_version(world: World, network: str) -> None:
    service = world.create_service(world.fresh("app"), [network], replicas=0)
    world.wait_for_vip(service, network)
    before = world.service(service)

    world.scale(service, 1)

    after = world.service(service)
    assert after["Version"]["Index"] > before["Version"]["Index"]
    assert after["UpdatedAt"] > before["UpdatedAt"]
    assert after["CreatedAt"] == before["CreatedAt"]
    assert after["PreviousSpec"]["Mode"] == {"Replicated": {"Replicas": 0}}
    assert after["Endpoint"]["VirtualIPs"] == before["Endpoint"]["VirtualIPs"]


def test_an_update_of_an_old_version_is_refused(world: World, network: str) -> None:
    service = world.create_service(world.fresh("app"), [network], replicas=0)
    world.wait_for_vip(service, network)
    before = world.service(service)
    world.scale(service, 1)

    with pytest.raises(Refused) as refused:
        world.call("POST", f"/services/{service}/update?version={before['Version']['Index']}", before["Spec"])

    assert refused.value.status == 500
    assert refused.value.message == "rpc error: code = Unknown desc = update out of sequence"


def test_names_are_unique(world: World, network: str) -> None:
    name = world.fresh("taken")
    world.create_service(name, [network], replicas=0)

    with pytest.raises(Refused) as refused:
        world.create_service(name, [network], replicas=0)

    assert refused.value.status == 409
    assert refused.value.message == (
        f"rpc error: code = AlreadyExists desc = name conflicts with an existing object: service {name} already exists"
    )


def test_a_network_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(Refused) as refused:
        world.create_service(world.fresh("app"), ["missing"], replicas=0)

    assert (refused.value.status, refused.value.message) == (500, "network missing not found")


def test_the_spec_names_networks_by_id(world: World) -> None:
    name = world.fresh("named")
    network = world.create_overlay(name)
    service = world.create_service(world.fresh("app"), [name], replicas=0, stack="shop")

    spec = world.service(service)["Spec"]

    (attached,) = spec["TaskTemplate"]["Networks"]
    assert attached["Target"] == network
    assert spec["Labels"] == {"com.docker.stack.namespace": "shop"}


def test_removed_tasks_stay_listed_until_they_have_stopped(world: World, network: str) -> None:
    service = world.create_service(world.fresh("slow"), [network], stop_grace_s=SLOW_S)
    tasks = world.wait_for_state(service, "running")
    (held,) = world.task_addresses(network, service)

    world.remove_service(service)
    world.wait_until(
        lambda: [each["DesiredState"] for each in world.tasks(service)] == ["remove"], "the task is marked"
    )

    assert world.states(service) == ["running"]
    assert world.task_addresses(network, service) == [held]
    assert held not in world.free_addresses(network)
    world.end(*tasks)
    world.wait_until_gone([service])
    world.wait_until(lambda: held in world.free_addresses(network), "its address is free")


def test_scaled_down_tasks_stay_listed_until_they_have_stopped(world: World, network: str) -> None:
    service = world.create_service(world.fresh("slow"), [network], stop_grace_s=SLOW_S)
    tasks = world.wait_for_state(service, "running")
    (held,) = world.task_addresses(network, service)

    world.scale(service, 0)
    world.wait_until(
        lambda: [each["DesiredState"] for each in world.tasks(service)] == ["remove"], "the task is marked"
    )

    assert world.states(service) == ["running"]
    assert held not in world.free_addresses(network)
    world.end(*tasks)
    world.wait_until(lambda: not world.states(service), "its task is gone")


def test_parked_tasks_vanish_with_their_addresses_while_the_container_runs_on(
    world: World, network: str
) -> None:
    service = world.create_service(world.fresh("slow"), [network], stop_grace_s=SLOW_S)
    (task,) = world.wait_for_state(service, "running")
    (held,) = world.task_addresses(network, service)

    def park(spec: JSON) -> None:
        spec["Mode"]["Replicated"]["Replicas"] = 0
        spec["TaskTemplate"]["Networks"] = []

    world.update_service(service, park)
    world.wait_until(lambda: not world.states(service), "the task is no longer listed")

    label = {"label": [f"com.docker.swarm.task.id={task['ID']}"]}
    assert held in world.free_addresses(network)
    assert [each["State"] for each in world.client.containers(filters=label)] == ["running"]
    assert task["Status"]["ContainerStatus"]["ContainerID"] in world.network(network)["Containers"]
    world.remove_network(network)
    world.end(task)
    world.wait_until(lambda: not world.client.containers(filters=label), "the container has stopped")


def test_waiting_tasks_of_a_removed_service_go(world: World, network: str) -> None:
    service = world.create_service(world.fresh("waiting"), [network], replicas=2, constraints=NOWHERE)
    world.wait_for_state(service, "pending", 2)

    world.remove_service(service)

    with pytest.raises(Refused, match="404"):
        world.service(service)
    world.wait_until(lambda: not world.states(service), "its tasks are gone")

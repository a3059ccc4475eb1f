"""What a stack consists of besides services and networks, and what is still seen of it once its services are gone."""

import json
from urllib.parse import quote

import pytest

from tests.contract.world import JSON, Refused, Stack, World

KINDS = ("secret", "config")


@pytest.fixture
def network(world: World) -> str:
    """Give a network that outlives the stacks on it."""
    return world.create_overlay(world.fresh("shared"), world.fresh_subnet(27))


def create(world: World, kind: str, name: str, stack: str = "") -> str:
    labels = {"com.docker.stack.namespace": stack} if stack else {}
    body = {"Name": name, "Labels": labels, "Data": "aGk="}
    return str(world.call("POST", f"/{kind}s/create", body)["ID"])


def listed(world: World, what: str, **filters: list[str]) -> list[JSON]:
    found: list[JSON] = world.call("GET", f"/{what}?filters={quote(json.dumps(filters))}")
    return found


def use(world: World, service: str, kind: str, identity: str, name: str) -> None:
    noun = kind.capitalize()
    file = {"Name": name, "UID": "0", "GID": "0", "Mode": 292}
    entry = {f"{noun}ID": identity, f"{noun}Name": name, "File": file}
    world.update_service(
        service, lambda spec: spec["TaskTemplate"]["ContainerSpec"].update({f"{noun}s": [entry]})
    )


def running(world: World, network: str, replicas: int = 1) -> Stack:
    stack = world.deploy_stack([network], replicas=replicas)
    world.wait_for_state(stack.services[0], "running", replicas)
    return stack


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_and_configs_are_listed_with_their_labels(world: World, kind: str) -> None:
    name, stack = world.fresh("data"), world.fresh("stack")
    identity = create(world, kind, name, stack)

    (mine,) = listed(world, f"{kind}s", label=[f"com.docker.stack.namespace={stack}"])

    assert mine["ID"] == identity
    assert mine["Spec"]["Name"] == name
    assert mine["Spec"]["Labels"] == {"com.docker.stack.namespace": stack}
    assert ("Data" in mine["Spec"]) == (kind == "config")
    world.call("DELETE", f"/{kind}s/{identity}")
    assert not listed(world, f"{kind}s", label=[f"com.docker.stack.namespace={stack}"])


@pytest.mark.parametrize("kind", KINDS)
def test_their_names_are_unique_and_what_is_gone_is_not_found(world: World, kind: str) -> None:
    name = world.fresh("data")
    identity = create(world, kind, name)

    with pytest.raises(Refused) as again:
        create(world, kind, name)
    world.call("DELETE", f"/{kind}s/{identity}")
    with pytest.raises(Refused) as gone:
        world.call("DELETE", f"/{kind}s/{identity}")

    assert again.value.status == 409
    assert again.value.message == f"rpc error: code = AlreadyExists desc = {kind} {name} already exists"
    assert (gone.value.status, gone.value.message) == (404, f"{kind} {identity} not found")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_service_uses_stays_until_that_is_removed(world: World, network: str, kind: str) -> None:
    name, app = world.fresh("data"), world.fresh("app")
    identity = create(world, kind, name)
    service = world.create_service(app, [network], replicas=0)
    use(world, service, kind, identity, name)

    with pytest.raises(Refused) as refused:
        world.call("DELETE", f"/{kind}s/{identity}")

    assert refused.value.status == 400
    assert refused.value.message == (
        f"rpc error: code = InvalidArgument desc = {kind} '{name}' is in use by the following service: {app}"
    )
    world.remove_service(service)
    world.call("DELETE", f"/{kind}s/{identity}")


def test_tasks_stay_listed_after_their_service_until_their_containers_have_ended(
    world: World, network: str
) -> None:
    stack = running(world, network, replicas=2)
    own_tasks = {each["ID"] for each in world.tasks(stack.services[0])}

    world.remove_service(stack.services[0])

    def containers() -> list[JSON]:
        return listed(world, "containers/json", label=[f"com.docker.swarm.service.id={stack.services[0]}"])

    def marked() -> list[JSON]:
        alive = [each for each in world.tasks(stack.services[0]) if each["Status"]["State"] == "running"]
        return alive if all(each["DesiredState"] == "remove" for each in alive) else []

    seen = world.wait_until(marked, "the tasks are marked for removal")
    assert {each["ID"] for each in seen} <= own_tasks
    assert all(each["Spec"]["ContainerSpec"]["Labels"] for each in seen)
    while running_now := containers():
        ids = {each["Labels"]["com.docker.swarm.task.id"] for each in running_now}
        assert ids <= own_tasks
        alive = {each["ID"] for each in world.tasks(stack.services[0])}
        # A container that has ended between the two calls proves nothing.
        assert ids & {each["Labels"]["com.docker.swarm.task.id"] for each in containers()} <= alive
        world.pass_time(0.1)
    world.wait_until_gone(stack.services)
    world.remove_network(stack.networks[0])


def test_containers_of_a_task_name_its_stack_its_service_and_its_networks(world: World, network: str) -> None:
    stack = running(world, network)

    (container,) = listed(world, "containers/json", label=[f"com.docker.stack.namespace={stack.name}"])

    assert container["Labels"]["com.docker.swarm.service.id"] == stack.services[0]
    assert container["Names"][0].startswith(f"/{stack.name}_app.1.")
    assert {each["NetworkID"] for each in container["NetworkSettings"]["Networks"].values()} == {
        network,
        *stack.networks,
    }
    world.remove_stack_safely(stack)

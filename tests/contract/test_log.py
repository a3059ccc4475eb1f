"""What dockerd logs of addresses: the same sentences, about the same objects, with the same signatures."""

from collections.abc import Iterator, Mapping

import pytest

from console.journal.matching import match_line
from console.journal.parsing import parse_line
from tests.contract.world import NOWHERE, World

Found = list[tuple[str, Mapping[str, str]]]


class Mark:
    """Knows what was logged since it was made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = len(world.log())

    def said(self, signature: str) -> list[Mapping[str, str]]:
        """Return the identifiers in each line since that has a signature."""
        return [ids for found, ids in self._all() if found == signature]

    def _all(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        for line in self._world.log()[self._read :].splitlines():
            found = match_line(parse_line(line))
            if found is not None:
                yield found[0].id, found[1]

    def until_said(self, signature: str) -> list[Mapping[str, str]]:
        """Return the identifiers in each such line, once there is one."""
        return self._world.wait_until(lambda: self.said(signature), f"{signature} is logged", 30)


@pytest.fixture
def mark(world: World) -> Mark:
    return Mark(world)


def node_of(world: World) -> str:
    (node,) = world.client.nodes()
    return str(node["ID"])


def fill(world: World) -> str:
    """Return a network without a free address."""
    network = world.create_overlay(world.fresh("full"), world.fresh_subnet(29))
    for _ in range(5):
        world.wait_for_vip(world.create_service(world.fresh("held"), [network], replicas=0), network)
    return network


def test_a_service_without_a_vip_and_its_task(world: World, mark: Mark) -> None:
    network = fill(world)
    service = world.create_service(world.fresh("late"), [network])
    (task,) = world.wait_for_state(service, "new")

    node = node_of(world)
    assert {"service": service, "node": node} in mark.until_said("vip-create")
    pending = mark.until_said("task-pending")
    assert {"service": service, "task": task["ID"], "node": node} in pending


def test_a_service_that_cannot_join(world: World, mark: Mark) -> None:
    full, roomy = fill(world), world.create_overlay(world.fresh("roomy"))
    service = world.create_service(world.fresh("joins"), [roomy], replicas=0)
    world.wait_for_vip(service, roomy)

    targets = [{"Target": roomy}, {"Target": full}]
    world.update_service(service, lambda spec: spec["TaskTemplate"].update({"Networks": targets}))

    assert {"service": service, "node": node_of(world)} in mark.until_said("vip-update")


def test_a_task_without_an_address(world: World, mark: Mark) -> None:
    network = world.create_overlay(world.fresh("tight"), world.fresh_subnet(29))
    service = world.create_service(world.fresh("many"), [network], replicas=5, constraints=NOWHERE)
    world.wait_for_state(service, "pending", 4)
    (waits,) = world.wait_for_state(service, "new")

    said = mark.until_said("task-address")
    assert {"task": waits["ID"], "network": network, "node": node_of(world)} in said


def test_a_network_removed_under_its_tasks(world: World, mark: Mark) -> None:
    shared = world.create_overlay(world.fresh("shared"))
    stack = world.deploy_stack([shared], replicas=2)
    world.wait_for_state(stack.services[0], "running", 2)

    world.remove_stack(stack)

    node, (own,) = node_of(world), stack.networks
    assert {"node": node, "removed": own} in mark.until_said("network-gone-under-tasks")
    world.wait_until_gone(stack.services)


def test_a_patient_removal_says_nothing_of_the_kind_but_makes_the_same_noise(
    world: World, mark: Mark
) -> None:
    shared = world.create_overlay(world.fresh("shared"))
    stack = world.deploy_stack([shared], replicas=2)
    world.wait_for_state(stack.services[0], "running", 2)

    world.remove_stack_safely(stack)

    if world.traits.logs_key_modified:
        mark.until_said("key-modified")
    assert mark.said("network-gone-under-tasks") == []


def test_a_subnet_that_overlaps(world: World, mark: Mark) -> None:
    subnet = world.fresh_subnet(28)
    world.create_overlay(world.fresh("first"), subnet)
    second = world.request_overlay(world.fresh("second"), subnet)

    assert {"network": second, "node": node_of(world)} in mark.until_said(world.traits.overlap_signature)


def test_a_restart(world: World, mark: Mark) -> None:
    world.restart_engine()

    for signature in ("daemon-stopped", "daemon-starting", "daemon-ready"):
        mark.until_said(signature)
    assert mark.until_said("leader-changed")[0]["node"] == node_of(world)

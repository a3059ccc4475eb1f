"""What Swarm does to the tasks of a node that no longer is what their service asks for."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.contract.world import JSON, World

ENFORCED = "assigned node no longer meets constraints"


def node(world: World) -> JSON:
    (found,) = world.call("GET", "/nodes")
    return dict(found)


def change(world: World, **fields: object) -> None:
    """Change fields of the only node's specification."""
    now = node(world)
    world.call(
        "POST", f"/nodes/{now['ID']}/update?version={now['Version']['Index']}", {**now["Spec"], **fields}
    )


@pytest.fixture
def labelled(world: World) -> Iterator[str]:
    """Give a service of two tasks that run only where the node has a label."""
    change(world, Labels={"zone": "a"}, Availability="active")
    network = world.create_overlay(world.fresh("net"), world.fresh_subnet(27))
    service = world.create_service(
        world.fresh("zoned"), [network], replicas=2, constraints=("node.labels.zone==a",)
    )
    world.wait_for_state(service, "running", 2)
    yield service
    world.remove_service(service)
    world.wait_until_gone([service])
    world.wait_until(lambda: world.is_removed(network), "its network is removed")
    change(world, Labels={}, Availability="active")


def ended(world: World, service: str) -> list[JSON]:
    return [each for each in world.tasks(service) if each["Status"].get("Err") == ENFORCED]


def test_an_active_node_that_loses_what_tasks_ask_for_loses_them(world: World, labelled: str) -> None:
    change(world, Labels={})
    found = world.wait_until(lambda: ended(world, labelled), "its tasks are ended")
    assert {each["Status"]["State"] for each in found} == {"rejected"}
    world.wait_until(lambda: len(ended(world, labelled)) == 2, "both are ended")


def test_a_paused_node_keeps_them_until_it_is_active_again(world: World, labelled: str) -> None:
    before = {each["ID"] for each in world.tasks(labelled)}
    change(world, Availability="pause")
    change(world, Labels={})
    world.pass_time(3)
    assert {each["ID"] for each in world.tasks(labelled)} == before
    assert set(world.states(labelled)) == {"running"}
    # What makes it safe is only that it is what they ask for again by then.
    change(world, Labels={"zone": "a"})
    change(world, Availability="active")
    world.pass_time(3)
    assert {each["ID"] for each in world.tasks(labelled)} == before
    change(world, Availability="pause")
    change(world, Labels={})
    change(world, Availability="active")
    world.wait_until(lambda: len(ended(world, labelled)) == 2, "an active node loses them")


def test_the_role_that_a_node_has_is_told_by_the_filter(world: World) -> None:
    def of(role: str) -> list[str]:
        wanted = quote(json.dumps({"role": [role]}))
        return [str(each["ID"]) for each in world.call("GET", f"/nodes?filters={wanted}")]

    assert of("manager") == [node(world)["ID"]]
    assert of("worker") == []

"""Services that lose their network and their tasks in one update, and get both back in another."""

from typing import Any

import pytest

from tests.contract.world import JSON, Refused, World

NOWHERE = "node.labels.parked==nowhere"


@pytest.fixture
def network(world: World) -> str:
    """Give a network of the test's own."""
    return world.create_overlay(world.fresh("parking"), world.fresh_subnet(27))


def create_global(world: World, network: str) -> str:
    spec: JSON = {
        "Name": world.fresh("everywhere"),
        "TaskTemplate": {
            "ContainerSpec": {"Image": "lab/box:1", "Args": ["sleep", "86400"], "StopGracePeriod": 10**9},
            "Networks": [{"Target": network, "Aliases": ["everywhere"]}],
        },
        "Mode": {"Global": {}},
        # Were the tasks replaced one after another, this would be seen.
        "UpdateConfig": {"Parallelism": 1, "Delay": 600 * 10**9, "FailureAction": "rollback"},
    }
    return str(world.call("POST", "/services/create", spec)["ID"])


def park(spec: JSON) -> None:
    spec["TaskTemplate"]["Networks"] = []
    if "Global" in spec["Mode"]:
        placement = spec["TaskTemplate"].setdefault("Placement", {})
        placement["Constraints"] = [*(placement.get("Constraints") or []), NOWHERE]
    else:
        spec["Mode"]["Replicated"]["Replicas"] = 0
    spec["Labels"]["parked"] = "yes"


def restored(world: World, service: str, before: JSON, network: str) -> JSON:
    """Give a service back what parking took, on another network, and return it."""

    def change(spec: JSON) -> None:
        spec["TaskTemplate"]["Networks"] = [
            {**each, "Target": network} for each in before["TaskTemplate"]["Networks"]
        ]
        spec["TaskTemplate"]["Placement"] = before["TaskTemplate"].get("Placement") or {}
        spec["Mode"] = before["Mode"]
        del spec["Labels"]["parked"]

    world.update_service(service, change)
    return world.service(service)


def update_of(world: World, service: str) -> JSON:
    return dict(world.service(service).get("UpdateStatus") or {})


def ids(world: World, service: str) -> set[str]:
    return {each["ID"] for each in world.tasks(service) if each["Status"]["State"] == "running"}


def roll_back(world: World, service: str) -> JSON:
    seen = world.service(service)
    path = f"/services/{service}/update?version={seen['Version']['Index']}&rollback=previous"
    world.call("POST", path, seen["Spec"])

    def done() -> Any:
        now = world.service(service)
        return now if now.get("UpdateStatus", {}).get("State") == "rollback_completed" else None

    return dict(world.wait_until(done, "the rollback is complete", 60))


def test_an_update_that_changes_nothing_replaces_no_task_and_becomes_the_previous_specification(
    world: World, network: str
) -> None:
    service = world.create_service(world.fresh("same"), [network], replicas=2)
    world.wait_for_state(service, "running", 2)
    before, running = world.service(service), ids(world, service)
    assert "PreviousSpec" not in before

    world.update_service(service, lambda _: None)
    world.pass_time(2)

    after = world.service(service)
    assert after["Version"]["Index"] > before["Version"]["Index"]
    assert after["PreviousSpec"] == after["Spec"] == before["Spec"]
    assert "UpdateStatus" not in after
    assert ids(world, service) == running


def test_after_such_an_update_a_rollback_changes_nothing(world: World, network: str) -> None:
    service = world.create_service(world.fresh("parked"), [network], replicas=1)
    world.wait_for_state(service, "running")
    before = world.service(service)["Spec"]
    world.update_service(service, park)
    world.wait_until(lambda: not ids(world, service), "it is parked", 60)
    restored(world, service, before, network)
    world.wait_for_state(service, "running")
    world.update_service(service, lambda _: None)
    running = ids(world, service)

    after = roll_back(world, service)

    assert after["Spec"] == before
    assert ids(world, service) == running


def test_without_it_a_rollback_parks_the_service_again(world: World, network: str) -> None:
    service = world.create_service(world.fresh("parked"), [network], replicas=1)
    world.wait_for_state(service, "running")
    before = world.service(service)["Spec"]
    world.update_service(service, park)
    # Else it is the task from before that is seen running, and the rollback comes amid the update.
    world.wait_until(lambda: not ids(world, service), "it is parked", 60)
    restored(world, service, before, network)
    world.wait_for_state(service, "running")

    after = roll_back(world, service)

    assert after["Spec"]["Mode"] == {"Replicated": {"Replicas": 0}}
    assert after["Spec"]["Labels"] == {"parked": "yes"}
    assert not after["Spec"]["TaskTemplate"].get("Networks")
    assert after["PreviousSpec"] == before
    world.wait_until(lambda: not ids(world, service), "nothing of it runs", 60)


def test_there_is_no_rollback_without_a_previous_specification(world: World, network: str) -> None:
    service = world.create_service(world.fresh("new"), [network], replicas=0)
    seen = world.service(service)
    with pytest.raises(Refused) as refused:
        world.call(
            "POST",
            f"/services/{service}/update?version={seen['Version']['Index']}&rollback=previous",
            seen["Spec"],
        )
    assert (refused.value.status, refused.value.message) == (
        400,
        f"rpc error: code = FailedPrecondition desc = service {service} does not have a previous spec",
    )


def test_a_global_service_is_parked_by_a_constraint_and_comes_back_without_its_delays(
    world: World, network: str
) -> None:
    other = world.create_overlay(world.fresh("other"), world.fresh_subnet(27))
    service = create_global(world, network)
    world.wait_for_state(service, "running")
    before = world.service(service)["Spec"]

    world.update_service(service, park)

    world.wait_until(lambda: world.states(service) == ["shutdown"], "its task has stopped", 60)
    assert "UpdateStatus" not in world.service(service)
    world.remove_network(network)
    after = restored(world, service, before, other)
    world.wait_for_state(service, "running")
    assert "UpdateStatus" not in world.service(service)
    assert after["Spec"]["TaskTemplate"]["Networks"] == [{"Target": other, "Aliases": ["everywhere"]}]
    assert {**after["Spec"], "TaskTemplate": 0} == {**before, "TaskTemplate": 0}


def test_any_update_ends_what_was_known_of_the_one_before(world: World, network: str) -> None:
    service = world.create_service(world.fresh("updated"), [network])
    world.wait_for_state(service, "running")
    world.update_service(service, lambda spec: spec["TaskTemplate"].update(ForceUpdate=1))
    world.wait_until(lambda: update_of(world, service).get("State") == "updating", "it has begun", 60)
    world.wait_until(lambda: update_of(world, service).get("State") == "completed", "it has ended", 120)

    world.update_service(service, lambda spec: spec["Labels"].update(x="y"))

    assert not update_of(world, service)


def test_old_services_keep_their_networks_at_the_service(world: World, network: str) -> None:
    spec: JSON = {
        "Name": world.fresh("old"),
        "TaskTemplate": {"ContainerSpec": {"Image": "lab/box:1", "Args": ["sleep", "86400"]}},
        "Networks": [{"Target": network, "Aliases": ["old"]}],
        "Mode": {"Replicated": {"Replicas": 0}},
        "Labels": {},
    }
    service = world.call("POST", "/services/create", spec)["ID"]
    if not world.traits.takes_networks_at_service:
        made = world.service(service)["Spec"]
        assert (made.get("Networks"), made["TaskTemplate"].get("Networks")) == (None, None)
        return
    vip = world.wait_for_vip(service, network)

    seen = world.service(service)

    assert vip
    assert seen["Spec"]["Networks"] == [{"Target": network, "Aliases": ["old"]}]
    assert "Networks" not in seen["Spec"]["TaskTemplate"]
    with pytest.raises(Refused) as refused:
        world.update_service(service, lambda each: each.pop("Networks"))
    assert (refused.value.status, refused.value.message) == (
        501,
        "rpc error: code = Unimplemented desc = networks must be migrated to TaskSpec before being changed",
    )

    def migrate(each: JSON) -> None:
        each["TaskTemplate"]["Networks"] = each.pop("Networks")

    world.update_service(service, migrate)

    after = world.service(service)["Spec"]
    assert "Networks" not in after
    assert after["TaskTemplate"]["Networks"] == [{"Target": network, "Aliases": ["old"]}]
    world.update_service(service, park)
    world.remove_network(network)

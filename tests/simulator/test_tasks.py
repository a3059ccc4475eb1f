import pytest

from console.simulator.filters import Refusal
from tests.simulator.swarms import a_network, a_service, a_swarm, check_pools, get, states


def test_nothing_happens_before_time_passes() -> None:
    engine = a_swarm()
    network = engine.networks.create({"Name": "proxy", "Driver": "overlay"})
    service = a_service(engine, network)

    seen = get(engine, "/networks/proxy").body
    assert (seen["Driver"], seen["IPAM"]["Config"], "Status" in seen) == ("", None, False)
    assert get(engine, "/services/app").body["Endpoint"] == {"Spec": {}}
    assert states(engine, service) == ["new"]

    engine.advance(5.0)
    assert get(engine, "/networks/proxy").body["IPAM"]["Config"] == [
        {"Subnet": "10.0.1.0/24", "Gateway": "10.0.1.1"}
    ]
    assert states(engine, service) == ["running"]


def test_a_task_passes_through_its_states() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine))
    seen: list[str] = []
    while engine.store.timeline.next_due_s is not None:
        engine.store.timeline.step()
        seen += states(engine, service)

    assert list(dict.fromkeys(seen)) == ["pending", "assigned", "preparing", "starting", "running"]


def test_a_task_that_no_node_fits_says_so() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), constraint="node.role==worker")
    engine.advance(5.0)

    (task,) = engine.store.tasks_of(service)
    assert (task.state, task.message) == ("pending", "pending task scheduling")
    assert task.error == "no suitable node (scheduling constraints not satisfied on 1 node)"


def test_an_image_that_nobody_has_is_rejected_again_and_again() -> None:
    engine = a_swarm(images=frozenset({"busybox"}))
    service = a_service(engine, a_network(engine), image="nobody/has:1")
    engine.advance(60.0)

    rejected = [task for task in engine.store.tasks_of(service) if task.state == "rejected"]
    assert {task.error for task in rejected} == {"No such image: nobody/has:1"}
    assert len(engine.store.tasks_of(service)) == 5
    check_pools(engine)


def test_a_command_that_fails_is_tried_again_and_its_history_still_names_addresses() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), command="exit 3")
    engine.advance(13.0)

    shown = get(engine, "/tasks", filters='{"service": ["app"]}').body
    failed = [task for task in shown if task["Status"]["State"] == "failed"]
    assert len(failed) >= 2
    assert failed[0]["Status"]["Err"] == "task: non-zero exit (3)"
    assert failed[0]["Status"]["ContainerStatus"]["ExitCode"] == 3
    assert failed[0]["NetworksAttachments"][0]["Addresses"]
    assert len(engine.store.tasks_of(service)) == len(shown)
    check_pools(engine)


def test_a_stopping_task_holds_its_address_until_its_grace_is_over() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), grace_s=30.0)
    engine.advance(5.0)
    engine.services.remove(service)
    engine.advance(29.0)

    (task,) = engine.store.tasks_of(service)
    assert (task.state, task.desired) == ("running", "remove")
    assert len(engine.addresses_of("proxy", "task")) == 1

    engine.advance(5.0)
    assert engine.store.tasks_of(service) == []
    assert engine.addresses_of("proxy", "task") == []


def test_what_finds_no_address_stays_new_until_one_is_given_back() -> None:
    engine = a_swarm()
    proxy = a_network(engine)
    first = a_service(engine, proxy, name="first", replicas=11)
    engine.advance(5.0)
    assert states(engine, first) == ["running"] * 11
    late = a_service(engine, proxy, name="late")
    engine.advance(600.0)

    (task,) = engine.store.tasks_of(late)
    assert (task.state, task.message, task.error) == ("new", "created", "")
    assert get(engine, "/services/late").body["Endpoint"] == {"Spec": {}}

    engine.services.remove(first)
    engine.advance(30.0)
    assert states(engine, late) == ["running"]


def test_a_node_without_a_balancer_rejects_after_a_while() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine, subnet="10.0.1.0/29"), replicas=4)
    engine.advance(20.0)
    assert states(engine, service) == ["preparing"] * 4

    engine.advance(15.0)
    errors = {task.error for task in engine.store.tasks_of(service) if task.state == "rejected"}
    assert errors == {"node is missing network attachments, ip addresses may be exhausted"}


def test_scaling_down_stops_the_surplus() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), replicas=3)
    engine.advance(5.0)
    seen = get(engine, "/services/app").body
    seen["Spec"]["Mode"]["Replicated"]["Replicas"] = 1
    engine.services.update("app", seen["Version"]["Index"], seen["Spec"])

    assert states(engine, service) == ["running"] * 3
    engine.advance(10.0)
    assert states(engine, service) == ["running"]


@pytest.mark.parametrize(("api_version", "listed"), [("1.41", 0), ("1.51", 0), ("1.52", 1)])
def test_a_parked_task_leaves_the_list_before_its_container_ends(api_version: str, listed: int) -> None:
    engine = a_swarm(api_version)
    proxy = a_network(engine)
    service = a_service(engine, proxy)
    engine.advance(5.0)
    seen = engine.store.services[service]
    parked = {**seen.spec, "Mode": {"Replicated": {"Replicas": 0}}}
    parked["TaskTemplate"] = {**seen.spec["TaskTemplate"], "Networks": []}
    engine.services.update("app", seen.index, parked)
    engine.advance(0.1)

    assert len(engine.store.tasks_of(service)) == listed
    assert [each["State"] for each in get(engine, "/containers/json").body] == ["running"]
    engine.networks.remove(proxy)
    assert get(engine, "/networks/proxy").status == 200
    with pytest.raises(Refusal, match="network with name proxy already exists"):
        a_network(engine)

    engine.advance(10.0)
    assert get(engine, "/containers/json").body == []
    assert get(engine, "/networks/proxy").status == 404
    a_network(engine)


def test_an_update_replaces_one_task_after_another() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), replicas=2, grace_s=1.0)
    engine.advance(5.0)
    before = {task.id for task in engine.store.tasks_of(service)}
    spec = engine.store.services[service].spec
    spec = {**spec, "TaskTemplate": {**spec["TaskTemplate"], "ForceUpdate": 1}}
    engine.services.update("app", engine.store.services[service].index, spec)
    engine.advance(2.0)
    assert sum(task.is_wanted for task in engine.store.tasks_of(service)) == 2
    assert engine.store.services[service].update_status == {
        "State": "updating",
        "StartedAt": engine.store.timeline.start.replace(second=6, microsecond=100000),
        "Message": "update in progress",
    }

    engine.advance(20.0)
    running = {task.id for task in engine.store.tasks_of(service) if task.state == "running"}
    assert len(running) == 2
    assert not running & before
    assert (engine.store.services[service].update_status or {})["State"] == "completed"
    check_pools(engine)


def test_an_old_version_is_refused() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine))
    with pytest.raises(Refusal, match="update out of sequence"):
        engine.services.update("app", 1, engine.store.services[service].spec)


def test_a_restart_replaces_every_task() -> None:
    engine = a_swarm()
    service = a_service(engine, a_network(engine), replicas=2)
    container = engine.containers.create(
        "alone",
        {"Image": "busybox", "HostConfig": {"NetworkMode": "proxy", "RestartPolicy": {"Name": "always"}}},
    )
    engine.containers.start(container)
    engine.advance(5.0)
    engine.restart()
    engine.advance(20.0)

    assert sorted(states(engine, service)) == ["failed", "failed", "running", "running"]
    assert engine.store.tasks_of(service)[0].error.startswith("No such container: app.1.")
    assert engine.store.containers[container].state == "running"
    check_pools(engine)

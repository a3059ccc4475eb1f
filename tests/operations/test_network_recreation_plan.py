"""What a recreation will do, and why it must not be done."""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from console.errors import Unknown
from console.host.activity import Route
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
    RecreationOwner,
    RecreationRequest,
    plan_lines,
)
from console.operations.network_recreation.recreation import Recreation
from console.operations.network_recreation.refusals import plan_recreation
from console.operations.probes import ProbeOwner, probe_spec
from console.simulator.engine import SimulatedEngine
from console.swarm.parse import PARKED_LABEL
from tests.simulator.swarms import a_network
from tests.support.change_records import ChangeRecordList, Killed
from tests.support.recreation import NEW, OLD, POOLS, Stage, service, stage


async def refusals(on: Stage, subnet: str = str(NEW), **more: Any) -> tuple[str, ...]:
    return (await on.plan(IPv4Network(subnet), **more)).refusals


async def test_a_plan_tells_everything_in_its_order_and_how_long_services_are_down() -> None:
    with stage() as on:
        plan = await on.plan()

        assert plan.refusals == ()
        assert not plan.is_done
        assert plan.outage_s == 9.0
        assert plan_lines(plan) == (
            "park 7 services: scale to zero, then take off proxy",
            "stop 1: everywhere, at once",
            "stop 2: dns_app, at once",
            "stop 3: plain_app, at once",
            "stop 4: shop_app, at once",
            "stop 5: slow_app, at once",
            "stop 6: idle_app, at once",
            "stop 7: traefik_app (reverse proxy), at once",
            "wait until no task of them is listed and no container runs (at most 62 s)",
            "disconnect the container shell",
            "disconnect the container stopped",
            "remove the network proxy (10.0.1.0/24)",
            "create it again with 10.10.0.0/16, all else as before",
            "bring back 1: traefik_app (2 replicas)",
            "bring back 2: everywhere (on each node where it ran)",
            "bring back 3: dns_app (2 replicas)",
            "bring back 4: plain_app (2 replicas)",
            "bring back 5: shop_app (2 replicas)",
            "bring back 6: slow_app (2 replicas)",
            "bring back 7: idle_app (0 replicas)",
            "connect the container shell",
            "connect the container stopped",
        )
        lies, changes = plan.notes
        assert lies.startswith("10.10.0.0/16 is inside Swarm's default pool 10.0.0.0/8.")
        assert changes == "The container shell gets another address than 10.0.1.19."


async def test_each_service_with_tasks_is_down_until_its_turn_comes() -> None:
    with stage() as on:
        plan = await on.plan()
        at_once, in_turn = plan.downtimes(0.0), plan.downtimes(1.0)
        assert {seconds for _, seconds in at_once} == {plan.outage_s}
        # A second for each of two tasks, and for the one of the global service.
        assert in_turn == (
            ("traefik_app", 9.0),
            ("everywhere", 11.0),
            ("dns_app", 12.0),
            ("plain_app", 14.0),
            ("shop_app", 16.0),
            ("slow_app", 18.0),
        )


async def test_those_that_are_named_come_first_and_then_those_with_ports() -> None:
    with stage() as on:
        plan = await on.plan(first=("shop_*", "dns_*"))
        assert plan.record is not None
        order = [each.name for each in plan.record.services]
        assert order[:4] == ["shop_app", "dns_app", "traefik_app", "everywhere"]


async def test_with_the_subnet_that_it_has_there_is_nothing_to_do() -> None:
    with stage() as on:
        plan = await on.plan(OLD)
        assert (plan.is_done, plan.refusals) == (True, ())


async def test_a_network_that_is_not_there_is_no_network() -> None:
    with stage(small=True) as on:
        plan = plan_recreation(await on.inputs(), RecreationRequest("missing", NEW), on.owner)
        assert plan.refusals == ("Overlay missing not found, and no record says what it was.",)
        assert plan_lines(plan) == ()


def a_job(model: SimulatedEngine, proxy: str) -> None:
    made = model.services.create(service("batch_job", proxy))
    model.store.services[made].spec["Mode"] = {"ReplicatedJob": {"MaxConcurrent": 1}}


def an_update(model: SimulatedEngine, _: str) -> None:
    model.store.find_service("plain_app").update_status = {"State": "paused", "Message": ""}


def from_config(model: SimulatedEngine, proxy: str) -> None:
    model.store.networks[proxy].is_ingress = True


def a_lost_node(model: SimulatedEngine, _: str) -> None:
    model.set_node("ci-host-2", state="down")


def attached_elsewhere(model: SimulatedEngine, _: str) -> None:
    task = next(each for each in model.store.tasks.values() if each.is_attachment)
    task.node_id = model.store.find_node("ci-host-2").id


def foreign_parked(model: SimulatedEngine, _: str) -> None:
    label = json.dumps(
        {
            "v": 1,
            "run": "r9",
            "machine": "machine-b",
            "network": {"id": "x", "name": "proxy", "body": {}},
            "target": "10.9.0.0/16",
            "service": {
                "id": "x", "name": "x", "mode": "replicated", "replicas": 1, "placement": None, "entries": [],
                "publishes": False, "uses_vip": True, "running": 1, "grace_s": 1.0, "is_elsewhere": False,
            },
            "containers": [],
            "since": "2026-06-01T00:00:00+00:00",
        }
    )  # fmt: skip
    model.store.find_service("plain_app").spec["Labels"][PARKED_LABEL] = label


def strange_parked(model: SimulatedEngine, _: str) -> None:
    model.store.find_service("plain_app").spec["Labels"][PARKED_LABEL] = "v2:opaque"


def foreign_probe(model: SimulatedEngine, proxy: str) -> None:
    model.services.create(dict(probe_spec(ProbeOwner("machine-b", 7), proxy)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_job, "batch_job is a job: it cannot continue where it stopped."),
        (an_update, "plain_app is being updated (paused)."),
        (from_config, "proxy is the ingress network: every published port depends on it."),
        (a_lost_node, "The node ci-host-2 is unreachable, and "),
        (attached_elsewhere, " is attached by hand on ci-host-2: it cannot be disconnected from here."),
        (
            foreign_parked,
            "Another machine is changing this swarm: 1 service parked by run r9 of machine machine-b (plain_app).",
        ),
        (strange_parked, "The service plain_app is parked by an unknown program."),
        (
            foreign_probe,
            "Another machine is changing this swarm: its probe vipconsole-probe-machine-b-7 exists.",
        ),
    ],
)
async def test_what_would_be_lost_or_is_not_ours_is_named_and_refused(
    change: Callable[[SimulatedEngine, str], None], reason: str
) -> None:
    with stage(others=[("ci-host-2", "worker")]) as on:
        change(on.model, on.model.store.find_network("proxy").id)
        assert any(reason in each for each in await refusals(on)), await refusals(on)


@pytest.mark.parametrize(
    ("subnet", "reason"),
    [
        ("10.0.2.0/23", "10.0.2.0/23 overlaps 10.0.2.0/24 of the network shop_internal."),
        ("10.0.0.0/16", "10.0.0.0/16 overlaps 10.0.0.0/24 of the network ingress."),
        ("172.17.0.0/20", "172.17.0.0/20 overlaps 172.17.0.0/16 of the network bridge."),
        (
            "10.20.0.0/28",
            "10.20.0.0/28 is too small: it has 13 addresses, and proxy needs 19 now.",
        ),
        ("10.20.0.0/30", "10.20.0.0/30 is too small for a network: the longest prefix is /29."),
        ("10.30.0.0/16", "10.30.0.0/16 overlaps 10.30.7.0/24, a route of this host (device wg0)."),
        ("10.40.0.0/16", "10.40.0.0/16 overlaps 10.40.0.5/32, this host's own address (device eth0)."),
    ],
)
async def test_a_subnet_that_cannot_be_had_is_refused(subnet: str, reason: str) -> None:
    routes = (Route(IPv4Network("10.30.7.0/24"), "wg0"), Route(IPv4Network("10.40.0.5/32"), "eth0"))
    with stage() as on:
        said = await refusals(
            on, subnet, around=RecreationEnvironment(routes, POOLS), may_change_address=("*",)
        )
        assert reason in said


async def test_the_old_subnet_of_the_network_itself_is_in_nobodys_way() -> None:
    with stage() as on:
        assert await refusals(on, "10.0.1.0/25", may_change_address=("*",)) == ()


async def test_what_was_chosen_for_the_old_subnet_only_is_a_note() -> None:
    with stage() as on:
        inputs = await on.inputs()
        before = inputs.snapshot.overlay("proxy")
        assert before is not None
        chosen = {
            "Subnet": "10.0.1.0/24",
            "IPRange": "10.0.1.128/25",
            "AuxiliaryAddresses": {"router": "10.0.1.9"},
        }
        body = {**before.body, "IPAM": {"Config": [chosen]}}
        networks = tuple(
            replace(each, body=body) if each is before else each for each in inputs.snapshot.networks
        )
        inputs = replace(inputs, snapshot=replace(inputs.snapshot, networks=networks))
        notes = {
            subnet: plan_recreation(inputs, RecreationRequest("proxy", subnet), on.owner).notes
            for subnet in (NEW, OLD)
        }
    said = (
        "The new subnet drops the IP range 10.0.1.128/25, the auxiliary address router (10.0.1.9): the old "
        "subnet contains it."
    )
    assert (said in notes[NEW], said in notes[OLD]) == (True, False)


async def test_routes_of_other_nodes_are_not_checked() -> None:
    with stage(small=True, others=[("two", "worker")]) as on:
        plan = await on.plan(may_change_address=("*",))
        assert plan.not_checked == (("routes of 1 other node", "Only routes of this host can be read."),)


async def test_routes_that_are_not_known_are_not_checked() -> None:
    with stage() as on:
        plan = await on.plan(
            around=RecreationEnvironment(Unknown("The engine is elsewhere.")), may_change_address=("*",)
        )
        assert plan.refusals == ()
        assert plan.not_checked == (("routes of the engine's host", "The engine is elsewhere."),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"": True}, "was set by hand."),
        ({}, "may have been set by hand."),
        ({"": False}, ""),
    ],
)
async def test_an_address_that_may_have_been_given_by_hand_is_not_taken_away(
    given: dict[str, bool], said: str
) -> None:
    with stage() as on:
        shell = on.model.store.find_container("shell").id
        around = RecreationEnvironment((), POOLS, {shell: given[""]} if given else {})
        named = f"The container shell has 10.0.1.19, which is not in 10.10.0.0/16 and {said}"

        assert await refusals(on, around=around) == ((named,) if said else ())
        assert await refusals(on, around=around, may_change_address=("sh*",)) == ()


async def test_an_address_that_was_given_by_hand_is_kept_where_it_fits() -> None:
    with stage() as on:
        model = on.model
        body = {"Aliases": [], "IPAMConfig": {"IPv4Address": "10.0.1.77"}}
        fixed = model.containers.create(
            "fixed", {"Image": "busybox", "NetworkingConfig": {"EndpointsConfig": {"proxy": body}}}
        )
        model.containers.start(fixed)
        around = RecreationEnvironment((), POOLS, {fixed: True})
        plan = await on.plan(IPv4Network("10.0.1.0/25"), around=around, may_change_address=("shell",))
        assert plan.refusals == ()
        assert plan.record is not None
        result = await Recreation(on.dependencies(), plan.record, around).forward()

        assert result.sentences == ()
        (attached,) = model.store.containers[fixed].attachments
        assert attached[1] == "10.0.1.77/25"


async def test_two_networks_of_the_name_are_one_too_many() -> None:
    with stage() as on:
        other = a_network(on.model, "other", "10.0.9.0/24")
        on.model.store.networks[other].name = "proxy"
        assert "Several networks have the name proxy. Remove or rename the others first." in await refusals(
            on
        )


async def test_what_an_earlier_run_of_this_machine_left_parked_is_picked_up() -> None:
    with stage() as on:
        on.change_records = ChangeRecordList(kill_at=9)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await on.forward()
        on.change_records = ChangeRecordList()
        on.owner = RecreationOwner("machine-a", "run-2")

        plan = await on.plan()

        assert (plan.is_resumed, plan.refusals) == (True, ())
        assert plan.record is not None
        assert (len(plan.record.services), plan.record.run) == (7, "run-2")


async def test_what_is_parked_for_another_network_comes_first() -> None:
    with stage(small=True) as on:
        on.change_records = ChangeRecordList(kill_at=9)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await on.forward()
        a_network(on.model, "other", "10.0.9.0/24")

        plan = plan_recreation(await on.inputs(), RecreationRequest("other", NEW), on.owner)

        (said,) = plan.refusals
        assert said.endswith("of the network proxy are still parked by run run-1: finish that run first.")

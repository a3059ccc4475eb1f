"""What a glance says of a real engine is what that engine does."""

import time
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.contract.world import NOWHERE, World
from tests.engine.lab import Engine, running_engine
from tests.support.program import Outcome, vipconsole

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture
def impatient(tmp_path: Path) -> str:
    """Settings by which a second is long enough to wait."""
    path = tmp_path / "config.toml"
    path.write_text("[thresholds]\nnew_task_s = 1\nunallocated_s = 1\n")
    return str(path)


def glance(engine: Engine, *arguments: str) -> Outcome:
    return vipconsole("glance", "--host", engine.host, *arguments)


def network(engine: Engine, name: str) -> Any:
    (found,) = glance(engine, "--json", name).json["networks"]
    return found


def network_at_rest(engine: Engine, world: World, name: str) -> Any:
    """Return a network once an engine that counts has counted it: it does so while nothing changes hands."""
    return world.wait_until(
        lambda: (
            found
            if (found := network(engine, name))["leaked"] is not None or not world.traits.counts_addresses
            else None
        ),
        f"the leaks of {name} are counted",
    )


def held(account: Any) -> dict[str, list[tuple[str, str]]]:
    return {
        row["address"]: [(each["kind"], each["name"]) for each in row["holders"]]
        for part in account["subnets"]
        for row in part["held"]
    }


def whole(subnet: str) -> set[str]:
    """Every address that Swarm can hand out in a subnet."""
    return {str(each) for each in list(IPv4Network(subnet).hosts())[1:]}


def test_every_address_that_was_handed_out_has_its_holder(engine: Engine, world: World) -> None:
    subnet = world.fresh_subnet(26)
    proxy = world.create_overlay("proxy", subnet, attachable=True)
    stacks = [world.deploy_stack([proxy], replicas=count) for count in (1, 2, 3)]
    for stack, count in zip(stacks, (1, 2, 3), strict=True):
        world.wait_for_state(stack.services[0], "running", count)
    idle = world.create_service("idle", [proxy], replicas=0)
    unplaced = world.create_service("unplaced", [proxy], replicas=2, constraints=NOWHERE)
    world.create_service("direct", [proxy], mode="dnsrr")
    container = world.attach_container("by-hand", proxy)
    world.wait_for_vip(idle, proxy)
    world.wait_for_state(unplaced, "pending", 2)
    world.wait_until(lambda: "running" in world.states(world.service("direct")["ID"]), "the task runs", 60)
    ended = world.create_service("ended", [proxy], command=("true",), restarts=False)
    world.wait_for_state(ended, "complete")

    account = network_at_rest(engine, world, "proxy")
    counts = world.traits.counts_addresses
    holders = held(account)
    assert set(holders) == whole(subnet) - world.free_addresses(proxy)
    assert all(len(each) == 1 for each in holders.values())
    kinds = [kind for ((kind, _),) in holders.values()]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "vip": 6,
        "task": 9,
        "container": 1,
        "load balancer": 1,
    }
    names = {name for ((_, name),) in holders.values()}
    assert {f"{stacks[2].name}_app.3", "idle", "unplaced.2", "direct.1", "by-hand", "lab"} <= names
    (part,) = account["subnets"]
    assert (part["capacity"], part["accounted"], part["free"], part["free_is_exact"]) == (
        61,
        17,
        44,
        counts,
    )
    assert part["leaked"]["count"] == (0 if counts else None)
    world.remove_container(container)


def test_what_can_be_removed_is_listed_by_stack(engine: Engine, world: World) -> None:
    shared = world.create_overlay("common", world.fresh_subnet(26), attachable=True)
    large, idle, stuck = (world.deploy_stack([shared], replicas=count) for count in (3, 0, 1))
    beside = world.create_service(f"{large.name}_db", [shared], stack=large.name, mode="dnsrr")
    far = world.create_service(
        f"{stuck.name}_far", [shared], stack=stuck.name, replicas=2, constraints=NOWHERE
    )
    container = world.attach_container("by-hand-too", shared)
    for service, count in ((large.services[0], 3), (stuck.services[0], 1), (beside, 1)):
        world.wait_for_state(service, "running", count)
    world.wait_for_state(far, "pending", 2)
    world.wait_for_vip(idle.services[0], shared)

    said = glance(engine, "common", "--holders", "--json")
    assert said.json["schema"] == "vipconsole.holders/1"
    (listed,) = said.json["networks"]
    groups = {group["name"]: group for group in listed["groups"]}
    figures = ("kind", "addresses", "vips", "tasks", "containers", "services", "running", "wanted")
    assert {name: tuple(group[figure] for figure in figures) for name, group in groups.items()} == {
        idle.name: ("stack", 1, 1, 0, 0, 1, 0, 0),
        large.name: ("stack", 5, 1, 4, 0, 2, 4, 4),
        stuck.name: ("stack", 5, 2, 3, 0, 2, 1, 3),
        "by-hand-too": ("container", 1, 0, 0, 1, 0, 1, 1),
    }
    # What runs nothing comes first; then what holds most.
    names = [group["name"] for group in listed["groups"]]
    assert (names[0], {*names[1:3]}) == (idle.name, {large.name, stuck.name})
    assert listed["load_balancers"] == 1
    assert sum(group["addresses"] for group in groups.values()) + 1 == len(held(network(engine, "common")))
    assert idle.name in groups[idle.name]["command"]

    text = glance(engine, "common", "--holders").out
    rows = {words[0]: " ".join(words[1:9]) for line in text.splitlines() if (words := line.split())}
    assert rows["STACK"] == "ADDR VIP TASK CTR SERVICES RUNNING AGE LAST"
    assert rows[large.name].startswith("5 1 4 0 2 4 of 4")
    assert rows[stuck.name].startswith("5 2 3 0 2 1 of 3")
    assert rows[idle.name].startswith("1 1 0 0 1 0 of 0")
    world.remove_container(container)


def test_ingress_and_ranges_and_several_subnets_are_accounted_too(engine: Engine, world: World) -> None:
    web = world.create_service("web", [], ports=((8080, 80),))
    world.wait_for_state(web, "running")
    ingress = network(engine, "ingress")
    assert sorted(kind for ((kind, _),) in held(ingress).values()) == ["load balancer", "task", "vip"]

    first, second = world.fresh_subnet(28), world.fresh_subnet(28)
    wide = world.create_overlay("wide", [first, second])
    services = [world.create_service(f"wide{n}", [wide], replicas=0) for n in range(6)]
    for each in services:
        world.wait_for_vip(each, wide)
    account = network(engine, "wide")
    assert [part["capacity"] for part in account["subnets"]] == [13, 13]
    assert set(held(account)) == (whole(first) | whole(second)) - world.free_addresses(wide)

    around = world.fresh_subnet(24)
    inner = str(list(IPv4Network(around).subnets(new_prefix=27))[3])
    ranged = world.create_overlay("ranged", around, ip_range=inner)
    world.wait_for_vip(world.create_service("ranged-idle", [ranged], replicas=0), ranged)
    (part,) = network(engine, "ranged")["subnets"]
    assert part["ip_range"] == inner
    assert len(world.free_addresses(ranged)) == part["capacity"] - part["accounted"]


def test_leaks_are_counted_by_an_engine_that_counts_and_elsewhere_unknown_and_never_zero(
    engine: Engine, world: World
) -> None:
    leaky = world.create_overlay("leaky", world.fresh_subnet(27))
    lost = world.leak_fast(leaky, 5)
    (part,) = network_at_rest(engine, world, "leaky")["subnets"]
    if world.traits.counts_addresses:
        assert (part["leaked"]["count"], part["leaked"]["evidence"]) == (len(lost), "engine count")
        assert (part["free"], part["free_is_exact"]) == (24, True)
        assert len(world.free_addresses(leaky)) == 24
        return
    assert part["leaked"]["count"] is None
    assert "does not report its allocator's count" in part["leaked"]["why_unknown"]
    assert part["free"] == 29
    assert not part["free_is_exact"]
    assert len(world.free_addresses(leaky)) == 29 - len(lost) == 24
    text = glance(engine, "leaky")
    assert "≤ 29" in text.out
    assert text.code == 0


def test_an_exhausted_network_is_critical_and_names_who_waits(
    engine: Engine, world: World, impatient: str
) -> None:
    full = world.create_overlay("full", world.fresh_subnet(26))
    for number in range(64):
        world.create_service(f"full{number:02}", [full], replicas=0)
    world.wait_until(
        lambda: sum(bool(each["Endpoint"].get("VirtualIPs")) for each in world.client.services()) >= 61,
        "61 services have their VIP",
        60,
    )
    late = world.create_service("too-late", [full], replicas=1)
    world.wait_for_state(late, "new")

    def critical() -> Outcome | None:
        said = glance(engine, "--config", impatient, "--json", "full")
        codes = {each["code"]: each for each in said.json["findings"]}
        return said if "deploy-waits" in codes and "too-late" in codes["deploy-waits"]["names"] else None

    said = world.wait_until(critical, "the waiting services are named", 60)
    assert said is not None
    assert said.code == 2
    waits = next(each for each in said.json["findings"] if each["code"] == "deploy-waits")
    assert waits["subject"] == "full"
    assert len(waits["names"]) == 4
    assert set(waits["names"]) - {"too-late"} <= {f"full{n:02}" for n in range(64)}
    text = glance(engine, "--config", impatient, "full").out
    assert "CRITICAL  4 deploys wait for an address; full is full" in text


def test_a_network_without_a_subnet_is_told(engine: Engine, world: World, impatient: str) -> None:
    taken = world.fresh_subnet(24)
    world.create_overlay("taken", taken)
    world.request_overlay("twin", taken)
    said = world.wait_until(
        lambda: next(
            (
                each
                for each in glance(engine, "--config", impatient, "--json", "twin").json["findings"]
                if each["code"] == "network-unallocated"
            ),
            None,
        ),
        "the network without a subnet is found",
    )
    assert said is not None
    assert said["severity"] == "warning"


def test_a_stopped_daemon_is_unknown_at_once() -> None:
    with running_engine() as engine:
        assert glance(engine).code == 0
        engine.pause()
        # With the usual limits: those of the other tests are ten times as long.
        hanging = vipconsole("glance", "--host", engine.host, environment={"XDG_CONFIG_HOME": "/nonexistent"})
        engine.resume()
        engine.stop()
        stopped = glance(engine)
    assert (hanging.code, stopped.code) == (3, 3)
    assert "did not answer in time" in hanging.out
    assert "UNKNOWN" in stopped.out
    # The aim is under 2 s; a loaded machine may take ten times as long.
    assert stopped.took_s < 20
    print(f"glance at a stopped daemon: {stopped.took_s:.2f} s")  # noqa: T201 - a figure for whoever runs -s


def test_an_engine_without_a_swarm_says_so() -> None:
    with running_engine(swarm=False) as engine:
        said = glance(engine)
        assert said.code == 3
        assert "is not part of a swarm" in said.out

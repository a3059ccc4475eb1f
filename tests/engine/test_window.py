"""The shipped runbook from end to end on a real engine: the overlay becomes a /16 under everything that is on it, and back."""

import json
import time
from pathlib import Path

import pytest

from tests.contract.world import JSON, World
from tests.engine.lab import running_engine
from tests.support.changes import Operator, operator

pytestmark = pytest.mark.engine

RUNBOOK = Path(__file__).parents[2] / "runbook.yaml"


def populate(world: World) -> str:
    """Put services of several shapes on a shared overlay, and a container; return its ID."""
    proxy = world.create_overlay("proxy", "10.0.1.0/24", attachable=True, labels={"kept": "yes"})
    own = world.create_overlay("shop_internal", "10.0.2.0/24", labels={"com.docker.stack.namespace": "shop"})
    services = [
        world.create_service("shop_app", [proxy, own], replicas=2, stack="shop"),
        world.create_service("shop_db", [own], stack="shop"),
        world.create_service("dns_app", [proxy], mode="dnsrr"),
        world.create_service("idle_app", [proxy], replicas=0),
        world.create_service("traefik_app", [proxy]),
    ]
    for each in services:
        wanted = world.service(each)["Spec"]["Mode"]["Replicated"]["Replicas"]
        if wanted:
            world.wait_for_state(each, "running", wanted)
    world.attach_container("shell", proxy)
    return proxy


def facts(world: World) -> dict[str, JSON]:
    """Return everything of the services that must be the same afterwards, the network by its name."""
    network = world.network("proxy")["Id"]
    told = {}
    for each in world.client.services():
        spec = json.loads(json.dumps(each["Spec"]).replace(network, "proxy"))
        running = sum(
            one["Status"]["State"] == "running" and one["DesiredState"] == "running"
            for one in world.tasks(each["ID"])
        )
        told[str(spec["Name"])] = {"spec": spec, "running": running}
    return told


def quick(folder: Path) -> str:
    """Return the shipped runbook with a shorter time of quiet."""
    path = folder / "runbook.yaml"
    path.write_text(RUNBOOK.read_text().replace("stable_for: 60s", "stable_for: 3s"))
    return str(path)


def subnet(world: World) -> str:
    return str(world.subnets("proxy")[0])


def report(root: Operator, run: str) -> JSON:
    said = root.run("report", run, "--json")
    assert said.code == 0, said.err
    return dict(said.json)


def run_of(said: str) -> str:
    (name,) = (
        line.removeprefix("vipconsole: run ")
        for line in said.splitlines()
        if line.startswith("vipconsole: run ")
    )
    return name


def test_the_window_makes_it_larger_as_it_was_and_undo_brings_it_back(tmp_path: Path) -> None:
    with (
        running_engine() as engine,
        World(engine.socket, time.sleep, engine.restart, "engine") as world,
        operator() as root,
    ):
        populate(world)
        before = facts(world)
        arguments = (
            "run",
            quick(tmp_path),
            "--headless",
            "--host",
            engine.host,
            "--set",
            "may_change_address=shell",
        )
        done = root.run(*arguments, "--confirm", "recreate=proxy", "--confirm", "switch=switch", within_s=200)
        assert done.code in (0, 1), done.out
        assert subnet(world) == "10.10.0.0/16"
        assert facts(world) == before
        (proxy,) = [each for each in world.client.networks() if each["Name"] == "proxy"]
        assert (proxy["Labels"], proxy["Attachable"]) == ({"kept": "yes"}, True)
        assert "switch skipped: It rests on build, which was passed over." in done.out
        told = report(root, run_of(done.err))
        steps = {each["id"]: each for each in told["steps"]}
        assert steps["recreate"]["state"] == "done"

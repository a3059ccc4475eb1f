"""A real engine while it is watched: the ledger names what `docker stack rm` lost, and nothing else."""

import csv
import gc
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.addresses.leaks import LeakCertainty, LeakEvidence
from console.monitor.values import MonitorState
from console.settings import Settings
from tests.contract.world import World
from tests.engine.lab import Engine
from tests.engine.stacks import remove_stacks
from tests.support.live import LiveMonitor, live
from tests.support.monitors import account_of
from tests.support.program import Outcome, vipconsole

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

STACK = """
version: "3.8"
services:
  app:
    image: lab/box:1
    command: ["sleep", "86400"]
    stop_grace_period: {grace}s
    networks: [proxy, internal]
    deploy: {{replicas: 3}}
  db:
    image: lab/box:1
    command: ["sleep", "86400"]
    stop_grace_period: {grace}s
    networks: [internal]
networks:
  proxy: {{external: true, name: proxy}}
  internal: {{}}
"""


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


def deploy(engine: Engine, folder: Path, name: str, grace: int = 1) -> None:
    file = folder / f"{name}.yml"
    file.write_text(STACK.format(grace=grace))
    engine.docker("stack", "deploy", "--resolve-image", "never", "-c", str(file), name)


def running(name: str, monitor_state: MonitorState) -> int:
    """Return how many tasks of a service run, as far as was seen."""
    snapshot = monitor_state.snapshot.value
    if snapshot is None or not isinstance(snapshot.snapshot.swarm.services, tuple):
        return 0
    swarm = snapshot.snapshot.swarm
    ids = {each.id for each in snapshot.snapshot.swarm.services if each.name == name}
    tasks = swarm.tasks if isinstance(swarm.tasks, tuple) else ()
    return sum(each.service_id in ids and each.state == "running" for each in tasks)


def held(monitor_state: MonitorState, shared: str = "proxy") -> int:
    return account_of(monitor_state, shared).accounted


def all_gone(shown: LiveMonitor) -> None:
    """Wait until nothing of any stack holds an address any more."""
    shown.until(lambda monitor_state: held(monitor_state) == 0, "nothing holds an address of proxy", 90)


def test_a_day_with_real_stacks(engine: Engine, world: World, tmp_path: Path) -> None:
    proxy = world.create_overlay("proxy", world.fresh_subnet(27), attachable=True)
    before = world.free_addresses(proxy)
    with live(engine.host, Settings()) as shown:
        shown.until(lambda monitor_state: monitor_state.snapshot.value, "a first look")

        # A service that starts is seen, and so is what its tasks hold: a VIP, three tasks, the node's load balancer.
        began = time.monotonic()
        deploy(engine, tmp_path, "ghost")
        shown.until(lambda monitor_state: running("ghost_app", monitor_state) == 3, "three tasks run")
        shown.until(lambda monitor_state: held(monitor_state) == 5, "five addresses are held")
        print(f"seen running {time.monotonic() - began:.1f} s after the deploy began")  # noqa: T201 - a figure for whoever runs -s

        # What `docker stack rm` loses is entered, with the stack's name.
        remove_stacks(engine, world, ["ghost"])
        monitor_state = shown.until(
            lambda monitor_state: len(monitor_state.leak_log.entries) == 3, "three tasks leaked"
        )
        all_gone(shown)
        entered = {str(one) for each in monitor_state.leak_log.entries for one in each.addresses}
        assert {(each.stack, each.service_name) for each in monitor_state.leak_log.entries} == {
            ("ghost", "ghost_app")
        }
        assert {each.removed_network for each in monitor_state.leak_log.entries} == {"ghost_internal"}
        assert sorted(each.task_name for each in monitor_state.leak_log.entries) == [
            f"ghost_app.{number}" for number in (1, 2, 3)
        ]
        assert monitor_state.leak_log.gaps == ()

        # The ring, walked by somebody else, lacks exactly those.
        world.wait_until(lambda: len(world.walk_ring(proxy)) == len(before) - 3, "three are lost", 60)
        assert before - world.walk_ring(proxy) == entered

        check_account(shown, world, entered)

        # A removal that waits leaves no entry, and loses nothing.
        deploy(engine, tmp_path, "calm", grace=2)
        shown.until(lambda monitor_state: running("calm_app", monitor_state) == 3, "three tasks run")
        for name in ("calm_app", "calm_db"):
            engine.docker("service", "rm", name)
        all_gone(shown)
        world.wait_until(
            lambda: not any(each.get("Spec", {}).get("Name") for each in world.client.services()),
            "no service",
            60,
        )
        world.wait_until(lambda: _removed(engine, "calm_internal"), "the network can be removed", 60)
        shown.until(
            lambda monitor_state: "calm_internal" not in _overlays(monitor_state), "its network is gone"
        )
        assert len(shown.monitor_state.leak_log.entries) == 3
        assert before - world.walk_ring(proxy) == entered

        # dockerd started again has forgotten all of it.
        engine.restart()
        monitor_state = shown.until(
            lambda monitor_state: (
                monitor_state.snapshot.failure is None and not monitor_state.leak_log.entries
            ),
            "the entries are void",
            90,
        )
        if world.traits.counts_addresses:
            shown.until(
                lambda monitor_state: account_of(monitor_state, "proxy").leaked == 0, "none leaked", 90
            )
        else:
            assert account_of(monitor_state, "proxy").leaked is None
    world.wait_until(lambda: world.free_addresses(proxy) == before, "every address is free again", 60)
    assert any(each.snapshot.failure is not None for each in shown.monitor_states)
    # Here, and not in a test after this one.
    gc.collect()


def check_account(shown: LiveMonitor, world: World, entered: set[str]) -> None:
    """Fail unless the account knows what leaked: by the engine's own count, or where it does not count by the ledger."""
    if world.traits.counts_addresses:
        shown.until(
            lambda monitor_state: account_of(monitor_state, "proxy").leaked == 3, "the engine counts three"
        )
        (part,) = account_of(shown.monitor_state, "proxy").subnets
        assert part.leak.evidence is LeakEvidence.ENGINE_COUNT
        return
    (part,) = account_of(shown.monitor_state, "proxy").subnets
    assert (part.leak.count, part.leak.certainty, part.leak.evidence) == (
        3,
        LeakCertainty.AT_LEAST,
        LeakEvidence.LEAK_LOG,
    )
    assert {str(each) for each in part.leak.addresses} == entered


def test_history_tells_how_a_network_was_used_and_what_leaked(
    engine: Engine, world: World, tmp_path: Path
) -> None:
    def history(*arguments: str) -> Outcome:
        return vipconsole(
            "history",
            "shared",
            *arguments,
            "--host",
            engine.host,
            home=tmp_path,
            environment={"COLUMNS": "80"},
        )

    shared = world.create_overlay("shared", world.fresh_subnet(26), attachable=True)
    with live(engine.host, Settings(), state=tmp_path) as shown:
        shown.until(lambda monitor_state: _is_tracked(monitor_state, "shared"), "its use is known")
        stack = world.deploy_stack([shared], replicas=3)
        app = f"{stack.name}_app"
        shown.until(lambda monitor_state: running(app, monitor_state) == 3, "three tasks run")
        world.remove_stack(stack)
        shown.until(lambda monitor_state: len(monitor_state.leak_log.entries) == 3, "three tasks leaked")
        shown.until(lambda monitor_state: held(monitor_state, "shared") == 0, "nothing is held")

    def used_at_last() -> Any:
        # A use that changes is kept ten seconds after the one before it, one that stays the same after a minute.
        said = history("--json")
        (network,) = said.json["networks"] if said.code != 3 else (None,)
        samples = [] if network is None else network["samples"]
        return network if len(samples) > 1 and samples[-1]["used"] == 3 else None

    network = world.wait_until(used_at_last, "what leaked is in use", 100)
    assert (network["capacity"], network["used"], network["free"]) == (61, 3, 58)
    assert sorted((leak["stack"], leak["task"]) for leak in network["leaks"]) == [
        (stack.name, f"{app}.{number}") for number in (1, 2, 3)
    ]
    leaked = {address for leak in network["leaks"] for address in leak["addresses"]}

    rows = list(csv.DictReader(io.StringIO(history("--csv").out)))
    assert {(row["network"], row["network_id"], row["capacity"]) for row in rows} == {
        ("shared", shared, "61")
    }
    assert rows[-1]["used"] == "3"
    assert sum(int(row["leaked"]) for row in rows) == 3

    text = history().out
    assert "shared  3 of 61 in use" in text
    assert "3 leaked" in text
    assert text.count(f"leaked when stack {stack.name} was removed") == 3
    assert all(address in text for address in leaked)


def _is_tracked(monitor_state: MonitorState, name: str) -> bool:
    return (
        name in _overlays(monitor_state)
        and account_of(monitor_state, name).network.id in monitor_state.trends
    )


def _removed(engine: Engine, name: str) -> bool:
    listed = engine.docker("network", "ls", "--format", "{{.Name}}").split()
    if name in listed:
        engine.docker("network", "rm", name)
    return name not in listed


def _overlays(monitor_state: MonitorState) -> set[str]:
    snapshot = monitor_state.snapshot.value
    return set() if snapshot is None else {each.network.name for each in snapshot.assessment.accounts}

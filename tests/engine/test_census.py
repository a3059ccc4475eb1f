"""A census of a real engine names what leaked, and nothing else."""

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingMixIn, UnixStreamServer
from threading import Event, Thread
from typing import Any

import pytest

from console.host.identity import machine_id
from console.swarm.parse import PROBE_LABEL
from tests.contract.world import World
from tests.engine.lab import Engine
from tests.support.changes import Background, Operator, operator, stop

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(engine: Engine) -> Iterator[World]:
    with World(engine.socket, time.sleep, engine.restart, "engine") as real:
        yield real


@pytest.fixture
def someone() -> Iterator[Operator]:
    with operator() as one:
        yield one


def probes(world: World) -> list[str]:
    """Return the names of the probes that are there."""
    listed = world.client.services(filters={"label": PROBE_LABEL})
    return [each["Spec"]["Name"] for each in listed]


def census(someone: Operator, engine: Engine, network: str, within_s: float = 110.0) -> Any:
    said = someone.run("census", network, "--yes", "--json", "--host", engine.host, within_s=within_s)
    assert said.code in (0, 1), said.err
    steps = [each["steps"] for each in said.json["walks"]]
    print(f"census of {network}: {said.json['took_s']:.1f} s, {len(steps)} walks, {sum(steps)} steps")  # noqa: T201 - a figure for whoever runs -s
    return said.json


@contextmanager
def deploys_without_end(world: World, network: str) -> Iterator[Background]:
    """Create and remove services on a network as fast as the engine answers."""
    doing = Background()

    def work() -> None:
        with World(world.socket, time.sleep, lambda: None, "another client") as other:
            while doing.is_wanted():
                other.remove_service(other.create_service(other.fresh("churn"), [network], replicas=0))
                doing.rounds += 1

    thread = Thread(target=work)
    thread.start()
    try:
        yield doing
    finally:
        doing.end()
        thread.join(60)


class Relay(ThreadingMixIn, UnixStreamServer):
    """A socket that passes everything on to an engine, until it has passed on so many removals: the next is held back."""

    daemon_threads = True

    def __init__(self, engine: Engine, place: Path, removals: int) -> None:
        super().__init__(str(place), _Passage)
        self.engine = engine
        self.host = f"unix://{place}"
        self.removals = removals
        self.holds_one = Event()

    def has_to_hold(self, request: bytes) -> bool:
        if request.startswith(b"DELETE "):
            self.removals -= 1
        return self.removals < 0


class _Passage(BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(str(self.server.engine.socket))
            answers = Thread(target=self.pass_answers, args=(engine,))
            answers.start()
            # A request is sent once the one before has its answer: what is read begins with the request's method.
            while request := self.request.recv(65536):
                if self.server.has_to_hold(request):
                    self.server.holds_one.set()
                else:
                    engine.sendall(request)
            engine.shutdown(socket.SHUT_RDWR)
            answers.join()

    def pass_answers(self, engine: socket.socket) -> None:
        with suppress(OSError):
            while answer := engine.recv(65536):
                self.request.sendall(answer)


@contextmanager
def relay(engine: Engine, place: Path, removals: int) -> Iterator[Relay]:
    with Relay(engine, place, removals) as passing:
        thread = Thread(target=passing.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield passing
        finally:
            passing.shutdown()
            thread.join()


@pytest.mark.parametrize("count", [0, 20])
def test_every_leaked_address_is_named_and_none_invented(
    engine: Engine, world: World, someone: Operator, count: int
) -> None:
    name = world.fresh("proxy")
    proxy = world.create_overlay(name, world.fresh_subnet(26))
    runs = world.create_service(world.fresh("runs"), [proxy], replicas=2)
    world.wait_for_state(runs, "running", 2)
    lost = world.leak_fast(proxy, count) if count else set[str]()

    found = census(someone, engine, name)

    assert set(found["addresses"]) == lost
    assert found["load_balancers_at_most"] == 0
    assert len(found["walks"]) == 2
    assert probes(world) == []
    (network,) = someone.run("glance", "--json", "--host", engine.host, name).json["networks"]
    leaked = network["subnets"][0]["leaked"]
    evidence = "engine count" if world.traits.counts_addresses else "census"
    assert (network["leaked"], leaked["evidence"]) == (count, evidence)
    assert set(leaked["addresses"]) == lost


def test_it_does_so_while_another_client_deploys_as_fast_as_it_can(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("busy")
    busy = world.create_overlay(name, world.fresh_subnet(25))
    lost = world.leak_fast(busy, 50)

    with deploys_without_end(world, busy) as doing:
        found = census(someone, engine, name, within_s=280)

    assert doing.rounds > 50
    assert set(found["addresses"]) == lost


def test_what_was_killed_in_the_middle_is_cleaned_up_by_the_next(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("killed")
    network = world.create_overlay(name, world.fresh_subnet(25))
    lost = world.leak_fast(network, 3)
    arguments = ("census", name, "--yes", "--json", "--host")
    # Its removal never reaches the engine, so the probe is there whatever the engine still does after the kill.
    with relay(engine, someone.folder / "relay.sock", removals=7) as passing:
        process = someone.start(*arguments, passing.host)
        assert passing.holds_one.wait(180)
        stop(process, signal.SIGKILL)
    (left,) = probes(world)
    # The kernel has freed the lock, and nothing but the label tells what was left behind.
    seen = someone.run("glance", "--json", "--host", engine.host, name).json
    assert not [each for each in seen["findings"] if left in each["names"]]

    again = someone.run(*arguments, engine.host)

    assert set(again.json["addresses"]) == lost
    assert f"removed {left}" in again.err
    assert probes(world) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_census_takes_its_probe_away(
    engine: Engine, world: World, someone: Operator, how: signal.Signals
) -> None:
    name = world.fresh("interrupted")
    world.create_overlay(name, world.fresh_subnet(24))
    process = someone.start("census", name, "--yes", "--host", engine.host)
    world.wait_until(lambda: probes(world), "a probe is there", 60)

    code, out, err = stop(process, how)

    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert probes(world) == []


def test_on_a_full_network_nothing_is_walked_and_what_is_known_is_said(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("full")
    full = world.create_overlay(name, world.fresh_subnet(28))
    lost = world.leak_fast(full, 6)
    held = [world.create_service(world.fresh("held"), [full], replicas=0) for _ in range(7)]
    for each in held:
        world.wait_for_vip(each, full)

    said = someone.run("census", name, "--yes", "--json", "--host", engine.host)

    assert said.code == 3
    assert (said.json["walks"], said.json["is_full"], said.json["is_stored"]) == ([], True, False)
    assert set(said.json["addresses"]) == lost
    assert probes(world) == []
    text = someone.run("census", name, "--yes", "--host", engine.host).out
    assert "nothing to walk" in text
    print(f"census of a full network: {said.json['took_s']:.1f} s")  # noqa: T201 - a figure for whoever runs -s

    world.remove_service(held[0])
    world.remove_service(held[1])
    if world.traits.counts_addresses:
        said = someone.run("census", name, "--yes", "--host", engine.host)
        assert (said.code, "has 2 free addresses" in said.err) == (3, True), said.err
    else:
        # Two may be free, and six that leaked look free: more than four, so it is walked.
        assert set(census(someone, engine, name)["addresses"]) == lost


def test_where_too_few_can_be_free_it_declines_and_changes_nothing(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("tight")
    tight = world.create_overlay(name, world.fresh_subnet(29))
    world.wait_for_vip(world.create_service(world.fresh("held"), [tight], replicas=0), tight)

    said = someone.run("census", name, "--yes", "--host", engine.host)

    assert (said.code, said.out) == (3, "")
    assert ("4 free addresses" if world.traits.counts_addresses else "at most 4 free addresses") in said.err


def test_of_two_at_once_the_second_names_the_holder_and_changes_nothing(
    engine: Engine, world: World, someone: Operator
) -> None:
    name, other = world.fresh("first"), world.fresh("second")
    world.create_overlay(name, world.fresh_subnet(24))
    second = world.create_overlay(other, world.fresh_subnet(26))
    before = world.network(second)
    process = someone.start("census", name, "--yes", "--host", engine.host)
    world.wait_until(lambda: probes(world), "a probe is there", 60)

    said = someone.run("census", other, "--yes", "--host", engine.host)

    assert process.poll() is None
    stop(process, signal.SIGTERM)
    assert (said.code, said.out) == (3, "")
    assert f"vipconsole census {name}, process {process.pid}, by root" in said.err
    assert world.network(second) == before
    assert not someone.run("census", other, "--yes", "--json", "--host", engine.host).json["addresses"]


def test_a_probe_of_another_machine_is_named_and_refused(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("shared")
    network = world.create_overlay(name, world.fresh_subnet(27))
    foreign = world.create_service("vipconsole-probe-elsewhere", [network], replicas=0)
    world.update_service(foreign, lambda spec: spec["Labels"].update({PROBE_LABEL: "elsewhere/77"}))

    said = someone.run("census", name, "--yes", "--host", engine.host)

    assert said.code == 3
    assert "1 probe of machine elsewhere, process 77" in said.err
    assert probes(world) == ["vipconsole-probe-elsewhere"]
    world.remove_service(foreign)
    assert machine_id() != "elsewhere"


def test_glance_marks_what_a_census_found_until_dockerd_is_restarted(
    engine: Engine, world: World, someone: Operator
) -> None:
    name = world.fresh("kept")
    kept = world.create_overlay(name, world.fresh_subnet(26))
    lost = world.leak_fast(kept, 12)
    idle = world.create_service(world.fresh("idle"), [kept], replicas=0)
    world.wait_for_vip(idle, kept)
    census(someone, engine, name)

    text = " ".join(someone.run("glance", "--host", engine.host, name).out.split())
    if world.traits.counts_addresses:
        assert " 12 48 " in text
    else:
        assert " 12* ≤ 48 " in text
        assert "as a census found" in text
    (part,) = someone.run("glance", "--json", "--host", engine.host, name).json["networks"][0]["subnets"]
    assert set(part["leaked"]["addresses"]) == lost
    assert part["accounted"] + part["leaked"]["count"] + part["free"] == part["capacity"]
    (file,) = (someone.state / "censuses").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    engine.restart()
    world.wait_until(lambda: json_of(someone, engine, name)["engine"].get("node_id"), "the swarm answers", 60)
    after = json_of(someone, engine, name)

    assert after["networks"][0]["leaked"] == (0 if world.traits.counts_addresses else None)
    (stale,) = [each for each in after["findings"] if each["code"] == "census-stale"]
    assert "dockerd was restarted" in stale["sentence"]


def json_of(someone: Operator, engine: Engine, name: str) -> Any:
    return json.loads(someone.run("glance", "--json", "--host", engine.host, name).out)

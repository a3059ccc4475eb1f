"""A borrowed manager on a swarm with a worker, with tokens and locks, and the ways back by hand."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.operations.borrow.backup import COPY, WAY_BACK
from tests.contract.world import World
from tests.engine.borrowing import CONTAINERS, BusyManager, busy_manager
from tests.engine.cluster import swarm_of
from tests.engine.lab import Engine

pytestmark = [pytest.mark.engine, pytest.mark.sweep, pytest.mark.timeout(900)]

COPIED, HANDING_OVER = 3, 15
"""Moments (`tests.support.mortal_borrow`): the state of the swarm is copied; the real manager has been demoted."""


@pytest.fixture(scope="module")
def host() -> Iterator[BusyManager]:
    with busy_manager(leaks=0) as ready:
        yield ready


def tokens(host: BusyManager) -> tuple[str, str]:
    given = host.world.call("GET", "/swarm")["JoinTokens"]
    return given["Worker"], given["Manager"]


def test_join_tokens_are_rotated_where_that_is_set(host: BusyManager) -> None:
    first = tokens(host)
    config = host.engine.namespaces.directory / "rotate.toml"
    config.write_text("[reclaim]\nrotate_tokens = true\n[snapshot]\ndeadline_s = 100\ncall_timeout_s = 50\n")
    config.chmod(0o600)
    done = host.borrow("--config", str(config))
    assert done.code == 0, done.err
    second = tokens(host)
    assert not set(first) & set(second)
    assert not any(token in done.out + done.err for token in (*first, *second))
    host.check_nothing_is_left()


@pytest.mark.sweep
def test_join_tokens_stay_where_nothing_is_set(host: BusyManager) -> None:
    before = tokens(host)
    assert host.borrow().code == 0
    assert tokens(host) == before


@pytest.fixture
def key(host: BusyManager) -> Iterator[Path]:
    """Lock the managers of the swarm, and give the file with the key."""
    host.engine.docker("swarm", "update", "--autolock=true")
    path = host.engine.namespaces.directory / "key"
    path.write_text(host.engine.docker("swarm", "unlock-key", "-q"))
    yield path
    host.engine.docker("swarm", "update", "--autolock=false")


def test_a_locked_temporary_manager_that_dies_is_unlocked(host: BusyManager, key: Path) -> None:
    before = host.containers()
    done = host.borrow_until(HANDING_OVER, "temporary", "--unlock-key-file", str(key))
    assert done.code == 0, done.err
    assert done.took_s < 100
    assert host.containers() == before
    host.check_nothing_is_left()


@pytest.mark.sweep
def test_what_was_locked_is_finished_with_the_key_only(host: BusyManager, key: Path) -> None:
    before = host.containers()
    assert host.borrow_until(HANDING_OVER, "program", "--unlock-key-file", str(key)).code == -9
    host.kill_temporary()
    refused = host.borrow()
    assert (refused.code, "--unlock-key-file" in refused.err) == (3, True), refused.err
    done = host.borrow("--unlock-key-file", str(key))
    assert done.code == 0, done.err
    assert host.containers() == before
    host.check_nothing_is_left()


def test_the_way_back_by_hand_ends_with_one_manager(host: BusyManager) -> None:
    before = host.containers()
    folder = host.state / "borrow"
    assert host.borrow_until(HANDING_OVER, "program").code == -9
    host.engine.namespaces.run("sh", str(folder / WAY_BACK))
    nodes = host.engine.docker("node", "ls", "--format", "{{.Hostname}} {{.Availability}} {{.ManagerStatus}}")
    assert nodes == "node1 Active Leader\n"
    assert host.labels() == {}
    assert host.world.call("GET", "/swarm")["Spec"]["Dispatcher"]["HeartbeatPeriod"] == 5_000_000_000
    assert host.containers() == before
    # What is left on this host is removed by the next call.
    host.finish()
    assert host.containers() == before
    host.check_nothing_is_left()


def test_the_copy_of_the_swarm_is_restored_by_the_documented_procedure(host: BusyManager) -> None:
    services = sorted(row["Spec"]["Name"] for row in host.world.call("GET", "/services"))
    assert host.borrow_until(COPIED, "program").code == -9
    engine = host.engine
    state = Path(host.world.call("GET", "/info")["DockerRootDir"]) / "swarm"
    kept = engine.namespaces.directory / "kept"
    subprocess.run(["cp", "-a", str(host.state / "borrow" / COPY), str(kept)], check=True)
    host.finish()
    engine.stop()
    subprocess.run(["mv", str(state), f"{state}.broken"], check=True)
    subprocess.run(["cp", "-a", str(kept), str(state)], check=True)
    engine.start()
    engine.docker("swarm", "init", "--force-new-cluster", "--advertise-addr", f"{engine.address}:2377")
    host.world.wait_until(lambda: len(host.world.call("GET", "/nodes")) == 1, "one manager answers")
    assert sorted(row["Spec"]["Name"] for row in host.world.call("GET", "/services")) == services
    host.world.wait_until(lambda: len(host.containers()) >= CONTAINERS, "the services run again", 120)


def test_a_worker_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        swarm_of("worker") as (manager, worker),
        World(manager.socket, time.sleep, manager.restart, "node1") as world,
    ):
        proxy = world.create_overlay("proxy", world.fresh_subnet(27), attachable=True)
        service = world.create_service("box", [proxy], replicas=6)
        world.wait_for_state(service, "running", 6)
        world.leak_fast(proxy, 2)
        here, there = (BusyManager(engine, world, proxy) for engine in (manager, worker))
        before = here.containers(), there.containers()
        assert before[1]
        seen, ending = Counter[str](), threading.Event()
        watcher = threading.Thread(target=_watch_node, args=(here, "node2", seen, ending))
        watcher.start()
        done = here.borrow()
        ending.set()
        watcher.join()
        with capsys.disabled():
            print(f"\nthe worker meanwhile: {dict(seen)}")  # noqa: T201 - the number is what is asked for
        assert done.code == 0, done.err
        # A worker registers with a new leader some seconds after the lead has changed.
        whole = ["node1 Ready Leader", "node2 Ready "]
        world.wait_until(lambda: _nodes(manager) == whole, "the worker is ready again", 60)
        assert (here.containers(), there.containers()) == before
        assert seen["Down"] == 0


def _watch_node(host: BusyManager, name: str, seen: "Counter[str]", ending: threading.Event) -> None:
    """Count how a node is seen by whoever answers, 5 times a second."""
    temporary = f"unix://{host.state}/borrow/engine/docker.sock"
    while not ending.wait(0.2):
        for socket in (host.engine.host, temporary):
            command = [
                "docker",
                "-H",
                socket,
                "node",
                "ls",
                "--filter",
                f"name={name}",
                "--format",
                "{{.Status}}",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
            if done.returncode == 0:
                seen[done.stdout.strip() or "not listed"] += 1
                break
        else:
            seen["no answer"] += 1


def _nodes(manager: Engine) -> list[str]:
    rows = manager.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.ManagerStatus}}")
    return sorted(rows.splitlines())

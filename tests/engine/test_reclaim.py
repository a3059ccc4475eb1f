"""Leaked addresses given back by a hand-over of the leadership, on three real managers."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.contract.world import World
from tests.engine.cluster import swarm_of
from tests.engine.lab import Engine
from tests.support.changes import Operator, operator

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def managers() -> Iterator[list[Engine]]:
    with swarm_of("manager", "manager") as engines:
        yield engines


def roles(world: World) -> dict[str, str]:
    return {each["Description"]["Hostname"]: each["Spec"]["Role"] for each in world.client.nodes()}


def leader_of(world: World) -> str:
    return next(
        str(each["Description"]["Hostname"])
        for each in world.client.nodes()
        if (each.get("ManagerStatus") or {}).get("Leader")
    )


def containers(engine: Engine) -> str:
    return engine.docker("ps", "--no-trunc", "--format", "{{.ID}}")


def everybody_votes(world: World, count: int) -> bool:
    reachable = [(each.get("ManagerStatus") or {}).get("Reachability") for each in world.client.nodes()]
    return reachable.count("reachable") == count


def test_a_hand_over_gives_everything_back_touches_no_container_and_is_finished_when_it_was_cut_short(
    managers: list[Engine],
) -> None:
    first, second, _ = managers
    with World(second.socket, time.sleep, second.restart, "second") as world, operator() as root:
        proxy = world.create_overlay("proxy", world.fresh_subnet(26))
        service = world.create_service("web", [proxy], replicas=3)
        world.wait_for_state(service, "running", 3)
        world.wait_until(lambda: everybody_votes(world, 3), "three managers vote", 60)
        before = [containers(each) for each in managers]
        whole = len(world.walk_ring(proxy))
        world.leak_fast(proxy, 5)
        assert len(world.walk_ring(proxy)) == whole - 5

        refused = root.run("reclaim", "--yes", "--host", first.host)
        assert refused.code == 3
        assert "cannot promote itself" in refused.err

        done = root.run("reclaim", "--yes", "--host", first.host, "--via", second.host)
        assert done.code == 0, done.err
        assert "node1 is a manager again" in done.out
        assert leader_of(world) != "node1"
        assert set(roles(world).values()) == {"manager"}
        assert len(world.walk_ring(proxy)) == whole
        assert [containers(each) for each in managers] == before

        cut_short(managers, world, root)


def cut_short(managers: list[Engine], world: World, root: Operator) -> None:
    """Kill a hand-over once the leader was demoted; the next call makes it a manager again."""
    leader = leader_of(world)
    through = next(each for number, each in enumerate(managers, 1) if f"node{number}" != leader)
    with World(through.socket, time.sleep, through.restart, "through") as eye:
        eye.wait_until(lambda: everybody_votes(eye, 3), "three managers vote", 60)
        process = root.start("reclaim", "--yes", "--host", through.host)
        eye.wait_until(lambda: roles(eye)[leader] == "worker", "the leader was demoted", 60)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        eye.wait_until(lambda: leader_of(eye) != leader, "another node leads", 60)
        if roles(eye)[leader] == "worker":
            done = root.run("reclaim", "--yes", "--host", through.host)
            assert done.code == 0, done.err
            assert "was finished" in done.out
        eye.wait_until(lambda: everybody_votes(eye, 3), "three managers vote", 60)
        assert set(roles(eye).values()) == {"manager"}

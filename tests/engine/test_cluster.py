"""What a glance says of a swarm of several real nodes, from each kind of node."""

import time
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from tests.contract.world import World
from tests.engine.cluster import swarm_of
from tests.engine.lab import Engine
from tests.support.changes import operator
from tests.support.program import vipconsole

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[Engine]]:
    """A leader, a second manager and a worker."""
    with swarm_of("manager", "worker") as engines:
        yield engines


def test_other_nodes_load_balancers_are_counted_and_this_nodes_is_named(
    cluster: list[Engine],
) -> None:
    leader, manager, worker = cluster
    with World(leader.socket, time.sleep, leader.restart, "leader") as world:
        subnet = world.fresh_subnet(26)
        proxy = world.create_overlay("proxy", subnet)
        service = world.create_service("spread", [proxy], replicas=6)
        world.wait_for_state(service, "running", 6)
        assert len({each["NodeID"] for each in world.tasks(service)}) == 3

        def accounts() -> list[dict[str, object]]:
            answers = [
                vipconsole("glance", "--host", each.host, "--json", "proxy") for each in (leader, manager)
            ]
            return [each.json["networks"][0]["subnets"][0] for each in answers]

        # Gossip tells a node of its peers a moment after they came.
        seen = world.wait_until(
            lambda: [each for each in [accounts()] if all(one["load_balancers"] == 3 for one in each)],
            "both managers count three load balancers",
        )[0]
        handed_out = (2**6 - 3) - len(world.free_addresses(proxy))
        assert IPv4Network(subnet).num_addresses == 2**6
    for account in seen:
        assert (account["vips"], account["tasks"], account["unnamed_load_balancers"]) == (1, 6, 2)
        assert account["accounted"] == handed_out == 10
    follower = vipconsole("glance", "--host", manager.host)
    assert "This node is not the leader: allocation failures are logged on node1." in follower.out
    assert follower.code == 0
    blind = vipconsole("glance", "--host", worker.host)
    assert blind.code == 3
    assert "is a worker, and only managers see the swarm" in blind.out
    assert "10.99.0.2:2377" in blind.out


def test_a_census_tells_other_nodes_load_balancers_apart_by_number(cluster: list[Engine]) -> None:
    leader, manager, _ = cluster
    with World(leader.socket, time.sleep, leader.restart, "leader") as world, operator() as someone:
        shared = world.create_overlay("shared", "10.77.0.0/26")
        service = world.create_service("everywhere", [shared], replicas=6)
        world.wait_for_state(service, "running", 6)
        world.wait_until(lambda: len(world.network(shared).get("Peers") or []) == 3, "the peers are told")
        lost = world.leak_fast(shared, 4)

        said = someone.run("census", "shared", "--yes", "--json", "--host", leader.host)

        assert said.code == 1, said.err
        assert lost < set(said.json["addresses"])
        assert len(said.json["addresses"]) == 4 + 2
        assert said.json["load_balancers_at_most"] == 2
        assert "changed and changed back" in " ".join(said.json["notes"])
        (seen,) = someone.run("glance", "--json", "--host", leader.host, "shared").json["networks"]
        assert seen["leaked"] == 4
        assert seen["subnets"][0]["leaked"]["possibly_load_balancers"] == 2
        assert seen["accounted"] + seen["leaked"] + seen["free"] == seen["capacity"]

        leader.docker("node", "demote", "node1")
        world.wait_until(
            lambda: vipconsole("glance", "--json", "--host", manager.host).json["engine"].get("is_leader"),
            "another node leads",
            60,
        )
        after = someone.run("glance", "--json", "--host", manager.host, "shared").json
        # The new leader has rebuilt the count: nothing has leaked since, where that is counted at all.
        assert after["networks"][0]["leaked"] == (0 if world.traits.counts_addresses else None)
        (stale,) = [each for each in after["findings"] if each["code"] == "census-stale"]
        assert "another node leads the swarm now" in stale["sentence"]

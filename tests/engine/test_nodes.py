"""What a glance says of three real nodes whose engines it asks: stopped, cut off and stale ones are found and named."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.contract.world import World
from tests.engine.cluster import swarm_of
from tests.engine.lab import Engine
from tests.support.changes import operator
from tests.support.program import vipconsole

pytestmark = pytest.mark.engine
WITHIN_S = 45.0


class Nodes:
    """A leader, a manager and a worker, and a console on the leader whose settings name all three."""

    def __init__(self, engines: list[Engine], world: World, folder: Path) -> None:
        self.leader, self.manager, self.worker = self.engines = engines
        self.world = world
        self.folder = folder
        rows = [
            f'[[node]]\nname = "node{number}"\nhost = "{engine.host}"\njournal = "{folder}/node{number}.json"\n'
            for number, engine in enumerate(engines, 1)
        ]
        (folder / "config.toml").write_text("[snapshot]\nsettle_s = 1\n" + "\n".join(rows))

    def glance(self, state: Path | None = None, *, is_inside: bool = False) -> dict[str, Any]:
        """Return what a glance at the leader says, once the journals hold what the engines have logged.

        `is_inside` lets it run on the leader's host, as an operator does; else it sees the engines alone.
        """
        for number, engine in enumerate(self.engines, 1):
            (self.folder / f"node{number}.json").write_text(journal_of(engine))
        options = ("--host", self.leader.host, "--config", str(self.folder / "config.toml"))
        inside = self.leader.namespaces.inside if is_inside else None
        answer = vipconsole("glance", "--json", *options, home=state or self.folder, inside=inside)
        assert answer.code in (0, 1, 2), answer.err
        seen: dict[str, Any] = answer.json
        return seen

    def until_found(
        self, code: str, names: list[str] | None = None, *, is_inside: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the first glance with a finding whose code begins so, about these names where they are given, and the finding."""

        def look() -> list[tuple[dict[str, Any], dict[str, Any]]]:
            seen = self.glance(is_inside=is_inside)
            return [
                (seen, each)
                for each in seen["findings"]
                if each["code"].startswith(code) and names in (None, each["names"])
            ]

        return self.world.wait_until(look, f"a glance finds {code}", WITHIN_S)[0]

    def codes(self, *, is_inside: bool = False) -> set[str]:
        """Return the codes of what a glance finds about nodes."""
        return {each["code"] for each in self.glance(is_inside=is_inside)["findings"]} & ABOUT_NODES


ABOUT_NODES = {
    "node-stopped", "node-unread", "node-elsewhere", "node-journal-unread", "peers-differ", "overlay-cut", "copy-stale",
    "overlay-stale",
}  # fmt: skip


def journal_of(engine: Engine) -> str:
    """Return what an engine has logged, as journald would give it."""
    rows = []
    for number, line in zip(count(1), engine.log().splitlines(), strict=False):
        head, _, rest = line.partition('time="')
        if head or not rest:
            continue
        at = datetime.fromisoformat(rest.partition('"')[0].partition(".")[0].removesuffix("Z") + "+00:00")
        rows.append({
            "__CURSOR": f"c{number}", "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1e6) + number),
            "_BOOT_ID": "0" * 32, "_SYSTEMD_UNIT": "docker.service", "_TRANSPORT": "stdout", "_STREAM_ID": "a" * 32,
            "MESSAGE": line,
        })  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows)


@contextmanager
def dropped(engine: Engine, *rules: tuple[str, ...]) -> Iterator[None]:
    """Let a node drop what fits these rules, each a chain of iptables and what stands behind it."""
    try:
        for chain, *rule in rules:
            engine.namespaces.run("iptables", "-I", chain, *rule, "-j", "DROP")
        yield
    finally:
        for chain in {rule[0] for rule in rules}:
            engine.namespaces.run("iptables", "-F", chain)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three nodes with a service on all of them."""
    with swarm_of("manager", "worker") as engines:
        leader = engines[0]
        with World(leader.socket, time.sleep, leader.restart, "leader") as world:
            proxy = world.create_overlay("proxy", "10.66.0.0/26")
            service = world.create_service("spread", [proxy], replicas=6)
            world.wait_for_state(service, "running", 6)
            yield Nodes(engines, world, tmp_path_factory.mktemp("nodes"))


def test_nodes_that_are_well_tell_their_load_balancers_and_nothing_else(nodes: Nodes) -> None:
    seen = nodes.glance()
    assert [(each["name"], each["is_here"], each["unknown"]) for each in seen["nodes"]] == [
        ("node1", True, None), ("node2", False, None), ("node3", False, None),
    ]  # fmt: skip
    assert {each["code"] for each in seen["findings"]} & ABOUT_NODES == set()
    (proxy,) = [each for each in seen["networks"] if each["name"] == "proxy"]
    subnet = proxy["subnets"][0]
    holders = {
        holder["name"]: each["address"]
        for each in subnet["held"]
        for holder in each["holders"]
        if holder["kind"] == "load balancer"
    }
    assert (subnet["load_balancers"], subnet["unnamed_load_balancers"]) == (3, 0)
    assert holders == {
        each["name"]: copy["load_balancer"]
        for each in seen["nodes"] for copy in each["networks"] if copy["name"] == "proxy"
    }  # fmt: skip
    (copies,) = {len(copy["peers"]) for each in seen["nodes"] for copy in each["networks"]}
    assert copies == 3


def test_a_census_and_the_nodes_together_name_what_leaked(nodes: Nodes) -> None:
    (proxy,) = [each["id"] for each in nodes.glance()["networks"] if each["name"] == "proxy"]
    lost = nodes.world.leak_fast(proxy, 4)
    with operator() as someone:
        census = someone.run("census", "proxy", "--yes", "--json", "--host", nodes.leader.host)
        # It asks only the leader, and cannot tell two load balancers from what leaked.
        assert census.json["load_balancers_at_most"] == 2, census.err
        seen = nodes.glance(someone.state)
    (subnet,) = [each["subnets"][0] for each in seen["networks"] if each["name"] == "proxy"]
    assert (subnet["leaked"]["count"], subnet["leaked"]["possibly_load_balancers"]) == (4, 0)
    assert set(subnet["leaked"]["addresses"]) == lost


def test_a_stale_vxlan_interface_is_named_with_its_node_and_network(nodes: Nodes) -> None:
    world, worker = nodes.world, nodes.worker
    other = world.create_overlay("other", "10.67.0.0/26")
    (vni,) = world.network(other)["Options"].values()
    worker.namespaces.run(
        "ip", "link", "add", "vx-left", "type", "vxlan", "id", vni, "dstport", "4789", "dev", "lan"
    )
    service = world.create_service("remote", [other], replicas=3)

    _, finding = nodes.until_found("overlay-stale")

    assert finding["severity"] == "critical"
    assert finding["subject"] == "other"
    assert finding["names"] == ["other", "node3"]
    assert (
        "The node node3 cannot set up its overlay other: a VXLAN interface of it is left over there."
        in finding["sentence"]
    )
    assert "of remote in the last hour" in finding["sentence"]
    assert "docker node update --availability drain node3" in finding["hint"]
    world.client.remove_service(service)
    worker.namespaces.run("ip", "link", "del", "vx-left")


def test_udp_blocked_between_two_nodes_is_named_with_both(nodes: Nodes) -> None:
    rules = [
        (chain, "-p", "udp", end, nodes.worker.address, port, "7946")
        for chain, end in (("INPUT", "-s"), ("OUTPUT", "-d"))
        for port in ("--dport", "--sport")
    ]
    with dropped(nodes.manager, *rules):
        seen, finding = nodes.until_found("logged-gossip", ["node2", "node3"])

    assert finding["severity"] == "warning"
    assert finding["subject"] == "node2"
    assert "cannot send gossip to another one over UDP port 7946" in finding["sentence"]
    assert "address node3" in finding["sentence"]
    assert "UDP port 4789" in finding["hint"]
    # A third node passes on what the two tell each other: nobody loses a peer.
    assert "peers-differ" not in {each["code"] for each in seen["findings"]}


def test_an_overlay_that_carries_nothing_to_a_node_is_named_though_the_gossip_is_well(nodes: Nodes) -> None:
    with dropped(nodes.leader, ("INPUT", "-p", "udp", "-s", nodes.worker.address, "--dport", "4789")):
        seen, finding = nodes.until_found("overlay-cut", is_inside=True)
        # Elsewhere nobody can tell.
        assert "overlay-cut" not in nodes.codes()
    assert (finding["severity"], finding["names"]) == ("warning", ["node1", "node3"])
    assert "no echo comes back from node3 at 10." in finding["sentence"]
    assert "UDP port 4789" in finding["hint"]
    assert "peers-differ" not in {each["code"] for each in seen["findings"]}
    assert nodes.codes(is_inside=True) == set()


def test_a_node_that_is_cut_off_from_the_others_is_named_with_the_networks(nodes: Nodes) -> None:
    rules = [
        ("INPUT", "-i", "lan", "-p", protocol, port, "7946")
        for protocol in ("udp", "tcp")
        for port in ("--dport", "--sport")
    ]
    with dropped(nodes.worker, *rules):
        # One node after the other loses touch with it.
        seen, finding = nodes.until_found("peers-differ", ["node3", "node1", "node2"])

    assert finding["subject"] == "node3"
    assert "The nodes have different peers on ingress, proxy" in finding["sentence"]
    assert {each["unknown"] for each in seen["nodes"]} == {None}
    nodes.world.wait_until(lambda: "peers-differ" not in nodes.codes(), "the peers are back", WITHIN_S)


def test_a_stopped_peer_is_named_with_since_when_it_has_not_answered(nodes: Nodes) -> None:
    nodes.worker.kill()

    seen, finding = nodes.until_found("node-stopped")

    assert finding["names"] == ["node3"]
    assert finding["sentence"].startswith(
        "The node node3 is stopped or cut off from the others. Nothing listens at unix://"
    )
    assert "last answered" in finding["sentence"]
    assert "node1, node2 no longer have it among their peers" in finding["sentence"]
    assert "On node3: `systemctl status docker`" in finding["hint"]
    (gone,) = [each for each in seen["nodes"] if each["unknown"]]
    assert (gone["name"], gone["networks"]) == ("node3", None)
    assert gone["answered_at"] < gone["failing_since"]
    assert gone["address"] == nodes.worker.address
    options = ("--host", nodes.leader.host, "--config", str(nodes.folder / "config.toml"))
    why = vipconsole("why", "spread", "--json", *options, home=nodes.folder).json
    assert finding["sentence"].partition(" Nothing")[0] in " ".join(why["notes"])

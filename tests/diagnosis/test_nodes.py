"""Findings about single nodes: what each tells is compared with the swarm and with the others."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest

from console.addresses.holders import HolderKind
from console.addresses.leaks import Census, allocator_of
from console.diagnosis.assess import assess
from console.diagnosis.findings.sources import DOCTOR
from console.diagnosis.values import Assessment, Finding, Severity, Snapshot
from console.errors import Unknown
from console.journal.summary import summarise
from console.journal.values import Batch
from console.monitor.snapshot import join_nodes
from console.nodes.values import (
    NO_WAY,
    NetworkCopy,
    NodeStatus,
    NodeView,
    OtherNodes,
    Peer,
    echo_targets,
    missing_peers,
)
from console.settings import Thresholds
from console.swarm.model import Node, SwarmState, Task
from tests.journal.lines import entry, line
from tests.support.swarms import HERE, NOW, ago, network, service, snapshot, swarm, task

ADDRESSES = {"ci-host": "10.99.0.2", "b": "10.99.0.3", "c": "10.99.0.4"}
IDS = {"ci-host": HERE.id, "b": "node-b", "c": "node-c"}
PEER_IDS = {"10.99.0.2": "2b156e2a49ab", "10.99.0.3": "40c402aedd79", "10.99.0.4": "90ca27933dd9"}
PROXY = network("proxy", "10.0.1.0/24", load_balancer="10.0.1.9", peers=3)
B, C = (Node(IDS[name], name, "ready", "active", is_manager=False, is_leader=False) for name in "bc")
GONE = Unknown("Nothing listens at tcp://c:2375: the Docker daemon is not running.", "hint")
ABOUT_NODES = ("node-", "peers-", "copy-", "overlay-")
BALANCERS = {"ci-host": "10.0.1.9", "b": "10.0.1.10", "c": "10.0.1.11"}


def copy(
    *peers: str, name: str = "proxy", id_: str = "", cidr: str = "10.0.1.0/24", containers: int = 2
) -> NetworkCopy:
    addresses = [ADDRESSES.get(peer, peer) for peer in peers]
    found = tuple(Peer(PEER_IDS.get(address, "f" * 12), address) for address in addresses)
    return NetworkCopy(id_ or f"id-{name}", name, (ip_network(cidr),), found, None, containers)


def told(name: str, *copies: NetworkCopy, load_balancer: str = "") -> NodeStatus:
    """A node that answered, and the copies of overlays that it has."""
    if load_balancer:
        copies = (replace(copies[0], load_balancer=IPv4Address(load_balancer)), *copies[1:])
    view = NodeView(IDS[name], name, "20.10.24", ADDRESSES[name], "active", "", copies)
    where = f"tcp://{name}:2375"
    return NodeStatus(name, where, name == "ci-host", view, NOW, node_id=view.node_id, address=view.address)


def silent(name: str, since_s: float = 300, *, is_known: bool = True) -> NodeStatus:
    """A node that does not answer, and once did."""
    status = NodeStatus(name, f"tcp://{name}:2375", failure=GONE, failing_since=ago(since_s))
    if not is_known:
        return status
    return replace(status, node_id=IDS[name], address=ADDRESSES[name], answered_at=ago(since_s + 10))


def seen(*statuses: NodeStatus, state: SwarmState | None = None, is_lasting: bool = True) -> Assessment:
    """What a snapshot of three nodes leads to; peers that differ do so lastingly."""
    nodes = OtherNodes(statuses, missing_peers(statuses) if is_lasting else frozenset())
    return assess(joined(nodes, state), Thresholds())


def joined(nodes: OtherNodes, state: SwarmState | None = None) -> Snapshot:
    tasks = [
        task("web", ("id-proxy", f"10.0.1.{20 + place}"), slot=place, node=id_)
        for place, id_ in enumerate(IDS.values())
    ]
    swarm_state = state or swarm(
        [PROXY], [service("web", networks=("id-proxy",), mode="dnsrr")], tasks, [HERE, B, C]
    )
    return join_nodes(snapshot(swarm_state), nodes)


def about_nodes(assessment: Assessment) -> list[Finding]:
    return [each for each in assessment.findings if each.code.startswith(ABOUT_NODES)]


ALL = ("ci-host", "b", "c")


def test_nodes_that_agree_lead_to_nothing() -> None:
    assert about_nodes(seen(*(told(name, copy(*ALL)) for name in ALL))) == []
    assert about_nodes(seen()) == []


def test_load_balancers_of_other_nodes_are_named_holders() -> None:
    statuses = (
        told("ci-host", copy(*ALL)),
        told("b", copy(*ALL), load_balancer="10.0.1.10"),
        told("c", copy(*ALL)),
    )
    (account,) = seen(*statuses).accounts
    (subnet,) = account.subnets
    holders = {
        str(address): holder.name
        for address, found in account.holders()
        for holder in found
        if holder.kind is HolderKind.LOAD_BALANCER
    }
    assert holders == {"10.0.1.9": "ci-host", "10.0.1.10": "b"}
    # That of c is still counted from the peers, and no address is counted twice.
    assert (subnet.count(HolderKind.LOAD_BALANCER), subnet.unnamed_load_balancers) == (3, 1)
    assert subnet.accounted == 3 + 3


def test_load_balancers_that_are_named_are_no_longer_among_what_a_census_found() -> None:
    # Two leaked, and two are those of b and c: when the census was taken nobody could tell which.
    found = tuple(IPv4Address(f"10.0.1.{last}") for last in (10, 11, 40, 41))
    statuses = (
        told("ci-host", copy(*ALL)),
        told("b", copy(*ALL), load_balancer="10.0.1.10"),
        told("c", copy(*ALL), load_balancer="10.0.1.11"),
    )
    state = joined(OtherNodes(statuses))
    allocator = allocator_of(state.swarm)
    assert allocator is not None
    census = Census("id-proxy", "proxy", ago(60), allocator, found, 2)
    for nodes, leaked, possibly in ((OtherNodes(statuses), found[2:], 0), (OtherNodes(), found, 2)):
        snapshot_now = replace(joined(nodes), censuses=(census,))
        (account,) = assess(snapshot_now, Thresholds()).accounts
        leak = account.subnets[0].leak
        assert (leak.count, leak.addresses, leak.possibly_load_balancers) == (2, leaked, possibly)


def test_this_nodes_own_copy_is_not_counted_twice() -> None:
    statuses = (
        told("ci-host", copy(*ALL), load_balancer="10.0.1.9"),
        told("b", copy(*ALL)),
        told("c", copy(*ALL)),
    )
    (account,) = seen(*statuses).accounts
    assert account.subnets[0].count(HolderKind.LOAD_BALANCER) == 3


def test_a_stopped_peer_is_told_with_since_when_and_who_lacks_it() -> None:
    (finding,) = about_nodes(
        seen(told("ci-host", copy("ci-host", "b")), told("b", copy("ci-host", "b")), silent("c"))
    )
    assert (finding.code, finding.severity, finding.subject) == ("node-stopped", Severity.WARNING, "c")
    assert finding.sentence.startswith(
        "The node c is stopped or cut off from the others. Nothing listens at tcp://c:2375: the Docker daemon is not running. "
        "It has not answered since "
    )
    assert finding.sentence.endswith("ago. ci-host, b no longer have it among their peers.")
    assert "; it last answered " in finding.sentence
    assert "UDP and TCP port 7946 and UDP port 4789" in finding.hint


def test_a_node_that_the_managers_hold_for_down_is_stopped_though_nothing_else_is_known_of_it() -> None:
    down = replace(C, state="down")
    state = swarm([PROXY], (), (), [HERE, B, down])
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), silent("c", is_known=False), state=state))
    assert finding.code == "node-stopped"
    assert "It has not answered since" in finding.sentence
    assert "it has never answered here" in finding.sentence


def test_a_stopped_peer_that_some_still_have_is_told_once() -> None:
    state = swarm([PROXY], (), (), [HERE, B, replace(C, state="down")])
    statuses = told("ci-host", copy(*ALL)), told("b", copy("ci-host", "b")), silent("c")
    assert [each.code for each in about_nodes(seen(*statuses, state=state))] == ["node-stopped"]


def test_a_node_that_only_this_host_cannot_reach_is_a_note() -> None:
    assessment = seen(told("ci-host", copy(*ALL)), told("b", copy(*ALL)), silent("c"))
    (finding,) = about_nodes(assessment)
    assert (finding.code, finding.severity) == ("node-unread", Severity.OK)
    assert finding.sentence.startswith("c was not read. Nothing listens")
    assert assessment.severity is Severity.OK


def test_a_node_that_never_answered_and_nobody_knows_is_a_note() -> None:
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), silent("b", is_known=False)))
    assert (finding.code, finding.severity) == ("node-unread", Severity.OK)


def test_a_node_that_is_cut_off_is_told_once_with_its_networks() -> None:
    whole, alone = copy("ci-host", "b"), copy("c")
    other = copy("ci-host", "b", name="other"), copy("c", name="other")
    (finding,) = about_nodes(
        seen(told("ci-host", whole, other[0]), told("b", whole), told("c", alone, other[1]))
    )
    assert (finding.code, finding.severity, finding.subject) == ("peers-differ", Severity.WARNING, "c")
    assert finding.names == ("c", "b", "ci-host")
    assert finding.sentence.startswith(
        "The nodes have different peers on other, proxy: b, ci-host lack c and c lacks b, ci-host."
    )
    assert "ss -lun 'sport = :7946'" in finding.hint


def test_a_cut_between_two_of_three_names_only_those() -> None:
    (finding,) = about_nodes(
        seen(told("ci-host", copy(*ALL)), told("b", copy("ci-host", "b")), told("c", copy("ci-host", "c")))
    )
    assert set(finding.names) == {"b", "c"}


def test_a_peer_that_nobody_named_in_the_settings_is_told_by_its_address() -> None:
    (finding,) = about_nodes(
        seen(told("ci-host", copy("ci-host", "b", "10.99.0.9")), told("b", copy("ci-host", "b")))
    )
    assert set(finding.names) == {"b", "10.99.0.9"}


def test_peers_that_are_only_changing_are_nothing() -> None:
    statuses = told("ci-host", copy(*ALL)), told("b", copy("ci-host", "b"))
    assert about_nodes(seen(*statuses, is_lasting=False)) == []


def test_a_node_that_is_not_on_a_network_lacks_nothing_there() -> None:
    listed_only = replace(copy(name="other"), peers=None)
    other = network("other", "10.0.2.0/24")
    state = swarm([PROXY, other], (), (), [HERE, B, C])
    statuses = told("ci-host", copy("ci-host", name="other", cidr="10.0.2.0/24")), told("b", listed_only)
    assert about_nodes(seen(*statuses, state=state)) == []


def asked(*statuses: NodeStatus) -> dict[str, list[tuple[str, str]]]:
    """Return who is asked for an echo over which overlay, and where."""
    return {
        copy.name: [(node.name, str(node.load_balancer)) for node in nodes]
        for copy, nodes in echo_targets(statuses).items()
    }


def test_every_other_node_is_asked_for_an_echo_once() -> None:
    twice = copy(*ALL), replace(copy(*ALL, name="other"), load_balancer=IPv4Address("10.0.2.9"))
    statuses = [told(name, *twice, load_balancer=BALANCERS[name]) for name in ALL]
    assert asked(*statuses) == {"proxy": [("b", "10.0.1.10"), ("c", "10.0.1.11")]}
    # Where one does not have the other among its peers there is no way yet, or another finding.
    lacks_c = told("ci-host", copy("ci-host", "b"), load_balancer="10.0.1.9")
    assert asked(lacks_c, *statuses[1:]) == {"proxy": [("b", "10.0.1.10")]}
    b_lacks = told("b", copy("b", "c"), load_balancer="10.0.1.10")
    assert asked(statuses[0], b_lacks, statuses[2]) == {"proxy": [("c", "10.0.1.11")]}
    # Nothing runs there on that overlay, nobody is here, or nobody else answers.
    assert asked(statuses[0], told("b", copy(*ALL)), silent("c")) == {}
    assert asked(*statuses[1:]) == {}


def test_nodes_that_an_overlay_does_not_reach_are_told_in_one() -> None:
    statuses = tuple(told(name, copy(*ALL), load_balancer=BALANCERS[name]) for name in ALL)
    silent_nodes = frozenset(node for nodes in echo_targets(statuses).values() for node in nodes)
    (finding,) = about_nodes(assess(joined(OtherNodes(statuses, silent=silent_nodes)), Thresholds()))
    assert (finding.code, finding.severity, finding.names) == (
        "overlay-cut",
        Severity.WARNING,
        ("ci-host", "b", "c"),
    )
    assert finding.sentence.startswith(
        "The overlay does not carry from ci-host to b, c: no echo comes back from b at 10.0.1.10 on proxy, c at 10.0.1.11 on proxy."
    )
    # A node that is down is told as that.
    state = swarm([PROXY], (), (), [HERE, B, replace(C, state="down")])
    nodes = OtherNodes((*statuses[:2], silent("c")), silent=silent_nodes)
    codes = {each.code: each.names for each in about_nodes(assess(joined(nodes, state), Thresholds()))}
    assert codes == {"node-stopped": ("c",), "overlay-cut": ("ci-host", "b")}


def test_a_copy_with_another_subnet_is_stale() -> None:
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), told("b", copy(*ALL, cidr="10.7.0.0/24"))))
    assert (finding.code, finding.severity, finding.names) == ("copy-stale", Severity.WARNING, ("proxy", "b"))
    assert finding.sentence.startswith("b has 10.7.0.0/24 for proxy, and the swarm has 10.0.1.0/24.")
    assert "docker node update --availability drain b" in finding.hint


def test_a_copy_with_another_id_is_stale() -> None:
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), told("b", copy(*ALL, id_="id-old-proxy"))))
    assert finding.code == "copy-stale"
    assert (
        "b still has a removed network under the name proxy (ID id-old-proxy, 10.0.1.0/24)"
        in finding.sentence
    )


@pytest.mark.parametrize(("containers", "codes"), [(0, ["copy-stale"]), (3, [])])
def test_a_copy_of_a_removed_network_is_stale_once_nothing_is_on_it(
    containers: int, codes: list[str]
) -> None:
    left = copy("b", name="gone", containers=containers)
    assert [
        each.code for each in about_nodes(seen(told("ci-host", copy(*ALL)), told("b", copy(*ALL), left)))
    ] == codes


def test_a_copy_whose_tasks_are_still_stopping_is_not_stale() -> None:
    stopping = task("old", ("id-gone", "10.0.5.3"), desired="shutdown", node=IDS["b"])
    state = swarm([PROXY], (), [stopping], [HERE, B, C])
    left = copy("b", name="gone", containers=0)
    assert about_nodes(seen(told("ci-host", copy(*ALL)), told("b", copy(*ALL), left), state=state)) == []


def test_a_node_of_another_swarm_is_told_and_compared_with_nothing() -> None:
    stranger = told("b", copy("10.1.1.1", id_="id-old-proxy"))
    assert stranger.view is not None
    stranger = replace(stranger, view=replace(stranger.view, node_id="elsewhere"), node_id="elsewhere")
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), stranger))
    assert (finding.code, finding.severity, finding.sentence) == (
        "node-elsewhere",
        Severity.WARNING,
        "b is in another swarm than the one shown here.",
    )


def test_a_node_in_no_swarm_is_told() -> None:
    alone = told("b")
    assert alone.view is not None
    alone = replace(alone, view=replace(alone.view, state="inactive", node_id=""), node_id="")
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), alone))
    assert (finding.code, finding.severity) == ("node-elsewhere", Severity.WARNING)
    assert finding.sentence == "b is not in a working swarm (state inactive)."


def test_a_journal_that_was_to_be_read_and_is_not_is_a_note() -> None:
    refused = Unknown("ssh does not reach b: Permission denied (publickey).", "hint")
    b = replace(told("b", copy(*ALL)), journal=refused)
    (finding,) = about_nodes(seen(told("ci-host", copy(*ALL)), b))
    assert (finding.code, finding.severity, finding.names) == ("node-journal-unread", Severity.OK, ("b",))
    assert finding.sentence == f"The journal of dockerd on b was not read. {refused.reason}"
    assert finding.hint == f"hint {DOCTOR}"
    # Where the node is silent too, that is what is told.
    both = replace(silent("c"), journal=refused)
    assert [each.code for each in about_nodes(seen(told("ci-host", copy(*ALL)), both))] == ["node-unread"]
    # Nobody is told of what was never to be read.
    assert about_nodes(seen(told("ci-host", copy(*ALL)), replace(b, journal=NO_WAY))) == []


STALE = 'network sandbox join failed: subnet sandbox join failed for "10.0.1.0/24": error creating vxlan interface: file exists'


def rejecting(*more: Task, since_s: float = 30) -> SwarmState:
    rejected = [
        task(
            "web",
            slot=slot,
            state="rejected",
            desired="shutdown",
            since=ago(since_s + slot),
            node="node-c",
            error=STALE,
        )
        for slot in (1, 2)
    ]
    return swarm(
        [PROXY], [service("web", networks=("id-proxy",), mode="dnsrr")], [*rejected, *more], [HERE, B, C]
    )


def test_a_stale_vxlan_interface_is_named_by_the_tasks_that_a_node_rejected() -> None:
    # It needs no [[node]]: the managers know it.
    (finding,) = about_nodes(seen(state=rejecting()))
    assert (finding.code, finding.severity, finding.names) == (
        "overlay-stale",
        Severity.CRITICAL,
        ("proxy", "c"),
    )
    assert finding.sentence.startswith(
        "The node c cannot set up its overlay proxy: a VXLAN interface of it is left over there. It rejected 2 tasks of web in "
        "the last hour."
    )
    assert finding.hint.startswith("On c: `ip -d link show type vxlan` shows it.")


def test_a_node_that_sets_the_overlay_up_again_is_well() -> None:
    works = replace(task("web", slot=3, since=ago(5), node="node-c"), attachments=())
    other = task("web", ("proxy", "10.0.1.30"), slot=4, since=ago(5), node="node-c")
    assert len(about_nodes(seen(state=rejecting(works)))) == 1
    assert about_nodes(seen(state=rejecting(other))) == []
    assert about_nodes(seen(state=rejecting(since_s=4000))) == []


def test_what_another_nodes_dockerd_logged_names_both_ends() -> None:
    blocked = line(
        "memberlist: Was able to connect to 90ca27933dd9 but other probes failed, network may be misconfigured",
        tail="", level="warning",
    )  # fmt: skip
    batch = Batch((entry(line("Starting up", tail="", level="info")), entry(blocked)))
    statuses = told("ci-host", copy(*ALL)), told("b", copy(*ALL)), told("c", copy(*ALL))
    names = {"90ca27933dd9": "c"}
    b = replace(statuses[1], journal=summarise([batch], names, 3600))
    here = replace(statuses[0], journal=summarise([batch], names, 3600))
    assessment = seen(here, b, statuses[2])
    (finding,) = [each for each in assessment.findings if each.code == "logged-gossip-udp-blocked"]
    assert (finding.severity, finding.subject, finding.names) == (Severity.WARNING, "b", ("b", "c"))
    assert "dockerd's log on b" in finding.sentence
    assert "peer c" in finding.sentence

"""Findings about single nodes: stopped peers, gossip that is cut, overlay state that is stale, and what their dockerd logged.

All but the rejected tasks need the nodes' own words, and so only the nodes that the settings name (`[[node]]`) have them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from console.diagnosis.findings.sources import DOCTOR, SEVERITIES, is_past
from console.diagnosis.values import Finding, Severity, Snapshot
from console.durations import duration, stamp
from console.errors import Unknown, known
from console.nodes.values import MissingPeer, NetworkCopy, NodeStatus, NodeView, peer_names, views_of
from console.swarm.model import Network, Node, SwarmState, Task
from console.text import listed, plural

if TYPE_CHECKING:
    from console.journal.summary import LogFinding

STALE_CAUSES = frozenset(("stale-vxlan", "stale-sandbox"))
WINDOW_S = 3600.0
"""A task that a node rejected longer ago tells nothing about that node now."""
DOWN = ("down", "disconnected")
PORTS = "UDP and TCP port 7946 and UDP port 4789"


def find_nodes(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield what is wrong with single nodes, as far as the swarm and the nodes that were asked tell."""
    stale = list(_find_stale_overlays(snapshot))
    yield from stale
    members = _members(snapshot)
    stopped = {status.name for status in members if _is_stopped(status, snapshot)}
    for status in snapshot.nodes.statuses:
        yield from _find_silent(status, snapshot, is_stopped=status.name in stopped)
    yield from _find_missing_peers(snapshot, stopped)
    yield from _find_silent_on_overlay(snapshot, stopped)
    for status in members:
        if status.view is not None:
            yield from _find_copies(status.name, status.view, snapshot.swarm)
    for status in snapshot.nodes.statuses:
        yield from _find_unread_journal(status)
        yield from _find_logged(status, has_stale=any(status.name in finding.names for finding in stale))


def _members(snapshot: Snapshot) -> tuple[NodeStatus, ...]:
    """Return the nodes that are in the swarm, or may be, as it cannot be told."""
    ids = {node.id for node in known(snapshot.swarm.nodes, ())}
    return tuple(
        status for status in snapshot.nodes.statuses if not ids or not status.node_id or status.node_id in ids
    )


def _node_of(status: NodeStatus, swarm: SwarmState) -> Node | None:
    nodes = known(swarm.nodes, ())
    if status.node_id:
        return next((node for node in nodes if node.id == status.node_id), None)
    alike = [node for node in nodes if node.hostname == status.name]
    return alike[0] if len(alike) == 1 else None


def _is_stopped(status: NodeStatus, snapshot: Snapshot) -> bool:
    """Whether a node that does not answer is gone for the others too: for the managers, or for the gossip of each of them."""
    if status.failure is None:
        return False
    node = _node_of(status, snapshot.swarm)
    if node is not None and node.state in DOWN:
        return True
    peers = _peers_of(snapshot)
    return bool(status.address and peers) and all(status.address not in addresses for addresses in peers)


def _peers_of(snapshot: Snapshot) -> list[set[str]]:
    """Return the peers that each node which answered has, on all its networks together."""
    return [
        {peer.address for copy in view.copies for peer in copy.peers or ()}
        for _, view in views_of(snapshot.nodes.statuses)
        if any(copy.peers is not None for copy in view.copies)
    ]


def _find_silent(status: NodeStatus, snapshot: Snapshot, *, is_stopped: bool) -> Iterator[Finding]:
    name, view = status.name, status.view
    ids = {node.id for node in known(snapshot.swarm.nodes, ())}
    if view is not None:
        if view.state != "active" or (ids and view.node_id not in ids):
            sentence = (
                f"{name} is not in a working swarm (state {view.state}). {view.error}".rstrip()
                if view.state != "active"
                else f"{name} is in another swarm than the one shown here."
            )
            yield Finding(
                "node-elsewhere", Severity.WARNING, name, f"{name} is not in this swarm", sentence,
                f"Check its [[node]] in the settings ({status.where}), and `docker info` there.", (name,),
            )  # fmt: skip
        return
    if status.failure is None:
        return
    silent = f"{status.failure.reason} {_since(status, snapshot.taken_at)}"
    if not is_stopped:
        yield Finding(
            "node-unread",
            Severity.OK,
            name,
            "",
            f"{name} was not read. {silent}",
            f"{status.failure.hint} {DOCTOR}".lstrip(),
            (name,),
        )
        return
    others = [other for other, _ in views_of(snapshot.nodes.statuses)]
    lack = bool(status.address) and all(status.address not in peers for peers in _peers_of(snapshot))
    gone = (
        f" {listed(others)} no longer {'has' if len(others) == 1 else 'have'} it among their peers."
        if lack and others
        else ""
    )
    yield Finding(
        "node-stopped",
        Severity.WARNING,
        name,
        f"the node {name} is stopped or cut off",
        f"The node {name} is stopped or cut off from the others. {silent}{gone}",
        f"On {name}: `systemctl status docker`. If dockerd runs there, let {PORTS} through between it and the others.",
        (name,),
    )


def _since(status: NodeStatus, now: datetime) -> str:
    """Return since when a node does not answer, and when it last did."""
    parts = []
    if status.failing_since is not None and (now - status.failing_since).total_seconds() >= 1:
        parts.append(f"It has not answered since {stamp(status.failing_since)}")
    if status.answered_at is not None:
        ago = duration(max(0.0, (now - status.answered_at).total_seconds()))
        parts.append(f"{'it' if parts else 'It'} last answered {ago} ago")
    elif status.failing_since is not None:
        parts.append(f"{'it' if parts else 'It'} has never answered here")
    return f"{'; '.join(parts)}." if parts else ""


def _find_missing_peers(snapshot: Snapshot, stopped: set[str]) -> Iterator[Finding]:
    """Yield a finding for each node that others lack, from the one that most nodes lack; a cut has two sides and is told once."""
    names = peer_names(snapshot.nodes.statuses)
    gone = {status.address for status in snapshot.nodes.statuses if status.name in stopped}
    cuts: defaultdict[frozenset[str], list[MissingPeer]] = defaultdict(list)
    for missing in snapshot.nodes.missing:
        if missing.address not in gone:
            cuts[frozenset((missing.who, names.get(missing.address, missing.address)))].append(missing)
    while cuts:
        counts: defaultdict[str, int] = defaultdict(int)
        for pair in cuts:
            for name in pair:
                counts[name] += 1
        worst = max(sorted(counts), key=lambda name: counts[name])
        pairs = [pair for pair in cuts if worst in pair]
        found = [missing for pair in pairs for missing in cuts.pop(pair)]
        yield _cut_finding(worst, sorted({name for pair in pairs for name in pair} - {worst}), found)


def _cut_finding(name: str, others: list[str], found: list[MissingPeer]) -> Finding:
    networks = sorted({missing.network for missing in found})
    without = sorted({missing.who for missing in found})
    lacking = [who for who in without if who != name]
    parts = []
    if lacking:
        parts.append(f"{listed(lacking)} {'lacks' if len(lacking) == 1 else 'lack'} {name}")
    if name in without:
        parts.append(f"{name} lacks {listed(others)}")
    return Finding(
        "peers-differ",
        Severity.WARNING,
        name,
        f"{name} is cut off from {listed(others)}",
        f"The nodes have different peers on {listed(networks)}: {' and '.join(parts)}. Containers there do not find each other.",
        f"Let {PORTS} through between {name} and {listed(others)}, in both directions. On both: `iptables -L -n -v` or "
        "`nft list ruleset`, and `ss -lun 'sport = :7946'`.",
        (name, *others),
    )


def _find_silent_on_overlay(snapshot: Snapshot, stopped: set[str]) -> Iterator[Finding]:
    """Yield one finding for all nodes that this one reaches in every way but over an overlay itself."""
    here = next((status.name for status in snapshot.nodes.statuses if status.is_here), "")
    silent = sorted(
        (node for node in snapshot.nodes.silent if node.name not in stopped), key=lambda node: node.name
    )
    if not here or not silent:
        return
    others = [node.name for node in silent]
    asked = listed([f"{node.name} at {node.load_balancer} on {node.network}" for node in silent])
    yield Finding(
        "overlay-cut",
        Severity.WARNING,
        here,
        f"{here} does not reach {listed(others)} over overlays",
        f"The overlay does not carry from {here} to {listed(others)}: no echo comes back from {asked}. They are peers of each "
        "other there, so the gossip gets through and the traffic does not. Containers on these nodes do not reach each other.",
        f"Let UDP port 4789 (or the swarm's data path port) through between {here} and {listed(others)}, in both directions; for "
        "encrypted overlays also ESP. On both: `iptables -L -n -v` or `nft list ruleset` shows what drops it.",
        (here, *others),
    )


def _find_copies(name: str, view: NodeView, swarm: SwarmState) -> Iterator[Finding]:
    """Yield overlays of which the node's own copy is not the swarm's: of another network, or with other subnets."""
    if isinstance(swarm.networks, Unknown):
        return
    overlays = {network.id: network for network in swarm.networks if network.is_overlay}
    by_name = {network.name: network for network in overlays.values()}
    busy_ids = {
        attachment.network_id
        for task in known(swarm.tasks, ())
        if task.is_alive
        for attachment in task.attachments
    }
    for copy in view.copies:
        if copy.peers is None or copy.id in busy_ids - overlays.keys():
            continue
        network = overlays.get(copy.id)
        if network is not None and network.subnets and not _has_same_subnets(copy, network):
            sentence = (
                f"{name} has {_subnets(copy)} for {copy.name}, and the swarm has "
                f"{listed([str(subnet.network) for subnet in network.subnets])}."
            )
        elif network is None and copy.name in by_name:
            sentence = (
                f"{name} still has a removed network under the name {copy.name} (ID {copy.id[:12]}, {_subnets(copy)}); the "
                f"swarm's {copy.name} is {by_name[copy.name].id[:12]}."
            )
        elif network is None and not copy.containers:
            sentence = f"{name} still has the network {copy.name} (ID {copy.id[:12]}, {_subnets(copy)}), which the swarm has not."
        else:
            continue
        from console.causes.networks import RENEW  # noqa: PLC0415 - few swarms have that trouble

        yield Finding(
            "copy-stale",
            Severity.WARNING,
            copy.name,
            f"{name} has a stale copy of {copy.name}",
            f"{sentence} Its overlay state is stale: tasks there may fail with `network sandbox join failed … file exists`.",
            RENEW.format(node=name),
            (copy.name, name),
        )


def _has_same_subnets(copy: NetworkCopy, network: Network) -> bool:
    return set(copy.subnets) == {subnet.network for subnet in network.subnets}


def _subnets(copy: NetworkCopy) -> str:
    return listed([str(subnet) for subnet in copy.subnets]) or "no subnet"


def _find_stale_overlays(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield nodes that reject tasks because what is left of an overlay there keeps it from being set up."""
    swarm = snapshot.swarm
    nodes = {node.id: node.hostname for node in known(swarm.nodes, ())}
    services = {service.id: service.name for service in known(swarm.services, ())}
    groups: defaultdict[tuple[str, str, str], list[Task]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        if not task.error or task.is_alive or (snapshot.now - task.since).total_seconds() > WINDOW_S:
            continue
        cause, subnet = _stale_cause(task.error)
        if cause and task.node_id:
            groups[task.node_id, _network_of(subnet, task, swarm), cause].append(task)
    for (node_id, network, cause), tasks in sorted(groups.items()):
        if _works_again(node_id, network, tasks, swarm):
            continue
        node = nodes.get(node_id, node_id[:12])
        names = sorted({services.get(task.service_id, task.service_id[:12]) for task in tasks})
        what = f"its overlay {network}" if network else "an overlay"
        why = (
            "a VXLAN interface of it is left over there"
            if cause == "stale-vxlan"
            else "what is left of it there is in the way"
        )
        newest = max(tasks, key=lambda task: task.since)
        from console.causes.networks import RENEW  # noqa: PLC0415 - few swarms have that trouble

        yield Finding(
            "overlay-stale",
            Severity.CRITICAL,
            network or node,
            f"{node} cannot set up {network or 'an overlay'}",
            f"The node {node} cannot set up {what}: {why}. It rejected {plural(len(tasks), 'task')} of {listed(names)} in the "
            f"last hour. The last error: {newest.error}",
            f"On {node}: `ip -d link show type vxlan` shows it. {RENEW.format(node=node)}",
            tuple(dict.fromkeys((network or node, node))),
        )


@lru_cache(1024)
def _stale_cause(error: str) -> tuple[str, str]:
    """Return the cause of an error about stale overlay state, and the subnet in it; nothing for any other error."""
    # Tasks in a crash loop fail with few different errors, thousands of times.
    from console.causes.registry import cause_of  # noqa: PLC0415 - a task has failed

    match = cause_of(error)
    if match is None or match.cause.id not in STALE_CAUSES:
        return "", ""
    return match.cause.id, match.names.get("subnet", "")


def _network_of(subnet: str, task: Task, swarm: SwarmState) -> str:
    """Return the name of the overlay that an error is about: by the subnet in it, else the task's only one."""
    for network in known(swarm.networks, ()):
        if subnet and any(str(each.network) == subnet for each in network.subnets):
            return network.name
    attached = {attachment.network_name for attachment in task.attachments}
    return attached.pop() if len(attached) == 1 else ""


def _works_again(node_id: str, network: str, tasks: Iterable[Task], swarm: SwarmState) -> bool:
    """Whether a task on that network has come up on that node since the last one was rejected."""
    last = max(task.since for task in tasks)
    return any(
        task.node_id == node_id
        and task.state == "running"
        and task.since > last
        and any(attachment.network_name == network for attachment in task.attachments)
        for task in known(swarm.tasks, ())
    )


def _find_logged(status: NodeStatus, *, has_stale: bool) -> Iterator[Finding]:
    """Yield recent failures that another node's dockerd logged. This node's own are found where its journal is read."""
    if isinstance(status.journal, Unknown) or status.is_here:
        return
    from console.journal.summary import describe  # noqa: PLC0415 - it is loaded where a journal is read

    journal = status.journal
    told: set[tuple[str, ...]] = set()
    # The gossip says the same in several ways; the one that it says most often is told.
    for found in sorted(journal.findings, key=lambda found: -found.count if _is_gossip(found) else 0):
        signature = found.signature
        severity = SEVERITIES[signature.severity]
        is_told = has_stale and signature.id in STALE_CAUSES
        names = (status.name, *(_other_ends(found.objects) if _is_gossip(found) else ()))
        if severity is Severity.OK or is_told or is_past(found, journal):
            continue
        if _is_gossip(found) and (signature.title, *names) in told:
            continue
        told.add((signature.title, *names))
        yield Finding(
            f"logged-{signature.id}",
            severity,
            status.name,
            f"{status.name} logged: {signature.title}",
            f"{signature.meaning} dockerd's log on {status.name}: {describe(found, journal.window_s)}.",
            signature.advice,
            names,
        )


def _find_unread_journal(status: NodeStatus) -> Iterator[Finding]:
    """Yield a node that answers, and whose journal is not read although a way to it is known."""
    failure = status.journal_failure
    if status.view is None or status.is_here or failure is None:
        return
    yield Finding(
        "node-journal-unread",
        Severity.OK,
        status.name,
        "",
        f"The journal of dockerd on {status.name} was not read. {failure.reason}",
        f"{failure.hint} {DOCTOR}".lstrip(),
        (status.name,),
    )


def _is_gossip(found: "LogFinding") -> bool:
    from console.journal.gossip import GOSSIP_IDS  # noqa: PLC0415 - as above

    return found.signature.id in GOSSIP_IDS


def _other_ends(objects: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*objects.get("peer", ()), *objects.get("address", ()))))

"""What other nodes themselves tell, as frozen values. Every text is clean."""

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import TYPE_CHECKING

from console.errors import Result, Unknown
from console.frozen import frozen

if TYPE_CHECKING:
    from console.journal.summary import Summary

NOT_READ = Unknown("It was not read.")
NO_WAY = Unknown("No way to this node's journal is known.", "Set `journal` in its [[node]].")
OWN_JOURNAL = Unknown("It is the journal of the engine that shows the swarm, and read as such.")


@frozen
class Peer:
    """A node that takes part in an overlay, as another node's gossip has it."""

    id: str
    """The gossip's own name of it, 12 hexadecimal digits; no node ID of the swarm."""
    address: str
    """Where the gossip reaches it; the address that the node advertises."""


@frozen
class NetworkCopy:
    """A node's own copy of an overlay. A manager also lists overlays that it takes no part in: those have no `peers`."""

    id: str
    name: str
    subnets: tuple[IPv4Network | IPv6Network, ...]
    peers: tuple[Peer, ...] | None
    load_balancer: IPv4Address | None
    """The address of this node's load balancer on it."""
    containers: int
    """How many endpoints it has besides."""


@frozen
class NodeView:
    """What one engine told about itself and its overlays, at one moment."""

    node_id: str
    hostname: str
    version: str
    address: str
    """The address that it advertises to the others."""
    state: str
    """`active`, `inactive`, `pending`, `error` or `locked`: its place in a swarm, as it sees that itself."""
    error: str
    """What keeps it from working in its swarm, in its own words."""
    copies: tuple[NetworkCopy, ...] = ()

    def copy_of(self, network_id: str) -> NetworkCopy | None:
        """Return the node's copy of a network, by its ID; None where the node takes no part in it."""
        return next((copy for copy in self.copies if copy.id == network_id and copy.peers is not None), None)


@frozen
class NodeStatus:
    """A node that is to be asked: what it last told and when, and since when it has not answered.

    `node_id` and `address` are what it told at any time, so that a node that is gone still has both.
    """

    name: str
    where: str
    """Where its engine is reached, fit to be shown."""
    is_here: bool = False
    """Whether it is the node whose engine shows the swarm."""
    view: NodeView | None = None
    """What it told now; None while it does not answer."""
    answered_at: datetime | None = None
    """When it last answered; None if it never did as far as is known."""
    failure: Unknown | None = None
    """Why it does not answer now."""
    failing_since: datetime | None = None
    """Since when it has not answered, as far as somebody asked."""
    node_id: str = ""
    address: str = ""
    journal: "Result[Summary]" = NOT_READ
    """What its dockerd logged lately; it can be read where the engine cannot."""

    @property
    def journal_failure(self) -> Unknown | None:
        """Why its journal was not read although a way to it is known."""
        is_failure = isinstance(self.journal, Unknown) and self.journal not in (NOT_READ, NO_WAY, OWN_JOURNAL)
        return self.journal if isinstance(self.journal, Unknown) and is_failure else None


NodeStatuses = tuple[NodeStatus, ...]


def views_of(statuses: NodeStatuses) -> tuple[tuple[str, NodeView], ...]:
    """Return the names and views of the nodes that answered and are in a swarm."""
    return tuple(
        (status.name, status.view)
        for status in statuses
        if status.view is not None and status.view.state == "active"
    )


def peer_names(statuses: NodeStatuses) -> dict[str, str]:
    """Return the names of nodes by the address that they advertise, and by the gossip's own names of them."""
    by_address = {status.address: status.name for status in statuses if status.address}
    names = dict(by_address)
    for _, view in views_of(statuses):
        for copy in view.copies:
            for peer in copy.peers or ():
                names.setdefault(peer.id, by_address.get(peer.address, peer.address))
    return names


def load_balancers_of(statuses: NodeStatuses) -> dict[str, dict[str, IPv4Address]]:
    """Return the load balancers that nodes other than the one asked for the swarm have: by network ID and node ID."""
    found: dict[str, dict[str, IPv4Address]] = {}
    here = {status.node_id for status in statuses if status.is_here}
    for _, view in views_of(statuses):
        for copy in view.copies if view.node_id not in here else ():
            if copy.load_balancer is not None:
                found.setdefault(copy.id, {})[view.node_id] = copy.load_balancer
    return found


@frozen
class MissingPeer:
    """An address that some nodes have among their peers of a network, or answer from, and that another node lacks there."""

    network_id: str
    network: str
    who: str
    """The node that lacks it, by its name."""
    address: str


def missing_peers(statuses: NodeStatuses) -> frozenset[MissingPeer]:
    """Return the peers that some nodes have and others lack, on each network that at least two nodes told about."""
    missing: set[MissingPeer] = set()
    views = views_of(statuses)
    network_ids = {copy.id for _, view in views for copy in view.copies if copy.peers is not None}
    for network_id in network_ids:
        lists = [
            (name, copy, {peer.address for peer in copy.peers or ()})
            for name, view in views
            if (copy := view.copy_of(network_id)) is not None
        ]
        everyone: set[str] = set().union(*(addresses for _, _, addresses in lists))
        missing |= {
            MissingPeer(network_id, copy.name, name, address)
            for name, copy, addresses in lists
            for address in everyone - addresses
        }
    return frozenset(missing)


@frozen
class SilentNode:
    """A node that answers no echo over an overlay itself, although both nodes have each other among their peers there."""

    network_id: str
    network: str
    name: str
    load_balancer: IPv4Address
    """Where on the overlay it was asked."""


def echo_targets(statuses: NodeStatuses) -> dict[NetworkCopy, list[SilentNode]]:
    """Return whom the node that shows the swarm can ask over which of its overlays, each node once.

    On an overlay both have load balancers on, and have each other among their peers: only then each knows the way.
    """
    here = next((status.view for status in statuses if status.is_here), None)
    targets: dict[NetworkCopy, list[SilentNode]] = {}
    for name, view in views_of(statuses) if here is not None else ():
        if here is None or view.node_id == here.node_id:
            continue
        for copy in here.copies:
            there = view.copy_of(copy.id)
            if there is None or copy.load_balancer is None or there.load_balancer is None:
                continue
            if _has_peer(copy, view.address) and _has_peer(there, here.address):
                node = SilentNode(copy.id, copy.name, name, there.load_balancer)
                targets.setdefault(copy, []).append(node)
                break
    return targets


def _has_peer(copy: NetworkCopy, address: str) -> bool:
    return any(peer.address == address for peer in copy.peers or ())


@frozen
class OtherNodes:
    """The nodes that the settings name, as of one moment; empty where they name none."""

    statuses: NodeStatuses = ()
    missing: frozenset[MissingPeer] = frozenset()
    """Peers that some have and others lack, twice in a row with the settling time between."""
    silent: frozenset[SilentNode] = frozenset()
    """Nodes that answer, and not over an overlay from the node that shows the swarm; also twice in a row."""


NO_NODES = OtherNodes()

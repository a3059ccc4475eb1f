"""An engine's JSON about itself and its own copies of overlays, made into values; see `console.swarm.parse`."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from console.nodes.values import NetworkCopy, NodeView, Peer
from console.swarm.parse import network_detail
from console.text import clean, clean_error


def node_view(info: Mapping[str, Any]) -> NodeView:
    """Return a node from its `GET /info`, of a manager and of a worker alike, without its networks."""
    swarm = info.get("Swarm") or {}
    return NodeView(
        node_id=clean(swarm.get("NodeID") or ""),
        hostname=clean(info["Name"]),
        version=clean(info["ServerVersion"]),
        address=clean(swarm.get("NodeAddr") or ""),
        state=clean(swarm.get("LocalNodeState") or "inactive"),
        error=clean_error(swarm.get("Error") or ""),
    )


def overlay_ids(networks: object) -> tuple[str, ...]:
    """Return the IDs of the overlays in a `GET /networks`."""
    if networks is None:
        return ()
    if not isinstance(networks, list):
        raise TypeError("a list of networks")
    return tuple(
        str(network["Id"])
        for network in networks
        if network.get("Scope") == "swarm" and network.get("Driver") in ("overlay", "", None)
    )


def network_copy(data: Mapping[str, Any]) -> NetworkCopy:
    """Return a node's own copy of an overlay from its inspection by the full ID."""
    detail = network_detail(data)
    load_balancer = next((each for each in detail.endpoints if each.is_load_balancer), None)
    peers = data.get("Peers")
    return NetworkCopy(
        id=clean(data["Id"]),
        name=clean(data["Name"]),
        subnets=tuple(
            ip_network(str(config["Subnet"]), strict=False)
            for config in (data.get("IPAM") or {}).get("Config") or ()
            if config.get("Subnet")
        ),
        peers=None
        if peers is None
        else tuple(Peer(clean(peer["Name"]), clean(peer["IP"])) for peer in peers),
        load_balancer=None if load_balancer is None else load_balancer.address,
        containers=sum(not each.is_load_balancer for each in detail.endpoints),
    )

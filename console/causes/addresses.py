"""Addresses and subnets as a node finds them when it sets a container up.

The texts: libnetwork's ipamapi and network.go, and swarmkit's agent, as of 20.10, 26.1, 28.5 and 29.
"""

from console.causes.values import Area, Cause
from console.journal.signatures import Confidence, LogSeverity

MISSING_ATTACHMENT = "node is missing network attachments, ip addresses may be exhausted"

CAUSES = (
    Cause(
        "node-without-address", Area.ADDRESS, "node without address on a network",
        "its node has no load-balancer address",
        "A node needs one address on each network of its tasks, and this node got none.",
        "Compare the free addresses of the networks, then the engine versions of the nodes.",
        (MISSING_ATTACHMENT,),
        LogSeverity.CRITICAL, is_address_problem=True, certainty=Confidence.LIKELY,
        command="vipconsole glance",
    ),
    Cause(
        "gateway-taken", Area.ADDRESS, "gateway address in use",
        "the gateway address {address} of its network is in use on its node",
        "The node cannot use the network's gateway address, because something on it has that address: usually a "
        "leftover of the same network, else another network with the same subnet.",
        "Drain the node, restart its dockerd, then make the node active again. If the error returns, look for a second "
        "network with that subnet.",
        (
            r"failed to allocate gateway \((?P<address>[^)]*)\): address already in use",
            r"(?:requested )?gateway (?:address )?(?P<address>[0-9a-f.:]+) (?:is )?already in use",
        ),
        LogSeverity.WARNING, is_address_problem=True, certainty=Confidence.LIKELY,
        command="docker node update --availability drain {node}",
    ),
    Cause(
        "node-pool-overlap", Area.ADDRESS, "subnet overlaps on a node",
        "the subnet of its network overlaps another network on its node",
        "The node cannot set the network up: a bridge or another network on that node has the same "
        "addresses. Other nodes may be fine.",
        "Compare the subnets on that node. Remove or move the network that does not belong to the swarm.",
        (
            r"pool overlaps with other one on this address space",
            r"(?:cannot create network .+|conflicts with network .+): networks have (?:overlapping ipv[46]|same bridge name)",
            r"networks have overlapping ipv[46]",
            r"(?:requested )?overlay subnet (?P<subnet>\S+) has conflicts in the host while running in host mode",
        ),
        LogSeverity.WARNING, is_address_problem=True,
        command="docker network inspect --format '{{{{.Name}}}} {{{{json .IPAM.Config}}}}' $(docker network ls -q)",
    ),
    Cause(
        "node-pool-full", Area.ADDRESS, "network full on a node",
        "the network {netname} has no free address",
        "The network has no free address for another container on that node.",
        "Remove containers from that network, or give it a larger subnet.",
        (
            r"no available (?:ipv[46] )?addresses on this network's address pools: (?P<netname>\S+) \(.*\)",
            r"no available (?:ipv[46] )?addresses on this (?:network's address pools|pool)(?:: .*)?",
        ),
        LogSeverity.CRITICAL, is_address_problem=True,
        command="docker network inspect {netname}",
    ),
    Cause(
        "address-taken", Area.ADDRESS, "address of a task in use",
        "the address that its task was given is still in use on its node",
        "Swarm counted the address as free, but an endpoint on the node uses it. The application never started.",
        "Look for an address that is held twice, and for a container whose service is gone.",
        (
            r"(?:could not allocate (?:ip|vip) from ipam: )?address already in use",
            r"requested (?:ip )?address (?P<address>[0-9a-f.:]+) (?:is )?already (?:in use|allocated)",
        ),
        LogSeverity.WARNING, is_address_problem=True, certainty=Confidence.LIKELY,
        command="vipconsole glance",
    ),
    Cause(
        "address-outside", Area.ADDRESS, "address outside the subnet",
        "an address that it requests is outside its network",
        "A fixed address, a gateway or an ip-range is outside the network's subnet.",
        "Compare the address with the network's subnet. If the network was recreated, update the service.",
        (
            r"requested address is out of range",
            r"invalid address (?P<address>[0-9a-f.:]+): it does not belong to any of this network's subnets",
            r"user specified ip address is supported only when connecting to networks with user configured subnets",
            r"no (?:configured subnet or ip-range contain the ip address|matching subnet for ip) .*",
        ),
        LogSeverity.WARNING, is_address_problem=True,
    ),
)  # fmt: skip

"""Addresses, subnets and VXLAN numbers: as a node finds them, and as Swarm's allocator gives them out.

The texts of nodes: libnetwork's ipamapi and network.go, and swarmkit's agent. Those of the allocator: swarmkit's
manager/allocator, libnetwork's cnmallocator, ipams/defaultipam, ipamapi and drivers/overlay/ovmanager. All as of 20.10,
26.1, 28.5 and 29. What a line of dockerd's says in full, with its message, is in `console.journal.signatures`; this table
takes the errors that stand behind other messages and other wrapping. None of it can make guard restart anything.
"""

from console.causes.values import Area, Cause, ErrorSource
from console.journal.signatures import Confidence, LogSeverity

MISSING_ATTACHMENT = "node is missing network attachments, ip addresses may be exhausted"
"""The whole error of a task that was rejected because its node got no load-balancer address
(swarmkit agent/exec, unchanged from 20.10 to 29)."""
_ID = "[0-9a-z]{3,25}"
_NETWORK = f"(?P<network>{_ID})"
_LACKS = "The tasks that need it wait in state New."
_REPLACE = "Remove the network and create it again with a subnet that is free."

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
"""Errors of a node that sets a container up."""
ALLOCATOR_CAUSES = (
    Cause(
        "allocation-no-address", Area.ADDRESS, "no free address",
        "Swarm has no free address: {reason}",
        "A network had no free address when Swarm tried. " + _LACKS,
        "See who holds the addresses (glance). Reclaim leaked ones or enlarge the network before you redeploy on it.",
        (
            r"could not find an available ip(?: while allocating vip)?",
            r"no available (?:ipv[46] )?addresses on this (?:pool|network's address pools).*",
            r"no address returned",
        ),
        LogSeverity.CRITICAL, is_address_problem=True, certainty=Confidence.LIKELY, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-address-taken", Area.ADDRESS, "address already in use in the allocator",
        "Swarm cannot give it its address: {reason}",
        "The allocator already counts that address as used: usually two holders had it before, "
        "or a restart of the leader restored it twice. The network is not necessarily full. " + _LACKS,
        "Look for an address held twice (glance), then update the waiting service with --force.",
        (
            r"could not allocate (?:ip|vip) from ipam: address already in use",
            r"(?:requested )?address already in use",
            r"failed to allocate gateway \((?P<address>[^)]*)\): address already in use",
        ),
        LogSeverity.CRITICAL, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-ipv6", Area.ADDRESS, "IPv6 subnet that Swarm does not allocate",
        "Swarm cannot allocate the IPv6 subnet of its network: {reason}",
        "Docker 28 and later never allocate an overlay with an IPv6 subnet: the network exists but has no addresses, "
        "not even IPv4 ones.",
        "Remove the network and create it again without --ipv6 and without an IPv6 subnet.",
        (
            r"cannot find address (?:pool for (?:poolid:)?|space )[0-9a-f]*:[0-9a-f:.]*/.*",
            r".{0,200}\bipv6 (?:address )?(?:pool|subnet|address|prefix)\b.*",
        ),
        LogSeverity.CRITICAL, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-overlap", Area.ADDRESS, "subnet overlaps another network's",
        "the subnet of its network overlaps another network's",
        "The requested subnet overlaps another network's: the network exists but has no addresses.",
        _REPLACE,
        (
            r"pool overlaps with other one on this address space",
            r"requested subnet \S+ overlaps? .+",
        ),
        LogSeverity.WARNING, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-pools-used-up", Area.ADDRESS, "no subnet left for networks",
        "Swarm has no subnet left for its network",
        "The swarm's default address pool is exhausted: the network exists but has no addresses.",
        "Remove unused networks, or create this one with its own --subnet.",
        (
            r"could not find an available, non-overlapping ipv4 address pool among the defaults to assign to the network",
            r"all predefined address pools have been fully subnetted",
            r"no (?:more|available) (?:subnets?|network|address pool)s?.*",
        ),
        LogSeverity.CRITICAL, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-invalid-pool", Area.ADDRESS, "subnet or ip-range not valid",
        "the subnet of its network is not valid: {reason}",
        "The network requests a subnet, an ip-range, a gateway or an address that Swarm cannot use: the network exists "
        "but has no addresses.",
        "Check its subnet, ip-range and gateway. Then remove it and create it again with valid ones.",
        (
            r"invalid (?:address |ip )?(?:sub)?pool(?: request)?",
            r"invalid pool id: .+",
            r"invalid address (?:pool|subpool|space)",
            r"invalid (?:cidr address|prefix|subnet|address|preferred address|gateway)\b.*",
            r"failed to parse (?:pool request|gateway address) .+",
            r"error parsing subnet .+",
            r"could not parse (?:address string|vip address) .+",
            r"netip\.parse(?:prefix|addr)\(.*",
            r"pool and subpool are of incompatible address families",
            r"address space does not contain specified address pool",
            r"requested address is out of range",
            r"no gateway (?:address )?.*",
        ),
        LogSeverity.WARNING, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-pool-lost", Area.ADDRESS, "subnet unknown to the allocator",
        "Swarm's allocator does not know the subnet of its network: {reason}",
        "The allocator has no record of the network's subnet, usually because the network failed "
        "or was removed while it was in use.",
        _REPLACE + " If the network is in use, hand the lead over (`vipconsole reclaim`): the allocator then reads it again.",
        (r"cannot find address (?:pool|space) .+",),
        LogSeverity.CRITICAL, is_address_problem=True, certainty=Confidence.LIKELY, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-vxlan", Area.NETWORK, "no VXLAN number",
        "its network gets no VXLAN number: {reason}",
        "The requested VXLAN number belongs to another network, or none is free: the network exists but has no "
        "addresses.",
        "Create it again without the option vxlanid_list.",
        (
            r"could not (?:assign|obtain) vxlan id .+",
            r"requested bit is already allocated",
            r"no bit available",
            r"invalid vxlan id value .+",
            r"insufficient vnis.*",
        ),
        LogSeverity.WARNING, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-network-unknown", Area.NETWORK, "network unknown to the allocator",
        "Swarm's allocator does not know its network: {reason}",
        "The network was removed, or never got a subnet. " + _LACKS,
        "Read the network's own failure. A network without a subnet must be removed and created again.",
        (
            r"networkallocator: could not find local network state",
            rf"could not (?:find network allocator|get networker) state for network {_NETWORK}",
            rf"network {_NETWORK} attached to task {_ID} not allocated yet",
            rf"failed to retrieve network {_NETWORK} while allocating task {_ID}",
            rf"network {_NETWORK} (?:not found|does not exist)",
            r"(?:ingress network is missing|no ingress network found)",
        ),
        LogSeverity.CRITICAL, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-pending", Area.ADDRESS, "task waits for its service's address",
        "Swarm has not finished the service's own allocation",
        "The task waits in state New because its service has no address or port yet.",
        "Look at the failure of the service just before this line.",
        (rf"service {_ID} to which (?:this )?task {_ID} belongs has pending allocations",),
        LogSeverity.CRITICAL, is_address_problem=True, certainty=Confidence.LIKELY, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-driver", Area.NETWORK, "network or IPAM driver missing on the leader",
        "the leader lacks a driver of its network: {reason}",
        "The leader cannot load the network's driver or its IPAM driver, so the network gets no addresses.",
        "Install or enable that plugin on every manager, or create the network with the built-in drivers.",
        (
            r"(?:could not resolve (?:network|ipam) driver|failed to resolve ipam while (?:allocating|releasing)) ?.*",
            r"(?:network|ipam) driver \S+ not found.*",
            r"plugin (?:\S+ )?(?:not found|store is uninitialized|not supported).*",
            r"(?:error looking up|unable to (?:find|load)) .*(?:plugin|driver).*",
        ),
        LogSeverity.WARNING, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-port", Area.PORT, "published port taken in the swarm",
        "a port that it publishes is taken by another service",
        "Another service of the swarm publishes the same port through ingress. " + _LACKS,
        "Publish another port, or remove it from the service that has it.",
        (
            r"port '?(?P<port>[0-9]{1,5})'? is already in use by service .+",
            r"(?:published )?port (?:conflict|space|already allocated).*",
            r".{0,100}\bport\b.{0,60}\balready (?:in use|allocated)\b.*",
        ),
        LogSeverity.WARNING, is_address_problem=False, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-second-ingress", Area.NETWORK, "second ingress network",
        "the swarm already has another ingress network",
        "A swarm has only one ingress network, so this one gets no addresses.",
        "Remove one of the two: `docker network ls --filter driver=overlay`.",
        (r"cannot allocate ingress network \S+ \(.+\) because another ingress network is already present.*",),
        LogSeverity.WARNING, is_address_problem=True, place=ErrorSource.ALLOCATOR,
    ),
    Cause(
        "allocation-not-written", Area.NODE, "allocation not recorded",
        "Swarm could not record its allocation: {reason}",
        "The leader found an address but could not store it: the managers lost their quorum or their leader, or were "
        "too slow. Swarm tries again.",
        "Check the managers: `docker node ls`.",
        (
            r"failed updating state in store transaction for .+",
            r"(?:raft|store)[:.] ?.+",
            r"update out of sequence",
            r"object (?:already exists|does not exist)",
            r"context (?:canceled|deadline exceeded)",
            r"rpc error: .+",
            r"(?:node|manager) (?:has )?lost leader(?:ship)?.*",
        ),
        LogSeverity.WARNING, is_address_problem=None, certainty=Confidence.LIKELY, place=ErrorSource.ALLOCATOR,
    ),
)  # fmt: skip
"""Errors of the allocator on the leader."""

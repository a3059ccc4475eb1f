"""Why Swarm's allocator gives out no address, subnet or VXLAN number.

The texts: swarmkit's manager/allocator, libnetwork's cnmallocator, ipams/defaultipam, ipamapi and
drivers/overlay/ovmanager, as of 20.10, 26.1, 28.5 and 29. What a line of dockerd's says in full, with its message, is in
`console.journal.signatures`; this table takes the errors that stand behind other messages and other wrapping. None of it
can make guard restart anything.
"""

from console.causes.values import Area, Cause, ErrorSource
from console.journal.signatures import Confidence, LogSeverity

_ID = "[0-9a-z]{3,25}"
_NETWORK = f"(?P<network>{_ID})"
_LACKS = "The tasks that need it wait in state New."
_REPLACE = "Remove the network and create it again with a subnet that is free."

CAUSES = (
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

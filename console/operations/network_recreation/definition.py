"""What the new network is made from: the old one's definition, and a subnet that nothing else uses."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

from console.errors import Unknown
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
)
from console.operations.network_recreation.record import ServiceRecord
from console.swarm.parse import PARKED_LABEL
from console.swarm.snapshots import SwarmSnapshot
from console.swarm.values import Network
from console.text import plural

SMALLEST = 29
"""The longest prefix that leaves an address besides network address, broadcast and gateway."""


ENDPOINTS_ADVISED = 250
"""Docker's documentation advises against more virtual IPs on an overlay, because of the load-balancer rules
in each sandbox."""


def capacity(subnet: IPv4Network) -> int:
    """Return how many addresses of a subnet can be held at most."""
    return subnet.num_addresses - 3


def needed_on(snapshot: SwarmSnapshot, network: Network) -> int:
    """Return how many addresses are needed for what is on a network now, a load balancer for each node among them."""
    vips = sum(
        service.endpoint_mode == "vip" and service.is_on(network.id, network.name)
        for service in snapshot.services
    )
    return vips + sum(1 for _ in snapshot.live_tasks_on(network.id)) + len(snapshot.nodes)


def body_with_subnet(body: Mapping[str, Any], subnet: IPv4Network) -> dict[str, Any]:
    """Return the body of a network's creation with one IPv4 subnet instead of those that it has; IPv6 stays as it is.

    Gateway and ip-range of the old subnet go with it: they lie in there.
    """
    ipam = body.get("IPAM") or {}
    kept = [
        each for each in ipam.get("Config") or () if ip_network(each["Subnet"], strict=False).version == 6
    ]
    return {**body, "IPAM": {**ipam, "Config": [{"Subnet": str(subnet)}, *kept]}}


def overlapping(
    subnet: IPv4Network, networks: Iterable[Network], besides: str = ""
) -> tuple[tuple[Network, IPv4Network], ...]:
    """Return the networks that a subnet overlaps, and with which of theirs; the one with the ID `besides` is left out."""
    return tuple(
        (network, other)
        for network in networks
        if network.id != besides
        for other in network.ipv4
        if other.overlaps(subnet)
    )


def subnet_refusals(
    subnet: IPv4Network, snapshot: SwarmSnapshot, current: Network | None, around: RecreationEnvironment
) -> Iterator[str]:
    """Yield why a subnet cannot be used, each a sentence."""
    if subnet.prefixlen > SMALLEST:
        yield f"{subnet} is too small for a network: the longest prefix is /{SMALLEST}."
    elif current is not None and capacity(subnet) < (needed := needed_on(snapshot, current)):
        yield (
            f"{subnet} is too small: it has {plural(capacity(subnet), 'address', 'addresses')}, and "
            f"{current.name} needs {needed} now."
        )
    for network, other in overlapping(subnet, snapshot.networks, current.id if current else ""):
        yield f"{subnet} overlaps {other} of the network {network.name}."
    routes = () if isinstance(around.routes, Unknown) else around.routes
    # The bridges of this node's own networks are routes too, and were named already.
    named = {each for network in snapshot.networks for each in network.ipv4}
    for route in routes:
        if route.network.overlaps(subnet) and route.network not in named and route.network.prefixlen:
            what = "this host's own address" if route.network.prefixlen == 32 else "a route of this host"
            yield f"{subnet} overlaps {route.network}, {what} (device {route.device})."


def subnet_notes(subnet: IPv4Network, around: RecreationEnvironment, vips: int) -> Iterator[str]:
    """Yield what is worth knowing about a subnet, each a sentence."""
    for pool in around.pools:
        if subnet.overlaps(pool):
            yield f"{subnet} is inside Swarm's default pool {pool}. Swarm skips ranges in use."
    if isinstance(around.routes, Unknown):
        yield f"Routes of the engine's host are unknown: {around.routes.reason}"
    if subnet.is_global:
        yield (
            f"{subnet} is not a private range. The network cannot reach the Internet addresses that it hides."
        )
    if vips > ENDPOINTS_ADVISED:
        yield (
            f"{vips} virtual IPs share the network. A larger subnet only adds room: `endpoint_mode: dnsrr` "
            "halves the use."
        )


def free_subnet(
    length: int,
    networks: Iterable[Network],
    around: RecreationEnvironment,
    besides: Iterable[IPv4Network] = (),
) -> IPv4Network | None:
    """Return the first subnet of a prefix length in Swarm's pools that overlaps nothing; None where there is none."""
    routes = () if isinstance(around.routes, Unknown) else around.routes
    taken = (
        *(one for network in networks for one in network.ipv4),
        *(route.network for route in routes),
        *besides,
    )
    fitting = (
        subnet
        for pool in around.pools
        if pool.prefixlen <= length
        for subnet in pool.subnets(new_prefix=length)
    )
    return next((subnet for subnet in fitting if not any(subnet.overlaps(one) for one in taken)), None)


NOWHERE = "node.labels.vipconsole.parked==nowhere"


Spec = dict[str, Any]


def must_migrate(spec: Spec) -> bool:
    """Whether it names networks at the service itself: the engine refuses to change them before they are moved."""
    return bool(spec.get("Networks"))


def migrate(spec: Spec) -> None:
    """Move the networks of an old service into its task template, and change nothing else."""
    spec["TaskTemplate"]["Networks"] = [*spec.pop("Networks")]


def empty(spec: Spec, record: ServiceRecord, label: str) -> None:
    """Take all tasks away from a service, and note on it what it was."""
    template = spec["TaskTemplate"]
    if record.mode == "global":
        placement = template["Placement"] = dict(template.get("Placement") or {})
        constraints = [each for each in placement.get("Constraints") or () if each != NOWHERE]
        placement["Constraints"] = [*constraints, NOWHERE]
    else:
        spec["Mode"]["Replicated"]["Replicas"] = 0
    spec["Labels"] = {**(spec.get("Labels") or {}), PARKED_LABEL: label}


def detach(spec: Spec, networks: Collection[str]) -> None:
    """Take a service off a network (by ID and name)."""
    template = spec["TaskTemplate"]
    template["Networks"] = [each for each in template.get("Networks") or () if each["Target"] not in networks]


def is_parked(spec: Spec) -> bool:
    """Whether a service bears the label of a parked one."""
    return bool((spec.get("Labels") or {}).get(PARKED_LABEL))


def is_emptied(spec: Spec) -> bool:
    """Whether a service is parked, and nobody has given it tasks again since."""
    placement = (spec.get("TaskTemplate") or {}).get("Placement") or {}
    replicated = (spec.get("Mode") or {}).get("Replicated") or {}
    return is_parked(spec) and (
        replicated.get("Replicas") == 0 or NOWHERE in (placement.get("Constraints") or ())
    )


def restore(spec: Spec, record: ServiceRecord, network_id: str, gone: Collection[str]) -> None:
    """Give a parked service back what it lost, the network by its present ID; what others changed since stays.

    `gone` are the networks (by ID and name) in whose place the present one stands.
    """
    template = spec["TaskTemplate"]
    networks = [each for each in template.get("Networks") or () if each["Target"] not in {*gone, network_id}]
    for entry in record.entries:
        networks.insert(entry.index, {**entry.body, "Target": network_id})
    template["Networks"] = networks
    if record.mode == "global":
        _unplace(template, record)
    else:
        replicated = spec["Mode"].get("Replicated")
        # A change of its scale in the meantime was intended.
        if replicated is not None and replicated.get("Replicas") == 0:
            if record.replicas is None:
                del replicated["Replicas"]
            else:
                replicated["Replicas"] = record.replicas
    del spec["Labels"][PARKED_LABEL]


def _unplace(template: Spec, record: ServiceRecord) -> None:
    placement = template.get("Placement") or {}
    constraints = [each for each in placement.get("Constraints") or () if each != NOWHERE]
    if constraints:
        placement["Constraints"] = constraints
    else:
        placement.pop("Constraints", None)
    if not placement and record.placement is None:
        template.pop("Placement", None)

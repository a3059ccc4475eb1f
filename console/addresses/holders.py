"""Who holds an address on an overlay, and what Swarm can hand out in one of its subnets.

Sources, each measured on Docker 20.10 to 29: the service's `Endpoint.VirtualIPs`, the live tasks' attachments (also
those behind standalone containers), and the load-balancer endpoint of a node with at least one live task on the
network (on `ingress`: of every node), which only that node's own inspection names: it is known of the node that was
asked, and of those that the settings name.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, Service, Subnet, SwarmState, Task

SMALLEST_WITH_BROADCAST = 30
"""Up to this prefix length the first and the last address are taken for network and broadcast
(moby libnetwork/ipams/defaultipam)."""


@frozen
class Pool:
    """The addresses of one IPv4 subnet that can become someone's.

    In a subnet with an ip-range only the addresses of that range are handed out; the others are never counted,
    neither as used nor as free.
    """

    subnet: IPv4Network
    handed_out_from: IPv4Network
    """The ip-range, or the whole subnet."""
    reserved: frozenset[IPv4Address]
    """Network, broadcast and gateway of the subnet, wherever they lie."""

    @property
    def capacity(self) -> int:
        """How many addresses can be held at most; 253 in a /24."""
        return self.handed_out_from.num_addresses - sum(
            address in self.handed_out_from for address in self.reserved
        )

    def assignable(self, held: "AddressHolders") -> "AddressHolders":
        """Return those of held addresses that Swarm can hand out; a subnet can hold 65,000."""
        first = int(self.handed_out_from.network_address)
        end = first + self.handed_out_from.num_addresses
        return {
            address: holders
            for address, holders in held.items()
            if first <= int(address) < end and address not in self.reserved
        }

    def __contains__(self, address: object) -> bool:
        """Whether Swarm can hand out this address."""
        return (
            isinstance(address, IPv4Address)
            and address in self.handed_out_from
            and address not in self.reserved
        )


def pool_of(subnet: Subnet) -> Pool | None:
    """Return the pool of a subnet, or None for IPv6, which is shown but never counted."""
    network = subnet.network
    if not isinstance(network, IPv4Network):
        return None
    reserved_addresses = set[IPv4Address]()
    if network.prefixlen <= SMALLEST_WITH_BROADCAST:
        reserved_addresses |= {network.network_address, network.broadcast_address}
    if isinstance(subnet.gateway, IPv4Address):
        reserved_addresses.add(subnet.gateway)
    ip_range = subnet.ip_range
    inside = isinstance(ip_range, IPv4Network) and ip_range.subnet_of(network)
    assignable_range = ip_range if inside and isinstance(ip_range, IPv4Network) else network
    return Pool(
        network, assignable_range, frozenset(address for address in reserved_addresses if address in network)
    )


def pools_of(subnets: Iterable[Subnet]) -> tuple[Pool, ...]:
    """Return the pools of the IPv4 subnets among these."""
    return tuple(pool for pool in map(pool_of, subnets) if pool is not None)


class HolderKind(StrEnum):
    """The four kinds of objects that Swarm gives addresses to."""

    VIP = "vip"
    TASK = "task"
    CONTAINER = "container"
    LOAD_BALANCER = "load balancer"


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """Someone who holds an address: by kind, name and ID."""

    kind: HolderKind
    name: str
    id: str


AddressHolders = Mapping[IPv4Address, tuple[Holder, ...]]
"""Every held address with its holders: one, or several where Swarm gave the same address twice."""


@frozen
class NetworkHolders:
    """Who holds which address on one network, and how many hold one that is not known."""

    address_holders: AddressHolders
    unnamed_load_balancers: int
    """Other nodes' load balancers: they hold an address each, but only their own nodes tell which."""


@frozen
class HolderIndex:
    """A swarm's services and live tasks by network, so that many networks cost one pass."""

    vips: Mapping[str, tuple[tuple[IPv4Address, Service], ...]]
    tasks: Mapping[str, tuple[tuple[tuple[IPv4Address, ...], Task], ...]]
    service_names: Mapping[str, str]
    node_names: Mapping[str, str]
    here: str
    """ID of the node that was asked."""
    load_balancers: Mapping[str, Mapping[str, IPv4Address]]
    """Those of other nodes that were asked too: by network ID and node ID."""


def index_holders(swarm: SwarmState) -> HolderIndex:
    """Return the services and live tasks of a swarm by the networks that they hold addresses on."""
    services = known(swarm.services, ())
    vips: defaultdict[str, list[tuple[IPv4Address, Service]]] = defaultdict(list)
    for service in services:
        for vip in service.virtual_ips:
            if isinstance(vip.address, IPv4Address):
                vips[vip.network_id].append((vip.address, service))
    tasks: defaultdict[str, list[tuple[tuple[IPv4Address, ...], Task]]] = defaultdict(list)
    for task in known(swarm.tasks, ()):
        if not task.is_alive:
            continue
        for attachment in task.attachments:
            addresses = tuple(address for address in attachment.addresses if isinstance(address, IPv4Address))
            tasks[attachment.network_id].append((addresses, task))
    return HolderIndex(
        vips={key: tuple(rows) for key, rows in vips.items()},
        tasks={key: tuple(rows) for key, rows in tasks.items()},
        service_names={service.id: service.name for service in services},
        node_names={node.id: node.hostname for node in known(swarm.nodes, ())},
        here="" if isinstance(swarm.engine, Unknown) else swarm.engine.node_id,
        load_balancers=known(swarm.load_balancers, {}),
    )


def holders_on(network: Network, index: HolderIndex) -> NetworkHolders:
    """Return the holders of a network's addresses: services, live tasks, containers and load balancers."""
    endpoints = () if isinstance(network.detail, Unknown) else network.detail.endpoints
    peers = 0 if isinstance(network.detail, Unknown) else network.detail.peers or 0
    names_here = {endpoint.key: endpoint.name for endpoint in endpoints}
    address_holders: dict[IPv4Address, tuple[Holder, ...]] = {}

    def add(address: IPv4Address, holder: Holder) -> None:
        others = address_holders.get(address)
        if others is None:
            address_holders[address] = (holder,)
        elif holder not in others:
            address_holders[address] = tuple(sorted((*others, holder)))

    for address, service in index.vips.get(network.id, ()):
        add(address, Holder(HolderKind.VIP, service.name, service.id))
    tasks = index.tasks.get(network.id, ())
    for addresses, task in tasks:
        holder = Holder(
            HolderKind.CONTAINER if task.is_standalone else HolderKind.TASK,
            task_name(task, index.service_names, index.node_names, names_here),
            task.id,
        )
        for address in addresses:
            add(address, holder)
    named_load_balancers = 0
    for endpoint in endpoints:
        if endpoint.is_load_balancer and endpoint.address is not None:
            named_load_balancers += 1
            name = index.node_names.get(index.here) or "this node"
            add(endpoint.address, Holder(HolderKind.LOAD_BALANCER, name, index.here))
    for node_id, load_balancer in index.load_balancers.get(network.id, {}).items():
        named_load_balancers += 1
        name = index.node_names.get(node_id, node_id[:12])
        add(load_balancer, Holder(HolderKind.LOAD_BALANCER, name, node_id))
    nodes = {task.node_id for _, task in tasks if task.node_id}
    expected_load_balancers = max(len(nodes), peers, len(index.node_names) if network.ingress else 0)
    return NetworkHolders(
        dict(sorted(address_holders.items(), key=lambda held: int(held[0]))),
        max(0, expected_load_balancers - named_load_balancers),
    )


def task_name(
    task: Task,
    service_names: Mapping[str, str],
    node_names: Mapping[str, str],
    names_here: Mapping[str, str] | None = None,
) -> str:
    """Return the name by which `docker service ps` and `docker ps` show a task or a standalone container.

    `names_here` are container names by ID on the node that was asked; with them a task whose service is already
    removed still has its name.
    """
    here = (names_here or {}).get(task.container_id, "")
    if task.is_standalone:
        node = node_names.get(task.node_id, task.node_id[:12])
        return here or f"{task.container_id[:12]} on {node}"
    service = service_names.get(task.service_id, "")
    if not service:
        return here.removesuffix(f".{task.id}") or f"task {task.id[:12]}"
    return f"{service}.{task.slot or node_names.get(task.node_id, task.node_id[:12])}"


def has_duplicate_address(swarm: SwarmState) -> bool:
    """Whether any address has several holders: a cheap check before `duplicate_addresses`."""
    index = index_holders(swarm)
    for network_id in index.vips.keys() | index.tasks.keys():
        addresses = [address for address, _ in index.vips.get(network_id, ())]
        addresses += [
            address for task_addresses, _ in index.tasks.get(network_id, ()) for address in task_addresses
        ]
        if len(set(addresses)) < len(addresses):
            return True
    return False


def duplicate_addresses(
    held_addresses: Iterable[tuple[IPv4Address, tuple[Holder, ...]]],
) -> Iterable[tuple[IPv4Address, tuple[Holder, ...]]]:
    """Return those of held addresses that more than one holder has, which Swarm should never let happen."""
    return ((address, holders) for address, holders in held_addresses if len(holders) > 1)


def count_of_kind(address_holders: AddressHolders, kind: HolderKind) -> int:
    """Return how many of these addresses a kind of holder has."""
    # Hundreds of addresses have one holder each, and this is asked for each figure of each snapshot.
    return sum(
        1
        for holders in address_holders.values()
        if (holders[0].kind is kind if len(holders) == 1 else any(holder.kind is kind for holder in holders))
    )

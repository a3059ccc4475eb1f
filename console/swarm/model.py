"""The objects of a swarm as values: one class for each kind, for all its users.

Every text has passed `console.text.clean`, but for fields without `repr`: they are written back as they are, secrets included.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from console.errors import Result
from console.frozen import frozen

ALIVE = frozenset(
    ("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"),
)
"""A task in one of these states holds its addresses. Past them the API still lists what is free again (swarmkit's IsTaskAllocated)."""
DEFAULT_GRACE_S = 10.0
"""How long a container may take to stop where its service does not say (moby, container/container_unix.go)."""
COUNTING_API = (1, 52)
"""From it on the engine tells how many addresses its allocator has handed out (Docker 29)."""


def _raw() -> Any:
    """Return a field for what the engine gave. It is not compared: a service's changes with its version, a network's never."""
    return field(default_factory=dict, repr=False, compare=False)


@frozen
class Subnet:
    """One IPAM configuration of a network."""

    network: IPv4Network | IPv6Network
    gateway: IPv4Address | IPv6Address | None
    ip_range: IPv4Network | IPv6Network | None


@frozen
class SubnetUse:
    """The allocator's own count for a subnet (API 1.52 and later)."""

    in_use: int
    """Addresses set in the subnet, with network, broadcast, gateway and leaked ones."""
    available: int
    """Addresses that can still be handed out: in the ip-range where there is one, else in the subnet."""


@frozen
class LocalEndpoint:
    """An endpoint of a network on the node that was asked."""

    key: str
    """A container's ID, or `lb-<network>` (`ingress-sbox`) for the node's load balancer."""
    name: str
    address: IPv4Address | None

    @property
    def is_load_balancer(self) -> bool:
        """Whether this is the node's own load-balancer endpoint."""
        return self.key.startswith("lb-") or self.key == "ingress-sbox"


@frozen
class NetworkDetail:
    """What only the inspection of a single network tells."""

    endpoints: tuple[LocalEndpoint, ...]
    peers: int | None
    """Nodes that take part; None where the node that was asked takes no part."""
    use: Mapping[str, SubnetUse]
    """By subnet as written; empty where the engine does not count."""


@frozen
class Network:
    """A network as the list of networks shows it, with its inspection where it is an overlay."""

    id: str
    name: str
    driver: str
    scope: str
    created: datetime
    ingress: bool
    attachable: bool
    subnets: tuple[Subnet, ...]
    detail: Result[NetworkDetail]
    is_leftover: bool = False
    """Whether the swarm has removed it, and only the copy of the node that was asked is still there, for as long as a
    container of it runs. Engines up to 28 tell; on later ones only a changed `created` shows it."""
    has_ipv6: bool = False
    """Whether it was made with IPv6: Docker 28 and later never allocate such an overlay."""
    stack: str = ""
    has_vxlan_ids: bool = True
    """Whether Swarm has given it its VXLAN IDs; True where it needs none."""
    is_from_config: bool = False
    """Whether it takes its settings from another network, or lends them to others."""
    body: Mapping[str, Any] = _raw()
    """What `POST /networks/create` takes to make it again, its subnets as they are."""

    @property
    def is_overlay(self) -> bool:
        """Whether Swarm hands out addresses in it. A network without an allocation has no driver yet."""
        return self.scope == "swarm" and self.driver in ("overlay", "") and not self.is_leftover

    @property
    def is_allocated(self) -> bool:
        """Whether Swarm has given it all its subnets and its VXLAN IDs."""
        return bool(self.subnets) and self.has_vxlan_ids

    @property
    def ipv4(self) -> tuple[IPv4Network, ...]:
        """Its IPv4 subnets."""
        return tuple(subnet.network for subnet in self.subnets if isinstance(subnet.network, IPv4Network))


@frozen
class VirtualIP:
    """The address of a service on a network."""

    network_id: str
    address: IPv4Address | IPv6Address


@frozen
class PublishedPort:
    """A port of the hosts that a service publishes."""

    port: int
    protocol: str
    is_ingress: bool
    """Whether every node of the swarm opens it; else only the nodes that run a task of the service."""


@frozen
class Service:
    """A service: what it asks for, and the virtual IPs that it has."""

    id: str
    name: str
    stack: str
    created: datetime
    updated: datetime
    endpoint_mode: str
    """`vip` or `dnsrr`."""
    network_ids: tuple[str, ...]
    """Networks in its specification, `ingress` not among them."""
    publishes_ingress: bool
    """Whether it publishes a port through the ingress network, and so needs a VIP and task addresses there."""
    virtual_ips: tuple[VirtualIP, ...]
    replicas: int | None
    """None for global services and jobs."""
    mode: str = "replicated"
    """`replicated`, `global`, `replicated-job` or `global-job`."""
    restart: str = "any"
    """When a task that ended is replaced: `any`, `on-failure` or `none`."""
    update_state: str = ""
    """`updating`, `paused`, `completed`, or with `rollback_` before it; nothing where it was never updated."""
    update_started: datetime | None = None
    """When its last update or rollback began."""
    update_message: str = ""
    image: str = ""
    constraints: tuple[str, ...] = ()
    """What a node must be for its tasks, as written in its specification."""
    addressless_ids: tuple[str, ...] = ()
    """Networks in its specification on which Swarm gives nobody an address, such as a node's own `host`."""
    probe: str = ""
    """Whose probe it is, as `HOST/PROCESS`: it walks the ring of a network for a moment. Empty for all other services."""
    parked_by: str = ""
    """Which recreation of its network parked it, as `MACHINE/RUN`, or `?` where its label does not tell; else empty."""
    ports: tuple[PublishedPort, ...] = ()
    rolls_back_to_parked: bool = False
    """Whether a rollback would park it, because its previous specification is that of a parked service."""
    uses: frozenset[str] = frozenset()
    """IDs of the networks, secrets and configs in its specification."""
    grace_s: float = DEFAULT_GRACE_S
    """How long its containers may take to stop."""
    version: int = 0
    """Changes with each update."""
    spec: Mapping[str, Any] = _raw()
    previous_spec: Mapping[str, Any] = _raw()
    """What a rollback would bring; empty where it was never updated."""

    @property
    def is_probe(self) -> bool:
        """Whether this program made it to look for addresses; it is no deploy, and no finding is about it."""
        return bool(self.probe)

    @property
    def is_job(self) -> bool:
        """Whether its tasks are to end by themselves."""
        return self.mode.endswith("-job")

    def label(self, name: str) -> str:
        """Return one of its labels as it is, or nothing."""
        return str((self.spec.get("Labels") or {}).get(name) or "")

    def is_on(self, *networks: str) -> bool:
        """Whether it asks for one of these networks, by ID or by name."""
        return any(entry.get("Target") in networks for _, _, entry in network_entries(self.spec))


def network_entries(spec: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield the networks of a service's specification: the place they are named at, their index there, and the entry.

    Services name them in their task template (`task`); engines before API 1.44 also at the service itself (`service`).
    """
    template = spec.get("TaskTemplate") or {}
    for place, entries in (("task", template.get("Networks")), ("service", spec.get("Networks"))):
        for index, entry in enumerate(entries or ()):
            yield place, index, entry


@frozen
class TaskAttachment:
    """A network of a task, and the addresses that it has there."""

    network_id: str
    network_name: str
    addresses: tuple[IPv4Address | IPv6Address, ...]


@frozen
class Task:
    """A task of a service, or the hidden one behind a standalone container on an attachable overlay."""

    id: str
    service_id: str
    slot: int
    node_id: str
    state: str
    desired_state: str
    since: datetime
    """When it came into its state."""
    message: str
    error: str
    container_id: str
    is_standalone: bool
    """Whether a standalone container is behind it."""
    attachments: tuple[TaskAttachment, ...]
    created: datetime | None = None
    image: str = ""
    """Of its own specification, which may be older than its service's; empty for standalone containers."""
    exit_code: int | None = None
    """Of its container; None where it had none or has not ended."""
    stack: str = ""
    """Of its own specification; there also when its service is gone."""
    network_ids: frozenset[str] = frozenset()
    """Networks that it wants or has, removed ones among them."""
    grace_s: float = DEFAULT_GRACE_S
    """How long its container may take to stop."""
    updated: datetime | None = field(default=None, compare=False)
    """When the swarm wrote it last, by the leader's clock; what it wrote is compared, not when."""

    @property
    def is_alive(self) -> bool:
        """Whether it still holds its addresses."""
        return self.state in ALIVE

    @property
    def is_stopping(self) -> bool:
        """Whether it is stopping and has not ended. A job's task is meant to complete: that is no order to stop."""
        return self.is_alive and self.desired_state not in ALIVE and self.desired_state != "complete"


@frozen
class Node:
    """A node of the swarm."""

    id: str
    hostname: str
    state: str
    availability: str
    is_manager: bool
    is_leader: bool
    reachability: str = ""
    """Of a manager, as the leader sees it: `reachable`, `unreachable` or `unknown`; nothing for a worker."""
    desired_role: str = ""
    """`manager` or `worker`, as its specification says; it becomes one a moment later."""
    handover: str = ""
    """Who pauses and demotes it for a moment, as `HOST/PROCESS`, so that another node leads."""
    availability_before: str = ""
    """Its availability before a hand-over."""
    labels: Mapping[str, str] = _raw()
    borrowed_by: str = ""
    """Who made it a manager for a moment, as `HOST/PROCESS`."""
    allocator_rebuilt: str = ""
    """When a borrowed manager rebuilt its allocator."""


@frozen
class Container:
    """A container of the node that was asked, whether it runs or not."""

    id: str
    name: str
    is_running: bool
    service_id: str
    """Empty where no service is behind it."""
    task_id: str
    """Empty where it was made by hand."""
    stack: str
    networks: Mapping[str, str]
    """By name as the container knows it, the ID of the network; empty before its first start there."""
    ports: frozenset[int] = frozenset()
    """Ports of this node that it publishes."""

    def is_on(self, network_id: str) -> bool:
        """Whether it is on a network."""
        return network_id in self.networks.values()


@frozen
class Endpoint:
    """How a container is attached to a network."""

    container_id: str
    name: str
    is_running: bool
    network_id: str
    """Of the network as the container knows it; empty before its first start there."""
    address: str
    """Its IPv4 address there while it runs, or the one that it was given by hand; empty where it has none."""
    config: Mapping[str, Any]
    """What `POST /networks/{id}/connect` takes to attach it in the same way, without its address. Not cleaned."""


class ObjectKind(StrEnum):
    """What a stack consists of besides tasks, in the order in which it is removed."""

    SERVICE = "service"
    NETWORK = "network"
    SECRET = "secret"  # noqa: S105 - the engine's own word for one
    CONFIG = "config"


@frozen
class StackObject:
    """A secret or a config; or a service or a network, by its name. `stack` is empty where it belongs to none."""

    kind: ObjectKind
    id: str
    name: str
    stack: str


@frozen
class Event:
    """Something that changed, as the engine told it when it happened."""

    kind: str
    """`service`, `network`, `secret`, `config`, `node` or `container`."""
    action: str
    """`create`, `update`, `remove`, `connect`, `start`, `die` …"""
    scope: str
    """`swarm`, or `local` for the node that was asked."""
    id: str
    name: str
    at: datetime
    """By the engine's clock."""
    attributes: Mapping[str, str]
    """Further attributes, such as `updatestate.new` or the service of a container."""


@frozen
class Engine:
    """The engine that was asked, and its place in the swarm."""

    name: str
    version: str
    api_version: tuple[int, int]
    time: datetime
    """The engine's own clock when it answered: ages are counted from it, not from this machine's clock."""
    node_id: str
    cluster_id: str
    managers: int
    nodes: int
    root_dir: str = ""
    """The directory where it keeps its containers."""
    default_pools: tuple[IPv4Network, ...] = ()
    """Where Swarm takes subnets from that nobody chose."""

    @property
    def counts_addresses(self) -> bool:
        """Whether the engine tells how many addresses its allocator has handed out."""
        return self.api_version >= COUNTING_API


@frozen
class SwarmState:
    """A snapshot of a swarm. A part that could not be read says why; the others stand. `WholeSwarm` has every part."""

    engine: Result[Engine]
    networks: Result[tuple[Network, ...]]
    services: Result[tuple[Service, ...]]
    tasks: Result[tuple[Task, ...]]
    nodes: Result[tuple[Node, ...]]
    load_balancers: Result[Mapping[str, Mapping[str, IPv4Address]]] = field(default_factory=dict)
    """Those of other nodes that told them: by network ID and node ID."""

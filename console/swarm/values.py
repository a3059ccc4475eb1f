"""A swarm as one snapshot shows it. Every text in here has passed `console.text.clean`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from console.errors import Part

ALIVE = frozenset(
    ("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"),
)
"""Task states up to running: a task in one of them holds its addresses. Past it (complete, shutdown, failed,
rejected, remove, orphaned) the API still lists addresses that are free again (swarmkit's IsTaskAllocated)."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """One IPAM configuration of a network."""

    network: IPv4Network | IPv6Network
    gateway: IPv4Address | IPv6Address | None
    ip_range: IPv4Network | IPv6Network | None


@dataclass(frozen=True, slots=True)
class SubnetUse:
    """The allocator's own count for a subnet (API 1.52 and later)."""

    in_use: int
    """Addresses set in the subnet, with network, broadcast, gateway and leaked ones."""
    available: int
    """Addresses that can still be handed out: in the ip-range where there is one, else in the subnet."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class NetworkDetail:
    """What only the inspection of a single network tells."""

    endpoints: tuple[LocalEndpoint, ...]
    peers: int | None
    """Nodes that take part; None where the node that was asked takes no part."""
    use: Mapping[str, SubnetUse]
    """By subnet as written; empty where the engine does not count."""


@dataclass(frozen=True, slots=True)
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
    detail: Part[NetworkDetail]
    is_leftover: bool = False
    """Whether the swarm has removed it, and only the copy of the node that was asked is still there, for as long as a
    container of it runs. Engines up to 28 tell; on later ones only a changed `created` shows it."""

    has_ipv6: bool = False
    """Whether it was made with IPv6: Docker 28 and later never allocate such an overlay."""

    @property
    def is_overlay(self) -> bool:
        """Whether Swarm hands out addresses in it. A network without an allocation has no driver yet."""
        return self.scope == "swarm" and self.driver in ("overlay", "") and not self.is_leftover

    @property
    def is_allocated(self) -> bool:
        """Whether Swarm has given it a subnet."""
        return bool(self.subnets)


@dataclass(frozen=True, slots=True)
class VirtualIP:
    """The address of a service on a network."""

    network_id: str
    address: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of the hosts that a service publishes."""

    port: int
    protocol: str
    is_ingress: bool
    """Whether every node of the swarm opens it; else only the nodes that run a task of the service."""


@dataclass(frozen=True, slots=True)
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
    """Whose probe it is, as `HOST/PROCESS`: a service of this program's own that walks the ring of a network for a
    moment. Empty for every other service."""

    parked_by: str = ""
    """Which recreation of its network parked it, as `MACHINE/RUN`, or `?` where its label does not tell. Empty for every
    service that is not parked."""
    ports: tuple[PublishedPort, ...] = ()
    rolls_back_to_parked: bool = False
    """Whether a rollback would park it, because its previous specification is that of a parked service."""

    @property
    def is_probe(self) -> bool:
        """Whether this program made it to look for addresses; it is no deploy, and no finding is about it."""
        return bool(self.probe)

    @property
    def is_job(self) -> bool:
        """Whether its tasks are to end by themselves."""
        return self.mode.endswith("-job")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A network of a task, and the addresses that it has there."""

    network_id: str
    network_name: str
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True)
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
    attachments: tuple[Attachment, ...]
    created: datetime | None = None
    image: str = ""
    """Of its own specification, which may be older than its service's; empty for standalone containers."""
    exit_code: int | None = None
    """Of its container; None where it had none or has not ended."""
    stack: str = ""
    """Of its own specification; there also when its service is gone."""

    @property
    def is_alive(self) -> bool:
        """Whether it still holds its addresses."""
        return self.state in ALIVE

    @property
    def is_stopping(self) -> bool:
        """Whether it is stopping and has not ended."""
        # The tasks of a job are meant to complete: that is no order to stop.
        return self.is_alive and self.desired_state not in ALIVE and self.desired_state != "complete"


@dataclass(frozen=True, slots=True)
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
    wanted_role: str = ""
    """`manager` or `worker`, as its specification says; it becomes one a moment later."""
    handover: str = ""
    """Who pauses and demotes it for a moment, as `HOST/PROCESS`, so that another node leads; nothing for every other node."""
    availability_before: str = ""
    """Its availability before a hand-over; nothing for every other node."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @property
    def counts_addresses(self) -> bool:
        """Whether the engine tells how many addresses its allocator has handed out (Docker 29)."""
        return self.api_version >= (1, 52)


@dataclass(frozen=True, slots=True)
class SwarmState:
    """One snapshot of a swarm. A part that could not be read says why; the others are valid."""

    engine: Part[Engine]
    networks: Part[tuple[Network, ...]]
    services: Part[tuple[Service, ...]]
    tasks: Part[tuple[Task, ...]]
    nodes: Part[tuple[Node, ...]]

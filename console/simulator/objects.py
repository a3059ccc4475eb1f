"""What a simulated swarm consists of: its time, records that the model changes as it passes, and the events of that."""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.frozen import frozen

Json = dict[str, Any]

STATES = (
    "new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running",
    "complete", "shutdown", "failed", "rejected", "remove", "orphaned",
)  # fmt: skip
"""The states of a task, in the order that swarmkit gives them."""
RANK = {state: rank for rank, state in enumerate(STATES)}
RUNNING = RANK["running"]


class SimulatedTimeline:
    """Things to come, in order. `start` is an aware date; `elapsed_s` counts from it."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.elapsed_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def now(self) -> datetime:
        """The simulated time of day."""
        return self.start + timedelta(seconds=self.elapsed_s)

    @property
    def next_due_s(self) -> float | None:
        """When the next thing happens, counted like `elapsed_s`; None if nothing is to come."""
        return self._due[0][0] if self._due else None

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        """Let something happen after so many seconds; of two at the same time, the first that was asked."""
        self._count += 1
        heapq.heappush(self._due, (self.elapsed_s + delay_s, self._count, act))

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that falls into it, each at its own time."""
        target = self.elapsed_s + max(0.0, seconds)
        while self._due and self._due[0][0] <= target:
            self.step()
        self.elapsed_s = target

    def step(self) -> None:
        """Jump to the next thing to come and let it happen."""
        due, _, act = heapq.heappop(self._due)
        self.elapsed_s = max(self.elapsed_s, due)
        act()


@dataclass(slots=True)
class SubnetConfig:
    """A subnet as a network has it: texts as on the wire; `ip_range` may be empty."""

    subnet: str
    ip_range: str
    gateway: str
    vxlan: int


@dataclass(slots=True, eq=False)
class SimNetwork:
    """A swarm network. `ipam_config` is the IPAM configuration of its creation; `config` is empty until allocated."""

    id: str
    name: str
    created: datetime
    updated: datetime
    index: int
    labels: dict[str, str] | None = None
    options: dict[str, str] = field(default_factory=dict)
    ipam_config: list[dict[str, str]] = field(default_factory=list)
    is_attachable: bool = False
    is_internal: bool = False
    is_ingress: bool = False
    has_ipv6: bool = False
    config: list[SubnetConfig] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class SimService:
    """A service. `vips` holds (network ID, address with prefix length)."""

    id: str
    spec: Json
    created: datetime
    updated: datetime
    index: int
    vips: list[tuple[str, str]] = field(default_factory=list)
    is_allocated: bool = False
    previous_spec: Json | None = None
    update_status: Json | None = None
    template_index: int = 0

    @property
    def name(self) -> str:
        """The service's name."""
        return str(self.spec["Name"])

    @property
    def network_ids(self) -> list[str]:
        """The networks in its specification, in their order; `ingress` is not among them."""
        return [network["Target"] for network in networks_of(self.spec)]

    @property
    def ports(self) -> list[Json]:
        """The ports that it publishes."""
        return list((self.spec.get("EndpointSpec") or {}).get("Ports") or [])

    @property
    def publishes_ingress(self) -> bool:
        """Whether a port of it goes through the ingress network."""
        return any(port.get("PublishMode", "ingress") == "ingress" for port in self.ports)

    @property
    def has_vips(self) -> bool:
        """Whether its endpoint mode is `vip`."""
        return ((self.spec.get("EndpointSpec") or {}).get("Mode") or "vip") == "vip"

    @property
    def replicas(self) -> int | None:
        """How many tasks it wants; None for a global service."""
        mode = self.spec["Mode"]
        return None if "Global" in mode else int((mode.get("Replicated") or {}).get("Replicas", 1))


def networks_of(spec: Json) -> list[Json]:
    """Return the networks in a specification; old ones name them at the service itself."""
    return list(spec["TaskTemplate"].get("Networks") or spec.get("Networks") or [])


@dataclass(slots=True, eq=False)
class SimTask:
    """A task. It keeps its networks, so that it can still name one that was removed."""

    id: str
    spec: Json
    created: datetime
    updated: datetime
    index: int
    service_id: str = ""
    service_name: str = ""
    service_labels: dict[str, str] = field(default_factory=dict)
    slot: int = 0
    node_id: str = ""
    state: str = "new"
    desired: str = "running"
    message: str = "created"
    error: str = ""
    since: datetime | None = None
    attachments: list[tuple[SimNetwork, str]] = field(default_factory=list)
    container_id: str = ""
    exit_code: int = 0
    is_attachment: bool = False
    holds: bool = False
    """Whether the allocator counts it as one that has its addresses."""
    has_joined: bool = False
    """Whether it counts among its node's live tasks."""
    is_stopping: bool = False
    is_gone: bool = False
    """Whether it is no longer listed."""
    template_index: int = 0
    successor_id: str = ""
    """The task that starts when this one has ended."""

    @property
    def is_alive(self) -> bool:
        """Whether its state is not past running."""
        return RANK[self.state] <= RUNNING

    @property
    def is_wanted(self) -> bool:
        """Whether it is meant to run."""
        return RANK[self.desired] <= RUNNING

    @property
    def name(self) -> str:
        """Its name, which is also its container's."""
        return f"{self.service_name}.{self.slot or self.node_id}.{self.id}"


@dataclass(slots=True)
class SimEndpoint:
    """A network as a standalone container knows it: by name; by ID once it was started, and then by no other."""

    name: str
    network_id: str = ""
    aliases: list[str] = field(default_factory=list)
    address: str = ""
    """The address that was asked for, if any."""


@dataclass(slots=True, eq=False)
class SimContainer:
    """A container on the engine that is asked."""

    id: str
    name: str
    image: str
    command: list[str]
    created: datetime
    labels: dict[str, str]
    state: str = "created"
    exit_code: int = 0
    task_id: str = ""
    restart: str = ""
    attachments: list[tuple[SimNetwork, str]] = field(default_factory=list)
    endpoints: list[SimEndpoint] = field(default_factory=list)
    """Of a standalone container: the networks it wants."""
    attachment_tasks: dict[str, str] = field(default_factory=dict)
    """Of a standalone container: by network ID, the hidden task behind it."""
    started: datetime | None = None


@dataclass(slots=True, eq=False)
class SimData:
    """A secret or a config; what a secret holds is not kept, for nobody can read it back."""

    id: str
    name: str
    labels: dict[str, str]
    created: datetime
    index: int
    data: str = ""


@dataclass(slots=True, eq=False)
class SimNode:
    """A node of the swarm. `balancers` holds its load-balancer addresses by network ID."""

    id: str
    hostname: str
    address: str
    role: str = "manager"
    availability: str = "active"
    state: str = "ready"
    message: str = ""
    """Why it is in that state, where there is more to tell."""
    is_leader: bool = False
    is_up: bool = True
    """Whether its dockerd runs, and is in the swarm."""
    is_preparing: bool = False
    """Whether it has become a manager a moment ago, and answers no call for the swarm yet."""
    labels: dict[str, str] = field(default_factory=dict)
    balancers: dict[str, str] = field(default_factory=dict)
    live_tasks: dict[str, int] = field(default_factory=dict)
    """How many live tasks it runs on each network."""
    index: int = 9
    desired_role: str = ""
    """The role in its specification; the node takes it on a moment later."""

    def __post_init__(self) -> None:
        """Begin with the role that is wanted."""
        self.desired_role = self.role

    @property
    def is_reachable(self) -> bool:
        """Whether other nodes reach it."""
        return self.is_up and self.state != "down"


@frozen
class SimEvent:
    """A change of an object of the swarm."""

    kind: str
    action: str
    id: str
    at: datetime
    attributes: Mapping[str, str]
    scope: str = "swarm"
    """`local` for what is of this node."""

    @property
    def nanoseconds(self) -> int:
        """Its moment as the engine writes it."""
        return round(self.at.timestamp() * 1_000_000) * 1000

"""A simulated engine and its swarm: what can be done to it, each as the API's call of that purpose."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.errors import SimulatorError
from console.frozen import frozen
from console.simulator.agent import Agent, EngineRules
from console.simulator.allocator import Allocator
from console.simulator.containers import Containers
from console.simulator.managers import Managers
from console.simulator.membership import SimulatedMembership
from console.simulator.networks import LabelledData, Networks, Nodes
from console.simulator.objects import Json, SimNode, SimService, SimTask
from console.simulator.orchestrator import Orchestrator
from console.simulator.services import Services
from console.simulator.store import Store

if TYPE_CHECKING:
    from console.simulator.use_records import UseRecorder

DEFAULT_DATE = datetime(2026, 6, 12, 4, 40, tzinfo=UTC)
"""The simulated date, unless another is asked for."""

ENGINES = {"1.41": "20.10.24", "1.45": "26.1.5", "1.51": "28.5.2", "1.52": "29.1.0"}
"""API versions that can be simulated, and the engine that speaks each."""


@frozen
class EngineInfo:
    """What the engine says of itself. `membership` is `manager`, `worker` or `none`.

    `images` are those it has (None: whatever is asked for). `unallocated_breaks_names` simulates the engines up to
    29.7.2 that find no swarm network by name while one of them has no subnet (moby#53325).
    """

    api_version: str = "1.52"
    host: str = "ci-host"
    membership: str = "manager"
    images: frozenset[str] | None = None
    unallocated_breaks_names: bool = False

    @property
    def version(self) -> str:
        """The engine's version."""
        return ENGINES[self.api_version]

    @property
    def api(self) -> tuple[int, int]:
        """The API version as numbers."""
        major, minor = self.api_version.split(".")
        return int(major), int(minor)


class SimulatedEngine:
    """One engine and the swarm it sees. Everything in it happens on its own timeline."""

    def __init__(
        self,
        identity: EngineInfo,
        start: datetime = DEFAULT_DATE,
        seed: int = 1,
        others: Iterable[tuple[str, str]] = (),
        leader: str = "",
    ) -> None:
        """Begin with nodes and `ingress`. `others` are (host name, role) of more nodes; `leader` is a host name."""
        if identity.api_version not in ENGINES:
            raise SimulatorError(
                f"An engine with API {identity.api_version} cannot be simulated.",
                f"Known versions: {', '.join(ENGINES)}.",
            )
        self.identity = identity
        self.store = Store(seed, start)
        self.go_down: Callable[[float], None] = _stay_up
        """Shuts the socket that it is served on for so many seconds of this machine's time."""
        self.root_dir = "/var/lib/docker"
        """Where it says that its data is. There is none, but for what a demo's host has there."""
        self.temporary: Callable[[Json], Json] = _no_machine
        """Does something to the machine of the temporary manager (`console.simulator.temporary`), and tells what it is."""
        self.use_records: UseRecorder | None = None
        """How its networks were used so far, where its scenario notes that."""
        self.cluster_id = self.store.new_id()
        self.start = start
        self.daemon_start = start
        """When this node's engine was started last."""
        self.allocator = Allocator(self.store, self._on_allocation, self._on_vip_change)
        rules = EngineRules(identity.images, lists_dying_tasks=identity.api >= (1, 52))
        self.agent = Agent(
            self.store, lambda: self.allocator, rules, self._on_task_end, self._on_task_running
        )
        self.orchestrator = Orchestrator(self.store, lambda: self.allocator, lambda: self.agent)
        self.networks = Networks(self.store, self.allocator)
        self.services = Services(self.store, self.allocator, self.agent, self.orchestrator, identity.api)
        self.containers = Containers(self.store, self.allocator)
        self.managers = Managers(self.store, self._take_lead, self._on_node_change, self._give_up)
        self.membership = SimulatedMembership(self.store, self.managers, self.cluster_id)
        self.nodes = Nodes(self.store, self.managers, self._take_role, self._on_node_change)
        self.secrets = LabelledData(self.store, "secret")
        self.configs = LabelledData(self.store, "config")
        self._add_nodes(others, leader or identity.host)
        self.networks.create({"Name": "ingress", "Driver": "overlay", "Ingress": True})
        self.advance(1.0)

    def _add_nodes(self, others: Iterable[tuple[str, str]], leader: str) -> None:
        role = "worker" if self.identity.membership == "worker" else "manager"
        for number, (host, its_role) in enumerate([(self.identity.host, role), *others]):
            node = SimNode(self.store.new_id(), host, f"192.0.2.{10 + number}", its_role)
            node.is_leader = host == leader
            self.store.nodes[node.id] = node
        if not any(node.is_leader for node in self.store.nodes.values()):
            raise SimulatorError(f"Node {leader}, which should lead, not found.")
        self.node = next(iter(self.store.nodes.values()))
        self.store.dockerd_log.node_id = self.node.id
        self.agent.own_node_id = self.node.id
        self.containers.own_node_id = self.node.id

    # Time.

    @property
    def now(self) -> datetime:
        """The simulated date."""
        return self.store.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, and everything happen that falls into them."""
        self.store.timeline.advance(seconds)

    # What happens to the machines.

    def restart(self) -> None:
        """Restart this node's engine: its tasks end and are replaced, its standalone containers stop.

        Where this node led, another manager takes over, or its own new allocator: either has forgotten all leaks.
        """
        self.daemon_start = self.now
        self.store.dockerd_log.write_shutdown()
        self._end_tasks()
        self._start_containers()
        self.store.dockerd_log.write_startup()
        self.managers.regain(self.node)
        if not self.node.is_leader:
            return
        others = [node for node in self.managers.reachable if node is not self.node]
        self.node.is_leader = False
        if len(others) * 2 > len(self.managers.all):
            self._take_lead(others[0])
        else:
            # While it was away nobody could be elected.
            self.managers.elect()

    def _end_tasks(self) -> None:
        for task in list(self.store.tasks.values()):
            if task.node_id == self.node.id and task.is_alive and not task.is_attachment:
                if task.container_id:
                    self.agent.end(task, "failed", f"No such container: {task.name}", "started")
                elif task.state not in ("new", "pending"):
                    self.agent.end(task, "failed", "task was interrupted", task.message)

    def _start_containers(self) -> None:
        for container in list(self.store.containers.values()):
            if container.task_id and container.task_id not in self.store.tasks:
                del self.store.containers[container.id]
            if container.task_id or container.state != "running":
                continue
            self.containers.stop(container.id)
            if container.restart in ("always", "unless-stopped"):
                self.containers.start(container.id)

    def stop(self) -> None:
        """End this node's engine at once: its calls are dropped until `restart` starts it again."""
        self.managers.lose(self.node)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.node.is_up

    def lead(self, reference: str) -> None:
        """Make a node the leader; its allocator begins from what the swarm's log holds."""
        leader = self.store.find_node(reference)
        if leader.role != "manager":
            raise SimulatorError(f"{leader.hostname} is not a manager.")
        self._take_lead(leader)

    def _take_lead(self, leader: SimNode) -> None:
        before = next((node.id for node in self.store.nodes.values() if node.is_leader), "")
        for node in self.store.nodes.values():
            node.is_leader = node is leader
        if before != leader.id:
            self.store.dockerd_log.write_leader_change(before, leader.id)
        self.managers.start_over()
        self.allocator.rebuild()
        for node in self.store.nodes.values():
            self.orchestrator.enforce(node)

    def set_node(self, reference: str, *, state: str = "", availability: str = "") -> None:
        """Change a node's state (`ready`, `down`) or availability (`active`, `pause`, `drain`).

        Pending tasks look for a node again. What runs on the node goes on running where it still may.
        """
        node = self.store.find_node(reference)
        if state:
            self.managers.set_aside(node)
            node.state = state
        node.availability = availability or node.availability
        self._on_node_change(node)

    def _take_role(self, node: SimNode) -> None:
        if node is self.node:
            self.identity = replace(self.identity, membership=node.role)
        if node.role == "worker":
            self.managers.end(node)
        else:
            self.managers.begin(node)

    def start_global_tasks(self, node: SimNode) -> None:
        """Let global services run on a node that has just joined, unless it is drained."""
        if node.availability != "drain":
            for service in list(self.store.services.values()):
                if service.replicas is None:
                    self.orchestrator.reconcile(service)

    def _give_up(self, node: SimNode) -> None:
        """Let the tasks of a node that is down be replaced elsewhere; what runs there is ended, as soon as it is back."""
        for task in list(self.store.tasks.values()):
            if task.node_id == node.id and task.is_alive and not task.is_attachment:
                self.agent.end(task, "shutdown", "", "shutdown")

    def remove_node(self, reference: str, *, is_forced: bool) -> None:
        """Remove a node that is no manager; what it held is given back."""
        node = self.membership.remove_node(reference, is_forced=is_forced)
        for task in list(self.store.tasks.values()):
            if task.node_id == node.id and task.is_alive:
                self.agent.end(task, "orphaned", "", "node removed")
        self.allocator.drop_node(node)

    def set_trap(self, *, unallocated_breaks_names: bool) -> None:
        """Switch the failure of name look-ups on or off."""
        self.identity = replace(self.identity, unallocated_breaks_names=unallocated_breaks_names)

    # What the parts tell each other.

    def _on_allocation(self, task: SimTask) -> None:
        if task.is_attachment:
            self.containers.start_attachment(task)
        else:
            self.agent.schedule(task)

    def _on_vip_change(self, service: SimService) -> None:
        self.orchestrator.reconcile(service)

    def _on_node_change(self, node: SimNode) -> None:
        self.orchestrator.enforce(node)
        for task in list(self.store.tasks.values()):
            self.agent.place(task)

    def _on_task_end(self, task: SimTask) -> None:
        self.orchestrator.replace_task(task)

    def _on_task_running(self, task: SimTask) -> None:
        self.orchestrator.roll_on(task)

    # The truth, for tests.

    def truth(self) -> Json:
        """Return per network (by name) and subnet what the allocator holds: every address and its holder."""
        networks: Json = {}
        for network in self.store.networks.values():
            pools = self.allocator.pools.pools.get(network.id, [])
            networks[network.name] = {
                "id": network.id,
                "subnets": {
                    str(pool.subnet): {
                        "in_use": pool.in_use,
                        "free": pool.free,
                        "addresses": {
                            pool.address_text(at): {"holder": holder.kind, "id": holder.id}
                            for at, holder in sorted(pool.holders.items())
                        },
                    }
                    for pool in pools
                },
            }
        return {"now": self.now.isoformat(), "networks": networks}

    def addresses_of(self, network: str, kind: str) -> list[str]:
        """Return the addresses of a network (by name or ID) that holders of a kind have, such as `leaked`."""
        sim_network = self.store.find_network(network)
        return [
            pool.address_text(at)
            for pool in self.allocator.pools.pools.get(sim_network.id, [])
            for at, holder in sorted(pool.holders.items())
            if holder.kind == kind
        ]


def _stay_up(_: float) -> None:
    """Do nothing: without a socket there is nothing to shut."""


def _no_machine(_: Json) -> Json:
    raise SimulatorError("Without a socket there is no temporary manager.")

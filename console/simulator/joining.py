"""An engine beside the one that is simulated: in no swarm at first, it can join that one's swarm and leave it again.

It shows the swarm as its own socket would: nothing while it is in none or a worker, everything while it is a manager. It has
no containers but those that are started on it by hand, and it is never given a task while it is drained.
"""

from dataclasses import replace
from datetime import datetime

from console.simulator.containers import Containers
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.networks import Networks
from console.simulator.objects import SimNode

TEMPORARY = "vipconsole-temporary"
"""Host name of the temporary manager."""


class JoiningEngine:
    """An engine of the same version, reachable at `address` by the managers of the swarm."""

    def __init__(self, swarm: SimulatedEngine, host: str = TEMPORARY, address: str = "198.18.0.2") -> None:
        self.swarm = swarm
        self.address = address
        self.is_up = True
        """Whether it runs."""
        self.is_pending = False
        """Whether it tries to join."""
        self.is_locked = False
        """Whether it waits for the unlock key."""
        self.node = SimNode("", host, address, "worker")
        self._is_member = False
        self._identity = replace(swarm.identity, host=host)
        self.start = self.daemon_start = swarm.now
        self.store = swarm.store.of_another_engine()
        self.allocator, self.managers, self.membership = swarm.allocator, swarm.managers, swarm.membership
        self.services, self.nodes = swarm.services, swarm.nodes
        self.secrets, self.configs = swarm.secrets, swarm.configs
        self.networks = Networks(self.store, swarm.allocator)
        self.containers = Containers(self.store, swarm.allocator)

    @property
    def identity(self) -> EngineInfo:
        """What it says of itself."""
        if self._is_member:
            membership = "locked" if self.is_locked else self.node.role
        else:
            membership = "pending" if self.is_pending else "none"
        return replace(self._identity, membership=membership)

    @property
    def root_dir(self) -> str:
        """Where it keeps its data."""
        return f"{self.swarm.root_dir}-of-{self._identity.host}"

    @property
    def cluster_id(self) -> str:
        """The ID of the swarm."""
        return self.swarm.cluster_id

    @property
    def now(self) -> datetime:
        """The simulated date."""
        return self.swarm.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, for the swarm too."""
        self.swarm.advance(seconds)

    def become(self, node: SimNode) -> None:
        """Be a node of the swarm."""
        self.is_pending, self._is_member = False, True
        self.node = node
        self.containers.own_node_id = node.id
        # Every node takes part in `ingress`, whatever else it does.
        self.allocator.balance(node)
        self.swarm.start_global_tasks(node)

    def leave(self) -> None:
        """Be in no swarm."""
        self.is_pending = self.is_locked = self._is_member = False
        self.node = SimNode("", self._identity.host, self.address, "worker")

    # What happens to the machine.

    def stop(self) -> None:
        """End it at once, however it is ended: it writes everything to its disk as it goes."""
        self.is_up = self.is_pending = False
        if self._is_member:
            self.managers.lose(self.node)

    def run(self) -> None:
        """Start it; it is what it was, but for a manager that is locked."""
        self.is_up, self.daemon_start = True, self.now
        self.is_locked = self._is_member and self.node.role == "manager" and bool(self.membership.unlock_key)
        if self._is_member and not self.is_locked:
            self.managers.regain(self.node)

    def unlock(self) -> None:
        """Let a locked manager be one again."""
        self.is_locked = False
        self.managers.regain(self.node)

    def lose_data(self) -> None:
        """Forget the swarm, whose node stays as it is and is never up again. It must not run."""
        self.leave()


AnyEngine = SimulatedEngine | JoiningEngine
"""An engine that answers calls."""

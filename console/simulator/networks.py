"""Networks, nodes, secrets and configs of the simulated swarm."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network

from console.simulator.allocator import Allocator
from console.simulator.filters import Refusal, failed_precondition, not_found
from console.simulator.managers import Managers
from console.simulator.objects import Json, SimData, SimEvent, SimNetwork, SimNode, SimService
from console.simulator.store import Store

DEMOTE_S, PROMOTE_S = 0.2, 0.6
"""Seconds until a node has become what its specification says (measured on 20.10, in a swarm of three)."""
RETRY_S = 0.5
"""Swarm tries to change a role again after so long, where no manager leads or the node is not there."""
PREDEFINED = ("bridge", "host", "none")


class Nodes:
    """The swarm's nodes. `take_role` is called when a node becomes a worker or a manager, `on_change` after each change."""

    def __init__(
        self,
        store: Store,
        managers: Managers,
        take_role: Callable[[SimNode], None],
        on_change: Callable[[SimNode], None],
    ) -> None:
        self._store = store
        self._managers = managers
        self._take_role = take_role
        self._on_change = on_change

    def update(self, reference: str, version: int, spec: Json) -> None:
        """Give a node a new specification; `version` must be the one that was read."""
        node = self._store.find_node(reference)
        if version != node.index:
            raise Refusal("rpc error: code = Unknown desc = update out of sequence", 500)
        role = str(spec.get("Role") or "worker")
        others = [
            other
            for other in self._store.nodes.values()
            if other is not node and other.desired_role == "manager" and other.is_reachable
        ]
        if role == "worker" and node.desired_role == "manager" and not others:
            raise failed_precondition("attempting to demote the last manager of the swarm")
        node.labels = dict(spec.get("Labels") or {})
        node.availability = str(spec.get("Availability") or "active")
        node.index = self._store.next_index()
        if role != node.desired_role:
            node.desired_role = role
            delay_s = DEMOTE_S if role == "worker" else PROMOTE_S
            self._store.timeline.after(delay_s, lambda: self._become(node))
        self._on_change(node)

    def _become(self, node: SimNode) -> None:
        if node.role == node.desired_role or node.id not in self._store.nodes:
            return
        is_agreed = self._managers.leader is not None and self._managers.has_quorum
        if not is_agreed or (node.desired_role == "manager" and not node.is_up):
            self._store.timeline.after(RETRY_S, lambda: self._become(node))
        else:
            node.role = node.desired_role
            node.index = self._store.next_index()
            self._take_role(node)
            self._on_change(node)


class LabelledData:
    """The swarm's objects of one kind, `secret` or `config`."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._things: dict[str, SimData] = {}

    def create(self, body: Json) -> str:
        """Create one from the body of `POST /secrets/create` or `/configs/create`, and return its ID."""
        name = str(body.get("Name") or "")
        if any(thing.name == name for thing in self._things.values()):
            raise Refusal(
                f"rpc error: code = AlreadyExists desc = {self._kind} {name} already exists",
                409,
            )
        now = self._store.now
        thing = SimData(
            self._store.new_id(), name, dict(body.get("Labels") or {}), now, self._store.next_index()
        )
        if self._kind == "config":
            thing.data = str(body.get("Data") or "")
        self._things[thing.id] = thing
        self._tell("create", thing)
        return thing.id

    def list_all(self) -> list[SimData]:
        """Return the objects of this kind, the oldest first."""
        return list(self._things.values())

    def remove(self, reference: str) -> None:
        """Remove one, by ID or name, unless a service uses it."""
        target = next((thing for thing in self._things.values() if reference in (thing.id, thing.name)), None)
        if target is None:
            raise not_found(self._kind, reference)
        users = [
            service.name for service in self._store.services.values() if target.id in self._ids_in(service)
        ]
        if users:
            noun = "service" if len(users) == 1 else "services"
            raise Refusal(
                f"rpc error: code = InvalidArgument desc = {self._kind} '{target.name}' is in use by the following "
                f"{noun}: {', '.join(users)}",
                400,
            )
        del self._things[target.id]
        self._tell("remove", target)

    def _ids_in(self, service: SimService) -> Iterator[str]:
        container = service.spec["TaskTemplate"].get("ContainerSpec") or {}
        key = self._kind.capitalize()
        for reference in container.get(f"{key}s") or ():
            yield reference[f"{key}ID"]

    def _tell(self, action: str, thing: SimData) -> None:
        self._store.events.publish(
            SimEvent(self._kind, action, thing.id, self._store.now, {"name": thing.name})
        )


class Networks:
    """The swarm's networks, and this node's copies of them."""

    def __init__(self, store: Store, allocator: Allocator) -> None:
        self._store = store
        self._allocator = allocator

    def create(self, body: Json) -> str:
        """Create an overlay from the body of `POST /networks/create`, and return its ID.

        As with the engine, a subnet that overlaps another is accepted; the network then never gets one.
        """
        name = str(body.get("Name") or "")
        if not name:
            raise Refusal("invalid name: ", 500)
        if any(
            network.name == name
            for network in (*self._store.networks.values(), *self.local_copies().values())
        ):
            raise Refusal(f"network with name {name} already exists", 409)
        if body.get("Driver", "bridge") != "overlay":
            raise Refusal("only overlay networks can be simulated", 501)
        ipam_config = list((body.get("IPAM") or {}).get("Config") or [])
        for config in ipam_config:
            _check(config.get("Subnet") or "")
        if body.get("Ingress"):
            for other in self._store.networks.values():
                if other.is_ingress:
                    raise Refusal(f"ingress network ({other.id}) is already present", 409)
        now = self._store.now
        network = SimNetwork(
            id=self._store.new_id(),
            name=name,
            created=now,
            updated=now,
            index=self._store.next_index(),
            labels=body.get("Labels") or None,
            options=dict(body.get("Options") or {}),
            ipam_config=ipam_config,
            is_attachable=bool(body.get("Attachable")),
            is_internal=bool(body.get("Internal")),
            is_ingress=bool(body.get("Ingress")),
            has_ipv6=bool(body.get("EnableIPv6")),
        )
        self._store.networks[network.id] = network
        self._store.tell("create", network)
        self._allocator.add_network(network)
        return network.id

    def remove(self, reference: str) -> None:
        """Remove a network, unless a service or a task that is meant to run is on it.

        Tasks that only have yet to end do not count (swarmkit, controlapi): what they hold elsewhere will leak.
        """
        if reference in PREDEFINED:
            raise Refusal(f"{reference} is a pre-defined network and cannot be removed", 403)
        network = self.find(reference)
        if network.id not in self._store.networks:
            raise not_found("network", network.id)
        for service in self._store.services.values():
            if network.is_ingress and service.publishes_ingress:
                raise failed_precondition(
                    f"ingress network cannot be removed because service {service.id} depends on it"
                )
            if network.id in service.network_ids:
                raise failed_precondition(f"network {network.id} is in use by service {service.id}")
        for task in self._store.tasks.values():
            on_it = any(entry.get("Target") == network.id for entry in task.spec.get("Networks") or [])
            if on_it and task.is_wanted and task.is_alive:
                raise failed_precondition(f"network {network.id} is in use by task {task.id}")
        del self._store.networks[network.id]
        self._store.tell("remove", network)
        self._allocator.drop_network(network)

    def find(self, reference: str) -> SimNetwork:
        """Find a network by ID, name or beginning of its ID; also one of which only this node's copy is left."""
        copies = self.local_copies()
        if reference in copies:
            return copies[reference]
        try:
            return self._store.find_network(reference)
        except Refusal:
            for network in copies.values():
                if network.name == reference or network.id.startswith(reference):
                    return network
            raise

    def local_copies(self) -> dict[str, SimNetwork]:
        """Return this node's copies of swarm networks, by ID: those that a container here is still attached to."""
        copies = {
            network.id: network
            for network in self._store.networks.values()
            if network.is_ingress and network.config
        }
        for container in self._store.containers.values():
            if container.state == "running":
                for network, _ in container.attachments:
                    copies[network.id] = network
        return copies


def _check(subnet: str) -> None:
    if not subnet:
        return
    try:
        ip_network(subnet)
    except ValueError as error:
        raise Refusal(f"Invalid subnet {subnet} : invalid CIDR address: {subnet}", 500) from error

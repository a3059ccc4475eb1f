"""Networks of the simulated swarm: created at once, allocated later, removed under swarmkit's conditions."""

from ipaddress import ip_network

from console.simulator.allocator import Allocator
from console.simulator.filters import Refusal, failed_precondition, not_found
from console.simulator.objects import Json, SimNetwork
from console.simulator.store import Store

PREDEFINED = ("bridge", "host", "none")


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
        if any(each.name == name for each in (*self._store.networks.values(), *self.local_copies().values())):
            raise Refusal(f"network with name {name} already exists", 409)
        if body.get("Driver", "bridge") != "overlay":
            raise Refusal("only overlay networks can be simulated", 501)
        asked = list((body.get("IPAM") or {}).get("Config") or [])
        for each in asked:
            _check(each.get("Subnet") or "")
        if body.get("Ingress"):
            for each in self._store.networks.values():
                if each.is_ingress:
                    raise Refusal(f"ingress network ({each.id}) is already present", 409)
        now = self._store.now
        network = SimNetwork(
            id=self._store.new_id(),
            name=name,
            created=now,
            updated=now,
            index=self._store.next_index(),
            labels=body.get("Labels") or None,
            options=dict(body.get("Options") or {}),
            asked=asked,
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
            on_it = any(each.get("Target") == network.id for each in task.spec.get("Networks") or [])
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
        copies = {each.id: each for each in self._store.networks.values() if each.is_ingress and each.config}
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

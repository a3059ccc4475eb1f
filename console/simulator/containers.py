"""Standalone containers on attachable overlays: each has a hidden task of the swarm behind it."""

from console.simulator.allocator import Allocator
from console.simulator.filters import Refusal
from console.simulator.ipam import PoolHolder
from console.simulator.objects import Json, SimContainer, SimEndpoint, SimNetwork, SimTask
from console.simulator.store import Store

_NO_ADDRESS = (
    "attaching to network failed, make sure your network options are correct and check manager logs: "
    "context deadline exceeded"
)


class Containers:
    """The containers of this node that no service owns."""

    def __init__(self, store: Store, allocator: Allocator) -> None:
        self._store = store
        self._allocator = allocator
        self.own_node_id = ""

    def create(self, name: str, body: Json) -> str:
        """Create a container from the body of `POST /containers/create`, and return its ID."""
        identity = self._store.new_container_id()
        name = name or f"nameless_{identity[:6]}"
        for other in self._store.containers.values():
            if other.name == name:
                raise Refusal(
                    f'Conflict. The container name "/{name}" is already in use by container "{other.id}". '
                    "You have to remove (or rename) that container to be able to reuse that name.",
                    409,
                )
        host = body.get("HostConfig") or {}
        endpoints = dict((body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {})
        mode = host.get("NetworkMode") or "default"
        if not endpoints and mode not in ("default", "bridge", "host", "none"):
            endpoints = {mode: {}}
        sim_endpoints = [self._endpoint(network, more or {}) for network, more in endpoints.items()]
        self._store.containers[identity] = SimContainer(
            id=identity,
            name=name,
            image=str(body.get("Image", "")),
            command=[*(body.get("Entrypoint") or []), *(body.get("Cmd") or [])],
            created=self._store.now,
            labels=dict(body.get("Labels") or {}),
            restart=str((host.get("RestartPolicy") or {}).get("Name") or ""),
            endpoints=sim_endpoints,
        )
        return identity

    def start(self, reference: str) -> bool:
        """Start a container; False if it runs already. It gets its addresses at once, or is refused."""
        container = self._store.find_container(reference)
        if container.state == "running":
            return False
        for endpoint in container.endpoints:
            self._attach(container, endpoint, self._network_of(endpoint))
        container.state = "running"
        container.started = self._store.now
        return True

    def stop(self, reference: str) -> bool:
        """Stop a container; False if it does not run. It gives its addresses back at once."""
        container = self._store.find_container(reference)
        if container.state != "running":
            return False
        container.state = "exited"
        container.exit_code = 137
        for network_id in list(container.attachment_tasks):
            self._detach(container, network_id)
        return True

    def remove(self, reference: str, *, force: bool) -> None:
        """Remove a container; a running one only by force."""
        container = self._store.find_container(reference)
        if container.state == "running":
            if not force:
                raise Refusal(
                    f"You cannot remove a running container {container.id}. Stop the container before attempting "
                    "removal or force remove",
                    409,
                )
            self.stop(container.id)
        del self._store.containers[container.id]

    def connect(self, network: str, reference: str, config: Json) -> None:
        """Attach a container to one more network, as `EndpointConfig` asks."""
        container = self._store.find_container(reference)
        endpoint = self._endpoint(network, config)
        if any(other.name == endpoint.name for other in container.endpoints):
            raise Refusal(f"{container.name} is already attached to network {endpoint.name}", 409)
        if container.state == "running":
            self._attach(container, endpoint, self._attachable(network))
        container.endpoints.append(endpoint)

    def disconnect(self, network: str, reference: str) -> None:
        """Take a container off a network; off one that is gone only by its name."""
        container = self._store.find_container(reference)
        copies = {endpoint.network_id for endpoint in container.endpoints if container.state == "running"}
        networks = [
            candidate
            for candidate in self._store.networks.values()
            if network in (candidate.id, candidate.name)
        ]
        name = networks[0].name if networks else network
        connected = next(
            (
                endpoint
                for endpoint in container.endpoints
                if endpoint.name == name or (endpoint.network_id == network and network in copies)
            ),
            None,
        )
        if connected is None:
            where = f"network {name}" if networks else f"the network {network}"
            raise Refusal(f"container {container.id} is not connected to {where}", 500)
        container.endpoints.remove(connected)
        self._detach(container, connected.network_id)

    def start_attachment(self, task: SimTask) -> None:
        """Put a hidden task that has its address on its node."""
        self._allocator.join_node(task, self._store.nodes[self.own_node_id])
        task.state, task.message, task.since = "running", "started", self._store.now
        self._store.note_write(task)

    def _endpoint(self, network: str, config: Json) -> SimEndpoint:
        address = (config.get("IPAMConfig") or {}).get("IPv4Address") or ""
        return SimEndpoint(
            self._attachable(network).name, aliases=list(config.get("Aliases") or []), address=address
        )

    def _network_of(self, endpoint: SimEndpoint) -> SimNetwork:
        if not endpoint.network_id:
            return self._store.find_network(endpoint.name)
        # Once started, a container knows its network by ID, and finds no other one of the same name.
        if endpoint.network_id not in self._store.networks:
            raise Refusal(
                f"Could not attach to network {endpoint.network_id}: rpc error: code = NotFound desc = network "
                f"{endpoint.network_id} not found",
                404,
            )
        return self._store.networks[endpoint.network_id]

    def _attachable(self, reference: str) -> SimNetwork:
        network = self._store.find_network(reference)
        if not network.is_attachable:
            raise Refusal(
                f"Could not attach to network {network.name}: rpc error: code = PermissionDenied desc = "
                f"network {network.name} not manually attachable",
                403,
            )
        return network

    def _attach(self, container: SimContainer, endpoint: SimEndpoint, network: SimNetwork) -> None:
        now = self._store.now
        task = SimTask(
            id=self._store.new_id(),
            spec={
                "NetworkAttachmentSpec": {"ContainerID": container.id},
                "Networks": [{"Target": network.id}],
                "ForceUpdate": 0,
                "Runtime": "attachment",
            },
            created=now,
            updated=now,
            since=now,
            index=self._store.next_index(),
            node_id=self.own_node_id,
            is_attachment=True,
        )
        self._store.add_task(task)
        if endpoint.address:
            self._claim(task, network, endpoint.address)
        else:
            self._allocator.add_task(task)
            self._allocator.run_pass()
        if not task.holds:
            self._allocator.end_task(task)
            self._store.forget_task(task)
            raise Refusal(f"Could not attach to network {network.name}: {_NO_ADDRESS}", 500)
        endpoint.network_id = network.id
        container.attachment_tasks[network.id] = task.id
        container.attachments = [*container.attachments, *task.attachments]

    def _claim(self, task: SimTask, network: SimNetwork, address: str) -> None:
        """Give a task a certain address, if it is free."""
        full_address = self._allocator.pools.claim(network.id, address, PoolHolder("task", task.id))
        if full_address is not None:
            task.attachments, task.holds = [(network, full_address)], True
            self.start_attachment(task)

    def _detach(self, container: SimContainer, network_id: str) -> None:
        container.attachments = [
            attachment for attachment in container.attachments if attachment[0].id != network_id
        ]
        task = self._store.tasks.get(container.attachment_tasks.pop(network_id, ""))
        if task is not None:
            task.desired = "remove"
            task.state = "shutdown"
            self._allocator.end_task(task)
            self._store.forget_task(task)

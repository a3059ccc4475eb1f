"""Who gets which address: the part of Swarm's leader that keeps its knowledge in memory only.

It follows swarmkit's manager/allocator: what is new is tried at the next pass, what failed is tried again only
after something was given back, and a task's addresses are given back only while every network of it still exists.
"""

from collections.abc import Callable

from console.simulator.dockerd_log import NO_STATE, NO_VIP
from console.simulator.ipam import AddressPools, PoolHolder
from console.simulator.objects import SimNetwork, SimNode, SimService, SimTask
from console.simulator.store import Store

PASS_DELAY_S = 0.01
"""From a change to the allocator's next pass."""


class Allocator:
    """What waits for addresses, and the passes that hand them out.

    `on_allocation` is told of each task that can be scheduled, `on_vip_change` of each service whose addresses
    were written.
    """

    def __init__(
        self,
        store: Store,
        on_allocation: Callable[[SimTask], None],
        on_vip_change: Callable[[SimService], None],
    ) -> None:
        self._store = store
        self._on_allocation = on_allocation
        self._on_vip_change = on_vip_change
        self.on_leak: Callable[[SimTask], None] = _note_nothing
        """Is told of each task whose addresses stay taken for good."""
        self.pass_delay_s = PASS_DELAY_S
        """A leader under load needs longer. What comes meanwhile waits for the same pass."""
        self._forget()

    def _forget(self) -> None:
        self.pools = AddressPools()
        self._new_networks: dict[str, SimNetwork] = {}
        self._failed_networks: dict[str, SimNetwork] = {}
        self._new_services: dict[str, SimService] = {}
        self._failed_services: dict[str, SimService] = {}
        self._new_tasks: dict[str, SimTask] = {}
        self._failed_tasks: dict[str, SimTask] = {}
        self._has_returned_addresses = False
        self._is_pass_due = False
        self._is_init = False

    # What is to be allocated.

    def add_network(self, network: SimNetwork) -> None:
        """Let the next pass give a network its subnets."""
        self._new_networks[network.id] = network
        self._wake()

    def add_service(self, service: SimService) -> None:
        """Let the next pass give a service the virtual IPs that its specification asks for, and no others."""
        service.is_allocated = False
        self._failed_services.pop(service.id, None)
        self._new_services[service.id] = service
        self._wake()

    def add_task(self, task: SimTask) -> None:
        """Let the next pass give a task its addresses."""
        self._new_tasks[task.id] = task
        self._wake()

    @property
    def has_unallocated_networks(self) -> bool:
        """Whether any network is without a subnet."""
        return any(network not in self.pools.pools for network in self._store.networks)

    # What is given back.

    def drop_network(self, network: SimNetwork) -> None:
        """Forget a network that was removed, with everything that was held in it."""
        self._new_networks.pop(network.id, None)
        self._failed_networks.pop(network.id, None)
        self.pools.close(network)
        for node in self._store.nodes.values():
            if node.live_tasks.get(network.id) and self._leads:
                self._store.dockerd_log.write_missing_network_state(node.id, network.id)
        self._note_return()

    def drop_service(self, service: SimService) -> None:
        """Take the virtual IPs of a removed service back."""
        self._new_services.pop(service.id, None)
        self._failed_services.pop(service.id, None)
        for network_id, address in service.vips:
            self.pools.release(network_id, address)
        self._note_return()

    def end_task(self, task: SimTask) -> None:
        """Take back what a task held that has ended or is no longer listed.

        If one of its networks was removed meanwhile, the allocator takes the task for one that has nothing, and its
        addresses on the other networks stay taken for good (moby#37338): they are marked as leaked.
        """
        self._new_tasks.pop(task.id, None)
        self._failed_tasks.pop(task.id, None)
        if task.holds:
            task.holds = False
            if all(network.id in self.pools.pools for network, _ in task.attachments):
                for network, address in task.attachments:
                    self.pools.release(network.id, address)
                self._note_return()
            else:
                for network, address in task.attachments:
                    self.pools.mark(network.id, address, PoolHolder("leaked", task.id))
                self.on_leak(task)
        self._leave_node(task)

    def drop_node(self, node: SimNode) -> None:
        """Take the load-balancer addresses of a removed node back."""
        for network_id, address in node.balancers.items():
            self.pools.release(network_id, address)
        node.balancers.clear()
        self._note_return()

    def _leave_node(self, task: SimTask) -> None:
        node = self._store.nodes.get(task.node_id)
        if node is None or not task.has_joined:
            return
        task.has_joined = False
        for network, _ in task.attachments:
            remaining = node.live_tasks.get(network.id, 0) - 1
            node.live_tasks[network.id] = remaining
            if remaining <= 0:
                node.live_tasks.pop(network.id)
                if node.id == self._store.dockerd_log.node_id and not network.is_ingress:
                    self._store.dockerd_log.write_network_drop(network.id, network.name)
                if not network.is_ingress and network.id in node.balancers:
                    self.pools.release(network.id, node.balancers.pop(network.id))
                    self._note_return()

    def join_node(self, task: SimTask, node: SimNode) -> None:
        """Note that a task goes to a node, which needs a load balancer of its own on each network of it.

        A balancer that finds no address is not queued: only the next task of that node tries again.
        """
        task.has_joined = True
        for network, _ in task.attachments:
            node.live_tasks[network.id] = node.live_tasks.get(network.id, 0) + 1
        self.balance(node)

    def balance(self, node: SimNode) -> None:
        """Give a node the load-balancer addresses that it lacks."""
        network_ids = [
            *node.live_tasks,
            *(network.id for network in self._store.networks.values() if network.is_ingress),
        ]
        for network_id in network_ids:
            if network_id in self.pools.pools and network_id not in node.balancers:
                address = self.pools.request(network_id, PoolHolder("balancer", node.id))
                if address is not None:
                    node.balancers[network_id] = address

    # The passes.

    def run_pass(self) -> None:
        """Allocate what is new, and, if anything was given back, what failed before."""
        self._is_pass_due = False
        networks, services, tasks = [*self._new_networks.values()], self._new_services, self._new_tasks
        new = {*self._new_networks, *services, *tasks}
        is_retry = self._has_returned_addresses or bool(networks)
        self._has_returned_addresses = False
        if is_retry:
            networks = [*self._failed_networks.values(), *networks]
            services = {**self._failed_services, **services}
            tasks = {**self._failed_tasks, **tasks}
            self._failed_networks, self._failed_services, self._failed_tasks = {}, {}, {}
        self._new_networks, self._new_services, self._new_tasks = {}, {}, {}
        for network in networks:
            if not self._allocate_network(network):
                self._failed_networks[network.id] = network
                if network.id in new and self._leads:
                    self._store.dockerd_log.write_network_failure(network.id)
        for service in services.values():
            if not self._try_service(service) and service.id in new:
                self._log_service_failure(service)
        for task in tasks.values():
            if not task.is_gone and task.is_alive and not self._try_task(task) and task.id in new:
                self._log_task_failure(task)
        self._is_init = False

    def _try_task(self, task: SimTask) -> bool:
        if not self._allocate_task(task):
            self._failed_tasks[task.id] = task
            return False
        self._on_allocation(task)
        return True

    def _try_service(self, service: SimService) -> bool:
        before = list(service.vips)
        if not self._allocate_service(service):
            self._failed_services[service.id] = service
            return False
        service.is_allocated = True
        if service.vips != before:
            self._store.note_write(service)
            self._on_vip_change(service)
        return True

    # What is said of it: the first time; retries are on the level of debugging.

    @property
    def _leads(self) -> bool:
        node = self._store.nodes.get(self._store.dockerd_log.node_id)
        return node is not None and node.is_leader

    def _log_service_failure(self, service: SimService) -> None:
        if self._leads:
            is_there = all(id_ in self.pools.pools for id_ in service.network_ids)
            self._store.dockerd_log.write_service_failure(
                service.id,
                NO_VIP if is_there else NO_STATE,
                is_update=service.previous_spec is not None,
                is_init=self._is_init,
            )

    def _log_task_failure(self, task: SimTask) -> None:
        if not self._leads or task.is_attachment:
            return
        service = self._store.services.get(task.service_id)
        if service is not None and not service.is_allocated:
            error = f"service {task.service_id} to which task {task.id} belongs has pending allocations"
        else:
            targets = [network["Target"] for network in task.spec.get("Networks") or []]
            full = next((target for target in targets if self.pools.is_full(target)), "")
            if not full:
                return
            error = (
                f"failed to allocate network IP for task {task.id} network {full}: "
                "could not find an available IP"
            )
        self._store.dockerd_log.write_task_failure(task.id, error, is_init=self._is_init)

    def rebuild(self) -> None:
        """Rebuild the state from the swarm's log, as a new leader does.

        What leaked is free again, and what waited is tried at once.
        """
        self._forget()
        self._is_init = True
        for network in sorted(self._store.networks.values(), key=lambda network: not network.is_ingress):
            if network.config:
                self.pools.reopen(network)
            else:
                self.add_network(network)
        for node in self._store.nodes.values():
            for network_id, address in list(node.balancers.items()):
                if self.pools.claim(network_id, address, PoolHolder("balancer", node.id)) is None:
                    del node.balancers[network_id]
        for service in self._store.services.values():
            for network_id, address in service.vips:
                self.pools.claim(network_id, address, PoolHolder("vip", service.id))
            if not service.is_allocated:
                self.add_service(service)
        for task in self._store.tasks.values():
            self._restore_task(task)

    def _restore_task(self, task: SimTask) -> None:
        if task.holds:
            for network, address in task.attachments:
                self.pools.claim(network.id, address, PoolHolder("task", task.id))
        elif task.state == "new":
            self.add_task(task)

    def _allocate_network(self, network: SimNetwork) -> bool:
        if not self.pools.open(network):
            return False
        self._store.note_write(network)
        if network.is_ingress:
            for node in self._store.nodes.values():
                self.balance(node)
        return True

    def _allocate_service(self, service: SimService) -> bool:
        network_ids = (
            self._networks_of(service.network_ids, uses_ingress=service.publishes_ingress)
            if service.has_vips
            else []
        )
        if any(network_id not in self.pools.pools for network_id in network_ids):
            return False
        current_vips = [
            (network_id, address) for network_id, address in service.vips if network_id in network_ids
        ]
        for network_id, address in service.vips:
            if network_id not in network_ids:
                self.pools.release(network_id, address)
                self._note_return()
        service.vips = current_vips
        new_vips: list[tuple[str, str]] = []
        for network_id in network_ids:
            if any(network_id == vip for vip, _ in current_vips):
                continue
            new_address = self.pools.request(network_id, PoolHolder("vip", service.id))
            if new_address is None:
                for added_id, added_address in new_vips:
                    self.pools.release(added_id, added_address)
                return False
            new_vips.append((network_id, new_address))
        service.vips = sorted(current_vips + new_vips, key=lambda vip: network_ids.index(vip[0]))
        return True

    def _allocate_task(self, task: SimTask) -> bool:
        service = self._store.services.get(task.service_id)
        if not task.is_attachment and (service is None or not service.is_allocated):
            return False
        targets = [network["Target"] for network in task.spec.get("Networks") or []]
        uses_ingress = service is not None and service.publishes_ingress
        attachments: list[tuple[SimNetwork, str]] = []
        for network_id in self._networks_of(targets, uses_ingress=uses_ingress):
            address = (
                self.pools.request(network_id, PoolHolder("task", task.id))
                if network_id in self.pools.pools
                else None
            )
            if address is None:
                for network, added_address in attachments:
                    self.pools.release(network.id, added_address)
                return False
            attachments.append((self._store.networks[network_id], address))
        task.attachments = attachments
        task.holds = True
        return True

    def _networks_of(self, targets: list[str], *, uses_ingress: bool) -> list[str]:
        ingress = (
            [network.id for network in self._store.networks.values() if network.is_ingress]
            if uses_ingress
            else []
        )
        return ingress + [target for target in targets if target not in ingress]

    def _note_return(self) -> None:
        self._has_returned_addresses = True
        if self._failed_networks or self._failed_services or self._failed_tasks:
            self._wake()

    def _wake(self) -> None:
        if not self._is_pass_due:
            self._is_pass_due = True
            self._store.timeline.after(self.pass_delay_s, self._run_if_due)

    def _run_if_due(self) -> None:
        # A rebuild or an attachment may have run the pass already.
        if self._is_pass_due:
            self.run_pass()


def _note_nothing(_: SimTask) -> None:
    """Do nothing: nobody records what leaks."""

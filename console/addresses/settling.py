"""Whether a single look at a swarm proves what leaked, or a second one has to tell. Pure.

A look is not one moment: the engine's clock is read first, then the allocator's counts, then who holds what. What it
proves rests on the order in which Swarm works (moby b985e23 of 2026-08, vendor/github.com/moby/swarmkit/v2):

- The allocator takes an address before it writes the holder to the store (manager/allocator/network.go, allocateTask and
  commitAllocatedTask), and gives it back after the store has the end or the removal of the holder (doTaskAlloc, doNetworkAlloc).
- Each write carries the leader's time (manager/state/store/memory.go, touchMeta): `UpdatedAt`.

So a holder that has an address after the count, and was last written before the clock was read, had it during the count.
Where nobody was written later, the count is at least holders and leaks together: if it equals the holders, nothing leaked,
however much is still being given back.

A surplus leaked unless it is just being given back or taken. A task that ends is listed for 250 ms more
(manager/orchestrator/taskreaper), one that was never placed is gone at once, but only after its service changed. The events of
the only node of a swarm tell both, and so does a container's end. Other nodes' containers leave no trace here: there only a
second look tells.

Measured on a real engine of that source (API 1.56), on a machine under load, while services without containers came, were scaled
and went for nine minutes: 0 of 1,478 counts were wrong, 1,224 of them were made in one look, and 235 were left unknown. 80 addresses
of removed services were given back at most 81 ms after the engine had answered. `tests/benchmarks/test_looks.py` does that again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain

from console.addresses.accounting import NetworkAccount, account
from console.addresses.holders import has_duplicate_address
from console.addresses.leaks import UNKNOWN_SUBNET, allocator_of
from console.durations import is_known
from console.errors import Unknown, known
from console.swarm.model import Event, LocalEndpoint, Service, SwarmState, Task

KEPT_EVENTS = 256
"""So many the engine keeps (moby daemon/events/events.go); of a time with more it does not tell all."""
IRRELEVANT_ACTIONS = ("exec_", "health_status", "top", "attach", "resize", "archive-path", "extract-to-dir")
"""Beginnings of what containers do all the time and what changes no address."""
TELLING_KINDS = frozenset(("service", "network", "node", "container", "daemon"))
"""Whose events go with a change of addresses."""


def needs_proof(swarm: SwarmState) -> bool:
    """Whether what leaked is only known once it is proven: the engine counts, or an address seems to be held twice."""
    if isinstance(swarm.engine, Unknown):
        return False
    return swarm.engine.counts_addresses or has_duplicate_address(swarm)


def proves_no_leak(swarm: SwarmState) -> bool:
    """Whether this look alone proves that nothing leaked on any overlay."""
    if isinstance(swarm.engine, Unknown) or not _is_whole(swarm) or not _asked_leader(swarm):
        return False
    if has_duplicate_address(swarm):
        return False
    clock = swarm.engine.time
    written = _written_since(swarm, clock)
    return all(
        network_account.network.id not in written
        and all(_is_clean(subnet.leak.count, subnet.leak.why_unknown) for subnet in network_account.subnets)
        and _are_load_balancers_due(network_account, swarm)
        for network_account in account(swarm, swarm)
    )


def events_tell_all(swarm: SwarmState) -> bool:
    """Whether nothing can change hands here without an event or a written time: the swarm has one node, which was asked."""
    return (
        _is_whole(swarm)
        and _asked_leader(swarm)
        and len(known(swarm.nodes, ())) == 1
        and not has_duplicate_address(swarm)
        and not any(_waits(task) for task in known(swarm.tasks, ()))
        and not any(_lacks_address(service) for service in known(swarm.services, ()))
    )


def quiet_s(swarm: SwarmState, events: Iterable[Event], settle_s: float) -> float | None:
    """Return for how many seconds before the look nothing had changed, by the engine's clock and events of its last `settle_s`.

    Negative where something changed during the look. None where that is not known: the engine keeps too few events, or was
    started meanwhile.
    """
    told = tuple(events)
    allocator = allocator_of(swarm)
    if isinstance(swarm.engine, Unknown) or allocator is None or len(told) >= KEPT_EVENTS:
        return None
    clock = swarm.engine.time
    start = clock - timedelta(seconds=settle_s)
    if allocator.daemon_began is None or allocator.daemon_began >= start:
        return None
    moments = chain(
        (event.at for event in told if is_telling(event)),
        (task.updated or task.since for task in known(swarm.tasks, ())),
        (service.updated for service in known(swarm.services, ())),
        (network.created for network in known(swarm.networks, ()) if is_known(network.created)),
    )
    return (clock - max(moments, default=start)).total_seconds()


def is_telling(event: Event) -> bool:
    """Whether an event can go with a change of addresses."""
    return event.kind in TELLING_KINDS and not event.action.startswith(IRRELEVANT_ACTIONS)


def _is_whole(swarm: SwarmState) -> bool:
    parts = (swarm.networks, swarm.services, swarm.tasks, swarm.nodes)
    return not any(isinstance(part, Unknown) for part in parts)


def _asked_leader(swarm: SwarmState) -> bool:
    """Whether the node that was asked leads: its clock is then the one of all written times, and its store the first."""
    if isinstance(swarm.engine, Unknown):
        return False
    return any(node.is_leader and node.id == swarm.engine.node_id for node in known(swarm.nodes, ()))


def _written_since(swarm: SwarmState, moment: datetime) -> set[str]:
    """Return the networks on which a holder was written since a moment or starts, and those that were made since."""
    network_ids = {network.id for network in known(swarm.networks, ()) if network.created >= moment}
    for service in known(swarm.services, ()):
        if service.updated >= moment:
            network_ids.update(virtual_ip.network_id for virtual_ip in service.virtual_ips)
    for task in known(swarm.tasks, ()):
        # A task that is placed and does not run yet may still wait for the load balancer of its node.
        is_placed = task.node_id and task.state != "running"
        if task.is_alive and (is_placed or task.updated is None or task.updated >= moment):
            network_ids.update(attachment.network_id for attachment in task.attachments)
    return network_ids


def _is_clean(count: int | None, why_unknown: str) -> bool:
    # A second look would not tell more of a subnet among several.
    return count == 0 or why_unknown == UNKNOWN_SUBNET


def _are_load_balancers_due(network_account: NetworkAccount, swarm: SwarmState) -> bool:
    """Whether exactly the nodes with a task on a network are taken to have a load balancer there.

    Peers and a node's own endpoint go a moment after the allocator has the address back.
    """
    network = network_account.network
    if isinstance(network.detail, Unknown) or isinstance(swarm.engine, Unknown):
        return False
    here = any(_holds(endpoint) for endpoint in network.detail.endpoints)
    peers = network.detail.peers or 0
    if network.ingress:
        # Every node has one there; one that just joined, or is down, may not have it yet or any more.
        nodes = len(known(swarm.nodes, ()))
        return here and nodes in (1, peers)
    node_ids = {
        task.node_id
        for task in known(swarm.tasks, ())
        if task.is_alive and task.node_id and network.id in task.network_ids
    }
    return peers <= len(node_ids) and (not here or swarm.engine.node_id in node_ids)


def _holds(endpoint: LocalEndpoint) -> bool:
    return endpoint.is_load_balancer and endpoint.address is not None


def _waits(task: Task) -> bool:
    """Whether a task waits for its addresses: the allocator may have taken some of them already, again and again."""
    return task.is_alive and task.state == "new"


def _lacks_address(service: Service) -> bool:
    """Whether a service waits for its addresses."""
    if service.endpoint_mode != "vip":
        return False
    given = {virtual_ip.network_id for virtual_ip in service.virtual_ips}
    wanted = set(service.network_ids) - set(service.addressless_ids)
    return not wanted <= given or (service.publishes_ingress and not given)

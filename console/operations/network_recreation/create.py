"""Creates the network again, retried while a local copy of the old one lingers.

A creation says little: it is refused while this node's copy of the removed network lingers, and it is accepted for a
subnet that overlaps another one, which then never comes. So it is tried again, and what was created is read back.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, ip_network
from typing import Any

from console.concurrency import until
from console.errors import EngineRefused, Unknown, VipconsoleError
from console.operations.changes import NOT_ANSWERED, TRIES, Change
from console.operations.network_recreation.job import CREATE, POLL_S, RecreationError, RecreationJob
from console.operations.network_recreation.parking import attached_here, services_on
from console.operations.network_recreation.plan import RecreationEnvironment
from console.operations.network_recreation.record import ipv4_of
from console.operations.probes import run_to_end
from console.swarm.model import Network

LINGERS_S = 60.0
"""How long a copy of the removed network may linger."""
LINGERS_USUALLY_S = 8.0
"""Up to 6 s were measured, on 20.10, 26.1 and 28.5."""
ALLOCATED_WITHIN_S = 15.0
"""A subnet comes within some milliseconds, or never."""
CONFLICT = 409


def body_with_subnet(body: Mapping[str, Any], subnet: IPv4Network) -> dict[str, Any]:
    """Return the body of a network's creation with one IPv4 subnet instead of those that it has; IPv6 stays as it is.

    Gateway and ip-range of the old subnet go with it: they lie in there.
    """
    ipam = body.get("IPAM") or {}
    ipv6_configs = [
        config
        for config in ipam.get("Config") or ()
        if ip_network(config["Subnet"], strict=False).version == 6
    ]
    return {**body, "IPAM": {**ipam, "Config": [{"Subnet": str(subnet)}, *ipv6_configs]}}


def free_subnet(
    length: int,
    networks: Iterable[Network],
    environment: RecreationEnvironment,
    besides: Iterable[IPv4Network] = (),
) -> IPv4Network | None:
    """Return the first subnet of a prefix length in Swarm's pools that overlaps nothing; None where there is none."""
    routes = () if isinstance(environment.routes, Unknown) else environment.routes
    occupied = (
        *(subnet for network in networks for subnet in network.ipv4),
        *(route.network for route in routes),
        *besides,
    )
    candidates = (
        subnet
        for pool in environment.pools
        if pool.prefixlen <= length
        for subnet in pool.subnets(new_prefix=length)
    )
    return next(
        (subnet for subnet in candidates if not any(subnet.overlaps(other) for other in occupied)), None
    )


class NetworkCreator:
    """Creates the network again with the wanted subnet, else with the old one, else with a free one."""

    def __init__(
        self, job: RecreationJob, body: Mapping[str, Any], environment: RecreationEnvironment
    ) -> None:
        self._job = job
        self._dependencies = job.dependencies
        self._target_body = body
        self._environment = environment
        self._why: list[str] = []

    async def run(self) -> Network:
        """Return the new network once it has its subnet: the wanted one, if it is free.

        Raises RecreationError when no network could be made at all.
        """
        await self._job.outage.begin(CREATE)
        async for body in self._candidates():
            subnets = ", ".join(str(subnet) for subnet in ipv4_of(body))
            await self._dependencies.say(f"creating the network {self._job.name} with {subnets}")
            try:
                network = await self._try_create(body)
            except VipconsoleError as error:
                self._why.append(error.sentence)
                continue
            if network is not None:
                return network
            self._why.append(f"Swarm did not allocate {subnets} for it.")
        raise RecreationError(
            f"The network {self._job.name} is removed, and creating it again failed: {' '.join(self._why)}",
            "Once the engine answers, resume or undo the run. Or run its `way-back.sh`.",
        )

    async def _candidates(self) -> AsyncIterator[Mapping[str, Any]]:
        old = self._job.record.network.body
        yield self._target_body
        if ipv4_of(old) != ipv4_of(self._target_body):
            yield old
        length = min((subnet.prefixlen for subnet in ipv4_of(old)), default=24)
        snapshot = await self._dependencies.snapshot()
        others = [network for network in snapshot.networks if network.id not in self._job.old_network_ids]
        tested_subnets = (*ipv4_of(self._target_body), *ipv4_of(old))
        free = free_subnet(length, others, self._environment, tested_subnets)
        if free is not None:
            yield body_with_subnet(old, free)

    async def _try_create(self, body: Mapping[str, Any]) -> Network | None:
        """Create a network and return it; None where it got no subnet and is removed again. Raises what the engine says."""
        for is_again in (False, True):
            network = await self._find_network() or await self._create(body)
            allocated_network = await self._wait_for_allocation(network)
            if allocated_network is not None and (
                allocated_network.ipv4 == ipv4_of(body) or is_again or await self._is_used(allocated_network)
            ):
                # Somebody else's network of the same name is no reason to stay down: everything is put on it.
                return allocated_network
            await self._discard(network)
            if allocated_network is None:
                break
        return None

    async def _create(self, body: Mapping[str, Any]) -> Network:
        clock = self._dependencies.clock
        change = Change("network", "", "create", {"body": dict(body)}, is_way_back=True)
        note = await self._dependencies.retrying.begin(change)
        began_s, refusals, is_retried = clock.monotonic(), 0, False
        while True:
            error: VipconsoleError | None = None
            try:
                await run_to_end(self._dependencies.changer.create_network(body))
            except EngineRefused as refusal:
                error = refusal
                refusals += refusal.status != CONFLICT
            except NOT_ANSWERED as failure:
                error = failure
            # Whatever the answer was: the list shows what exists.
            network = await self._find_network()
            if network is not None:
                await note({"id": network.id})
                return network
            if clock.monotonic() - began_s >= LINGERS_USUALLY_S and not is_retried:
                # It may still exist, whatever the answer was.
                is_retried = True
                await self._remove_again()
            if error is not None and (
                refusals >= TRIES
                or clock.monotonic() - began_s >= max(LINGERS_S, self._dependencies.retrying.max_wait_s)
            ):
                await note({"not_made": error.sentence})
                raise error
            await clock.sleep(POLL_S)

    async def _remove_again(self) -> None:
        listed_ids = {
            network.id for network in (await self._dependencies.snapshot()).networks_with_name(self._job.name)
        }
        for network_id in listed_ids & self._job.old_network_ids:
            with suppress(*NOT_ANSWERED):
                await self._dependencies.changer.remove_network(network_id)

    async def _find_network(self) -> Network | None:
        """Return the swarm's network of the name; what lingers of a removed one is none."""
        snapshot = await self._dependencies.snapshot()
        await self._job.note(snapshot)
        there = (
            network for network in snapshot.networks_with_name(self._job.name) if network.scope == "swarm"
        )
        return next((network for network in there if network.id not in self._job.old_network_ids), None)

    async def _wait_for_allocation(self, network: Network) -> Network | None:
        """Return a network once it has its subnets and VXLAN IDs; None where they do not come."""
        if network.is_allocated:
            return network

        async def find_allocated() -> Network | None:
            current = await self._find_network()
            is_done = current is not None and current.id == network.id and current.is_allocated
            return current if is_done else None

        return await until(find_allocated, self._dependencies.clock, ALLOCATED_WITHIN_S, POLL_S)

    async def _is_used(self, network: Network) -> bool:
        """Whether a service or a container is on a network."""
        snapshot = await self._dependencies.snapshot()
        return bool(
            services_on(snapshot, network)
            or attached_here(snapshot, network)
            or any(snapshot.live_tasks_on(network.id))
        )

    async def _discard(self, network: Network) -> None:
        """Remove an unwanted network that nothing uses."""
        change = Change("network", network.id, "discard", {"body": dict(network.body)}, is_way_back=True)
        note = await self._dependencies.retrying.begin(change)
        await self._dependencies.retrying.ask(lambda: self._dependencies.changer.remove_network(network.id))
        self._job.old_network_ids.add(network.id)
        await note({})

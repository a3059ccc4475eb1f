"""Creates the network again, retried while a local copy of the old one lingers.

A creation says little: it is refused while this node's copy of the removed network lingers, and it is accepted for a
subnet that overlaps another one, which then never comes. So it is tried again, and what was created is looked at.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from console.concurrency import until
from console.errors import EngineRefused, VipconsoleError
from console.operations.changes import NOT_ANSWERED, TRIES, Change
from console.operations.network_recreation.definition import body_with_subnet, free_subnet
from console.operations.network_recreation.job import POLL_S, RecreationFailed, RecreationJob
from console.operations.network_recreation.plan import RecreationEnvironment
from console.operations.network_recreation.record import ipv4_of
from console.operations.network_recreation.waits import attached_here, services_on
from console.operations.probes import unbroken
from console.swarm.values import Network

LINGERS_S = 60.0
"""How long a copy of the removed network may linger."""
LINGERS_USUALLY_S = 8.0
"""Up to 6 s were measured, on 20.10, 26.1 and 28.5."""
ALLOCATED_WITHIN_S = 15.0
"""A subnet comes within some milliseconds, or never."""
CONFLICT = 409


class NetworkCreator:
    """Brings the network back into being."""

    def __init__(self, job: RecreationJob, wanted: Mapping[str, Any], around: RecreationEnvironment) -> None:
        self._job = job
        self._dependencies = job.dependencies
        self._wanted = wanted
        self._around = around
        self._why: list[str] = []

    async def run(self) -> Network:
        """Return the new network once it has its subnet: the wanted one, if it is free.

        Raises RecreationFailed when no network could be made at all.
        """
        async for body in self._candidates():
            subnets = ", ".join(str(subnet) for subnet in ipv4_of(body))
            await self._dependencies.say(f"creating the network {self._job.name} with {subnets}")
            try:
                network = await self._made(body)
            except VipconsoleError as error:
                self._why.append(error.sentence)
                continue
            if network is not None:
                return network
            self._why.append(f"Swarm did not allocate {subnets} for it.")
        raise RecreationFailed(
            f"The network {self._job.name} is removed, and creating it again failed: {' '.join(self._why)}",
            "Once the engine answers, resume or undo the run. Or run its `way-back.sh`.",
        )

    async def _candidates(self) -> AsyncIterator[Mapping[str, Any]]:
        old = self._job.record.network.body
        yield self._wanted
        if ipv4_of(old) != ipv4_of(self._wanted):
            yield old
        length = min((subnet.prefixlen for subnet in ipv4_of(old)), default=24)
        snapshot = await self._dependencies.snapshot()
        others = [network for network in snapshot.networks if network.id not in self._job.gone]
        tried = (*ipv4_of(self._wanted), *ipv4_of(old))
        free = free_subnet(length, others, self._around, tried)
        if free is not None:
            yield body_with_subnet(old, free)

    async def _made(self, body: Mapping[str, Any]) -> Network | None:
        """Create a network and return it; None where it got no subnet and is removed again. Raises what the engine says."""
        for is_again in (False, True):
            found = await self._present() or await self._create(body)
            allocated = await self._allocated(found)
            if allocated is not None and (
                allocated.ipv4 == ipv4_of(body) or is_again or await self._is_used(allocated)
            ):
                # Somebody else's network of the same name is no reason to stay down: everything is put on it.
                return allocated
            await self._discard(found)
            if allocated is None:
                break
        return None

    async def _create(self, body: Mapping[str, Any]) -> Network:
        clock = self._dependencies.clock
        change = Change("network", "", "create", {"body": dict(body)}, is_way_back=True)
        note = await self._dependencies.retrying.begin(change)
        began_s, refusals, is_asked_again = clock.monotonic(), 0, False
        while True:
            error: VipconsoleError | None = None
            try:
                await unbroken(self._dependencies.changer.create_network(body))
            except EngineRefused as refusal:
                error = refusal
                refusals += refusal.status != CONFLICT
            except NOT_ANSWERED as failure:
                error = failure
            # Whatever the answer was: the list shows what exists.
            found = await self._present()
            if found is not None:
                await note({"id": found.id})
                return found
            if clock.monotonic() - began_s >= LINGERS_USUALLY_S and not is_asked_again:
                # It may still exist, whatever the answer was.
                is_asked_again = True
                await self._remove_again()
            if error is not None and (
                refusals >= TRIES
                or clock.monotonic() - began_s >= max(LINGERS_S, self._dependencies.retrying.max_wait_s)
            ):
                await note({"not_made": error.sentence})
                raise error
            await clock.sleep(POLL_S)

    async def _remove_again(self) -> None:
        listed = {network.id for network in (await self._dependencies.snapshot()).named(self._job.name)}
        for each in listed & self._job.gone:
            with suppress(*NOT_ANSWERED):
                await self._dependencies.changer.remove_network(each)

    async def _present(self) -> Network | None:
        """Return the swarm's network of the name; what lingers of a removed one is none."""
        snapshot = await self._dependencies.snapshot()
        self._job.note(snapshot)
        there = (network for network in snapshot.named(self._job.name) if network.scope == "swarm")
        return next((network for network in there if network.id not in self._job.gone), None)

    async def _allocated(self, network: Network) -> Network | None:
        """Return a network once it has its subnets and VXLAN IDs; None where they do not come."""

        async def allocated() -> Network | None:
            found = await self._present()
            is_done = found is not None and found.id == network.id and found.is_allocated
            return found if is_done else None

        return await until(allocated, self._dependencies.clock, ALLOCATED_WITHIN_S, POLL_S)

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
        await self._dependencies.retrying.asked(lambda: self._dependencies.changer.remove_network(network.id))
        self._job.gone.add(network.id)
        await note({})

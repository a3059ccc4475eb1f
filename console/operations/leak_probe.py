"""Proves on scratch networks what each order of removing a stack loses on this very engine, and loses nothing else.

A service that no node takes reserves addresses for its tasks all the same, so no image and no container is needed. What is
made bears the label of a probe and a name of this program's: whatever happens, the next changing command removes it.
"""

from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

from console.clock import Clock
from console.concurrency import until
from console.errors import EngineError, EngineTimeout, Unknown
from console.frozen import frozen
from console.operations.probes import IMAGE, NOWHERE, ProbeOwner, Prober, network_name, run_to_end
from console.swarm.changer import SwarmChanger
from console.swarm.model import Network, SwarmState, Task
from console.swarm.parse import PROBE_LABEL
from console.swarm.reader import SwarmReader
from console.text import plural

TASKS = 3
"""Of the service that is removed: at most so many addresses can leak at a time."""
SCRATCH = IPv4Network("10.255.240.0/20")
"""Where the shared scratch network gets its subnet, at the end of Swarm's own pool. It is small, for all its addresses are
walked."""
LENGTH = 28
WITHIN_S = 30.0
POLL_S = 0.05


@frozen
class Leaks:
    """What was lost."""

    naive: int
    """Addresses that one removal in the order of `docker stack rm` leaked, of a service with `tasks` tasks."""
    safe: int
    """The same for the order that waits for the tasks to end."""
    tasks: int

    def verdict(self, free: int | None = None) -> str:
        """Return what that means, in words; `free` is what the network of interest has free at most."""
        if not self.naive and not self.safe:
            return (
                "No leak: this engine gives back every address when a network is removed while tasks are "
                "stopping."
            )
        addresses = plural(self.naive, "address", "addresses")
        text = f"This engine leaks: removing a network while {plural(self.tasks, 'task')} were stopping leaked {addresses}"
        text += (
            "; removing it after a wait leaked none."
            if not self.safe
            else f"; removing it after a wait leaked {self.safe}."
        )
        if free is not None and self.naive:
            text += (
                " A larger subnet only adds room: it is full after about "
                f"{plural(free // self.naive, 'more removal')} of this size."
            )
        return text


class LeakProbe:
    """One proof. The caller holds the maintenance lock."""

    def __init__(
        self,
        reader: SwarmReader,
        changer: SwarmChanger,
        clock: Clock,
        owner: ProbeOwner,
        say: Callable[[str], Awaitable[object]],
    ) -> None:
        self._reader = reader
        self._changer = changer
        self._clock = clock
        self._owner = owner
        self._say = say

    async def run(self, subnets_in_use: Iterable[IPv4Network] = ()) -> Leaks:
        """Lose addresses of a scratch network in both orders and count them; `subnets_in_use` are subnets to stay clear of.

        It leaves nothing behind when it returns, is cancelled, or raises an `EngineError`, if the engine still answers.
        """
        try:
            shared = await self._create("shared", _free_subnet(await self._snapshot(), subnets_in_use))
            before = await self._free(shared)
            await self._say(f"a scratch network has {plural(before, 'free address', 'free addresses')}")
            await self._remove_service_from(shared, is_patient=False)
            naive = before - await self._free(shared)
            await self._say(f"removed at once: {plural(naive, 'address', 'addresses')} leaked")
            await self._remove_service_from(shared, is_patient=True)
            safe = before - naive - await self._free(shared)
            await self._say(f"removed after a wait: {plural(safe, 'address', 'addresses')} leaked")
        finally:
            await run_to_end(self._clean())
        return Leaks(naive, safe, TASKS)

    async def _remove_service_from(self, shared: Network, *, is_patient: bool) -> None:
        """Put a service on the shared network and one of its own, and remove both."""
        own = await self._create("own", None)
        service = await self._changer.create_service(_service(self._owner, shared.id, own.id))
        await self._wait(
            lambda state: _count_allocated(state, service, shared.id) == TASKS,
            "all tasks of the probe have addresses",
        )
        await self._changer.remove_service(service)
        if is_patient:
            await self._wait(lambda state: not _alive(state, service), "all tasks of the probe have ended")
        await self._remove(own.id)
        await self._wait(lambda state: not _alive(state, service), "all tasks of the probe have ended")

    async def _free(self, network: Network) -> int:
        """Return how many addresses are free, by allocating each of them."""
        prober = Prober(self._reader, self._changer, self._clock, self._owner, network.id)
        addresses = set[IPv4Address | IPv6Address]()
        while True:
            address = await prober.next_address()
            if address is None or address in addresses:
                return len(addresses)
            addresses.add(address)

    async def _create(self, purpose: str, subnet: IPv4Network | None) -> Network:
        name = network_name(self._owner, purpose)
        config = [{"Subnet": str(subnet)}] if subnet else []
        body = {
            "Name": name, "CheckDuplicate": True, "Driver": "overlay", "Labels": {PROBE_LABEL: str(self._owner)},
            "IPAM": {"Driver": "default", "Config": config},
        }  # fmt: skip
        network_id = await self._changer.create_network(body)
        state = await self._wait(
            lambda now: any(network.id == network_id and network.is_allocated for network in _networks(now)),
            "the scratch network has its subnet",
        )
        return next(network for network in _networks(state) if network.id == network_id)

    async def _remove(self, network_id: str) -> None:
        """Remove a network; that is refused for as long as a task on it is not marked for removal yet."""

        async def remove() -> bool:
            await self._changer.remove_network(network_id)
            return True

        await until(remove, self._clock, WITHIN_S, POLL_S, despite=(EngineError,))

    async def _clean(self) -> None:
        await self._changer.remove_service(_service_name(self._owner))
        state = await self._snapshot()
        ours = (network_name(self._owner, purpose) for purpose in ("own", "shared"))
        for name in ours:
            for network in _networks(state):
                if network.name == name:
                    await self._wait(_empty(network.id), "nothing uses the scratch network")
                    await self._remove(network.id)

    async def _snapshot(self) -> SwarmState:
        return await self._reader.lists(10)

    async def _wait(self, is_so: Callable[[SwarmState], bool], what: str) -> SwarmState:
        async def snapshot() -> SwarmState | None:
            state = await self._snapshot()
            return state if not isinstance(state.tasks, Unknown) and is_so(state) else None

        state = await until(snapshot, self._clock, WITHIN_S, POLL_S)
        if state is None:
            raise EngineTimeout(
                f"Timed out after {WITHIN_S:g} s waiting until {what}.",
                "`docker service ls` shows the service of the probe.",
            )
        return state


def _service_name(owner: ProbeOwner) -> str:
    return f"{owner.name}-leak"


def _service(owner: ProbeOwner, *network_ids: str) -> dict[str, Any]:
    return {
        "Name": _service_name(owner),
        "Labels": {PROBE_LABEL: str(owner)},
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE},
            "Networks": [{"Target": id_} for id_ in network_ids],
            "Placement": {"Constraints": [NOWHERE]},
        },
        "Mode": {"Replicated": {"Replicas": TASKS}},
        # Its virtual IP would be given back: only its tasks' addresses are lost.
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def _networks(state: SwarmState) -> tuple[Network, ...]:
    if isinstance(state.networks, Unknown):
        raise EngineError(state.networks.reason, state.networks.hint)
    return state.networks


def _tasks(state: SwarmState) -> tuple[Task, ...]:
    return () if isinstance(state.tasks, Unknown) else state.tasks


def _alive(state: SwarmState, service_id: str) -> bool:
    return any(task.service_id == service_id and task.is_alive for task in _tasks(state))


def _count_allocated(state: SwarmState, service_id: str, network_id: str) -> int:
    """Return how many tasks of a service are ready for a node and have an address on a network."""
    return sum(
        any(attachment.network_id == network_id and attachment.addresses for attachment in task.attachments)
        for task in _tasks(state)
        if task.service_id == service_id and task.state == "pending"
    )


def _empty(network_id: str) -> Callable[[SwarmState], bool]:
    return lambda state: (
        not any(
            task.is_alive and any(attachment.network_id == network_id for attachment in task.attachments)
            for task in _tasks(state)
        )
    )


def _free_subnet(state: SwarmState, subnets_in_use: Iterable[IPv4Network]) -> IPv4Network | None:
    """Return a small subnet that nothing known overlaps; None leaves the choice to Swarm."""
    subnets = [subnet.network for network in _networks(state) for subnet in network.subnets]
    avoided = [*subnets_in_use, *(subnet for subnet in subnets if isinstance(subnet, IPv4Network))]
    for subnet in SCRATCH.subnets(new_prefix=LENGTH):
        if not any(subnet.overlaps(other) for other in avoided):
            return subnet
    return None

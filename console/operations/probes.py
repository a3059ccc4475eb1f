"""Services of this program's own: one at a time takes an address of a network for a moment, and gives it back.

Whatever happens to the process that made one, its label tells whose it is, and `remove_leftovers` takes it away.
"""

import asyncio
import os
from collections.abc import Awaitable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeVar

from console.clock import Clock
from console.concurrency import until
from console.errors import Declined, EngineError, EngineRefused, EngineTimeout, Unknown, known
from console.frozen import frozen
from console.swarm.changer import SwarmChanger
from console.swarm.model import SwarmState
from console.swarm.parse import PROBE_LABEL
from console.swarm.reader import SwarmReader
from console.text import plural

T = TypeVar("T")

NOWHERE = "node.labels.vipconsole.probe==nowhere"
"""A placement that no node meets. A probe has no replicas, so this only holds if somebody scales it."""
IMAGE = "vipconsole/probe:never-runs"
VIP_WITHIN_S = 3.0
"""A virtual IP arrives within some milliseconds. If none arrives, the network is full or the leader is slow."""
ALLOCATED_WITHIN_S = 60.0
"""How long to wait for a slow leader, once it is asked for something that no full network can delay."""
POLL_S, SLOW_POLL_S = 0.002, 0.25
NETWORK_PREFIX = "vipconsole-scratch-"
"""Name prefix of networks that exist only for a proof, and are removed again."""


@frozen
class ProbeOwner:
    """The machine and the process that a probe belongs to."""

    machine: str
    process: int

    def __str__(self) -> str:
        """Return the value of the label."""
        return f"{self.machine}/{self.process}"

    @property
    def name(self) -> str:
        """The name of this process's probe: always the same, so the engine itself refuses a second one."""
        return f"vipconsole-probe-{self.machine[:12].lower()}-{self.process}"


def network_name(owner: ProbeOwner, purpose: str) -> str:
    """Return the name of a scratch network of a process."""
    return f"{_networks_of(owner.machine)}{owner.process}-{purpose}"


def _networks_of(machine: str) -> str:
    return f"{NETWORK_PREFIX}{machine[:12].lower()}-"


def own_probe_owner(machine: str) -> ProbeOwner:
    """Return this process as the owner of its probes."""
    return ProbeOwner(machine, os.getpid())


def probe_spec(owner: ProbeOwner, network_id: str) -> Mapping[str, Any]:
    """Return the specification of a service that holds one virtual IP on a network and does nothing else."""
    return {
        "Name": owner.name,
        "Labels": {PROBE_LABEL: str(owner)},
        "TaskTemplate": {
            "ContainerSpec": {"Image": IMAGE},
            "Networks": [{"Target": network_id}],
            "Placement": {"Constraints": [NOWHERE]},
        },
        "Mode": {"Replicated": {"Replicas": 0}},
        "EndpointSpec": {"Mode": "vip"},
    }


def after_name(owner: ProbeOwner) -> str:
    """Return the name of what is created after a probe that got no address."""
    return f"{owner.name}-after"


def after_spec(owner: ProbeOwner) -> Mapping[str, Any]:
    """Return the specification of a service on no network, whose task is pending once the leader's allocator has had it."""
    spec = probe_spec(owner, "")
    return {
        **spec,
        "Name": after_name(owner),
        "TaskTemplate": {**spec["TaskTemplate"], "Networks": []},
        "Mode": {"Replicated": {"Replicas": 1}},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


@frozen
class Prober:
    """Asks a network for its next address with a probe."""

    reader: SwarmReader
    changer: SwarmChanger
    clock: Clock
    owner: ProbeOwner
    network_id: str

    async def next_address(self) -> IPv4Address | IPv6Address | None:
        """Return the address that is handed out next, which is free again then; None where the network is full.

        On a network with subnets of either kind a holder gets one address of either kind.

        The probe is gone when this returns, is cancelled, or raises an `EngineError`, if the engine still answers. It raises
        EngineTimeout where the leader does not allocate: that is no full network.
        """
        try:
            service_id = await run_to_end(
                self.changer.create_service(probe_spec(self.owner, self.network_id))
            )
            return await self._virtual_ip(service_id)
        finally:
            # By its name: an ID whose answer was lost is not known.
            await run_to_end(self.changer.remove_service(self.owner.name))

    async def _virtual_ip(self, service_id: str) -> IPv4Address | IPv6Address | None:
        end_s, poll_s = self.clock.monotonic() + VIP_WITHIN_S, POLL_S
        while True:
            address = await self._read_address(service_id)
            if address is not None:
                return address
            if self.clock.monotonic() >= end_s:
                return await self._wait_for_late_address(service_id)
            await self.clock.sleep(poll_s)
            poll_s = min(2 * poll_s, SLOW_POLL_S)

    async def _read_address(self, service_id: str) -> IPv4Address | IPv6Address | None:
        service = await self.reader.service(service_id)
        return next(
            (
                virtual_ip.address
                for virtual_ip in service.virtual_ips
                if virtual_ip.network_id == self.network_id
            ),
            None,
        )

    async def _wait_for_late_address(self, service_id: str) -> IPv4Address | IPv6Address | None:
        """Return an address that came late; None once it is proven that there is none.

        The leader's allocator does one thing after the other, in the order in which they were created (swarmkit,
        manager/allocator). Once it has had what was created after the probe, it has tried the probe, and in vain.
        """
        try:
            after_id = await run_to_end(self.changer.create_service(after_spec(self.owner)))

            async def check() -> tuple[IPv4Address | IPv6Address | None] | None:
                # Before the probe is read: an address that comes in between is seen.
                is_past = await self.reader.has_allocated_task(after_id)
                address = await self._read_address(service_id)
                return (address,) if address is not None or is_past else None

            outcome = await until(check, self.clock, ALLOCATED_WITHIN_S, SLOW_POLL_S)
            if outcome is None:
                raise EngineTimeout(
                    f"Timed out after {VIP_WITHIN_S + ALLOCATED_WITHIN_S:g} s waiting for the leader to "
                    "allocate an address. Whether the network is full is unknown.",
                    "The leader is slow or hangs: see `docker node ls` and its dockerd's log. Try again "
                    "once a new service gets its tasks.",
                )
            return outcome[0]
        finally:
            await run_to_end(self.changer.remove_service(after_name(self.owner)))


async def run_to_end(change: Awaitable[T]) -> T:
    """Return what a change returns. A cancellation waits until the change has been answered.

    Without that, a service that is being created would be removed before it is there.
    """
    task = asyncio.ensure_future(change)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # It ends by itself: each call to the engine has a time limit.
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


async def remove_leftovers(
    reader: SwarmReader, changer: SwarmChanger, machine: str, deadline_s: float
) -> tuple[str, ...]:
    """Remove the probes and scratch networks that commands of this machine left behind, and return their names.

    The caller holds the maintenance lock, so no such command is running. Raises Declined when another machine has a
    probe in this swarm, for it may be at work, and EngineError when the services cannot be read.
    """
    return await remove_leftovers_in(await reader.lists(deadline_s), changer, machine)


async def remove_leftovers_in(state: SwarmState, changer: SwarmChanger, machine: str) -> tuple[str, ...]:
    """Do the same with what was seen of the swarm a moment ago."""
    services = state.services
    if isinstance(services, Unknown):
        raise EngineError(services.reason, services.hint)
    probes = [service for service in services if service.is_probe]
    foreign_probes = [probe for probe in probes if probe.probe.rpartition("/")[0] != machine]
    if foreign_probes:
        machine_name, _, process = foreign_probes[0].probe.rpartition("/")
        raise Declined(
            f"Another machine is changing this swarm: {plural(len(foreign_probes), 'probe')} of machine "
            f"{machine_name or '?'}, process {process or '?'} ({foreign_probes[0].name}).",
            "Wait until it has ended. If it was killed, run any changing command there, or `docker service "
            f"rm {foreign_probes[0].name}`.",
        )
    for probe in probes:
        await changer.remove_service(probe.id)
    scratch = [
        network for network in known(state.networks, ()) if network.name.startswith(_networks_of(machine))
    ]
    removed_names = [network.name for network in scratch if await _try_remove(changer, network.id)]
    return (*(probe.name for probe in probes), *removed_names)


async def _try_remove(changer: SwarmChanger, network_id: str) -> bool:
    try:
        await changer.remove_network(network_id)
    except EngineRefused:
        # A task of a probe that was removed a moment ago is still on it: it goes with the next call.
        return False
    return True

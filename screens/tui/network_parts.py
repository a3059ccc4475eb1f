"""What the page of a network is made of, worked out by a thread where that takes long."""

import asyncio
from collections.abc import Callable
from datetime import tzinfo
from functools import partial

from textual.dom import DOMNode

from console.addresses.accounting import NetworkAccount
from console.addresses.details import Holders, index_swarm_objects
from console.addresses.holder_groups import HolderGroup, group_holders
from console.addresses.leaks import LeakEntry
from console.addresses.map import AddressMap, map_network
from console.diagnosis.attachments import Attachments, find_attachments
from console.diagnosis.values import Snapshot
from console.errors import Result, known
from console.frozen import frozen

LARGE = 4_000
"""Addresses, services and tasks together from which a thread works it out: for a /16 that takes a third of a second."""


@frozen
class NetworkParts:
    """What the page of a network shows of one snapshot."""

    account: NetworkAccount
    snapshot: Snapshot
    maps: tuple[AddressMap, ...]
    index: Holders
    attachments: Result[Attachments]
    groups: Result[tuple[HolderGroup, ...]]


def parts_of(
    account: NetworkAccount, snapshot: Snapshot, entries: tuple[LeakEntry, ...], zone: tzinfo
) -> NetworkParts:
    """Return the parts of the page; `entries` are those of the leak log."""
    swarm = snapshot.swarm
    return NetworkParts(
        account,
        snapshot,
        map_network(account, entries),
        index_swarm_objects(swarm, snapshot.now, zone),
        find_attachments(account, swarm),
        group_holders(account, swarm),
    )


def service_at(subnet: AddressMap, address: int, index: Holders) -> str:
    """Return the service (ID) that holds an address, itself or by a task; nothing where none does."""
    for holder in subnet.cell(address).holders:
        if holder.id in index.services:
            return holder.id
        task = index.tasks.get(holder.id)
        if task is not None and task.service_id in index.services:
            return task.service_id
    return ""


def _is_large(account: NetworkAccount, snapshot: Snapshot) -> bool:
    swarm = snapshot.swarm
    return account.capacity + len(known(swarm.services, ())) + len(known(swarm.tasks, ())) >= LARGE


class PartsMaker:
    """Works out the parts, and hands them over: at once where that is quick. Of several that wait only the newest counts."""

    def __init__(self, node: DOMNode, zone: tzinfo, take: Callable[[NetworkParts], None]) -> None:
        self._node = node
        self._zone = zone
        self._take = take
        self._next: Callable[[], NetworkParts] | None = None
        self.is_at_work = False
        """Whether a thread works them out."""
        self.is_large = False
        """Whether they are so many that they are drawn one after the other, and keys come in between."""
        self._basis: tuple[NetworkAccount, Snapshot] | None = None

    def make(self, account: NetworkAccount, snapshot: Snapshot, entries: tuple[LeakEntry, ...]) -> bool:
        """Work them out, and return whether that is to do: not where it was done, or is being done, for the same snapshot."""
        if self._basis is not None and self._basis[0] is account and self._basis[1] is snapshot:
            return False
        self._basis = account, snapshot
        work = partial(parts_of, account, snapshot, entries, self._zone)
        self.is_large = _is_large(account, snapshot)
        if not self.is_large:
            self._take(work())
            return True
        self._next = work
        if not self.is_at_work:
            self.is_at_work = True
            self._node.run_worker(self._work_on(), group="parts", description="works out a large network")
        return True

    def draw(self, act: Callable[..., object], *arguments: object) -> None:
        """Draw one of them: now, or where they are many, in its turn."""
        if self.is_large:
            self._node.call_later(act, *arguments)
        else:
            act(*arguments)

    async def _work_on(self) -> None:
        try:
            while self._next is not None:
                work, self._next = self._next, None
                self._take(await asyncio.to_thread(work))
        finally:
            self.is_at_work = False

"""The ledger of leaks that were watched happening: which addresses, and whose removal lost them. Pure.

A task that ends while one of its networks is gone keeps its addresses on the networks that remain: the allocator takes
it for "not allocated" and never frees them (moby/moby#37338). The list of tasks still shows the addresses of a dying
task, and the ID of the removed network, until the task has ended; so whoever looks at least once a second can tell.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class Entry:
    """What one task leaked on one network that stays."""

    network_id: str
    network_name: str
    addresses: tuple[IPv4Address, ...]
    task_id: str
    task_name: str
    """As `docker service ps` shows it; a short ID where nothing told its name."""
    service_name: str
    stack: str
    """Empty for a service of no stack, or where nothing told."""
    removed_network: str
    """Name of the network that was removed under the task, or its short ID."""
    ended_at: datetime
    """When the task was first seen ended, by the engine's clock."""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """A time in which nobody looked closely enough: leaks in it are in no ledger."""

    since: datetime
    until: datetime | None
    """None while it goes on. Both by the engine's clock."""
    why: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was seen leaking since watching began, as far as it still holds.

    Entries are void after the allocator was rebuilt, and an address of one once somebody holds it again; those are left
    out. The newest come first.
    """

    watched_since: datetime | None = None
    """By the engine's clock; None before the first look. Older entries are those of an earlier session."""
    entries: tuple[Entry, ...] = ()
    gaps: tuple[Unwatched, ...] = ()

    def on(self, network_id: str) -> tuple[Entry, ...]:
        """Return the entries of one network."""
        return tuple(each for each in self.entries if each.network_id == network_id)

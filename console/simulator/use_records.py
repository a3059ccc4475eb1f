"""What a console would have seen of a scenario's past, had one been open: the use of each overlay, and what leaked."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from console.addresses.forecast import Point
from console.addresses.leaks import LeakEntry
from console.simulator.engine import SimulatedEngine
from console.simulator.ipam import AddressPool
from console.simulator.objects import SimTask
from console.simulator.stacks import NAMESPACE

OLD_EVERY, EVERY = timedelta(hours=2), timedelta(minutes=10)
"""As far apart as the points that consoles keep of the past, and of the last day."""
RESERVED = ("reserved", "gateway")


class UseRecorder:
    """Notes the use of the overlays while a scenario is built, up to the date at which it begins."""

    def __init__(self, engine: SimulatedEngine, until: datetime) -> None:
        self._engine = engine
        self._until = until
        self.began = engine.now
        """When it began to note the use."""
        self._points: dict[str, list[Point]] = {}
        self._leaks: list[LeakEntry] = []
        self._reserved_counts: dict[AddressPool, int] = {}
        engine.allocator.on_leak = self._note_leak
        self._note_use()

    def points_of(self, network_id: str) -> tuple[Point, ...]:
        """Return how a network was used, oldest first."""
        return tuple(self._points.get(network_id, ()))

    @property
    def leaks(self) -> tuple[LeakEntry, ...]:
        """What leaked, newest first."""
        return tuple(reversed(self._leaks))

    def _note_use(self) -> None:
        engine = self._engine
        now = engine.now
        for network_id, used in self._use():
            self._points.setdefault(network_id, []).append(Point(now, used))
        pause = OLD_EVERY if self._until - now > timedelta(days=1) else EVERY
        if now + pause <= self._until:
            engine.store.timeline.after(pause.total_seconds(), self._note_use)

    def _use(self) -> Iterator[tuple[str, int]]:
        """Yield the use of each overlay, as far as a console sees it: without its own count, no leaks."""
        counts = self._engine.identity.api >= (1, 52)
        leaked = Counter(entry.network_id for entry in self._leaks)
        for network_id, pools in self._engine.allocator.pools.pools.items():
            used = sum(pool.in_use - self._reserved(pool) for pool in pools)
            yield network_id, used if counts else used - leaked[network_id]

    def _reserved(self, pool: AddressPool) -> int:
        """Return how many addresses nobody can hold, which stays as it is."""
        if pool not in self._reserved_counts:
            kinds = (holder.kind for holder in pool.holders.values())
            self._reserved_counts[pool] = sum(kind in RESERVED for kind in kinds)
        return self._reserved_counts[pool]

    def _note_leak(self, task: SimTask) -> None:
        there = self._engine.allocator.pools.pools
        removed = next((network.name for network, _ in task.attachments if network.id not in there), "")
        for network, address in task.attachments:
            if network.id in there:
                entry = LeakEntry(
                    network.id, network.name, (IPv4Address(address.partition("/")[0]),), task.id,
                    f"{task.service_name}.{task.slot}", task.service_name, task.service_labels.get(NAMESPACE, ""), removed,
                    self._engine.now,
                )  # fmt: skip
                self._leaks.append(entry)

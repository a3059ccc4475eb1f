"""Keeps how full each network was and which points are kept, tells the trend, and remembers which leaks were seen."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Point, Trend, trend_of
from console.addresses.leaks import (
    AllocatorGeneration,
    LeakEntry,
    LeakEvidence,
    LeakLog,
    allocator_key,
    allocator_of,
    valid_entries,
)
from console.clock import Clock
from console.concurrency import sleep_unless
from console.diagnosis.values import Snapshot
from console.errors import HostError, Result, Unknown, known, unknown_from
from console.frozen import frozen
from console.storage.history import HistoryStore, SeriesKey
from console.swarm.model import Engine

if TYPE_CHECKING:
    from console.monitor.values import StatePublisher

STEPS = (
    (timedelta(minutes=10), timedelta(seconds=10)),
    (timedelta(hours=2), timedelta(minutes=1)),
    (timedelta(days=1), timedelta(minutes=10)),
    (timedelta(days=60), timedelta(hours=2)),
)
"""Up to such an age, one point in each such span is kept; older ones are not."""

CHANGING, STANDING = timedelta(seconds=10), timedelta(minutes=1)
"""At least so long between two points where the use changed, and where it did not."""
LONGEST_STANDING = timedelta(minutes=10)
"""At most so long between two points while it is watched: what is farther apart is a gap."""
WRITE_INTERVAL_S = 60.0
THIN_INTERVAL_S = 3600.0


@frozen
class Series:
    """Points that can be compared with each other."""

    cluster_id: str
    network_id: str
    key: str
    """Changes when a new series of points begins: another capacity, another allocator, or another kind of evidence."""


def series_of(
    account: NetworkAccount, engine: Engine, allocator: AllocatorGeneration | None
) -> Series | None:
    """Return what a network's use now belongs to, or None where its use is not known well enough to be kept."""
    if account.missing or not account.capacity or allocator is None:
        return None
    basis = "holders"
    if engine.counts_addresses:
        if not account.free_is_exact:
            return None
        basis = "engine"
    elif any(subnet.leak.evidence is LeakEvidence.CENSUS for subnet in account.subnets):
        # What a census finds makes the use that is known of jump, and not the use.
        basis = "|".join(str(subnet.leak.as_of) for subnet in account.subnets)
    parts = (
        account.capacity,
        allocator.leader_id,
        allocator.daemon_began,
        account.network.created,
        basis,
        # A series that was begun before there were borrowed managers goes on.
        *((allocator.rebuilt,) if allocator.rebuilt else ()),
    )
    from hashlib import sha256  # noqa: PLC0415 - a glance at a swarm without a recorder knows no series

    key = sha256(repr(parts).encode()).hexdigest()[:16]
    return Series(engine.cluster_id, account.network.id, key)


def thin_points(points: Iterable[Point], now: datetime) -> tuple[Point, ...]:
    """Return the points that are kept: of each span the newest, and of the future none."""
    points_by_span: dict[tuple[timedelta, int], Point] = {}
    for point in sorted(points, key=lambda point: point.at):
        span = span_of(now - point.at)
        if span is not None:
            points_by_span[span, int(point.at.timestamp() // span.total_seconds())] = point
    return tuple(sorted(points_by_span.values(), key=lambda point: point.at))


def span_of(age: timedelta) -> timedelta | None:
    """Return how long a span is in which one point of such an age is kept; None where none is."""
    if age < timedelta(0):
        return None
    return next((span for oldest, span in STEPS if age <= oldest), None)


NetworkPoints = Mapping[str, tuple[Point, ...]]
"""The stored points of one network, by the key of their series."""


def points_by_network(stored_points: Mapping[SeriesKey, tuple[Point, ...]]) -> Mapping[str, NetworkPoints]:
    """Return stored points by network ID, so that those of one network cost nothing of the others."""
    by_network: defaultdict[str, dict[str, tuple[Point, ...]]] = defaultdict(dict)
    for (network_id, key), series_points in stored_points.items():
        by_network[network_id][key] = series_points
    return dict(by_network)


def earlier_points(
    stored_points: NetworkPoints, key: str, points: tuple[Point, ...], now: datetime
) -> tuple[Point, ...]:
    """Return the stored points of a network's other series that are older than `points`, which are those of the series `key`."""
    begin = points[0].at if points else now
    others = (
        point
        for other_key, series_points in stored_points.items()
        if other_key != key
        for point in series_points
        if point.at < begin
    )
    return thin_points(others, now)


def add_point(points: tuple[Point, ...], used: int, at: datetime) -> tuple[Point, ...]:
    """Return points with one more; the very same where the last one says it all.

    Of what stays the same the last point moves, for ten minutes: a use holds until the next point, and a longer time without
    one was not watched.
    """
    at = at.astimezone(UTC)
    if not points:
        return (Point(at, used),)
    last = points[-1]
    is_same = last.used == used
    if at - last.at < (STANDING if is_same else CHANGING):
        return points
    is_standing = is_same and len(points) > 1 and points[-2].used == used
    if is_standing and at - points[-2].at <= LONGEST_STANDING:
        return (*points[:-1], Point(at, used))
    return thin_points((*points, Point(at, used)), at)


def read_leak_log(state: Path, snapshot: Snapshot) -> Result[LeakLog]:
    """Return the leak log that consoles kept in a state directory, as far as it is still valid for the snapshot."""
    swarm, journal = snapshot.swarm, snapshot.journal
    if isinstance(swarm.engine, Unknown):
        return LeakLog()
    generation = allocator_key(allocator_of(swarm), swarm.engine.managers)
    if not generation:
        return LeakLog()
    try:
        entries = HistoryStore(state).entries(swarm.engine.cluster_id, generation)
    except HostError as error:
        return unknown_from(error)
    rebuilt_at = None if isinstance(journal, Unknown) else journal.rebuilt_at
    since = tuple(entry for entry in entries if rebuilt_at is None or entry.ended_at > rebuilt_at)
    there = {network.id: network for network in known(swarm.networks, ()) if network.is_overlay}
    return LeakLog(entries=valid_entries(since, swarm, there))


@dataclass(slots=True)
class _NetworkHistory:
    """The use of one network so far."""

    series: Series
    points: tuple[Point, ...]
    earlier: tuple[Point, ...]
    """Those of the series before."""
    trend: Trend
    basis: tuple[tuple[Point, ...], int, tuple[LeakEntry, ...]]
    """What the trend was made of."""
    stored_point: Point | None = None


@dataclass(slots=True)
class _Leaks:
    allocator: str
    entries: tuple[LeakEntry, ...] = ()
    stored_entries: dict[tuple[str, str], LeakEntry] = field(default_factory=dict)
    """Those that the store has, by network and task."""


class History:
    """The history of one swarm. Without a store, or where it cannot be used, it is that of this session."""

    def __init__(
        self,
        store: HistoryStore | None,
        clock: Clock,
        publisher: "StatePublisher",
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """Make a history; `may_write` says whether it is to be kept: not while another process, the recorder, does."""
        self._may_write = may_write
        self._has_leaks = asyncio.Event()
        self._store = store
        self._clock = clock
        self._publisher = publisher
        self._networks: dict[str, _NetworkHistory] = {}
        self._stored_points: Mapping[str, NetworkPoints] = {}
        self._cluster_id = ""
        self._leaks: _Leaks | None = None
        self._last_thinning_s: float | None = None
        self._now: datetime | None = None

    async def begin(self, engine: Engine, allocator: AllocatorGeneration | None) -> tuple[LeakEntry, ...]:
        """Read what was kept of a swarm, once; return what earlier sessions saw leaking, as far as it may still hold."""
        if self._store is None or self._cluster_id == engine.cluster_id:
            return ()
        self._cluster_id = engine.cluster_id
        key = allocator_key(allocator, engine.managers)
        try:
            stored_history = await asyncio.to_thread(self._store.load, engine.cluster_id, key)
        except HostError as error:
            self._fail(unknown_from(error))
            return ()
        self._stored_points = points_by_network(stored_history.points)
        if not key:
            return ()
        self._leaks = _Leaks(
            key,
            stored_history.entries,
            {(entry.network_id, entry.task_id): entry for entry in stored_history.entries},
        )
        return stored_history.entries

    def take(
        self,
        accounts: tuple[NetworkAccount, ...],
        engine: Engine,
        allocator: AllocatorGeneration | None,
        leak_log: LeakLog,
        rebuilt_at: datetime | None,
    ) -> Mapping[str, Trend]:
        """Take in how full the networks are, and return the trends, by network ID."""
        self._now = engine.time
        if engine.cluster_id != self._cluster_id:
            # Another swarm behind the same address: nothing that was kept is about it.
            self._cluster_id, self._stored_points, self._leaks = engine.cluster_id, {}, None
            self._networks.clear()
        for account in accounts:
            series = series_of(account, engine, allocator)
            if series is not None:
                self._add(account, series, leak_log.on(account.network.id), engine.time, rebuilt_at)
        there = {account.network.id for account in accounts}
        self._networks = {
            key: network_history for key, network_history in self._networks.items() if key in there
        }
        generation = allocator_key(allocator, engine.managers)
        if self._leaks is None or self._leaks.allocator != generation:
            self._leaks = _Leaks(generation) if generation else None
        if self._leaks is not None:
            if leak_log.entries != self._leaks.entries:
                self._has_leaks.set()
            self._leaks.entries = leak_log.entries
        trends = {key: network_history.trend for key, network_history in self._networks.items()}
        before = self._publisher.monitor_state.trends
        is_same = trends.keys() == before.keys() and all(
            trend is before[key] for key, trend in trends.items()
        )
        return before if is_same else MappingProxyType(trends)

    async def run(self) -> None:
        """Write what is new now and then, a leak at once, and all at the end, until cancelled."""
        if self._store is None:
            return await asyncio.Event().wait()  # type: ignore[return-value] # it is never set
        try:
            while True:
                await sleep_unless(self._has_leaks, self._clock, WRITE_INTERVAL_S)
                self._has_leaks.clear()
                await self._write(self._store)
        finally:
            await self._write(self._store)

    def _add(
        self,
        account: NetworkAccount,
        series: Series,
        entries: tuple[LeakEntry, ...],
        at: datetime,
        rebuilt_at: datetime | None,
    ) -> None:
        network_history = self._networks.get(series.network_id)
        if network_history is None or network_history.series != series:
            stored_points = self._stored_points.get(series.network_id, {})
            points = thin_points(stored_points.get(series.key, ()), at)
            earlier = earlier_points(stored_points, series.key, points, at)
            if network_history is not None:
                earlier = thin_points((*network_history.earlier, *network_history.points), at)
            network_history = _NetworkHistory(series, points, earlier, Trend(), ((), 0, ()))
            self._networks[series.network_id] = network_history
        points = add_point(network_history.points, account.used_at_least, at)
        if rebuilt_at is not None and points[0].at < rebuilt_at:
            # What is used includes what leaked, and that came back.
            old_points = tuple(point for point in points if point.at < rebuilt_at)
            network_history.earlier = thin_points((*network_history.earlier, *old_points), at)
            points = tuple(point for point in points if point.at >= rebuilt_at)
        basis = (points, account.free_at_most, entries)
        if basis != network_history.basis:
            trend = trend_of(points, account.free_at_most, entries)
            network_history.trend = replace(trend, earlier=network_history.earlier)
            network_history.basis = basis
        network_history.points = points

    async def _write(self, store: HistoryStore) -> None:
        if self._now is None or not self._cluster_id or not self._may_write():
            return
        try:
            await self._write_points(store)
            await self._write_leaks(store)
            now_s = self._clock.monotonic()
            if self._last_thinning_s is None or now_s - self._last_thinning_s >= THIN_INTERVAL_S:
                allocators = {} if self._leaks is None else {self._cluster_id: self._leaks.allocator}
                await asyncio.to_thread(store.thin, self._now, allocators)
                self._last_thinning_s = now_s
        except HostError as error:
            self._fail(unknown_from(error))
        else:
            self._fail(None)

    async def _write_points(self, store: HistoryStore) -> None:
        # Snapshots go on while the store writes: only the points that were handed to it count as written.
        new = [
            (network_history, network_history.points[-1])
            for network_history in self._networks.values()
            if network_history.points and _is_worth_writing(network_history)
        ]
        if not new:
            return
        points = [
            ((network_history.series.network_id, network_history.series.key), point)
            for network_history, point in new
        ]
        await asyncio.to_thread(store.add_points, self._cluster_id, points)
        for network_history, point in new:
            network_history.stored_point = point

    async def _write_leaks(self, store: HistoryStore) -> None:
        leaks = self._leaks
        if leaks is None:
            return
        now = {(entry.network_id, entry.task_id): entry for entry in leaks.entries}
        new_entries = [entry for key, entry in now.items() if leaks.stored_entries.get(key) != entry]
        old_entries = [entry for key, entry in leaks.stored_entries.items() if key not in now]
        if new_entries or old_entries:
            await asyncio.to_thread(
                store.change_leaks, self._cluster_id, leaks.allocator, new_entries, old_entries
            )
            leaks.stored_entries = now

    def _fail(self, why: Unknown | None) -> None:
        if self._publisher.monitor_state.history_failure != why:
            self._publisher.show(history_failure=why)


def _is_worth_writing(network_history: _NetworkHistory) -> bool:
    last = network_history.points[-1]
    # Where nothing changes, the later end of what stands is written now and then.
    return (
        network_history.stored_point is None
        or network_history.stored_point.used != last.used
        or (last.at - network_history.stored_point.at).total_seconds() >= 10 * WRITE_INTERVAL_S
    )

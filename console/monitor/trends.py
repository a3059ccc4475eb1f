"""The trends of the networks of a single snapshot, from what consoles kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Point, Trend, trend_of
from console.addresses.leaks import LeakLog, allocator_of
from console.diagnosis.values import Snapshot
from console.errors import HostError, Unknown, known
from console.monitor.history import add_point, earlier_points, points_by_network, series_of, thin_points
from console.storage.history import HistoryStore, SeriesKey


def read_trends(state: Path, snapshot: Snapshot, accounts: Sequence[NetworkAccount]) -> Mapping[str, Trend]:
    """Return the trend of each of these networks, by network ID; none where what was kept cannot be read, which the leak log tells."""
    engine = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return {}
    try:
        stored_points = HistoryStore(state).points(
            engine.cluster_id, [account.network.id for account in accounts]
        )
    except HostError:
        return {}
    return trends_at(snapshot, accounts, stored_points)


def trends_at(
    snapshot: Snapshot,
    accounts: Iterable[NetworkAccount],
    stored_points: Mapping[SeriesKey, tuple[Point, ...]],
) -> Mapping[str, Trend]:
    """Return the trend of each network, by network ID; its last point is the snapshot's own.

    Of a network whose use the snapshot does not tell, or of which nothing was kept, only what is older is in its trend.
    """
    engine = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return {}
    allocator, leak_log = allocator_of(snapshot.swarm), known(snapshot.leak_log, LeakLog())
    rebuilt_at = None if isinstance(snapshot.journal, Unknown) else snapshot.journal.rebuilt_at
    now, points_of_network = engine.time, points_by_network(stored_points)
    trends = {}
    for account in accounts:
        series = series_of(account, engine, allocator)
        own_key = "" if series is None else series.key
        own_points = points_of_network.get(account.network.id, {})
        points = thin_points(own_points.get(own_key, ()), now)
        earlier = earlier_points(own_points, own_key, points, now)
        if own_key:
            points = add_point(points, account.used_at_least, now)
        if rebuilt_at is not None:
            earlier = (*earlier, *(point for point in points if point.at < rebuilt_at))
            points = tuple(point for point in points if point.at >= rebuilt_at)
        trend = trend_of(points, account.free_at_most, leak_log.on(account.network.id))
        trends[account.network.id] = replace(trend, earlier=earlier)
    return trends

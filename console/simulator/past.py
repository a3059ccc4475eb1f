"""The history of a demo: what a console and a recorder would have kept, had they been at work since the scenario began."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from console.addresses.accounting import account
from console.addresses.forecast import Point
from console.addresses.leaks import LeakEntry, allocator_key, allocator_of
from console.errors import Unknown
from console.monitor.history import series_of
from console.recorder.derive import leak_event
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.simulator.engine import SimulatedEngine
from console.storage.history import HistoryStore, SeriesKey
from console.storage.record import RecordStore
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader

DEADLINE_S = 10.0
SEEN_AFTER = timedelta(seconds=2)
"""So much later than the removal a recorder sees that a task leaked."""


async def keep_past(engine: SimulatedEngine, host: str, state: Path) -> None:
    """Write what a scenario recorded to a state directory. `host` is where the engine is served.

    The engine is read as a console reads it, so that its points go on where these end.
    """
    records = engine.use_records
    if records is None:
        return
    connection = EngineConnection(host, DEADLINE_S)
    try:
        swarm = await EngineReader(connection).state(DEADLINE_S)
    finally:
        connection.close()
    if isinstance(swarm.engine, Unknown):
        return
    allocator, store = allocator_of(swarm), HistoryStore(state)
    points: list[tuple[SeriesKey, Point]] = []
    for network_account in account(swarm, swarm):
        series = series_of(network_account, swarm.engine, allocator)
        if series is not None:
            key = series.network_id, series.key
            points += [(key, point) for point in records.points_of(series.network_id)]
    store.add_points(swarm.engine.cluster_id, points)
    generation = allocator_key(allocator, swarm.engine.managers)
    if generation:
        store.change_leaks(swarm.engine.cluster_id, generation, records.leaks, ())


def keep_record(engine: SimulatedEngine, state: Path) -> None:
    """Write what a recorder would have kept of a scenario's leaks, and of the removals that they came with."""
    records = engine.use_records
    if records is None:
        return
    cluster_id, store = engine.cluster_id, RecordStore(state)
    store.add(cluster_id, (event for leak in records.leaks for event in _leak_and_removal(leak)))
    store.note_watching(cluster_id, WatchSpan(records.began, engine.now))


def _leak_and_removal(leak: LeakEntry) -> Iterator[RecordedEvent]:
    at = leak.ended_at - SEEN_AFTER
    for name, noun, network in (
        (leak.service_name, "Service", ""),
        (leak.removed_network, "Network", leak.removed_network),
    ):
        yield RecordedEvent(
            at, EventKind.REMOVAL, name, f"{noun} {name} was removed.", network=network, stack=leak.stack
        )
    yield leak_event(leak, leak.network_name)

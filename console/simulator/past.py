"""The history of a demo: what a console would have kept, had one been open since the scenario began."""

from pathlib import Path

from console.addresses.accounting import account
from console.addresses.forecast import Point
from console.addresses.leaks import allocator_key, allocator_of
from console.errors import Unknown
from console.monitor.history import series_of
from console.simulator.engine import SimulatedEngine
from console.storage.history import HistoryStore, SeriesKey
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader

DEADLINE_S = 10.0


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

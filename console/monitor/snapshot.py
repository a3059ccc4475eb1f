"""Takes one snapshot: engine and, where the engine is its own, host; and rereads what is stored about them."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.addresses.leaks import Census
from console.addresses.settling import events_tell_all, needs_proof, proves_no_leak, quiet_s
from console.clock import Clock
from console.concurrency import together
from console.diagnosis.values import FailingAlert, Snapshot, UnfinishedRun
from console.errors import HostError, Result, Unknown, VipconsoleError, unknown_from
from console.host.activity import Route
from console.host.identity import machine_id, read_routes
from console.journal.reader import DaemonLog, read_recent, whose_host
from console.nodes.values import OtherNodes, load_balancers_of, peer_names
from console.runbook.store.finished import runs_that_block
from console.settings import SnapshotSettings
from console.storage.alerts import read_failing_alerts
from console.storage.census import read_censuses
from console.swarm.model import Engine, SwarmState
from console.swarm.reader import SwarmReader
from console.swarm.snapshots import object_names

if TYPE_CHECKING:
    from console.journal.summary import Summary
    from console.monitor.values import Watching
    from console.nodes.reader import NodesReader

EVENT_LAG_S = 0.1
"""A removal becomes an event so long after the lists no longer show what was removed, at most. Of 80 removals on a real engine under
load all were events before the engine had answered, at most 97 ms after it was asked (moby b985e23, API 1.56)."""
CENSUSES_S = 10.0
ROUTES_S = 60.0
WATCHING_S = 60.0
RUNS_S = 2.0
"""A run that stops is reported as soon as a single snapshot would report it."""


async def take_snapshot(
    reader: SwarmReader, log: DaemonLog, clock: Clock, settings: SnapshotSettings, *, settle: bool = True
) -> Snapshot:
    """Return a dated snapshot within the deadline of the settings, and the settling time once more if it is used.

    Where the engine counts addresses, or where one seems to be held twice, a second snapshot tells what stays from what was
    only changing hands, unless the first one proves that itself; `settle=False` does without either, and then leaks are
    unknown.
    """
    start = clock.monotonic()
    swarm = await reader.state(settings.deadline_s)
    refusal = await whose_host(reader.host, swarm.engine)
    window_s = None if log.is_recorded else settings.journal_s
    (earlier, swarm), routes, batch = await together(
        _settle(reader, clock, settings, swarm, start) if settle else _unsettled(swarm),
        _routes(refusal, settings),
        read_recent(log, refusal, clock.now(), window_s, settings.call_timeout_s),
    )
    journal: Result[Summary]
    if isinstance(batch, Unknown):
        journal = batch
    else:
        from console.journal.summary import summarise  # noqa: PLC0415 - a journal was read

        journal = summarise([batch], object_names(swarm), window_s)
    took_s = clock.monotonic() - start
    return Snapshot(reader.host, clock.now(), took_s, swarm, earlier, routes, journal, machine=machine_id())


async def take_snapshot_with_nodes(
    taking: Coroutine[Any, Any, Snapshot], nodes: "NodesReader | None"
) -> Snapshot:
    """Return a snapshot that is being taken, joined with what other nodes tell meanwhile."""
    if nodes is None:
        return await taking
    snapshot, others = await together(taking, nodes.read())
    return join_nodes(snapshot, others)


def join_nodes(snapshot: Snapshot, others: OtherNodes) -> Snapshot:
    """Return a snapshot with what other nodes told: their load balancers hold addresses, and the gossip's peers have names."""
    if not others.statuses:
        return snapshot
    load_balancers = load_balancers_of(others.statuses)
    names = peer_names(others.statuses)
    earlier, journal = snapshot.earlier, snapshot.journal
    if not isinstance(journal, Unknown):
        from console.journal.summary import rename  # noqa: PLC0415 - a journal was read

        journal = rename(journal, names)
    return replace(
        snapshot,
        swarm=replace(snapshot.swarm, load_balancers=load_balancers),
        earlier=None if earlier is None else replace(earlier, load_balancers=load_balancers),
        journal=journal,
        nodes=others,
    )


async def _unsettled(swarm: SwarmState) -> tuple[None, SwarmState]:
    return None, swarm


async def _settle(
    reader: SwarmReader, clock: Clock, settings: SnapshotSettings, swarm: SwarmState, start_s: float
) -> tuple[SwarmState | None, SwarmState]:
    """Return what was seen first and then: the same twice where one look proves itself; nothing first where none is needed."""
    if not needs_proof(swarm):
        return None, swarm
    if proves_no_leak(swarm):
        return swarm, swarm
    wait_s = settings.settle_s
    if events_tell_all(swarm):
        unchanged_s = await _unchanged_s(reader, clock, settings, swarm, start_s)
        if unchanged_s is not None:
            # Once nothing has changed for the settling time, nothing is changing hands.
            wait_s = min(settings.settle_s, settings.settle_s - unchanged_s)
        if wait_s <= 0 and unchanged_s:
            return swarm, swarm
    await clock.sleep(wait_s)
    return swarm, await reader.state(settings.deadline_s)


async def _unchanged_s(
    reader: SwarmReader, clock: Clock, settings: SnapshotSettings, swarm: SwarmState, start_s: float
) -> float | None:
    """Return for how long nothing had changed before a snapshot that began at `start_s`; None where nobody knows."""
    if isinstance(swarm.engine, Unknown):
        return None
    # The engine's clock was read after the start, so it is no later there by now.
    until_s = clock.monotonic() - start_s + EVENT_LAG_S
    since, until = (
        swarm.engine.time + timedelta(seconds=seconds) for seconds in (-settings.settle_s, until_s)
    )
    try:
        events = await reader.events(since, until)
    except VipconsoleError:
        return None
    return quiet_s(swarm, events, settings.settle_s)


async def read_own_routes(
    host: str, engine: Result[Engine], settings: SnapshotSettings
) -> Result[tuple[Route, ...]]:
    """Return this host's routes, or why they have nothing to do with an engine."""
    return await _routes(await whose_host(host, engine), settings)


async def _routes(refusal: Unknown | None, settings: SnapshotSettings) -> Result[tuple[Route, ...]]:
    if refusal is not None:
        return refusal
    try:
        return await read_routes(settings.call_timeout_s)
    except HostError as error:
        return unknown_from(error)


class ContextCache:
    """Censuses, runs and routes, each read again only now and then. `state` is where censuses and runs are kept; None where none is about this swarm."""

    def __init__(self, host: str, state: Path | None, snapshot: SnapshotSettings, clock: Clock) -> None:
        self._host = host
        self._state = state
        self._snapshot = snapshot
        self._clock = clock
        self._censuses: tuple[float, Result[tuple[Census, ...]]] | None = None
        self._routes: tuple[float, Result[tuple[Route, ...]]] | None = None
        self._runs: tuple[float, Result[tuple[UnfinishedRun, ...]]] | None = None
        self._failing_alerts: tuple[float, Result[tuple[FailingAlert, ...]]] | None = None
        self._watching: tuple[float, Watching | None] | None = None

    async def censuses(self) -> Result[tuple[Census, ...]]:
        """Return the censuses in the state directory, at most `CENSUSES_S` old; none for the demo."""
        if self._state is None:
            return ()
        now_s = self._clock.monotonic()
        if self._censuses is None or now_s - self._censuses[0] >= CENSUSES_S:
            self._censuses = (now_s, await asyncio.to_thread(read_censuses, self._state))
        return self._censuses[1]

    async def runs(self) -> Result[tuple[UnfinishedRun, ...]]:
        """Return the maintenance runs of this host that are not over, whether the engine answers or not."""
        if self._state is None:
            return ()
        now_s = self._clock.monotonic()
        if self._runs is None or now_s - self._runs[0] >= RUNS_S:
            self._runs = (now_s, await asyncio.to_thread(runs_that_block, self._state))
        return self._runs[1]

    async def watching(self, engine: Engine) -> "Watching | None":
        """Return since when the swarm has been recorded; None where it never was, and for the demo."""
        if self._state is None:
            return None
        now_s = self._clock.monotonic()
        if self._watching is None or now_s - self._watching[0] >= WATCHING_S:
            from console.monitor.watching import read_watching  # noqa: PLC0415 - a single snapshot has no use for it

            before = None if self._watching is None else self._watching[1]
            now = await asyncio.to_thread(read_watching, self._state, engine.cluster_id, engine.time)
            # The identical object where nothing changed.
            self._watching = (now_s, before if before == now else now)
        return self._watching[1]

    async def failing_alerts(self) -> Result[tuple[FailingAlert, ...]]:
        """Return the alerts of the recorder that do not get through, at most `CENSUSES_S` old."""
        if self._state is None:
            return ()
        now_s = self._clock.monotonic()
        if self._failing_alerts is None or now_s - self._failing_alerts[0] >= CENSUSES_S:
            failing_alerts = await asyncio.to_thread(read_failing_alerts, self._state, self._clock.now())
            self._failing_alerts = (now_s, failing_alerts)
        return self._failing_alerts[1]

    async def routes(self, engine: Engine) -> Result[tuple[Route, ...]]:
        """Return this host's routes, where an engine is its own."""
        now_s = self._clock.monotonic()
        if self._routes is None or now_s - self._routes[0] >= ROUTES_S:
            self._routes = (now_s, await read_own_routes(self._host, engine, self._snapshot))
        return self._routes[1]

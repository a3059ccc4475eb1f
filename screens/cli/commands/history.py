"""`vipconsole history`: how networks were used over time, and when they will be full: a chart, a list, JSON or CSV."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from console.addresses.forecast import Trend
from console.addresses.outlook import outlook_of
from console.addresses.use_history import UseSource
from console.clock import SystemClock
from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Snapshot
from console.errors import EngineError, HostError, Unknown, UsageError, known
from console.journal.reader import DaemonLog
from console.monitor.history import read_leak_log
from console.monitor.snapshot import take_snapshot
from console.monitor.trends import trends_at
from console.recorder.leaks import leak_records
from console.recorder.timeline import MARGIN
from console.recorder.values import RecordedEvent
from console.settings import Settings
from console.storage.history import MAX_DAYS, HistoryStore
from console.storage.record import RecordStore
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from console.text import clean
from screens.cli.common import connect, demo_log, journal_for, refuse_host, result_of, settings_of
from screens.output.history_data import UseRecord
from screens.output.plain import print_plainly, progress, size_of

SPAN = timedelta(days=1)
SHORTEST = timedelta(minutes=10)


def run(arguments: Namespace) -> int:
    """Print how networks were used, and return the exit code of the worst finding about them."""
    span = SPAN if arguments.since is None else timedelta(seconds=arguments.since)
    if not SHORTEST <= span <= timedelta(days=MAX_DAYS):
        raise UsageError(
            f"--since takes 10m to {MAX_DAYS}d.",
            f"History is kept for {MAX_DAYS} days, a value a minute at most.",
        )
    settings = settings_of(arguments)
    if arguments.events:
        from screens.cli.history_events import print_events

        with _swarm(arguments, settings) as (connection, _, state):
            return print_events(arguments, connection, state, span)
    with _swarm(arguments, settings) as (connection, log, state):
        snapshot = result_of(take_snapshot(EngineReader(connection), log, SystemClock(), settings.snapshot))
        engine = snapshot.swarm.engine
        if isinstance(engine, Unknown):
            raise EngineError(engine.reason, engine.hint)
        snapshot = replace(snapshot, leak_log=read_leak_log(state, snapshot))
        # The demo's history is gone with its engine.
        stored_points = HistoryStore(state).points(
            engine.cluster_id, _named(snapshot, arguments.network) if arguments.network else None
        )
        recorded_events = _recorded_events(state, engine.cluster_id, snapshot.now - span - MARGIN)
    assessment = assess(snapshot, settings.thresholds, (arguments.network,) if arguments.network else ())
    missing = next((finding for finding in assessment.findings if finding.code == "network-absent"), None)
    if missing is not None:
        progress(f"{missing.sentence} {missing.hint}".rstrip())
        return assessment.severity.exit_code
    accounts = [account for account in assessment.accounts if account.capacity]
    trends = trends_at(snapshot, accounts, stored_points)
    kept_ids = {network_id for (network_id, _), points in stored_points.items() if points}
    if not any(account.network.id in kept_ids for account in accounts):
        raise _no_history(arguments.network, state)
    records = [
        UseRecord(
            account,
            source,
            outlook,
            tuple(
                leak
                for leak in leak_records(recorded_events, source.entries, account.network.name)
                if leak.at >= snapshot.now - span
            ),
        )
        for account in accounts
        for trend in (trends.get(account.network.id),)
        for outlook in (outlook_of(trend, account.free_at_most),)
        for source in (_source(snapshot, trend, account.network.id, account.capacity),)
    ]
    _print(arguments, snapshot, assessment, records, span)
    return assessment.severity.exit_code


@contextmanager
def _swarm(arguments: Namespace, settings: Settings) -> Iterator[tuple[EngineConnection, DaemonLog, Path]]:
    """Give a connection to the engine, dockerd's log, and the state directory in which the history of its networks is."""
    if not arguments.demo:
        with connect(resolve_host(arguments.host), settings) as connection:
            yield connection, journal_for(arguments, settings), state_folder()
        return
    refuse_host(arguments)
    from console.simulator.demo import remembering_demo

    with remembering_demo() as demo, connect(demo.host, settings) as connection:
        yield connection, demo_log(arguments, settings, demo.journal), demo.state


def _source(snapshot: Snapshot, trend: Trend | None, network_id: str, capacity: int) -> UseSource:
    leak_log = snapshot.leak_log
    entries = () if isinstance(leak_log, Unknown) else leak_log.on(network_id)
    return UseSource(trend, entries, capacity, snapshot.now)


def _named(snapshot: Snapshot, name: str) -> list[str]:
    """Return the IDs of the networks of this name."""
    return [network.id for network in known(snapshot.swarm.networks, ()) if network.name == name]


def _recorded_events(state: Path, cluster_id: str, since: datetime) -> tuple[RecordedEvent, ...]:
    """Return what was recorded; where the record cannot be read, that is said, and the rest is told without it."""
    try:
        return RecordStore(state).events(cluster_id, since)
    except HostError as error:
        progress(error.sentence)
        return ()


def _no_history(network: str, state: Path) -> HostError:
    what = network or "this swarm"
    return HostError(
        f"There is no history of {clean(what)} yet in {clean(str(state), 300)}.",
        "Leave the console open: it keeps a value a minute, also of networks that it does not show. Each user has a history "
        "of their own; --state-dir names another one.",
    )


def _print(
    arguments: Namespace,
    snapshot: Snapshot,
    assessment: Assessment,
    records: list[UseRecord],
    span: timedelta,
) -> None:
    # Only what the chosen form needs is loaded: Rich costs more than all the rest.
    if arguments.form == "json":
        from screens.output.history_data import as_json

        sys.stdout.write(as_json(snapshot, assessment, records, span))
        return
    if arguments.form == "csv":
        from screens.output.history_data import as_csv

        sys.stdout.write(as_csv(records, span))
        return
    from screens.output.history import render_network, render_networks
    from screens.present.text import glyphs_for

    glyphs = glyphs_for(os.environ)
    if arguments.network and records:
        height = None if arguments.all else size_of(sys.stdout)[1]
        print_plainly(render_network(records[0], assessment, span, height, glyphs))
    else:
        print_plainly(render_networks(records, assessment, span, glyphs, everything=arguments.all))

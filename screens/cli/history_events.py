"""`vipconsole history --events`: what happened to a swarm while nobody looked, from the record."""

import os
import sys
from argparse import Namespace
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from console.clock import SystemClock
from console.errors import EngineError, HostError, UsageError
from console.recorder.timeline import MARGIN, Timeline, build_timeline
from console.storage.record import MAX_DAYS, RecordStore
from console.swarm.client import EngineConnection
from console.swarm.reader import EngineReader
from console.text import clean, near_names
from screens.cli.common import result_of
from screens.output.plain import print_plainly, progress

RECORDED = timedelta(days=MAX_DAYS)


def print_events(arguments: Namespace, connection: EngineConnection, state: Path, span: timedelta) -> int:
    """Print what was recorded, and return 0. Raises HostError where nothing was.

    Where the engine does not answer, it is that of the swarm that was recorded last: the record is read most when it is gone.
    """
    if arguments.form == "csv":
        raise UsageError("--events and --csv cannot be combined.", "--json has everything.")
    store = RecordStore(state)
    try:
        engine = result_of(EngineReader(connection).engine())
        cluster_id, now = engine.cluster_id, engine.time
    except EngineError as error:
        clusters = store.clusters()
        if not clusters:
            raise
        cluster_id, now = clusters[0], SystemClock().now()
        progress(f"{error.sentence} This is the record of the swarm that was recorded last.")
    timeline = build_timeline(
        store.events(cluster_id, now - span - MARGIN),
        store.spans(cluster_id),
        now - span,
        now,
        arguments.network,
    )
    if timeline.watched_since is None and not timeline.events:
        raise HostError(
            f"There is no record of this swarm yet in {clean(str(state), 300)}.",
            "`vipconsole record` keeps one, as a service or in a terminal; --state-dir names another directory.",
        )
    if arguments.network and not any(item.event.network for item in timeline.events):
        _say_what_is_named(
            arguments.network, {event.network for event in store.events(cluster_id, now - RECORDED)}
        )
    _print(arguments, timeline)
    return 0


def _say_what_is_named(network: str, names: Collection[str]) -> None:
    """Tell of a network that stands nowhere in the record: it had no trouble, or its name is another one."""
    if network in names:
        return
    near = near_names(network, names)
    hint = f" Did you mean {near[0]}?" if near else ""
    progress(f"Nothing is recorded about a network {clean(network)}.{hint}")


def _print(arguments: Namespace, timeline: Timeline) -> None:
    # Only what the chosen form needs is loaded: Rich costs more than all the rest.
    if arguments.form == "json":
        from screens.output.events_data import as_json

        sys.stdout.write(as_json(timeline, arguments.network))
        return
    from screens.output.events import render_events
    from screens.present.text import glyphs_for

    print_plainly(
        render_events(timeline, arguments.network, glyphs_for(os.environ), everything=arguments.all)
    )

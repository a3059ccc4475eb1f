"""`vipconsole record`: keeps what happens to the swarm while no console is open."""

import asyncio
import signal
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from console.alerts.deliverer import AlertDependencies
from console.alerts.listener import AlertListener
from console.clock import Clock, SystemClock
from console.journal.reader import DaemonLog
from console.monitor.monitor import Monitor, Sources
from console.monitor.pace import RecorderPace
from console.recorder.recorder import Recorder, RecorderOptions, stored_watch
from console.recorder.values import StateListener
from console.settings import Settings
from console.storage.record import RecordStore
from console.storage.recorder_lock import recording
from console.storage.state import state_folder
from console.swarm.address import resolve_host
from console.swarm.client import EngineConnection
from console.text import clean
from screens.cli.common import (
    connect,
    demo_log,
    is_simulated,
    journal_for,
    read_settings,
    refuse_host,
    result_of,
    state_of,
)
from screens.output.plain import progress

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(arguments: Namespace) -> int:
    """Record until a signal ends it, and return the exit code."""
    settings = read_settings(arguments)
    with _sources(arguments, settings) as sources:
        result_of(_record(arguments, sources, settings, SystemClock()))
    return 0


def listeners_of(
    arguments: Namespace, settings: Settings, state: Path, clock: Clock
) -> Sequence[StateListener]:
    """Return who else is told what the recorder sees: those who get alerts, and the exporter.

    Raises HostError where the exporter cannot listen.
    """
    alerts = settings.alert
    if alerts and is_simulated(arguments):
        progress("the swarm is simulated: nobody gets alerts")
        alerts = ()
    told = AlertListener(alerts, state, AlertDependencies(clock, progress))
    listeners: list[StateListener] = [told] if alerts else []
    if arguments.listen is not None:
        # It is loaded only when it is wanted.
        from screens.cli.exporter import ExporterListener

        exporter = ExporterListener(
            arguments.listen, settings.thresholds, RecordStore(state), clock, lambda: told.states
        )
        progress(f"metrics at http://{exporter.address}/metrics")
        listeners.append(exporter)
    return listeners


async def _record(arguments: Namespace, sources: Sources, settings: Settings, clock: Clock) -> None:
    state = sources.history or sources.state or state_folder()
    store = RecordStore(state)
    async with recording(state, clock):
        progress(f"recording {clean(sources.connection.host, 300)} in {clean(str(state.absolute()), 300)}")
        pace = RecorderPace(settings.record.poll_s, stored_watch(store))
        recorder = Recorder(
            Monitor(sources, settings, clock, pace),
            store,
            clock,
            listeners_of(arguments, settings, state, clock),
            RecorderOptions(round(settings.record.max_mb * 2**20), progress),
        )
        work = asyncio.create_task(recorder.run(), name="recorder")
        for number in ENDS:
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            progress("ended")


@contextmanager
def _sources(arguments: Namespace, settings: Settings) -> Iterator[Sources]:
    if not arguments.demo:
        with connect(resolve_host(arguments.host), settings) as connection:
            yield _sources_of(arguments, connection, journal_for(arguments, settings))
        return
    refuse_host(arguments)
    from console.simulator.demo import living_demo

    with living_demo() as demo, connect(demo.host, settings) as connection:
        yield _sources_of(arguments, connection, demo_log(arguments, settings, demo.journal))


def _sources_of(arguments: Namespace, connection: EngineConnection, log: DaemonLog) -> Sources:
    return Sources(connection, log, state_of(arguments, connection))

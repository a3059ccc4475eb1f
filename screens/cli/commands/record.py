"""`vipconsole record`: keeps what happens to the swarm while no console is open."""

import asyncio
import signal
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from console.clock import Clock, SystemClock
from console.journal.reader import DaemonLog
from console.monitor.monitor import Monitor, Sources
from console.monitor.pace import RecorderPace
from console.recorder.recorder import Recorder, RecorderOptions, stored_tasks
from console.recorder.values import StateListener
from console.settings import Settings
from console.storage.record import RecordStore
from console.storage.recorder_lock import recording
from console.storage.state import state_folder
from console.swarm.client import EngineConnection, resolve_host
from console.text import clean
from screens.cli.commands.common import (
    connect,
    demo_log,
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
        result_of(_record(sources, settings, SystemClock()))
    return 0


def listeners_of(settings: Settings, store: RecordStore, clock: Clock) -> Sequence[StateListener]:
    """Return who else is told what the recorder sees."""
    del settings, store, clock
    return ()


async def _record(sources: Sources, settings: Settings, clock: Clock) -> None:
    state = sources.history or sources.state or state_folder()
    store = RecordStore(state)
    async with recording(state, clock):
        progress(f"recording {clean(sources.connection.host, 300)} in {clean(str(state.absolute()), 300)}")
        pace = RecorderPace(settings.record.poll_s, stored_tasks(store))
        recorder = Recorder(
            Monitor(sources, settings, clock, pace),
            store,
            clock,
            listeners_of(settings, store, clock),
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

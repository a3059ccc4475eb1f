"""A recorder on a simulated engine, both in one time that the test lets pass; the recorder can be killed."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from console.clock import Clock
from console.journal.reader import DaemonLog
from console.monitor.monitor import Monitor, Sources
from console.monitor.pace import RecorderPace
from console.recorder.recorder import Recorder, RecorderOptions, stored_watch
from console.recorder.values import RecordedEvent, StateListener
from console.settings import Settings
from console.simulator.engine import SimulatedEngine
from console.storage.record import RecordStore
from console.storage.state import make_private
from tests.support.engines import Simulation, simulation
from tests.support.monitors import (
    MAX_WAIT_S,
    NO_LOG,
    CountingConnection,
    CountingExecutor,
    HandClock,
    until_idle,
)
from tests.support.swarms import LONG_AGO

T = TypeVar("T")
StoreOf = Callable[[Path], RecordStore]


class Stage:
    """The engine, its time, and the recorder while one is at work."""

    def __init__(self, simulated: Simulation, state: Path, settings: Settings, log: DaemonLog) -> None:
        self.state = state
        self.max_bytes = 64 * 2**20
        self.listeners: tuple[StateListener, ...] = ()
        self.reports: list[str] = []
        self.store_of: StoreOf = RecordStore
        self.connection = CountingConnection(simulated.host, 30)
        self.simulated = simulated
        self._settings = settings
        self._log = log
        self._clock = HandClock(self.do(lambda engine: engine.now))
        self._executor = CountingExecutor(max_workers=4)
        self._work: asyncio.Task[None] | None = None
        asyncio.get_running_loop().set_default_executor(self._executor)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def cluster_id(self) -> str:
        return self.do(lambda engine: engine.cluster_id)

    def do(self, act: Callable[[SimulatedEngine], T]) -> T:
        return self.simulated.running.run(act)

    async def heard(self, act: Callable[[SimulatedEngine], T]) -> T:
        """Remove something from the engine, and let no time pass until the event has made the recorder look."""
        await self.let(0.5)
        before = len(self.connection.asked)
        result = self.do(act)
        deadline = time.monotonic() + MAX_WAIT_S
        turns = 0
        while self._work is not None and len(self.connection.asked) == before:
            await asyncio.sleep(0.001)
            turns += 1
            if turns % 500 == 0:
                # It may have looked an instant before, and then waits a little.
                await self._step(0.1)
            assert time.monotonic() < deadline, "no event is heard"
        return result

    def events(self) -> tuple[RecordedEvent, ...]:
        return RecordStore(self.state).events(self.cluster_id, LONG_AGO.replace(year=2000))

    def start(self) -> None:
        """Let a recorder begin."""
        store = self.store_of(self.state)
        pace = RecorderPace(self._settings.record.poll_s, stored_watch(store))
        monitor = Monitor(Sources(self.connection, self._log, self.state), self._settings, self._clock, pace)
        options = RecorderOptions(self.max_bytes, self.reports.append)
        recorder = Recorder(monitor, store, self._clock, self.listeners, options)
        self._work = asyncio.create_task(recorder.run())

    async def stop(self) -> None:
        """End the recorder as a signal does."""
        if self._work is not None:
            if self._work.done():
                self._work.result()
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None

    async def kill(self) -> None:
        """End the recorder as SIGKILL does: what it would still have written is not there."""
        kept = self.state.with_name("kept")
        shutil.copytree(self.state, kept)
        await self.stop()
        shutil.rmtree(self.state)
        kept.rename(self.state)

    async def let(self, seconds: float, step_s: float = 0.1) -> None:
        """Let time pass, for both."""
        for _ in range(max(1, round(seconds / step_s))):
            await self._step(step_s)

    async def until(self, holds: Callable[[], object], within_s: float = 60.0) -> None:
        for _ in range(round(within_s / 0.1)):
            if holds():
                return
            await self._step(0.1)
        raise AssertionError(f"not within {within_s:g} s; {self.reports}, {self.events()[-5:]}")

    async def _step(self, step_s: float) -> None:
        await self._idle()
        self.do(lambda engine: engine.advance(step_s))
        self._clock.advance(step_s)
        await self._idle()

    async def _idle(self) -> None:
        await until_idle(lambda: self.connection.under_way or self._executor.under_way)
        if self._work is not None and self._work.done():
            self._work.result()


@asynccontextmanager
async def stage(
    engine: SimulatedEngine, state: Path, *, idle_s: float = 30.0, log: DaemonLog = NO_LOG
) -> AsyncIterator[Stage]:
    """Give a simulated engine; no recorder is at work yet."""
    settings = Settings()
    settings = replace(
        settings,
        record=replace(settings.record, poll_s=idle_s),
        snapshot=replace(settings.snapshot, call_timeout_s=30, deadline_s=60),
    )
    make_private(state)
    with simulation(engine) as simulated:
        shown = Stage(simulated, state, settings, log)
        try:
            yield shown
        finally:
            await shown.stop()
            shown.connection.close()

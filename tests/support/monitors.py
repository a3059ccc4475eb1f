"""A monitor on a simulated engine, both in one time that passes only when neither has anything left to do."""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from console.addresses.accounting import NetworkAccount
from console.journal.reader import DaemonLog
from console.journal.recordings import RecordedJournal
from console.monitor.monitor import Monitor, Sources
from console.monitor.values import MonitorState
from console.settings import Settings
from console.simulator.engine import SimulatedEngine
from console.simulator.server import RunningEngine
from console.swarm.client import EngineConnection

T = TypeVar("T")

STEP_S = 0.1
IDLE_TURNS = 25
"""So many turns of the loop in which nothing is ready and no call is under way, and everybody waits. What the engine tells by
its stream of events comes from a thread that nobody counts: with four turns time passed before it had come."""
MAX_WAIT_S = 60.0
"""Of this machine's time, for whatever is waited for."""
NO_LOG = DaemonLog(RecordedJournal(Path("/dev/null")), is_recorded=True, is_growing=False)


class HandClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self._began = now
        self._passed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        return 1000.0 + self._passed_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._passed_s + seconds, self._count, awake))
        await awake

    def advance(self, seconds: float) -> None:
        self._passed_s += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed_s + 1e-9:
            _, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                awake.set_result(None)


class CountingConnection(EngineConnection):
    """Knows how many calls are under way, and which were made."""

    under_way = 0
    asked: list[str]

    def __init__(self, host: str, timeout_s: float) -> None:
        super().__init__(host, timeout_s)
        self.asked = []

    async def ask(self, asked: str, question: Callable[[Any], T]) -> T:
        self.under_way += 1
        self.asked.append(asked)
        try:
            return await super().ask(asked, question)
        finally:
            self.under_way -= 1


class CountingExecutor(ThreadPoolExecutor):
    """Knows how many calls are under way."""

    under_way = 0

    def submit(self, *arguments: Any, **more: Any) -> "Future[Any]":
        self.under_way += 1
        future = super().submit(*arguments, **more)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return future

    def _done(self) -> None:
        self.under_way -= 1


async def until_idle(calls: Callable[[], int]) -> None:
    """Return once every task waits, and none of the counted calls is under way."""
    loop = asyncio.get_running_loop()
    deadline, turns = time.monotonic() + MAX_WAIT_S, 0
    while turns < IDLE_TURNS:
        is_busy = calls()
        await asyncio.sleep(0.001 if is_busy else 0)
        # asyncio has no public way to ask for this.
        turns = 0 if is_busy or loop._ready else turns + 1  # type: ignore[attr-defined]
        if time.monotonic() > deadline:
            raise AssertionError("it is never idle")


@dataclass
class SimulatedMonitor:
    """A running monitor."""

    monitor: Monitor
    clock: HandClock
    connection: CountingConnection
    executor: CountingExecutor
    simulated: RunningEngine
    monitor_state: MonitorState = field(default_factory=MonitorState)
    monitor_states: list[MonitorState] = field(default_factory=list)

    def do(self, act: Callable[[SimulatedEngine], T]) -> T:
        """Do something with the simulated engine."""
        return self.simulated.run(act)

    async def let(self, seconds: float) -> None:
        """Let time pass, for both."""
        for _ in range(max(1, round(seconds / STEP_S))):
            await self._step()

    async def until(self, holds: Callable[[MonitorState], object], within_s: float = 60.0) -> MonitorState:
        """Let time pass until something holds; fail when it does not within so much of it."""
        for _ in range(round(within_s / STEP_S)):
            if holds(self.monitor_state):
                return self.monitor_state
            await self._step()
        raise AssertionError(f"not within {within_s:g} s: {_in_short(self.monitor_state)}")

    async def _step(self) -> None:
        await self._idle()
        self.do(lambda engine: engine.advance(STEP_S))
        self.clock.advance(STEP_S)
        await self._idle()

    async def _idle(self) -> None:
        await until_idle(lambda: self.connection.under_way or self.executor.under_way)


@asynccontextmanager
async def simulated_monitor(
    host: str,
    simulated: RunningEngine,
    *,
    log: DaemonLog = NO_LOG,
    state: Path | None = None,
    settings: Settings | None = None,
    timeout_s: float = 30.0,
) -> AsyncIterator[SimulatedMonitor]:
    """Watch a simulated engine whose time the test holds."""
    settings = settings or Settings()
    settings = replace(
        settings, snapshot=replace(settings.snapshot, call_timeout_s=timeout_s, deadline_s=2 * timeout_s)
    )
    clock = HandClock(simulated.run(lambda engine: engine.now))
    executor = CountingExecutor(max_workers=4)
    asyncio.get_running_loop().set_default_executor(executor)
    connection = CountingConnection(host, timeout_s)
    running = SimulatedMonitor(
        Monitor(Sources(connection, log, state), settings, clock), clock, connection, executor, simulated
    )

    async def watch() -> None:
        async with aclosing(running.monitor.monitor_states()) as monitor_states:
            async for monitor_state in monitor_states:
                running.monitor_state = monitor_state
                running.monitor_states.append(monitor_state)

    monitor_task = asyncio.create_task(watch())
    try:
        await asyncio.sleep(0)
        yield running
        if monitor_task.done():
            monitor_task.result()
    finally:
        monitor_task.cancel()
        await asyncio.gather(monitor_task, return_exceptions=True)
        connection.close()


def _in_short(monitor_state: MonitorState) -> str:
    snapshot = monitor_state.snapshot.value
    verdict = (
        "no snapshot"
        if snapshot is None
        else f"{snapshot.assessment.headline} at {monitor_state.snapshot.at_s:g}"
    )
    return f"state {monitor_state.number}, {verdict}, failed {monitor_state.snapshot.failure}, leak log {monitor_state.leak_log}"


def account_of(monitor_state: MonitorState, name: str) -> NetworkAccount:
    """Return the account of a network."""
    snapshot = monitor_state.snapshot.value
    assert snapshot is not None
    return next(each for each in snapshot.assessment.accounts if each.network.name == name)

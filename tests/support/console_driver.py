"""The live console in a test: driven by monitor states that the test publishes, its frame as text."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from textual.pilot import Pilot

from console.monitor.values import MonitorState
from console.settings import Settings
from screens.present.text import UNICODE, Glyphs
from screens.tui.app import ConsoleApp, OwnRun, Runs
from screens.tui.environment import ConsoleEnvironment
from tests.support.frames import frame_of
from tests.support.idle import running
from tests.support.swarms import NOW


@dataclass
class ManualClock:
    """A clock that goes on only when it is told to."""

    at: datetime = NOW
    seconds: float = 100.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


class FakeMonitor:
    """A source of monitor states: those that a test publishes."""

    def __init__(self, monitor_state: MonitorState | None = None) -> None:
        self._next: asyncio.Queue[MonitorState | BaseException] = asyncio.Queue()
        self.monitor_state = monitor_state or MonitorState()
        self.wake_count = 0
        self.network_ids: tuple[str, ...] = ()

    def publish(self, **parts: Any) -> None:
        self.monitor_state = replace(self.monitor_state, number=self.monitor_state.number + 1, **parts)
        self._next.put_nowait(self.monitor_state)

    def fail(self, error: BaseException) -> None:
        self._next.put_nowait(error)

    async def monitor_states(self) -> AsyncGenerator[MonitorState, None]:
        yield self.monitor_state
        while True:
            item = await self._next.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    def wake(self) -> None:
        self.wake_count += 1

    def attend(self, *network_ids: str) -> None:
        self.network_ids = network_ids


@dataclass
class ConsoleDriver:
    """A console that is shown."""

    app: ConsoleApp
    pilot: Pilot[Any]
    monitor: FakeMonitor
    clock: ManualClock

    @property
    def frame(self) -> str:
        """What is on the screen, as text."""
        return "\n".join(frame_of(self.app))

    async def press(self, *keys: str) -> str:
        await self.pilot.press(*keys)
        await self.settle()
        return self.frame

    async def settle(self) -> str:
        await self.pilot.pause()
        return self.frame

    async def until(self, holds: Callable[[str], bool]) -> str:
        """Return the frame as soon as it is so."""
        async with asyncio.timeout(60):
            while not holds(self.frame):
                await self.pilot.pause(0.02)
        return self.frame


@asynccontextmanager
async def console(
    monitor_state: MonitorState | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    glyphs: Glyphs = UNICODE,
    settings: Settings | None = None,
    clock: ManualClock | None = None,
    runs: Runs | None = None,
    own: OwnRun | None = None,
    host: str = "unix:///var/run/docker.sock",
) -> AsyncIterator[ConsoleDriver]:
    """Show the console at a size, over a monitor state."""
    monitor, clock = FakeMonitor(monitor_state), clock or ManualClock()
    environment = ConsoleEnvironment(
        settings or Settings(),
        host,
        glyphs,
        UTC,
        clock,
        may_decide=own is not None,
    )
    app = ConsoleApp(monitor, environment, runs, own)
    async with running(app, size) as pilot:
        driver = ConsoleDriver(app, pilot, monitor, clock)
        await driver.settle()
        yield driver

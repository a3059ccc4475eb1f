"""The live console in a test: driven by scenes that the test makes, its frame as text."""

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
class HeldClock:
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


class Stage:
    """A source of scenes: those that a test puts on."""

    def __init__(self, monitor_state: MonitorState | None = None) -> None:
        self._next: asyncio.Queue[MonitorState | BaseException] = asyncio.Queue()
        self.monitor_state = monitor_state or MonitorState()
        self.hurried = 0
        self.attended: tuple[str, ...] = ()

    def put_on(self, **parts: Any) -> None:
        self.monitor_state = replace(self.monitor_state, number=self.monitor_state.number + 1, **parts)
        self._next.put_nowait(self.monitor_state)

    def fail(self, error: BaseException) -> None:
        self._next.put_nowait(error)

    async def monitor_states(self) -> AsyncGenerator[MonitorState, None]:
        yield self.monitor_state
        while True:
            given = await self._next.get()
            if isinstance(given, BaseException):
                raise given
            yield given

    def wake(self) -> None:
        self.hurried += 1

    def attend(self, *network_ids: str) -> None:
        self.attended = network_ids


@dataclass
class Shown:
    """A console that is shown."""

    app: ConsoleApp
    pilot: Pilot[Any]
    stage: Stage
    clock: HeldClock

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
    clock: HeldClock | None = None,
    runs: Runs | None = None,
    own: OwnRun | None = None,
) -> AsyncIterator[Shown]:
    """Show the console at a size, over a scene."""
    stage, clock = Stage(monitor_state), clock or HeldClock()
    around = ConsoleEnvironment(
        settings or Settings(),
        "unix:///var/run/docker.sock",
        glyphs,
        UTC,
        clock,
        may_decide=own is not None,
    )
    app = ConsoleApp(stage, around, runs, own)
    async with running(app, size) as pilot:
        shown = Shown(app, pilot, stage, clock)
        await shown.settle()
        yield shown

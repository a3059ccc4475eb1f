"""Builders of what the live console is shown, and a host for one of its screens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.pilot import Pilot
from textual.reactive import var

from console.addresses.forecast import Trend
from console.addresses.leaks import LeakLog
from console.diagnosis.assess import assess
from console.errors import Unknown
from console.monitor.values import AssessedSnapshot, Feed, Log, MonitorState
from console.settings import Settings, Thresholds
from console.swarm.model import SwarmState
from screens.present.text import UNICODE, Glyphs
from screens.tui.environment import ConsoleEnvironment
from screens.tui.screen import ConsoleScreen
from tests.support.idle import running
from tests.support.swarms import NOW, snapshot

SIZES = ((60, 20), (80, 24), (160, 50))
NO_TRENDS: Mapping[str, Trend] = {}


class StillClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 100.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s by a clock that stands still")


def environment(glyphs: Glyphs = UNICODE) -> ConsoleEnvironment:
    return ConsoleEnvironment(Settings(), "unix:///run/docker.sock", glyphs, UTC, StillClock())


def monitor_state(
    state: SwarmState | None = None,
    *,
    earlier: SwarmState | None = None,
    leak_log: LeakLog | None = None,
    log: Log | None = None,
    log_failed: Unknown | None = None,
    trends: Mapping[str, Trend] = NO_TRENDS,
) -> MonitorState:
    """Return what is shown of a swarm and a log just now."""
    watched = leak_log or LeakLog(monitored_since=NOW)
    assessed: Feed[AssessedSnapshot] = Feed()
    if state is not None:
        journal = None if log is None else log.summary
        seen = replace(snapshot(state, earlier=earlier, journal=journal), leak_log=watched)
        assessed = Feed(AssessedSnapshot(seen, assess(seen, Thresholds())), 100.0)
    return MonitorState(1, assessed, Feed(log, 100.0, log_failed), leak_log=watched, trends=trends)


class ScreenHost(App[None], inherit_bindings=False):
    """An app with one screen of the console."""

    BINDINGS: ClassVar[list[BindingType]] = []
    monitor_state: var[MonitorState] = var(MonitorState())

    def __init__(self, shown: ConsoleScreen, first: MonitorState) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self._shown = shown
        self._first = first
        self._messages: dict[int, Message] = {}
        self.copied: list[str] = []

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.monitor_state = self._first
        self.push_screen(self._shown)

    def receive(self, message: Message) -> None:
        # A message that bubbles arrives once on each level.
        self._messages[id(message)] = message

    @property
    def messages(self) -> list[Message]:
        return list(self._messages.values())

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


@asynccontextmanager
async def host_screen(
    screen: ConsoleScreen, first: MonitorState, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[ScreenHost, Pilot[Any]]]:
    """Show a screen over a monitor state in a terminal of this size."""
    app = ScreenHost(screen, first)
    async with running(app, size, app.receive) as pilot:
        await pilot.pause()
        await settle(app, pilot)
        yield app, pilot


async def settle(app: App[Any], pilot: Pilot[Any]) -> None:
    """Wait until a screen has done what it does beside the event loop, and shows it."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()

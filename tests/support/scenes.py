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
from console.addresses.leaks import Ledger
from console.diagnosis.assess import assess
from console.errors import Unknown
from console.monitor.values import Feed, Log, Look, Scene
from console.settings import Settings, Thresholds
from console.swarm.values import SwarmState
from screens.present.text import UNICODE, Glyphs
from screens.tui.environment import Surroundings
from screens.tui.screen import ConsoleScreen
from tests.support.idle import running
from tests.support.swarms import NOW, observation

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


def surroundings(glyphs: Glyphs = UNICODE) -> Surroundings:
    return Surroundings(Settings(), "unix:///run/docker.sock", glyphs, UTC, StillClock())


def scene(
    state: SwarmState | None = None,
    *,
    earlier: SwarmState | None = None,
    ledger: Ledger | None = None,
    log: Log | None = None,
    log_failed: Unknown | None = None,
    trends: Mapping[str, Trend] = NO_TRENDS,
) -> Scene:
    """Return what is shown of a swarm and a log just now."""
    watched = ledger or Ledger(watched_since=NOW)
    look: Feed[Look] = Feed()
    if state is not None:
        journal = None if log is None else log.summary
        seen = replace(observation(state, earlier=earlier, journal=journal), ledger=watched)
        look = Feed(Look(seen, assess(seen, Thresholds())), 100.0)
    return Scene(1, look, Feed(log, 100.0, log_failed), ledger=watched, trends=trends)


class Host(App[None], inherit_bindings=False):
    """An app with one screen of the console."""

    BINDINGS: ClassVar[list[BindingType]] = []
    scene: var[Scene] = var(Scene())

    def __init__(self, shown: ConsoleScreen, first: Scene) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self._shown = shown
        self._first = first
        self._heard: dict[int, Message] = {}
        self.copied: list[str] = []

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.scene = self._first
        self.push_screen(self._shown)

    def hear(self, message: Message) -> None:
        # A message that bubbles is heard of once on each level.
        self._heard[id(message)] = message

    @property
    def heard(self) -> list[Message]:
        return list(self._heard.values())

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


@asynccontextmanager
async def hosted(
    screen: ConsoleScreen, first: Scene, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Host, Pilot[Any]]]:
    """Show a screen over a scene in a terminal of this size."""
    app = Host(screen, first)
    async with running(app, size, app.hear) as pilot:
        await pilot.pause()
        await settled(app, pilot)
        yield app, pilot


async def settled(app: App[Any], pilot: Pilot[Any]) -> None:
    """Wait until a screen has done what it does beside the event loop, and shows it."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()

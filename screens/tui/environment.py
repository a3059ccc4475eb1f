"""The environment of the console's screens, their messages to the app, and how text is copied and saved."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Protocol

from textual.message import Message
from textual.screen import Screen

from console.clock import Clock
from console.errors import HostError
from console.frozen import frozen
from console.monitor.values import MonitorState
from console.settings import Settings
from console.storage.state import make_private, state_folder, write_atomically
from console.text import SENTENCE_LIMIT, clean, plural
from screens.present.text import ASCII, Glyphs

COPY_LIMIT = 50_000
"""Bytes that are sent to the terminal's clipboard: tmux and others drop longer ones silently."""


def copy(screen: Screen[Any], text: str) -> None:
    """Send text to the clipboard of the operator's own terminal (OSC 52), and notify how much was sent."""
    if not text.strip():
        screen.notify("Nothing to copy here.", markup=False)
        return
    clip = text.encode()[:COPY_LIMIT].decode(errors="ignore")
    screen.app.copy_to_clipboard(clip)
    cut = "" if clip == text else ", the rest was too long"
    lines = plural(len(clip.splitlines()), "line")
    screen.notify(f"{lines} sent to the terminal's clipboard{cut}.", markup=False)


async def save(screen: Screen[Any], name: str, text: str, at: datetime) -> None:
    """Write text to a file that only this user can read, and notify where it is, or why it could not be written."""
    path = state_folder() / "saved" / f"{name}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.log"
    try:
        await asyncio.to_thread(_write, path, text)
    except HostError as error:
        screen.notify(f"{error.sentence} {error.hint}", severity="error", markup=False)
    else:
        screen.notify(f"Saved to {clean(str(path), SENTENCE_LIMIT)}", markup=False)


def _write(path: Path, text: str) -> None:
    make_private(path.parent)
    write_atomically(path, text, 0o600)


@frozen
class ConsoleEnvironment:
    """Where the console runs, and which engine it shows."""

    settings: Settings
    host: str
    """Address of the engine, clean."""
    glyphs: Glyphs
    zone: tzinfo
    """In which times are shown."""
    clock: Clock
    where: tuple[str, str] = ("", "")
    """What a command needs before and after it to reach the same engine, such as `DOCKER_HOST=… ` and ` --demo`."""
    may_decide: bool = False
    """Whether decisions about a run are taken here; else the console is read-only."""

    @property
    def is_simulated(self) -> bool:
        """Whether this is the demo: what reaches its engine is an option of the command."""
        return "--demo" in self.where[1]

    @property
    def is_ascii(self) -> bool:
        """Whether the terminal has nothing but ASCII."""
        return self.glyphs is ASCII


@dataclass
class StateChanged(Message):
    """There is a newer monitor state. Of several that wait, only the last is shown."""

    monitor_state: MonitorState

    def can_replace(self, message: Message) -> bool:
        """Replace an older one that was not shown yet."""
        return isinstance(message, StateChanged)


@dataclass
class OpenNetwork(Message):
    """The operator opens a network."""

    network_id: str


@dataclass
class OpenJournal(Message):
    """The operator opens dockerd's log."""

    signature: str = ""
    """The finding to begin with, by its signature's ID."""


@dataclass
class OpenWhy(Message):
    """The operator asks why a service does not run."""

    service_id: str = ""
    """Empty for all services that do not run."""
    stack: str = ""
    """Show the services of this stack only."""


@dataclass
class OpenRun(Message):
    """The operator opens the maintenance run."""


class MonitorSource(Protocol):
    """Gives monitor states while the console is open; `console.monitor` has the real one."""

    @property
    def monitor_state(self) -> MonitorState:
        """The newest state."""
        ...

    def monitor_states(self) -> AsyncGenerator[MonitorState, None]:
        """Yield the newest state whenever something in it changed; parts that did not are the very same objects."""
        ...

    def wake(self) -> None:
        """Take a snapshot now instead of after the present pause."""
        ...

    def attend(self, *network_ids: str) -> None:
        """Read these networks in detail, because they are on the screen, and no longer those of the call before."""
        ...

"""What screens are given when the console opens, and what they tell the app."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from textual.message import Message

from console.clock import Clock
from console.monitor.values import Scene
from console.settings import Settings
from screens.present.text import ASCII, Glyphs


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the console runs, and what it looks at."""

    settings: Settings
    host: str
    """Address of the engine, clean."""
    glyphs: Glyphs
    zone: tzinfo
    """In which times are shown."""
    clock: Clock
    where: tuple[str, str] = ("", "")
    """What a command needs before and behind it to reach the same engine, such as `DOCKER_HOST=… ` and ` --demo`."""
    may_decide: bool = False
    """Whether decisions about a run are taken here; else it is only looked."""

    @property
    def is_ascii(self) -> bool:
        """Whether the terminal has nothing but ASCII."""
        return self.glyphs is ASCII


@dataclass
class SceneCame(Message):
    """There is a newer scene. Of many that wait, only the last is worth showing."""

    scene: Scene

    def can_replace(self, message: Message) -> bool:
        """Take the place of an older one that nobody has looked at yet."""
        return isinstance(message, SceneCame)


@dataclass
class OpenNetwork(Message):
    """Somebody wants to see a network."""

    network_id: str


@dataclass
class OpenJournal(Message):
    """Somebody wants to read dockerd's log."""

    signature: str = ""
    """The finding to begin with, by its signature's ID."""


@dataclass
class OpenWhy(Message):
    """Somebody wants to know why a service does not run."""

    service_id: str = ""
    """Nothing for all that do not."""


@dataclass
class OpenRun(Message):
    """Somebody wants to see the maintenance run."""


class SceneSource(Protocol):
    """Gives scenes for as long as somebody looks; `console.monitor` has the real one."""

    def scenes(self) -> AsyncGenerator[Scene, None]:
        """Yield the newest scene whenever something in it changed; parts that did not are the very same objects."""
        ...

    def hurry(self) -> None:
        """Look now instead of at the end of the present pause."""
        ...

    def attend(self, *network_ids: str) -> None:
        """Look closely at these networks, and no longer at those named before: somebody has them on the screen."""
        ...

"""What screens and widgets tell the app."""

from dataclasses import dataclass

from textual.message import Message

from console.monitor.values import Scene


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

"""What the recorder keeps, and who else it tells."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from console.diagnosis.values import Severity
from console.frozen import frozen
from console.monitor.values import MonitorState


class EventKind(StrEnum):
    """What kind of thing happened."""

    DEPLOY = "deploy"
    """A service was created or updated."""
    REMOVAL = "removal"
    """A service or a network is gone."""
    LEAK = "leak"
    FAILURE = "failure"
    """Tasks of a service began to fail, or an update stopped."""
    RESTART = "restart"
    """dockerd was restarted, or something else hands out the addresses since."""
    FINDING = "finding"
    """A finding began, or ended."""
    JOURNAL = "journal"
    """dockerd logged something that has a signature, for the first time in an hour."""
    WATCHING = "watching"
    """The recorder itself: what it could not watch."""


@frozen
class RecordedEvent:
    """Something that happened to a swarm. Its texts are clean."""

    at: datetime
    """By the engine's clock."""
    kind: EventKind
    subject: str
    """What it is about: the service, stack or network, the code of the finding, the ID of the signature."""
    sentence: str
    """A sentence in plain English."""
    network: str = ""
    """Name of the network that it is about."""
    stack: str = ""
    """Name of the stack that it is about, where it is of one."""
    severity: Severity = Severity.OK
    is_end: bool = False
    """Whether a finding ended. What began and has no end goes on, or ended unwatched."""
    addresses: int = 0
    """How many addresses leaked; 0 of all else, and of a leak in a record that was begun before there was this figure."""


@frozen
class WatchSpan:
    """A time in which a recorder watched without a break. Both by the engine's clock."""

    began: datetime
    ended: datetime


class StateListener(Protocol):
    """One that is told what the recorder sees: alerts, the exporter."""

    async def take(self, state: MonitorState) -> None:
        """Take in a monitor state, each newer than the last; states in between may be skipped. It must not block long."""
        ...

    async def close(self) -> None:
        """End, once, after the last state."""
        ...

"""When tasks, networks and services went or changed, by the engine's events."""

from collections.abc import Sequence
from datetime import UTC, datetime

from console.addresses.removal_order import EventTimes
from console.swarm.model import Event
from console.swarm.parse_engine import TASK_ID_LABEL

MOST = 1000
"""So many times of one kind are remembered."""
ENGINE_EVENTS = 256
"""So many events the engine itself remembers, of every kind."""
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
REMOVAL_ACTION = "remove"
SWARM = "swarm"


def is_removal(event: Event) -> bool:
    """Whether a service or a network was removed from the swarm."""
    return event.kind in ("service", "network") and event.action == REMOVAL_ACTION and event.scope == SWARM


class EventMemory:
    """Remembers events as they arrive, and those that the engine remembers."""

    def __init__(self) -> None:
        self._ended: dict[str, datetime] = {}
        self._cleared: dict[str, datetime] = {}
        self._removed: dict[str, datetime] = {}
        self._updated: dict[str, datetime] = {}
        self._complete_since: datetime | None = None
        self._is_broken = False

    def begin(self, since: datetime) -> None:
        """Note that every event since a moment arrives from now on."""
        if self._complete_since is None:
            self._complete_since = since

    def lose(self) -> None:
        """Note that events do not arrive now, and that some may never."""
        self._complete_since, self._is_broken = None, True

    def take(self, event: Event) -> None:
        """Take in an event that has just arrived."""
        if self._is_broken:
            # A stream that is opened again leaves nothing out after its first event.
            self._complete_since, self._is_broken = event.at, False
        self._note(event)

    def recall(self, events: Sequence[Event]) -> None:
        """Take in all events that the engine remembers, oldest first; later ones arrive."""
        for event in events:
            self._note(event)
        since = ALWAYS if len(events) < ENGINE_EVENTS else events[0].at
        self._complete_since = since if self._complete_since is None else min(since, self._complete_since)
        self._is_broken = False

    def times(self) -> EventTimes:
        """Return what is remembered."""
        return EventTimes(
            dict(self._ended),
            dict(self._cleared),
            dict(self._removed),
            dict(self._updated),
            self._complete_since,
        )

    def _note(self, event: Event) -> None:
        task_id = event.attributes.get(TASK_ID_LABEL, "")
        match event.kind, event.action:
            case "container", "die" if task_id:
                _put(self._ended, task_id, event.at)
            case "container", "destroy" if task_id:
                _put(self._cleared, task_id, event.at)
            case "network", "remove" if event.scope == SWARM:
                _put(self._removed, event.id, event.at)
            case "service", "update":
                forgotten_at = _put(self._updated, event.id, event.at)
                if forgotten_at is not None and self._complete_since is not None:
                    self._complete_since = max(self._complete_since, forgotten_at)


def _put(times: dict[str, datetime], key: str, at: datetime) -> datetime | None:
    """Remember a time, the latest of a key; return the time that made room for it, if any."""
    times[key] = max(at, times.pop(key, at))
    return times.pop(next(iter(times))) if len(times) > MOST else None

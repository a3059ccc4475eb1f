"""An outage as the log tells it: its phases, who is down and since when, and what happened last. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from console.frozen import frozen
from console.runbook.run.events import OutageProgressed
from console.text import listed, plural

RECENT = 3
"""How many of the latest happenings are kept."""
_NAMED = 3


@frozen
class ServiceState:
    """Whether a service is down, as a snapshot of the outage showed it last."""

    name: str
    is_down: bool
    since: datetime


@frozen
class PhaseStart:
    """When a phase began."""

    phase: str
    at: datetime


@frozen
class OutageEvent:
    """Something that happened in an outage."""

    at: datetime
    text: str


@frozen
class OutageView:
    """The outage of a step, over all its acts and undos."""

    phases: tuple[str, ...] = ()
    """All phases, in order."""
    begins: tuple[PhaseStart, ...] = ()
    """Those that the last act or undo has begun, in the order in which they began; the last one is under way."""
    services: tuple[ServiceState, ...] = ()
    recent: tuple[OutageEvent, ...] = ()
    """The `RECENT` latest, oldest first."""
    way_back: str = ""
    """What brings services back if something fails now."""
    down_since: datetime | None = None
    """Since when at least one service is down; None where none is."""

    @property
    def down(self) -> tuple[ServiceState, ...]:
        """The services that are down, those that went down first."""
        return tuple(sorted((service for service in self.services if service.is_down), key=_since))

    @property
    def up(self) -> tuple[ServiceState, ...]:
        """The services that run as before, the first to come up first."""
        return tuple(sorted((service for service in self.services if not service.is_down), key=_since))

    @property
    def phase(self) -> str:
        """The phase that is under way."""
        return self.begins[-1].phase if self.begins else ""

    def took_s(self, phase: str, now: datetime) -> float | None:
        """Return how long a phase took, or takes so far; None where it has not begun."""
        for place, begin in enumerate(self.begins):
            if begin.phase == phase:
                end = self.begins[place + 1].at if place + 1 < len(self.begins) else now
                return max(0.0, (end - begin.at).total_seconds())
        return None


def _since(service: ServiceState) -> datetime:
    return service.since


def advance_outage(outage: OutageView | None, event: OutageProgressed, at: datetime) -> OutageView:
    """Return an outage after its next event."""
    outage = outage or OutageView()
    begins = outage.begins
    if event.phase != outage.phase:
        # One that begins once more, such as emptying the network after it was refused to be removed, began before.
        kept = next((place for place, begin in enumerate(begins) if begin.phase == event.phase), len(begins))
        begins = (*begins[:kept], begins[kept] if kept < len(begins) else PhaseStart(event.phase, at))
    services = {service.name: service for service in outage.services}
    # Each act and undo reports all services at first.
    down = [name for name in event.down if name not in services or not services[name].is_down]
    up = [name for name in event.up if name in services and services[name].is_down]
    new = [name for name in event.up if name not in services]
    services |= {name: ServiceState(name, is_down=True, since=at) for name in down}
    services |= {name: ServiceState(name, is_down=False, since=at) for name in (*up, *new)}
    is_any_down = any(service.is_down for service in services.values())
    happenings = [OutageEvent(at, text) for text in _happenings(event, outage.phase, down, up)]
    return replace(
        outage,
        phases=event.phases,
        begins=begins,
        services=tuple(services.values()),
        recent=(*outage.recent, *happenings)[-RECENT:],
        way_back=event.way_back,
        down_since=(outage.down_since or at) if is_any_down else None,
    )


def _happenings(event: OutageProgressed, phase_before: str, down: list[str], up: list[str]) -> Iterator[str]:
    if event.note:
        yield event.note
    if phase_before and event.phase != phase_before:
        before, now = event.phases.index(phase_before), event.phases.index(event.phase)
        if now > before and not event.note:
            yield phase_before
    if down:
        yield f"{plural(len(down), 'service')} down: {listed(down, _NAMED)}"
    if up:
        yield f"UP again: {listed(up, _NAMED)}"


def restart_outage(outage: OutageView | None) -> OutageView | None:
    """Return an outage whose step acts, or is undone, once more: its phases begin again, what is down stays down."""
    return None if outage is None else replace(outage, begins=(), way_back="")


def settle_outage(outage: OutageView | None, at: datetime) -> OutageView | None:
    """Return an outage whose step was verified or undone: everything was seen to run as before."""
    if outage is None:
        return None
    services = tuple(
        ServiceState(service.name, is_down=False, since=at) if service.is_down else service
        for service in outage.services
    )
    return replace(outage, services=services, down_since=None)

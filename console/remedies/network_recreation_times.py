"""How long each service is down while its network is recreated, by the engine's clock, and what the least would be. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from console.remedies.network_recreation_label import Parked
from console.swarm.overlays import OverlayLook


@dataclass(frozen=True, slots=True)
class Outage:
    """How long one service was down."""

    name: str
    total_s: float
    """From its parking until as many of its tasks ran as before."""
    stop_s: float | None
    """Until its last container had ended: its stop grace, at most, and what the engine needs besides. None where that was
    not seen, as after an interruption."""
    start_s: float | None
    """From its restoring until its tasks ran; None where that was not seen."""

    @property
    def floor_s(self) -> float | None:
        """What stopping and starting take by themselves, whoever does it."""
        return None if self.stop_s is None or self.start_s is None else self.stop_s + self.start_s


@dataclass(slots=True)
class _Span:
    name: str
    parked: datetime
    stopped: datetime | None = None
    restored: datetime | None = None
    running: datetime | None = None


@dataclass(slots=True)
class Times:
    """Moments of each service, as looks show them."""

    _spans: dict[str, _Span] = field(default_factory=dict)
    _seen_alive: set[str] = field(default_factory=set)
    """Services of which something was seen to run."""

    def note(self, look: OverlayLook, parked: Iterable[Parked], network: str) -> None:
        """Take in a look at a network and what is parked for it."""
        down = {each.service.id: each for each in parked}
        for each in down.values():
            self._spans.setdefault(each.service.id, _Span(each.service.name, each.since))
        alive = {each.use.service_id for each in look.tasks if each.use.is_alive and each.use.container_id}
        alive |= {each.service_id for each in look.containers if each.task_id and each.is_running}
        self._seen_alive |= alive
        current = look.overlay(network)
        for service_id, span in self._spans.items():
            if service_id in down:
                if span.stopped is None and service_id in self._seen_alive - alive:
                    span.stopped = look.now
                continue
            found = look.service(service_id)
            if span.restored is None and found and current and found.is_on(current.id, network):
                span.restored = found.updated

    def note_running(self, service_id: str, since: datetime) -> None:
        """Take in that enough of a service's tasks run, and since when."""
        span = self._spans.get(service_id)
        if span is not None and span.running is None:
            span.running = since

    def outages(self) -> tuple[Outage, ...]:
        """Return the outages that were seen from beginning to end; of services without tasks there are none."""
        return tuple(
            Outage(
                each.name,
                _between(each.parked, each.running) or 0.0,
                _between(each.parked, each.stopped),
                _between(each.restored, each.running),
            )
            for each in self._spans.values()
            if each.running
        )

    def whole(self) -> tuple[float, float] | None:
        """Return from the first parking to the last task that ran, and its floor: the longest stop and the longest start."""
        ended = [each.running for each in self._spans.values() if each.running]
        stops = [each.stop_s for each in self.outages() if each.stop_s is not None]
        starts = [each.start_s for each in self.outages() if each.start_s is not None]
        if not ended or not stops or not starts:
            return None
        began = min(each.parked for each in self._spans.values() if each.running)
        return (max(ended) - began).total_seconds(), max(stops) + max(starts)


def _between(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())

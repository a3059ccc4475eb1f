"""How long services are really down, and when: from the engine's own events, whoever stops and starts them."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tests.contract.world import JSON

SERVICE = "com.docker.swarm.service.name"
STOPPED = "container kill"
ENDED = "container die"
STARTED = "container start"


@dataclass(frozen=True)
class Moment:
    """One event of the engine: when, in seconds of Unix time, what and of what."""

    at_s: float
    what: str
    name: str


@dataclass(frozen=True)
class Downtime:
    """How long a service was down, in seconds of Unix time."""

    service: str
    stopped_s: float
    """Its first stop signal. The engine has taken the task off its virtual IP 2 s before, whoever stops it."""
    ended_s: float
    """The end of its last container."""
    running_s: float
    """The start of its last container."""

    @property
    def total_s(self) -> float:
        return self.running_s - self.stopped_s


@dataclass
class Downtimes:
    """What one recreation, by whatever means, cost."""

    moments: Sequence[Moment]
    services: list[Downtime] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_service: dict[str, list[Moment]] = defaultdict(list)
        for moment in self.moments:
            if moment.what in (STOPPED, ENDED, STARTED):
                by_service[moment.name].append(moment)
        for name, moments in by_service.items():
            at = {
                what: [moment.at_s for moment in moments if moment.what == what]
                for what in (STOPPED, ENDED, STARTED)
            }
            if all(at.values()):
                self.services.append(Downtime(name, min(at[STOPPED]), max(at[ENDED]), max(at[STARTED])))
        self.services.sort(key=lambda downtime: downtime.stopped_s)

    @property
    def sum_s(self) -> float:
        return sum(downtime.total_s for downtime in self.services)

    @property
    def whole_s(self) -> float:
        return max(downtime.running_s for downtime in self.services) - self._began_s

    @property
    def _began_s(self) -> float:
        return min(downtime.stopped_s for downtime in self.services)

    @property
    def least_s(self) -> float:
        """What stopping took, and what starting took, without what was between them."""
        ended_s = max(downtime.ended_s for downtime in self.services)
        updates = [moment.at_s for moment in self.moments if moment.what == "service update"]
        back_s = min(at_s for at_s in updates if at_s > ended_s)
        return (ended_s - self._began_s) + (max(downtime.running_s for downtime in self.services) - back_s)

    def phases(self, network: str) -> str:
        """Return when each phase began and ended, in seconds since the first stop signal."""
        networks = [moment for moment in self.moments if moment.name == network]
        removed = [moment.at_s for moment in networks if moment.what == "network remove"]
        created = [moment.at_s for moment in networks if moment.what == "network create"]
        starts = sorted(moment.at_s for moment in self.moments if moment.what == STARTED)
        updates = [moment.at_s for moment in self.moments if moment.what == "service update"]
        back = [at_s for at_s in updates if created and at_s > max(created)]
        phases = {
            "last stop signal": [max(downtime.stopped_s for downtime in self.services)],
            "last task ended": [max(downtime.ended_s for downtime in self.services)],
            "network removed": removed[-1:],
            "network created": created[-1:],
            "first update since": back[:1],
            "first task started": starts[:1],
            "last task started": starts[-1:],
        }
        return ", ".join(f"{name} {at_s - self._began_s:.1f}" for name, (at_s, *_) in _seen(phases))

    def table(self) -> str:
        """Return a line for each service, in the order in which they went down."""
        return "\n".join(
            f"    {downtime.service:<24} down {downtime.stopped_s - self._began_s:5.1f}  "
            f"ended {downtime.ended_s - self._began_s:5.1f}  up {downtime.running_s - self._began_s:5.1f}  "
            f"= {downtime.total_s:5.1f} s"
            for downtime in self.services
        )


def _seen(phases: dict[str, list[float]]) -> Iterator[tuple[str, list[float]]]:
    return ((name, moments) for name, moments in phases.items() if moments)


class Recorder:
    """Collects events from a thread of its own."""

    def __init__(self, socket: Path) -> None:
        self._client: Any = docker.APIClient(base_url=f"unix://{socket}", version="auto", timeout=900)
        self._stream: Any = self._client.events(decode=True)
        self._events: list[JSON] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        self._events.extend(self._stream)

    def close(self) -> None:
        """End the thread."""
        self._stream.close()
        self._thread.join(20)
        self._stream._response.close()
        self._client.close()

    def downtimes(self) -> Downtimes:
        """Return what the events so far tell."""
        return Downtimes([moment for event in [*self._events] if (moment := _moment(event))])


def _moment(event: JSON) -> Moment | None:
    kind, action, attributes = event["Type"], event["Action"], event["Actor"]["Attributes"]
    name = attributes.get(SERVICE) if kind == "container" else attributes.get("name")
    if name is None or (kind == "container" and action == "kill" and attributes.get("signal") == "9"):
        return None
    return Moment(event["timeNano"] / 1e9, f"{kind} {action}", name)


@contextmanager
def recording(socket: Path) -> Iterator[Recorder]:
    """Give a recorder of an engine's events."""
    recorder = Recorder(socket)
    try:
        yield recorder
    finally:
        recorder.close()

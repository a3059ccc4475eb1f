"""How long each part of a recreation may take, and the waits for it.

That no task is listed does not mean that no container runs: engines before 29 forget a task that is ending as soon as its
service is updated again, while its container takes its stop grace to end and holds this node's copy of the network.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from console.operations.network_recreation.definition import is_emptied
from console.operations.network_recreation.record import Parked
from console.swarm.snapshots import SwarmSnapshot
from console.swarm.values import Container, Network, Service


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
        """What stopping and starting take by themselves, with any program."""
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
    """Moments of each service, as snapshots show them."""

    _spans: dict[str, _Span] = field(default_factory=dict)
    _seen_alive: set[str] = field(default_factory=set)
    """Services of which at least one task or container was seen running."""

    def note(self, snapshot: SwarmSnapshot, parked: Iterable[Parked], network: str) -> None:
        """Take in a snapshot, and what is parked for a network in it."""
        down = {parked_service.service.id: parked_service for parked_service in parked}
        for parked_service in down.values():
            self._spans.setdefault(
                parked_service.service.id, _Span(parked_service.service.name, parked_service.since)
            )
        alive = {task.service_id for task in snapshot.tasks if task.is_alive and task.container_id}
        alive |= {
            container.service_id
            for container in snapshot.containers
            if container.task_id and container.is_running
        }
        self._seen_alive |= alive
        current = snapshot.overlay(network)
        for service_id, span in self._spans.items():
            if service_id in down:
                if span.stopped is None and service_id in self._seen_alive - alive:
                    span.stopped = snapshot.now
                continue
            found = snapshot.service(service_id)
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
                span.name,
                _between(span.parked, span.running) or 0.0,
                _between(span.parked, span.stopped),
                _between(span.restored, span.running),
            )
            for span in self._spans.values()
            if span.running
        )

    def whole(self) -> tuple[float, float] | None:
        """Return from the first parking to the last task that ran, and its floor: the longest stop and the longest start."""
        ended = [span.running for span in self._spans.values() if span.running]
        stops = [outage.stop_s for outage in self.outages() if outage.stop_s is not None]
        starts = [outage.start_s for outage in self.outages() if outage.start_s is not None]
        if not ended or not stops or not starts:
            return None
        began = min(span.parked for span in self._spans.values() if span.running)
        return (max(ended) - began).total_seconds(), max(stops) + max(starts)


def _between(began: datetime | None, ended: datetime | None) -> float | None:
    return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())


ELSEWHERE_MARGIN_S = 5.0
"""Beyond the stop grace of a task on another node, whose container cannot be seen from here."""


def still_on(
    snapshot: SwarmSnapshot,
    network: Network,
    watched: Collection[str],
    parked: Collection[Parked],
    emptied: Mapping[str, datetime],
) -> tuple[str, ...]:
    """Return what of services still lives on a network, by name.

    `watched` are containers that were on it before; `emptied` tells by ID of a parked service when it was updated by
    no matter who parked it.
    """
    return (
        *_tasks(snapshot, network),
        *(
            f"container {container.name}"
            for container in snapshot.containers
            if container.task_id
            and container.is_running
            and (container.is_on(network.id) or container.id in watched)
        ),
        *_elsewhere(snapshot, parked, emptied),
    )


def _tasks(snapshot: SwarmSnapshot, network: Network) -> Iterator[str]:
    names = {service.id: service.name for service in snapshot.services}
    here = {container.id for container in snapshot.containers if container.is_running}
    for task in snapshot.live_tasks_on(network.id):
        # What runs here is named as a container.
        if not task.is_standalone and task.container_id not in here:
            node = snapshot.node(task.node_id)
            where = f" on {node.hostname}" if node else ""
            yield f"{names.get(task.service_id, 'a task')}.{task.slot or task.node_id[:12]} ({task.state}{where})"


def _elsewhere(
    snapshot: SwarmSnapshot, parked: Collection[Parked], emptied: Mapping[str, datetime]
) -> Iterator[str]:
    """Yield the services that were updated since they were parked, or may have been: their tasks may run on unlisted."""
    if len(snapshot.nodes) < 2:
        return
    for parked_service in parked:
        updated = parked_service.service.updated
        until = updated + timedelta(seconds=parked_service.record.grace_s + ELSEWHERE_MARGIN_S)
        if (
            parked_service.record.is_elsewhere
            and emptied.get(parked_service.service.id) != updated
            and snapshot.now < until
        ):
            yield f"{parked_service.service.name} (may still be stopping on another node)"


def services_on(snapshot: SwarmSnapshot, network: Network) -> tuple[Service, ...]:
    """Return the services that ask for a network."""
    return tuple(service for service in snapshot.services if service.is_on(network.id, network.name))


def in_use_on(snapshot: SwarmSnapshot, network: Network) -> tuple[Service, ...]:
    """Return the services that ask for a network and are not parked; one that somebody gave tasks again is not."""
    return tuple(service for service in services_on(snapshot, network) if not is_emptied(dict(service.spec)))


def attached_here(snapshot: SwarmSnapshot, network: Network) -> tuple[Container, ...]:
    """Return the containers of this node that are attached to a network by hand, stopped ones too."""
    return tuple(
        container
        for container in snapshot.attached_by_hand(network.name)
        if container.networks[network.name] == network.id
    )


def attached_elsewhere(snapshot: SwarmSnapshot, network: Network) -> tuple[str, ...]:
    """Return the containers that are attached to a network by hand on other nodes, by the beginning of their IDs."""
    return tuple(
        task.container_id[:12]
        for task in snapshot.live_tasks_on(network.id)
        if task.is_standalone and task.node_id != snapshot.here
    )


def containers_of_tasks(snapshot: SwarmSnapshot, network: Network) -> frozenset[str]:
    """Return the IDs of the containers of tasks that are on a network now."""
    listed = {task.container_id for task in snapshot.live_tasks_on(network.id) if not task.is_standalone}
    here = {
        container.id
        for container in snapshot.containers
        if container.task_id and container.is_running and container.is_on(network.id)
    }
    return frozenset((listed | here) - {""})

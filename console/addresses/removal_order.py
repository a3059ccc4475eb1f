"""Which went first, where one snapshot showed a task and its network, and the next neither: by the engine's events. Pure.

The allocator gives back what a task held when it hears that the task has ended, but not where a network of the task is gone
by then. It hears of the end some tenths of a second after the container ended. So a network that was removed before the
container ended was removed too early, and one that was removed after the container was cleared away was not: Swarm clears
it away only when the end is known to all. What lies between stays unknown.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import Enum

from console.addresses.tracked_tasks import TrackedTask
from console.frozen import frozen

CLEARED_BEFORE = timedelta(seconds=1)
"""A container that was cleared away so long before a network was removed had told its end: one removed by hand may not have."""


class RemovalOrder(Enum):
    """What the order says of a task's addresses on the networks that stay."""

    LEAKED = "leaked"
    FREED = "freed"
    UNKNOWN = "unknown"


@frozen
class EventTimes:
    """When things went, as the engine's events tell it. All by the engine's clock."""

    ended: Mapping[str, datetime] = field(default_factory=dict)
    """When the container of a task (ID) ended, on the node that was asked: of others nothing is told."""
    cleared: Mapping[str, datetime] = field(default_factory=dict)
    """When the container of a task (ID) was cleared away, on that node."""
    removed: Mapping[str, datetime] = field(default_factory=dict)
    """When a network (ID) was removed from the swarm."""
    updated: Mapping[str, datetime] = field(default_factory=dict)
    """When a service (ID) was last updated."""
    complete_since: datetime | None = None
    """From then on every event is known; None where none may be."""

    def cover(self, since: datetime | None) -> bool:
        """Whether all that happened since a moment is known."""
        return since is not None and self.complete_since is not None and self.complete_since <= since


@frozen
class UnsettledTask:
    """A task that ended between two snapshots in which a network of it went too."""

    tracked_task: TrackedTask
    removed_names: Mapping[str, str]
    """Its networks that are gone: names by ID."""
    wanted_at: datetime | None
    """When it was last seen meant to run; None where it never was."""
    since: datetime
    """When it was last seen alive."""
    until: datetime
    """When it was first seen gone. All by the engine's clock."""
    noticed_s: float
    """The same by the monotonic clock."""

    @property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Its name with that of each network that is gone."""
        return tuple((self.tracked_task.name, name) for name in self.removed_names.values())


def order_of(task: UnsettledTask, times: EventTimes) -> RemovalOrder:
    """Return which went first, the task or a network of it, as far as events tell it.

    A service that is given fewer replicas loses tasks at once whose containers still run for a while, and then nothing leaks:
    so a leak is told only of a task whose service was not updated since it was last seen meant to run.
    """
    task_id, service_id = task.tracked_task.task.id, task.tracked_task.task.service_id
    removals = [times.removed[network_id] for network_id in task.removed_names if network_id in times.removed]
    ended_at, cleared_at = times.ended.get(task_id), times.cleared.get(task_id)
    if (
        cleared_at is not None
        and len(removals) == len(task.removed_names)
        and cleared_at + CLEARED_BEFORE <= min(removals)
    ):
        return RemovalOrder.FREED
    if ended_at is None or task.wanted_at is None or not removals or not times.cover(task.wanted_at):
        return RemovalOrder.UNKNOWN
    if service_id in times.updated and times.updated[service_id] >= task.wanted_at:
        return RemovalOrder.UNKNOWN
    return RemovalOrder.LEAKED if min(removals) < ended_at else RemovalOrder.UNKNOWN


def ended_at(task: UnsettledTask, times: EventTimes) -> datetime:
    """Return when a task ended."""
    return times.ended.get(task.tracked_task.task.id, task.until)


def first_removed(task: UnsettledTask, times: EventTimes) -> str:
    """Return the name of the network of a task that was removed first, as far as events tell it."""
    at = {network_id: times.removed.get(network_id, task.until) for network_id in task.removed_names}
    return task.removed_names[min(at, key=at.__getitem__)]

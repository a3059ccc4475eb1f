"""When tasks of each service ended by themselves, as far as this look and those before it tell.

Swarm lists only the last few ended tasks of a slot, and of some swarms none (`docker swarm update
--task-history-limit`), so what was seen is remembered; and a service that was seen complete, was not changed since and
misses replicas now has lost some, whether or not they are listed still.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.health.loops import Loop, loop_of
from console.health.quiet.replicas import ENDED_BADLY, has_its_replicas, is_lost, tasks_by_service
from console.health.values import Observation
from console.parts import Unknown
from console.swarm.values import Service, Task

KEPT_S = 3600.0
"""For how long ends are remembered."""


@dataclass(frozen=True, slots=True)
class End:
    """A moment at which a task ended that was not to end, or at which it was seen that one had."""

    at: datetime
    is_failure: bool
    """Whether it is known to have failed."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a service has gone through since it was last changed; times are the engine's."""

    ends: frozenset[End] = frozenset()
    complete_at: datetime | None = None
    """When it was last seen with all its replicas."""

    @property
    def last(self) -> datetime | None:
        """The last end, or None where nothing has ended."""
        return max((each.at for each in self.ends), default=None)

    def loop(self, patience_s: float) -> Loop | None:
        """Return the loop in which its tasks end, for one who waits so long for it to be settled."""
        failures = (each.at for each in self.ends if each.is_failure)
        return loop_of((each.at for each in self.ends), failures, patience_s)


def remember(observation: Observation, before: Mapping[str, Past]) -> Mapping[str, Past]:
    """Return the past of every service by its ID; jobs have none, their tasks are to end."""
    swarm = observation.swarm
    if isinstance(swarm.services, Unknown) or isinstance(swarm.tasks, Unknown):
        return before
    tasks = tasks_by_service(swarm.tasks)
    return {
        each.id: _past(each, tasks.get(each.id, ()), observation.now, before.get(each.id, Past()))
        for each in swarm.services
        if not each.is_job
    }


def _past(service: Service, tasks: Iterable[Task], now: datetime, before: Past) -> Past:
    tasks = tuple(tasks)
    seen = {End(each.since, each.state in ENDED_BADLY) for each in tasks if is_lost(each, service)}
    begin = max(service.updated, now - timedelta(seconds=KEPT_S))
    ends = {each for each in before.ends | seen if each.at >= begin}
    if has_its_replicas(service, tasks):
        return Past(frozenset(ends), now)
    well = before.complete_at
    if well is not None and well >= service.updated and not any(each.at >= well for each in ends):
        ends.add(End(now, is_failure=False))
    return Past(frozenset(ends), well)

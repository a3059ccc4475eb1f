"""Which services are being deployed, however long it takes. Pure."""

from collections.abc import Iterable

from console.health.quiet.replicas import ENDED_BADLY, TOLD_TO_END, tasks_by_service
from console.health.values import Observation
from console.parts import known
from console.swarm.values import Service, Task

ON_THE_WAY = ("assigned", "accepted", "preparing", "ready", "starting")
"""States between a task's placement and its container's being up: images are pulled, and health is waited for."""
WITHIN_S = 900.0
"""Whatever has been in one of them for longer is stuck."""


def being_deployed(observation: Observation) -> tuple[str, ...]:
    """Return the names of services whose tasks are on the way to running and have not failed since the last change.

    Quiet takes a service for stuck that has not converged within its dwell time. That is short for a pull, and whoever would
    restart the docker unit or remove networks meanwhile would do so in the middle of a deploy.
    """
    tasks = tasks_by_service(known(observation.swarm.tasks, ()))
    return tuple(
        each.name
        for each in known(observation.swarm.services, ())
        if _is_on_the_way(each, tasks.get(each.id, ()), observation)
    )


def _is_on_the_way(service: Service, tasks: Iterable[Task], observation: Observation) -> bool:
    tasks = tuple(tasks)
    has_failed = any(each.state in ENDED_BADLY and each.since >= service.updated for each in tasks)
    return not has_failed and any(
        each.state in ON_THE_WAY
        and each.desired_state not in TOLD_TO_END
        and (observation.now - each.since).total_seconds() < WITHIN_S
        for each in tasks
    )

"""The live tasks that may leak, followed from one snapshot to the next. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from console.addresses.holders import task_name
from console.errors import Unknown, known
from console.frozen import frozen
from console.swarm.model import Network, SwarmState, Task, TaskAttachment

Services = Mapping[str, tuple[str, str]]
"""Name and stack by ID, also of services that are gone and still have live tasks."""


@frozen
class TrackedTask:
    """A live task that has addresses on several networks, and what the tracker remembers of it."""

    task: Task
    name: str
    service_name: str
    stack: str
    stopping_s: float | None
    """Since when it was seen stopping, by the monotonic clock."""
    wanted_at: datetime | None = None
    """Of one that is stopping: the last snapshot in which it was meant to run, by the engine's clock; None where none was seen."""
    removed_network: str = ""
    """The network that was removed under it; nothing while all are there."""
    is_past: bool = False
    """Whether the allocator was rebuilt after that: then it is unknown what it holds."""

    @property
    def attachments(self) -> tuple[TaskAttachment, ...]:
        """The networks on which it has addresses."""
        return tuple(attachment for attachment in self.task.attachments if attachment.addresses)


@frozen
class KnownNetworks:
    """The overlays of a swarm, those removed lately, and those that tasks name but no list shows."""

    there: Mapping[str, Network]
    """Overlays of the swarm, by ID."""
    removed_names: Mapping[str, str]
    """Names of removed ones that live tasks may still be on."""
    missing: frozenset[str] = frozenset()
    """Never there, and yet tasks are on them: those that are missing twice are gone."""


@frozen
class TasksBefore:
    """The tracked tasks of the last snapshot."""

    tasks: Mapping[str, TrackedTask]
    at: datetime | None
    """When it was taken, by the engine's clock; None where there was none."""


def track_tasks(
    swarm: SwarmState,
    before: TasksBefore,
    services: Services,
    known_networks: KnownNetworks,
    ended_s: float,
) -> tuple[Mapping[str, TrackedTask], frozenset[str]]:
    """Return the tracked tasks of a snapshot by ID, and the networks that are missing for the first time.

    `ended_s` is when this snapshot was over, by the monotonic clock.
    """
    names = {key: name for key, (name, _) in services.items()}
    nodes = {node.id: node.hostname for node in known(swarm.nodes, ())}
    tracked_tasks: dict[str, TrackedTask] = {}
    missing = set[str]()
    for task in known(swarm.tasks, ()):
        if not task.is_alive or sum(bool(attachment.addresses) for attachment in task.attachments) < 2:
            continue
        tracked_task = before.tasks.get(task.id) or _track_task(task, swarm, services, names, nodes)
        stopping_s, wanted_at = tracked_task.stopping_s, tracked_task.wanted_at
        if task.is_stopping and stopping_s is None:
            stopping_s = ended_s
            if task.id in before.tasks and not tracked_task.task.is_stopping:
                wanted_at = before.at
        removed_network = tracked_task.removed_network
        for attachment in tracked_task.attachments:
            if attachment.network_id in known_networks.there or removed_network:
                continue
            if attachment.network_id in known_networks.removed_names:
                removed_network = known_networks.removed_names[attachment.network_id]
            elif attachment.network_id in known_networks.missing:
                removed_network = attachment.network_name or attachment.network_id[:12]
            else:
                missing.add(attachment.network_id)
        if tracked_task.task is not task or (stopping_s, removed_network) != (
            tracked_task.stopping_s,
            tracked_task.removed_network,
        ):
            tracked_task = replace(
                tracked_task,
                task=task,
                stopping_s=stopping_s,
                wanted_at=wanted_at,
                removed_network=removed_network,
            )
        tracked_tasks[task.id] = tracked_task
    return tracked_tasks, frozenset(missing)


def _track_task(
    task: Task, swarm: SwarmState, services: Services, names: Mapping[str, str], nodes: Mapping[str, str]
) -> TrackedTask:
    service, stack = services.get(task.service_id) or (_service_by_container(task, swarm), task.stack)
    if service:
        names = {**names, task.service_id: service} if task.service_id not in names else names
    return TrackedTask(task, task_name(task, names, nodes), service, stack, None)


def _service_by_container(task: Task, swarm: SwarmState) -> str:
    """Return the name in that of the task's container, such as `web_app.1.<task>`, which only its own node tells."""
    for network in known(swarm.networks, ()):
        for endpoint in () if isinstance(network.detail, Unknown) else network.detail.endpoints:
            if endpoint.key == task.container_id and endpoint.name.endswith(f".{task.id}"):
                return endpoint.name.removesuffix(f".{task.id}").rpartition(".")[0]
    return ""

"""The live tasks that may leak, and which networks were removed under them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.addresses.holders import task_name
from console.errors import Unknown, known
from console.swarm.values import Attachment, Network, SwarmState, Task


@dataclass(frozen=True, slots=True)
class Ward:
    """A live task that has addresses on several networks, and what is remembered of it."""

    task: Task
    name: str
    service_name: str
    stack: str
    stopping_s: float | None
    """Since when it was seen stopping, by the monotonic clock."""
    removed: str = ""
    """The network that was removed under it; nothing while all are there."""
    is_past: bool = False
    """Whether the allocator began anew after that: then nobody knows what it holds."""

    @property
    def placed(self) -> tuple[Attachment, ...]:
        """The networks on which it has addresses."""
        return tuple(each for each in self.task.attachments if each.addresses)


Services = Mapping[str, tuple[str, str]]
"""Name and stack by ID, also of services that are gone and still have live tasks."""


@dataclass(frozen=True, slots=True)
class Land:
    """Which networks are there and which are gone."""

    there: Mapping[str, Network]
    """Overlays of the swarm, by ID."""
    gone: Mapping[str, str]
    """Names of removed ones that live tasks may still be on."""
    missing: frozenset[str] = frozenset()
    """Never there, and yet tasks are on them: those that are missing twice are gone."""


def wards_of(
    swarm: SwarmState, before: Mapping[str, Ward], services: Services, land: Land, seen_s: float
) -> tuple[Mapping[str, Ward], frozenset[str]]:
    """Return the wards of a look by task ID, and the networks that are missing for the first time.

    `before` are those of the last look; `seen_s` is when this one was over, by the monotonic clock.
    """
    names = {key: name for key, (name, _) in services.items()}
    nodes = {each.id: each.hostname for each in known(swarm.nodes, ())}
    found: dict[str, Ward] = {}
    missing = set[str]()
    for task in known(swarm.tasks, ()):
        if not task.is_alive or sum(bool(each.addresses) for each in task.attachments) < 2:
            continue
        ward = before.get(task.id) or _new_ward(task, swarm, services, names, nodes)
        stopping_s = seen_s if task.is_stopping and ward.stopping_s is None else ward.stopping_s
        removed = ward.removed
        for each in ward.placed:
            if each.network_id in land.there or removed:
                continue
            if each.network_id in land.gone:
                removed = land.gone[each.network_id]
            elif each.network_id in land.missing:
                removed = each.network_name or each.network_id[:12]
            else:
                missing.add(each.network_id)
        if ward.task is not task or (stopping_s, removed) != (ward.stopping_s, ward.removed):
            ward = replace(ward, task=task, stopping_s=stopping_s, removed=removed)
        found[task.id] = ward
    return found, frozenset(missing)


def _new_ward(
    task: Task, swarm: SwarmState, services: Services, names: Mapping[str, str], nodes: Mapping[str, str]
) -> Ward:
    service, stack = services.get(task.service_id) or (_service_by_container(task, swarm), task.stack)
    if service:
        names = {**names, task.service_id: service} if task.service_id not in names else names
    return Ward(task, task_name(task, names, nodes), service, stack, None)


def _service_by_container(task: Task, swarm: SwarmState) -> str:
    """Return the name in that of the task's container, such as `web_app.1.<task>`, which only its own node tells."""
    for network in known(swarm.networks, ()):
        for endpoint in () if isinstance(network.detail, Unknown) else network.detail.endpoints:
            if endpoint.key == task.container_id and endpoint.name.endswith(f".{task.id}"):
                return endpoint.name.removesuffix(f".{task.id}").rpartition(".")[0]
    return ""

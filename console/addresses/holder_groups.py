"""What can be removed: the holders of a network's addresses by stack. Pure."""

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address

from console.addresses.accounting import NetworkAccount
from console.addresses.holders import HolderKind
from console.durations import is_known
from console.errors import Result, Unknown, known
from console.frozen import frozen
from console.swarm.model import ALIVE, Service, SwarmState, Task

LARGEST = 3
"""How many groups a sentence names."""


class GroupKind(StrEnum):
    """What a group of holders is."""

    STACK = "stack"
    SERVICE = "service"
    """A service without a stack."""
    CONTAINER = "container"
    """A container that was attached by hand."""
    TASK = "task"
    """A task whose service and stack are gone."""


@frozen
class HolderGroup:
    """What is removed as a whole: how many addresses of one network it holds, and what else it is.

    The addresses are those of one network. All other figures are of the whole stack, on whatever network its services are:
    a removal takes all of it.
    """

    kind: GroupKind
    name: str
    id: str
    """Of the service, the container's task or the task; of a stack its name."""
    addresses: int
    """Distinct addresses of the network that it holds and that Swarm can hand out again."""
    vips: int
    tasks: int
    """Addresses of tasks."""
    containers: int
    """Addresses of containers that were attached by hand."""
    services: int
    running: int
    """Its tasks that run."""
    wanted: int | None
    """How many of its tasks should run; None for jobs, and where a service is gone."""
    created: datetime | None
    """When the oldest of it was created; None where any of it does not tell."""
    updated: datetime | None
    """When the last of it was created or updated; None where any of it does not tell."""

    @property
    def label(self) -> str:
        """Its name, with what it is unless it is a stack."""
        is_plain = self.kind is GroupKind.STACK or self.name.startswith(f"{self.kind} ")
        return self.name if is_plain else f"{self.kind} {self.name}"

    @property
    def command(self) -> str:
        """The command that removes it without a leak; nothing where only its own node can."""
        if self.kind is GroupKind.STACK:
            return f"vipconsole stack-rm {_argument(self.name)}"
        if self.kind is GroupKind.SERVICE:
            return f"docker service rm {_argument(self.name)}"
        return ""


_Key = tuple[GroupKind, str]
_Members = tuple[list[Service], list[Task]]


class HolderGrouper:
    """Groups the holders of one network of a swarm after the other: what it takes of the whole swarm is made once, when needed."""

    def __init__(self, swarm: SwarmState) -> None:
        self._swarm = swarm

    def group(self, account: NetworkAccount) -> Result[tuple[HolderGroup, ...]]:
        """Return who holds the addresses of a network; see `group_holders`."""
        for result in (self._swarm.services, self._swarm.tasks):
            if isinstance(result, Unknown):
                return result
        services, tasks, members = self._services, self._tasks, self._members
        addresses: defaultdict[_Key, dict[HolderKind, set[IPv4Address]]]
        addresses = defaultdict(lambda: defaultdict(set))
        names: dict[_Key, str] = {}
        for subnet in account.subnets:
            for address, holders in subnet.address_holders.items():
                for holder in holders:
                    if holder.kind is HolderKind.LOAD_BALANCER:
                        continue
                    task = tasks.get(holder.id)
                    service = services.get(task.service_id if task else holder.id)
                    key = _key(service, task, holder.id)
                    addresses[key][holder.kind].add(address)
                    names[key] = service.name if service is not None else holder.name
        groups = [
            _group(key, names[key], held, *members.get(key, ([], []))) for key, held in addresses.items()
        ]
        return tuple(sorted(groups, key=_sort_key))

    @cached_property
    def _services(self) -> Mapping[str, Service]:
        return {service.id: service for service in known(self._swarm.services, ())}

    @cached_property
    def _tasks(self) -> Mapping[str, Task]:
        return {task.id: task for task in known(self._swarm.tasks, ())}

    @cached_property
    def _members(self) -> Mapping[_Key, _Members]:
        """The services and the live tasks of each group, on whatever network they are."""
        members: defaultdict[_Key, _Members] = defaultdict(lambda: ([], []))
        for service in self._services.values():
            members[_key(service, None, service.id)][0].append(service)
        for task in self._tasks.values():
            if task.is_alive:
                members[_key(self._services.get(task.service_id), task, task.id)][1].append(task)
        return members


def group_holders(account: NetworkAccount, swarm: SwarmState) -> Result[tuple[HolderGroup, ...]]:
    """Return who holds the addresses of a network, by stack; unknown where services or tasks could not be read.

    Load balancers and leaked addresses belong to nobody. Groups that run nothing come first: their removal stops nothing.
    Then those with the most addresses, then those that were not updated for the longest time, unknown times last.
    """
    return HolderGrouper(swarm).group(account)


def largest_text(groups: Result[tuple[HolderGroup, ...]]) -> str:
    """Return the groups that hold the most addresses as a sentence's words: `shop (24), blog (12)`; nothing for none.

    Of those with equally many, the ones that come first in the groups' own order.
    """
    most_first = sorted(known(groups, ()), key=lambda group: -group.addresses)
    return ", ".join(f"{group.label} ({group.addresses})" for group in most_first[:LARGEST])


def _argument(name: str) -> str:
    return f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)


def _key(service: Service | None, task: Task | None, holder_id: str) -> _Key:
    if task is not None and task.is_standalone:
        return GroupKind.CONTAINER, holder_id
    stack = service.stack if service is not None else task.stack if task is not None else ""
    if stack:
        return GroupKind.STACK, stack
    return (GroupKind.TASK, holder_id) if service is None else (GroupKind.SERVICE, service.id)


def _group(
    key: _Key,
    name: str,
    held: dict[HolderKind, set[IPv4Address]],
    services: list[Service],
    tasks: list[Task],
) -> HolderGroup:
    kind, id_ = key
    tasks_by_service: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        tasks_by_service[task.service_id].append(task)
    service_ids = {service.id for service in services}
    has_all_services = kind is GroupKind.CONTAINER or service_ids.issuperset(tasks_by_service)
    wanted = [_wanted(service, tasks_by_service[service.id]) for service in services]
    wanted += [1] if kind is GroupKind.CONTAINER else []
    created: list[datetime | None] = [service.created for service in services]
    updated: list[datetime | None] = [max(service.created, service.updated) for service in services]
    if not services:
        created = updated = [task.created for task in tasks]
    is_dated = has_all_services or kind is GroupKind.TASK
    return HolderGroup(
        kind,
        id_ if kind is GroupKind.STACK else name,
        id_,
        addresses=len(set[IPv4Address]().union(*held.values())),
        vips=len(held.get(HolderKind.VIP, ())),
        tasks=len(held.get(HolderKind.TASK, ())),
        containers=len(held.get(HolderKind.CONTAINER, ())),
        services=len(services),
        running=sum(task.state == "running" for task in tasks),
        wanted=sum(count or 0 for count in wanted) if has_all_services and None not in wanted else None,
        created=_if_all_known(min, created) if is_dated else None,
        updated=_if_all_known(max, updated) if is_dated else None,
    )


def _wanted(service: Service, tasks: list[Task]) -> int | None:
    if service.replicas is not None:
        return service.replicas
    # Swarm makes a task of a global service for each node that it fits on.
    return sum(task.desired_state in ALIVE for task in tasks) if service.mode == "global" else None


def _if_all_known(
    choose: Callable[[Iterable[datetime]], datetime], times: Sequence[datetime | None]
) -> datetime | None:
    known_times = [at for at in times if at is not None and is_known(at)]
    return choose(known_times) if known_times and len(known_times) == len(times) else None


def _sort_key(group: HolderGroup) -> tuple[bool, int, bool, float, str]:
    updated = group.updated
    return (
        group.running > 0,
        -group.addresses,
        updated is None,
        0.0 if updated is None else updated.timestamp(),
        group.label,
    )

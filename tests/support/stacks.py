"""Builders of what stacks consist of: each takes only what a test is about."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from console.swarm.model import Container, Node, ObjectKind, Service, StackObject, Task
from console.swarm.snapshots import StackSnapshot
from tests.support import swarms
from tests.support.swarms import LONG_AGO

HERE, THERE = "node-here", "node-there"
NODES = (
    Node(HERE, "ci-host", "ready", "active", is_manager=True, is_leader=True),
    Node(THERE, "other-host", "down", "active", is_manager=False, is_leader=False),
)


def item(kind: ObjectKind, name: str, stack: str = "web") -> StackObject:
    return StackObject(kind, f"id-{name}", name, stack)


def service(
    name: str,
    *uses: StackObject,
    stack: str = "web",
    grace_s: float = 10,
    created: datetime = LONG_AGO,
    updated: datetime = LONG_AGO,
) -> Service:
    ids = frozenset(each.id for each in uses)
    bare = swarms.service(name, updated=updated)
    return replace(bare, stack=stack, created=created, uses=ids, grace_s=grace_s)


def task(
    service_name: str,
    *networks: StackObject,
    slot: int = 1,
    stack: str = "web",
    state: str = "running",
    desired: str = "running",
    node: str = HERE,
    grace_s: float = 10,
    attached: str = "",
) -> Task:
    bare = swarms.task(service_name, slot=slot, state=state, desired=desired, node=node, container=attached)
    return replace(
        bare,
        id=f"task-{service_name or attached}-{slot}",
        stack="" if attached else stack,
        network_ids=frozenset(each.id for each in networks),
        container_id=f"container-{service_name or attached}-{slot}",
        grace_s=grace_s,
    )


def container(service_name: str, *networks: StackObject, slot: int = 1, stack: str = "web") -> Container:
    task_id = f"task-{service_name}-{slot}"
    return Container(
        id=f"container-{service_name}-{slot}",
        name=f"{service_name}.{slot}.{task_id}",
        is_running=True,
        service_id=f"id-{service_name}",
        task_id=task_id,
        stack=stack,
        networks={each.name: each.id for each in networks},
    )


def standalone(name: str, *networks: StackObject) -> Container:
    on = {each.name: each.id for each in networks}
    return Container(f"container-{name}-1", name, True, "", "", "", on)


def stack_snapshot(
    *,
    services: Iterable[Service] = (),
    objects: Iterable[StackObject] = (),
    tasks: Iterable[Task] = (),
    containers: Iterable[Container] = (),
    nodes: int = 2,
) -> StackSnapshot:
    of = {kind: [each for each in objects if each.kind is kind] for kind in ObjectKind}
    return StackSnapshot(
        engine=swarms.engine(),
        networks=tuple(
            replace(swarms.network(each.name), stack=each.stack) for each in of[ObjectKind.NETWORK]
        ),
        services=tuple(services),
        tasks=tuple(tasks),
        nodes=NODES[:nodes],
        containers=tuple(containers),
        secrets=tuple(of[ObjectKind.SECRET]),
        configs=tuple(of[ObjectKind.CONFIG]),
    )

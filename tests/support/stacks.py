"""Builders of what stacks consist of: each takes only what a test is about."""

from collections.abc import Iterable
from datetime import datetime

from console.swarm.stacks import (
    Kind,
    NodeState,
    RunningContainer,
    ServiceUse,
    StackLook,
    StackObject,
    TaskUse,
)
from tests.support.swarms import LONG_AGO, NOW

HERE, THERE = "node-here", "node-there"


def item(kind: Kind, name: str, stack: str = "web") -> StackObject:
    return StackObject(kind, f"id-{name}", name, stack)


def service(
    name: str,
    *uses: StackObject,
    stack: str = "web",
    grace_s: float = 10,
    created: datetime = LONG_AGO,
    updated: datetime = LONG_AGO,
) -> ServiceUse:
    own = item(Kind.SERVICE, name, stack)
    return ServiceUse(own, frozenset(each.id for each in uses), grace_s, created, updated)


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
) -> TaskUse:
    return TaskUse(
        id=f"task-{service_name or attached}-{slot}",
        service_id="" if attached else f"id-{service_name}",
        stack="" if attached else stack,
        slot=slot,
        node_id=node,
        state=state,
        desired_state=desired,
        network_ids=frozenset(each.id for each in networks),
        container_id=f"container-{service_name or attached}-{slot}",
        is_standalone=bool(attached),
        grace_s=grace_s,
    )


def container(
    service_name: str, *networks: StackObject, slot: int = 1, stack: str = "web"
) -> RunningContainer:
    name = f"{service_name}.{slot}.task-{service_name}-{slot}"
    networks_on = frozenset(each.id for each in networks)
    return RunningContainer(
        f"container-{service_name}-{slot}", name, f"id-{service_name}", stack, networks_on
    )


def standalone(name: str, *networks: StackObject) -> RunningContainer:
    return RunningContainer(f"container-{name}-1", name, "", "", frozenset(each.id for each in networks))


def look(
    *,
    services: Iterable[ServiceUse] = (),
    objects: Iterable[StackObject] = (),
    tasks: Iterable[TaskUse] = (),
    containers: Iterable[RunningContainer] = (),
    nodes: int = 2,
) -> StackLook:
    known = {HERE: NodeState("ci-host", "ready"), THERE: NodeState("other-host", "down")}
    shown = dict(list(known.items())[:nodes])
    return StackLook(HERE, NOW, shown, tuple(services), tuple(objects), tuple(tasks), tuple(containers))

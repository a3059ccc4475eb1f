"""What belongs to a stack, and who else is on it. A stack is nothing but a label on its objects.

Every text in here has passed `console.text.clean`. Field names: Docker Engine API v1.41 to v1.52.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from console.swarm.parse import STACK_LABEL, moment
from console.swarm.values import ALIVE
from console.text import clean

DEFAULT_GRACE_S = 10.0
"""How long a container may take to stop where its service does not say (moby, container/container_unix.go)."""
SERVICE_ID_LABEL = "com.docker.swarm.service.id"
TASK_ID_LABEL = "com.docker.swarm.task.id"
"""Swarm labels the containers of its tasks (moby, daemon/cluster/executor/container/container.go)."""


class Kind(StrEnum):
    """What a stack consists of besides tasks, in the order in which it is removed."""

    SERVICE = "service"
    NETWORK = "network"
    SECRET = "secret"  # noqa: S105 - the engine's own word for one
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class StackObject:
    """A service, network, secret or config; `stack` is empty where it belongs to none."""

    kind: Kind
    id: str
    name: str
    stack: str


@dataclass(frozen=True, slots=True)
class ServiceUse:
    """A service, what it needs, and how long its containers may take to stop."""

    object: StackObject
    uses: frozenset[str]
    """IDs of the networks, secrets and configs in its specification."""
    grace_s: float
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class TaskUse:
    """A listed task, also the hidden one behind a standalone container."""

    id: str
    service_id: str
    stack: str
    """By the label that `docker stack deploy` puts on containers: it outlives the service."""
    slot: int
    node_id: str
    state: str
    desired_state: str
    network_ids: frozenset[str]
    """Networks that it wants or has, removed ones among them."""
    container_id: str
    is_standalone: bool
    grace_s: float

    @property
    def is_alive(self) -> bool:
        """Whether it still holds its addresses."""
        return self.state in ALIVE


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that runs on the node that was asked."""

    id: str
    name: str
    service_id: str
    """Empty where no service is behind it."""
    stack: str
    network_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node's host name and state (`ready`, `down` …)."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class StackLook:
    """One snapshot of everything that stacks consist of. It is complete: where a part cannot be read there is none."""

    here: str
    """ID of the node that was asked."""
    now: datetime
    """By the engine's own clock."""
    nodes: Mapping[str, NodeState]
    services: tuple[ServiceUse, ...]
    objects: tuple[StackObject, ...]
    """Swarm networks, secrets and configs, those of no stack included."""
    tasks: tuple[TaskUse, ...]
    containers: tuple[RunningContainer, ...]


def service_use(data: Mapping[str, Any]) -> ServiceUse:
    """Return a service from an entry of `GET /services`."""
    spec = data["Spec"]
    template = spec.get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    # Engines before API 1.44 keep the networks of old services at the service itself.
    networks = template.get("Networks") or spec.get("Networks") or ()
    credentials = (container.get("Privileges") or {}).get("CredentialSpec") or {}
    return ServiceUse(
        StackObject(Kind.SERVICE, clean(data["ID"]), clean(spec["Name"]), _stack_of(spec)),
        frozenset(
            (
                *(clean(each["Target"]) for each in networks),
                *(clean(each["SecretID"]) for each in container.get("Secrets") or ()),
                *(clean(each["ConfigID"]) for each in container.get("Configs") or ()),
                *([clean(credentials["Config"])] if credentials.get("Config") else ()),
            )
        ),
        _grace_s(container),
        moment(data["CreatedAt"]),
        moment(data["UpdatedAt"]),
    )


def task_use(data: Mapping[str, Any]) -> TaskUse:
    """Return a task from an entry of `GET /tasks`."""
    spec, status = data["Spec"], data["Status"]
    container = spec.get("ContainerSpec") or {}
    standalone = spec.get("NetworkAttachmentSpec")
    started = standalone or status.get("ContainerStatus") or {}
    return TaskUse(
        id=clean(data["ID"]),
        service_id=clean(data.get("ServiceID") or ""),
        stack=_stack_of(container),
        slot=int(data.get("Slot") or 0),
        node_id=clean(data.get("NodeID") or ""),
        state=clean(status["State"]),
        desired_state=clean(data["DesiredState"]),
        network_ids=frozenset(
            (
                *(clean(each["Target"]) for each in spec.get("Networks") or ()),
                *(clean(each["Network"]["ID"]) for each in data.get("NetworksAttachments") or ()),
            )
        ),
        container_id=clean(started.get("ContainerID") or ""),
        is_standalone=standalone is not None,
        grace_s=_grace_s(container),
    )


def labelled_object(kind: Kind, data: Mapping[str, Any]) -> StackObject:
    """Return a secret or config from an entry of `GET /secrets` or `GET /configs`; its data is not kept."""
    return StackObject(kind, clean(data["ID"]), clean(data["Spec"]["Name"]), _stack_of(data["Spec"]))


def network_object(data: Mapping[str, Any]) -> StackObject:
    """Return a network from an entry of `GET /networks`."""
    return StackObject(Kind.NETWORK, clean(data["Id"]), clean(data["Name"]), _stack_of(data))


def running_container(data: Mapping[str, Any]) -> RunningContainer:
    """Return a container from an entry of `GET /containers/json`."""
    labels = data.get("Labels") or {}
    attached = ((data.get("NetworkSettings") or {}).get("Networks") or {}).values()
    names = data.get("Names") or ("",)
    return RunningContainer(
        id=clean(data["Id"]),
        name=clean(names[0].removeprefix("/")),
        service_id=clean(labels.get(SERVICE_ID_LABEL) or ""),
        stack=clean(labels.get(STACK_LABEL) or ""),
        network_ids=frozenset(clean(each["NetworkID"]) for each in attached if each.get("NetworkID")),
    )


def node_state(data: Mapping[str, Any]) -> NodeState:
    """Return a node's name and state from an entry of `GET /nodes`."""
    return NodeState(
        clean((data.get("Description") or {}).get("Hostname") or ""), clean(data["Status"]["State"])
    )


def _stack_of(labelled: Mapping[str, Any]) -> str:
    return clean((labelled.get("Labels") or {}).get(STACK_LABEL) or "")


def _grace_s(container: Mapping[str, Any]) -> float:
    nanoseconds = container.get("StopGracePeriod")
    return DEFAULT_GRACE_S if nanoseconds is None else int(nanoseconds) / 1e9

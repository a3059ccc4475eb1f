"""One snapshot of everything that an overlay could be attached to, with whole specifications.

Names in here are cleaned. Specifications and endpoints are as the engine gave them: they may hold secrets, and are never
shown. Field names: Docker Engine API v1.41 to v1.52.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.swarm import parse
from console.swarm.definitions import NetworkDefinition
from console.swarm.parse import moment
from console.swarm.stacks import (
    SERVICE_ID_LABEL,
    TASK_ID_LABEL,
    NodeState,
    ServiceUse,
    TaskUse,
    service_use,
    task_use,
)
from console.swarm.values import Service
from console.text import clean

PLACES = ("task", "service")
"""Where a service names its networks: in its task template; engines before API 1.44 also at the service itself."""


@dataclass(frozen=True, slots=True)
class SpecifiedService:
    """A service with its whole specification."""

    id: str
    name: str
    version: int
    seen: Service
    use: ServiceUse
    spec: Mapping[str, Any]
    previous: Mapping[str, Any]
    """What a rollback would bring; empty where it was never updated."""

    @property
    def updated(self) -> datetime:
        """When somebody updated it last, by the engine's clock."""
        return self.use.updated

    def label(self, name: str) -> str:
        """Return one of its labels as it is, or nothing."""
        return str((self.spec.get("Labels") or {}).get(name) or "")

    def is_on(self, *networks: str) -> bool:
        """Whether it asks for one of these networks, by ID or by name."""
        return any(each.get("Target") in networks for _, _, each in network_entries(self.spec))


@dataclass(frozen=True, slots=True)
class OverlayTask:
    """A listed task, and since when it is in its state."""

    use: TaskUse
    since: datetime
    error: str


@dataclass(frozen=True, slots=True)
class HereContainer:
    """A container of the node that was asked, whether it runs or not."""

    id: str
    name: str
    is_running: bool
    service_id: str
    task_id: str
    """Empty where it was made by hand."""
    networks: Mapping[str, str]
    """By name as the container knows it, the ID of the network; empty before its first start there."""

    def is_on(self, network_id: str) -> bool:
        """Whether it is on a network."""
        return network_id in self.networks.values()


@dataclass(frozen=True, slots=True)
class OverlayLook:
    """One snapshot. It is complete: where a part cannot be read there is none."""

    here: str
    """ID of the node that was asked."""
    now: datetime
    """By the engine's own clock."""
    nodes: Mapping[str, NodeState]
    networks: tuple[NetworkDefinition, ...]
    """Of every scope, as this node lists them."""
    services: tuple[SpecifiedService, ...]
    tasks: tuple[OverlayTask, ...]
    containers: tuple[HereContainer, ...]

    def named(self, name: str) -> tuple[NetworkDefinition, ...]:
        """Return the networks of a name."""
        return tuple(each for each in self.networks if each.name == name)

    def overlay(self, name: str) -> NetworkDefinition | None:
        """Return the swarm's network of a name, if there is one."""
        return next((each for each in self.named(name) if each.scope == "swarm"), None)

    def service(self, service_id: str) -> SpecifiedService | None:
        """Return a service, if it is there."""
        return next((each for each in self.services if each.id == service_id), None)

    def by_hand(self, name: str) -> tuple[HereContainer, ...]:
        """Return the containers of this node that somebody attached by hand to a network of this name.

        Those that were never started are not among them: they know it by its name only, and find whichever bears it.
        """
        return tuple(each for each in self.containers if not each.task_id and each.networks.get(name))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a container is attached to a network."""

    container_id: str
    name: str
    is_running: bool
    network_id: str
    """Of the network as the container knows it; empty before its first start there."""
    address: str
    """Its IPv4 address there while it runs, or the one that it was given by hand; empty where it has none."""
    config: Mapping[str, Any]
    """What `POST /networks/{id}/connect` takes to attach it in the same way, without its address."""


def network_entries(spec: Mapping[str, Any]) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield the networks of a specification: the place they are named at, their index there, and the entry."""
    template = spec.get("TaskTemplate") or {}
    for place, entries in zip(PLACES, (template.get("Networks"), spec.get("Networks")), strict=True):
        for index, each in enumerate(entries or ()):
            yield place, index, each


def specified_service(data: Mapping[str, Any]) -> SpecifiedService:
    """Return a service from an entry of `GET /services`, or from its inspection."""
    return SpecifiedService(
        clean(data["ID"]),
        clean(data["Spec"]["Name"]),
        int(data["Version"]["Index"]),
        parse.service(data),
        service_use(data),
        data["Spec"],
        data.get("PreviousSpec") or {},
    )


def overlay_task(data: Mapping[str, Any]) -> OverlayTask:
    """Return a task from an entry of `GET /tasks`."""
    status = data["Status"]
    return OverlayTask(task_use(data), moment(status["Timestamp"]), clean(status.get("Err") or "", 300))


def here_container(data: Mapping[str, Any]) -> HereContainer:
    """Return a container from an entry of `GET /containers/json`."""
    labels, names = data.get("Labels") or {}, data.get("Names") or ("",)
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    return HereContainer(
        clean(data["Id"]),
        clean(names[0].removeprefix("/")),
        data.get("State") in ("running", "paused", "restarting"),
        clean(labels.get(SERVICE_ID_LABEL) or ""),
        clean(labels.get(TASK_ID_LABEL) or ""),
        {clean(name): clean(each.get("NetworkID") or "") for name, each in networks.items()},
    )


def endpoint(data: Mapping[str, Any], network: str) -> Endpoint | None:
    """Return how a container is attached to a network of a name, from its inspection; None where it is not."""
    identity, found = clean(data["Id"]), (data["NetworkSettings"].get("Networks") or {}).get(network)
    if found is None:
        return None
    ipam = dict(found.get("IPAMConfig") or {})
    address = ipam.pop("IPv4Address", "") or found.get("IPAddress") or ""
    # The engine itself adds the beginning of the ID, up to API 1.44.
    aliases = [each for each in found.get("Aliases") or () if each != identity[:12]]
    ipam.pop("IPv6Address", None)
    kept = {
        "Aliases": aliases,
        "Links": found.get("Links"),
        "DriverOpts": found.get("DriverOpts"),
        "GwPriority": found.get("GwPriority"),
        "IPAMConfig": ipam,
    }
    return Endpoint(
        identity,
        clean(str(data.get("Name") or "").removeprefix("/")),
        bool((data.get("State") or {}).get("Running")),
        clean(found.get("NetworkID") or ""),
        clean(address),
        {key: each for key, each in kept.items() if each},
    )


def live_on(look: OverlayLook, network_id: str) -> Iterable[OverlayTask]:
    """Return the tasks that hold an address of a network, or want one, attachments by hand among them."""
    return (each for each in look.tasks if each.use.is_alive and network_id in each.use.network_ids)

"""Looks at overlays and everything on them through the Docker Engine API. Nothing in here can change anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, ip_network
from typing import Any, Protocol

from console.concurrency import together
from console.errors import EngineNotFound
from console.swarm import stacks
from console.swarm.asking import Asking, answered
from console.swarm.connection import EngineConnection
from console.swarm.definitions import network_definition
from console.swarm.overlays import (
    Endpoint,
    OverlayLook,
    SpecifiedService,
    endpoint,
    here_container,
    overlay_task,
    specified_service,
)
from console.swarm.parse import moment
from console.swarm.reader import EVERY_RUNTIME
from console.text import clean


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine tells of itself that an overlay's subnet depends on."""

    name: str
    root: str
    """The directory where it keeps its containers."""
    default_pools: tuple[IPv4Network, ...]
    """Where Swarm takes subnets from that nobody chose."""


class OverlayReader(Protocol):
    """Looks at overlays. Every method raises an `EngineError` or `SwarmError` where it cannot read what it returns."""

    async def look(self) -> OverlayLook:
        """Return everything as it is now."""
        ...

    async def service(self, service_id: str) -> SpecifiedService | None:
        """Return a service as it is now, or None where there is none."""
        ...

    async def endpoint(self, container_id: str, network: str) -> Endpoint | None:
        """Return how a container of this node is attached to a network, by its name; None where it is not there."""
        ...

    async def facts(self) -> EngineFacts:
        """Return what the engine tells of itself."""
        ...


class EngineOverlayReader:
    """Reads the overlays of the swarm of the engine behind a connection."""

    def __init__(self, connection: EngineConnection) -> None:
        self._asking = Asking(connection)

    async def look(self) -> OverlayLook:
        """Return everything as it is now."""
        ask = self._asking
        # All are waited for, also when one fails: calls that nobody waits for would outlive their connection.
        here, networks, services, tasks, containers, nodes = await together(
            ask.asked("describe itself", lambda client: client.info(), _here),
            ask.listed("networks", lambda client: client.networks(), network_definition),
            ask.listed("services", lambda client: client.services(), specified_service),
            ask.listed("tasks", lambda client: client.tasks(EVERY_RUNTIME), overlay_task),
            ask.listed("containers", lambda client: client.containers(all=True), here_container),
            ask.listed("nodes", lambda client: client.nodes(), _node),
        )
        node_id, now = answered(here)
        return OverlayLook(
            node_id,
            now,
            dict(answered(nodes)),
            answered(networks),
            answered(services),
            answered(tasks),
            answered(containers),
        )

    async def service(self, service_id: str) -> SpecifiedService | None:
        """Return a service as it is now, or None where there is none."""
        found = await self._asking.asked(
            "inspect a service", lambda client: client.inspect_service(service_id), specified_service
        )
        if not isinstance(found, EngineNotFound):
            return answered(found)
        # Only the list shows that something is gone: a caller that acts on it gives the object up for good.
        listed = await self._asking.listed("services", lambda client: client.services(), specified_service)
        return next((each for each in answered(listed) if each.id == service_id), None)

    async def endpoint(self, container_id: str, network: str) -> Endpoint | None:
        """Return how a container of this node is attached to a network, by its name; None where it is not there."""
        asked = "inspect a container"
        found = await self._asking.asked(
            asked, lambda client: client.inspect_container(container_id), lambda data: endpoint(data, network)
        )
        if not isinstance(found, EngineNotFound):
            return answered(found)
        listed = await self._asking.listed(
            "containers", lambda client: client.containers(all=True), here_container
        )
        if any(each.id == container_id for each in answered(listed)):
            raise found
        return None

    async def facts(self) -> EngineFacts:
        """Return what the engine tells of itself."""
        return answered(await self._asking.asked("describe itself", lambda client: client.info(), _facts))


def _here(info: Mapping[str, Any]) -> tuple[str, datetime]:
    return clean(info["Swarm"]["NodeID"]), moment(info["SystemTime"])


def _node(row: Mapping[str, Any]) -> tuple[str, stacks.NodeState]:
    return clean(row["ID"]), stacks.node_state(row)


def _facts(info: Mapping[str, Any]) -> EngineFacts:
    pools = (ip_network(each) for each in info["Swarm"]["Cluster"].get("DefaultAddrPool") or ())
    return EngineFacts(
        clean(info["Name"]),
        clean(info.get("DockerRootDir") or "", 1000),
        tuple(each for each in pools if isinstance(each, IPv4Network)),
    )

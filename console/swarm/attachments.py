"""Reads what is attached to one overlay: services as they ask for it, and containers attached by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.concurrency import together
from console.errors import EngineNonsense, EngineNotFound
from console.swarm import parse
from console.swarm.connection import EngineConnection
from console.swarm.reader import EVERY_RUNTIME, SHORT_ID
from console.text import clean


@dataclass(frozen=True, slots=True)
class AttachedService:
    """A service with a network in its specification, and how it asks for it."""

    name: str
    mode: str
    """`replicated`, `global` …"""
    replicas: int | None
    endpoint_mode: str
    aliases: tuple[str, ...]
    """In order, for two lists that differ in nothing else are the same."""
    options: Mapping[str, str]
    """Driver options of this attachment."""


@dataclass(frozen=True, slots=True)
class Attached:
    """Everything that is attached to an overlay."""

    network_id: str
    services: tuple[AttachedService, ...]
    """In the order of their names."""
    containers: tuple[str, ...]
    """Containers attached by hand: by name on the node that was asked, by ID elsewhere."""


async def read_attached(connection: EngineConnection, network: str) -> Attached | None:
    """Return what is attached to the overlay of this name; None where there is none. Raises an `EngineError`."""
    listed = await connection.ask("list the networks", lambda client: client.networks())
    found = [each for each in listed if each.get("Name") == network and each.get("Scope") == "swarm"]
    if not found:
        return None
    network_id = str(found[0]["Id"])
    services, tasks, names = await together(
        connection.ask("list the services", _services),
        connection.ask("list the tasks", _tasks),
        _local_names(connection, network_id),
    )
    try:
        attached = [
            _service(each, asked)
            for each in services
            for asked in _networks(each)
            if asked.get("Target") in (network_id, network)
        ]
        ids = [_standalone(each, network_id) for each in tasks]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineNonsense(
            f"The engine at {connection.host} sent a malformed reply ({type(error).__name__}).",
            "If a proxy is in between, bypass it. Otherwise report this with the engine's version.",
        ) from error
    containers = sorted({names.get(each, each[:SHORT_ID]) for each in ids if each})
    return Attached(clean(network_id), tuple(sorted(attached, key=lambda each: each.name)), tuple(containers))


def _services(client: Any) -> Any:
    return client.services()


def _tasks(client: Any) -> Any:
    return client.tasks(EVERY_RUNTIME)


async def _local_names(connection: EngineConnection, network_id: str) -> Mapping[str, str]:
    """Return the names of containers on the network by ID, as far as the node that is asked knows them."""
    try:
        data = await connection.ask(
            "inspect a network", lambda client: client.inspect_network(network_id[:SHORT_ID])
        )
    except EngineNotFound:
        # An engine may answer this for a healthy network; then containers are named by their ID.
        return {}
    return {each.key: each.name for each in parse.network_detail(data).endpoints}


def _networks(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = service["Spec"]
    return list(spec.get("TaskTemplate", {}).get("Networks") or spec.get("Networks") or ())


def _service(data: Mapping[str, Any], asked: Mapping[str, Any]) -> AttachedService:
    service = parse.service(data)
    return AttachedService(
        name=service.name,
        mode=service.mode,
        replicas=service.replicas,
        endpoint_mode=service.endpoint_mode,
        aliases=tuple(sorted(clean(each) for each in asked.get("Aliases") or ())),
        options={clean(key): clean(value) for key, value in sorted((asked.get("DriverOpts") or {}).items())},
    )


def _standalone(task: Mapping[str, Any], network_id: str) -> str:
    """Return the container behind a task if it was attached to the network by hand and still is, or nothing."""
    found = parse.task(task)
    is_here = any(each.network_id == network_id for each in found.attachments)
    return found.container_id if found.is_standalone and found.is_alive and is_here else ""

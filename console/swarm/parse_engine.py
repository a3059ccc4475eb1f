"""The engine's JSON about itself, its containers and what happens, made into values; see `console.swarm.parse`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Network, ip_network
from typing import Any

from console.swarm.model import Container, Endpoint, Engine, Event
from console.swarm.parse import STACK_LABEL, parse_moment
from console.text import clean

SERVICE_ID_LABEL = "com.docker.swarm.service.id"
TASK_ID_LABEL = "com.docker.swarm.task.id"
"""Swarm labels the containers of its tasks (moby, daemon/cluster/executor/container/container.go)."""
PATH_LIMIT = 1000


def engine(data: Mapping[str, Any], api_version: tuple[int, int]) -> Engine:
    """Return the engine from `GET /info`; the caller has made sure that it is a manager."""
    swarm = data["Swarm"]
    pools = (ip_network(str(pool)) for pool in swarm["Cluster"].get("DefaultAddrPool") or ())
    return Engine(
        name=clean(data["Name"]),
        version=clean(data["ServerVersion"]),
        api_version=api_version,
        time=parse_moment(data["SystemTime"]),
        node_id=clean(swarm["NodeID"]),
        cluster_id=clean(swarm["Cluster"]["ID"]),
        managers=int(swarm["Managers"]),
        nodes=int(swarm["Nodes"]),
        root_dir=clean(data.get("DockerRootDir") or "", PATH_LIMIT),
        default_pools=tuple(pool for pool in pools if isinstance(pool, IPv4Network)),
    )


def event(data: Mapping[str, Any]) -> Event:
    """Return what changed from a message of `GET /events`."""
    actor = data["Actor"]
    attributes = actor.get("Attributes") or {}
    seconds, nanoseconds = divmod(int(data["timeNano"]), 1_000_000_000)
    return Event(
        kind=clean(data["Type"]),
        action=clean(data["Action"]),
        scope=clean(data.get("scope") or "local"),
        id=clean(actor["ID"]),
        name=clean(attributes.get("name") or ""),
        at=datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000),
        attributes={clean(key): clean(value) for key, value in attributes.items()},
    )


def container(data: Mapping[str, Any]) -> Container:
    """Return a container from an entry of `GET /containers/json`."""
    labels, names = data.get("Labels") or {}, data.get("Names") or ("",)
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=clean(data["Id"]),
        name=_name(names[0]),
        is_running=data.get("State") in ("running", "paused", "restarting"),
        service_id=clean(labels.get(SERVICE_ID_LABEL) or ""),
        task_id=clean(labels.get(TASK_ID_LABEL) or ""),
        stack=clean(labels.get(STACK_LABEL) or ""),
        networks={clean(name): clean(network.get("NetworkID") or "") for name, network in networks.items()},
        ports=frozenset(
            int(port["PublicPort"]) for port in data.get("Ports") or () if port.get("PublicPort")
        ),
    )


def endpoint(data: Mapping[str, Any], network: str) -> Endpoint | None:
    """Return how a container is attached to a network of a name, from its inspection; None where it is not."""
    identity, attachment = clean(data["Id"]), (data["NetworkSettings"].get("Networks") or {}).get(network)
    if attachment is None:
        return None
    ipam = dict(attachment.get("IPAMConfig") or {})
    address = ipam.pop("IPv4Address", "") or attachment.get("IPAddress") or ""
    # The engine itself adds the beginning of the ID, up to API 1.44.
    aliases = [alias for alias in attachment.get("Aliases") or () if alias != identity[:12]]
    ipam.pop("IPv6Address", None)
    config = {
        "Aliases": aliases,
        "Links": attachment.get("Links"),
        "DriverOpts": attachment.get("DriverOpts"),
        "GwPriority": attachment.get("GwPriority"),
        "IPAMConfig": ipam,
    }
    return Endpoint(
        identity,
        _name(data.get("Name")),
        bool((data.get("State") or {}).get("Running")),
        clean(attachment.get("NetworkID") or ""),
        clean(address),
        {key: value for key, value in config.items() if value},
    )


def restart_policy(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return a container's name and the name of its restart policy, from its inspection."""
    policy = (data.get("HostConfig") or {}).get("RestartPolicy") or {}
    return _name(data["Name"]), clean(policy.get("Name") or "no")


def _name(text: str | None) -> str:
    return clean((text or "").removeprefix("/"))

"""The engine's JSON, made into values. Anything that is not as the API promises raises; nothing is guessed.

Field names: Docker Engine API v1.41 to v1.52; the older and the newer differ in nothing that is read here but
`Status`, which 1.52 adds to the inspection of a single network.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from console.durations import NO_TIME, is_known, parse_time
from console.errors import DAMAGE, Result, Unknown
from console.swarm.model import (
    ALIVE,
    DEFAULT_GRACE_S,
    LocalEndpoint,
    Network,
    NetworkDetail,
    Node,
    ObjectKind,
    PublishedPort,
    Service,
    StackObject,
    Subnet,
    SubnetUse,
    Task,
    TaskAttachment,
    VirtualIP,
)
from console.text import SENTENCE_LIMIT, clean, clean_error

STACK_LABEL = "com.docker.stack.namespace"
PROBE_LABEL = "vipconsole.probe"
"""On services of this program's own: `HOST/PROCESS` of its creator."""
HANDOVER_LABEL = "vipconsole.handover"
"""On a node that is paused and demoted for a moment so that another one leads: the `HOST/PROCESS` that did it."""
AVAILABILITY_LABEL = "vipconsole.handover.availability"
"""Beside it: the availability that the node had before."""
HEARTBEAT_LABEL = "vipconsole.handover.heartbeat"
"""On the swarm itself while a hand-over is under way: the dispatcher's heartbeat period as it was before, in nanoseconds."""
SNAPSHOT_LABEL = "vipconsole.handover.snapshot"
"""Beside it while a manager is borrowed: after how many entries of its log the swarm took a snapshot of it before."""
REBUILT_LABEL = "vipconsole.allocator.rebuilt"
"""On the manager of a swarm with one: when a borrowed manager rebuilt its allocator. Nothing else would show it afterwards."""
BORROW_LABEL = "vipconsole.borrowed"
"""On a temporary manager: the `HOST/PROCESS` that borrowed it."""

PARKED_LABEL = "vipconsole.parked"
"""On services that a recreation of their network took off it for a moment: JSON of what they were."""
NEVER_INSPECTED = Unknown("It was not inspected.")

VXLAN_OPTION = "com.docker.network.driver.overlay.vxlanid_list"
"""Among the options the engine also tells the VXLAN IDs that it gave. Asking for them again would clash."""
NETWORK_FIELDS = ("EnableIPv4", "EnableIPv6", "Internal", "Attachable", "Labels")
SUBNET_FIELDS = ("Subnet", "IPRange", "Gateway", "AuxiliaryAddresses")
"""What it takes to make a network and its subnets again. A field that is added here needs its flag in the way back by hand,
too."""

GO_ZERO = "0001-01-01T00:00:00"
"""How Go writes the time of what has none. The engine does so for networks of swarms that began with Docker 17.12."""


def parse_moment(text: str) -> datetime:
    """Return an aware time from RFC 3339 with up to nine decimals; NO_TIME for Go's zero time, which means none."""
    if text.startswith(GO_ZERO):
        return NO_TIME
    # fromisoformat() takes six decimals at the most.
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"
    return parse_time(text)


def _time_or_none(text: str | None) -> datetime | None:
    """Return a time, or None where there is none."""
    at = parse_moment(text) if text else None
    return at if at is not None and is_known(at) else None


def bare_address(text: str) -> IPv4Address | IPv6Address:
    """Return the address of `10.0.1.5/24`."""
    bare = text.partition("/")[0]
    return IPv4Address(bare) if "." in bare else IPv6Address(bare)


def _bare_ipv4(text: str) -> IPv4Address | None:
    return IPv4Address(text.partition("/")[0]) if text else None


def subnet(data: Mapping[str, Any]) -> Subnet:
    """Return one entry of `IPAM.Config`."""
    gateway, ip_range = data.get("Gateway"), data.get("IPRange")
    # A number or a truth value would be taken for an address.
    return Subnet(
        ip_network(str(data["Subnet"]), strict=False),
        bare_address(gateway) if gateway else None,
        ip_network(str(ip_range), strict=False) if ip_range else None,
    )


def network(data: Mapping[str, Any], detail: Result[NetworkDetail] = NEVER_INSPECTED) -> Network:
    """Return a network from an entry of `GET /networks`."""
    driver = clean(data.get("Driver") or "")
    configs = [config for config in (data.get("IPAM") or {}).get("Config") or () if config.get("Subnet")]
    return Network(
        id=clean(data["Id"]),
        name=clean(data["Name"]),
        driver=driver,
        scope=clean(data["Scope"]),
        created=parse_moment(data["Created"]),
        ingress=bool(data.get("Ingress")),
        attachable=bool(data.get("Attachable")),
        subnets=tuple(map(subnet, configs)),
        detail=detail,
        has_ipv6=bool(data.get("EnableIPv6")),
        # The swarm's own networks are listed without peers, a node's copy of one with them (measured on 20.10).
        is_leftover=data["Scope"] == "swarm" and bool(data.get("Peers")),
        stack=_stack(data),
        has_vxlan_ids=driver != "overlay" or bool((data.get("Options") or {}).get(VXLAN_OPTION)),
        is_from_config=bool(data.get("ConfigOnly") or (data.get("ConfigFrom") or {}).get("Network")),
        body=_network_body(data, configs),
    )


def _network_body(data: Mapping[str, Any], configs: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    ipam, options = data.get("IPAM") or {}, dict(data.get("Options") or {})
    options.pop(VXLAN_OPTION, None)
    return {
        "Name": data["Name"],
        # Engines before API 1.44 would make a second network of the same name without it.
        "CheckDuplicate": True,
        "Driver": data.get("Driver") or "overlay",
        **{key: data[key] for key in NETWORK_FIELDS if data.get(key) is not None},
        "Options": options,
        "IPAM": {
            "Driver": ipam.get("Driver") or "default",
            "Options": ipam.get("Options"),
            "Config": [{key: config[key] for key in SUBNET_FIELDS if config.get(key)} for config in configs],
        },
    }


def network_detail(data: Mapping[str, Any]) -> NetworkDetail:
    """Return what `GET /networks/{id}` adds to the list."""
    endpoints = (data.get("Containers") or {}).items()
    peers = data.get("Peers")
    subnet_statuses = ((data.get("Status") or {}).get("IPAM") or {}).get("Subnets") or {}
    return NetworkDetail(
        endpoints=tuple(
            LocalEndpoint(
                clean(key), clean(endpoint.get("Name") or ""), _bare_ipv4(endpoint.get("IPv4Address") or "")
            )
            for key, endpoint in endpoints
        ),
        peers=None if peers is None else len(peers),
        use={
            str(cidr): SubnetUse(int(status["IPsInUse"]), int(status["DynamicIPsAvailable"]))
            for cidr, status in subnet_statuses.items()
        },
    )


def service(data: Mapping[str, Any]) -> Service:
    """Return a service from an entry of `GET /services`, or from its inspection."""
    spec, endpoint = data["Spec"], data.get("Endpoint") or {}
    template = spec.get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    endpoint_spec, update = spec.get("EndpointSpec") or {}, data.get("UpdateStatus") or {}
    # Engines before API 1.44 keep the networks of old services at the service itself.
    networks = template.get("Networks") or spec.get("Networks") or ()
    network_ids = tuple(clean(entry["Target"]) for entry in networks)
    return Service(
        id=clean(data["ID"]),
        name=clean(spec["Name"]),
        stack=_stack(spec),
        created=parse_moment(data["CreatedAt"]),
        updated=_time_or_none(data["UpdatedAt"]) or parse_moment(data["CreatedAt"]),
        endpoint_mode=clean(endpoint_spec.get("Mode") or "vip"),
        network_ids=network_ids,
        publishes_ingress=any(
            port.get("PublishMode", "ingress") == "ingress" for port in endpoint_spec.get("Ports") or ()
        ),
        virtual_ips=tuple(
            VirtualIP(clean(virtual_ip["NetworkID"]), bare_address(virtual_ip["Addr"]))
            for virtual_ip in endpoint.get("VirtualIPs") or ()
            if virtual_ip.get("Addr")
        ),
        replicas=_replicas(spec.get("Mode") or {}),
        mode=_mode(spec.get("Mode") or {}),
        restart=clean((template.get("RestartPolicy") or {}).get("Condition") or "any"),
        update_state=clean(update.get("State") or ""),
        update_started=_time_or_none(update.get("StartedAt")),
        update_message=clean(update.get("Message") or "", SENTENCE_LIMIT),
        image=_image(container),
        constraints=tuple(
            clean(constraint, SENTENCE_LIMIT)
            for constraint in (template.get("Placement") or {}).get("Constraints") or ()
        ),
        addressless_ids=tuple(
            clean(virtual_ip["NetworkID"])
            for virtual_ip in endpoint.get("VirtualIPs") or ()
            if not virtual_ip.get("Addr")
        ),
        probe=clean((spec.get("Labels") or {}).get(PROBE_LABEL, "")),
        parked_by=_parking_run(spec),
        # The endpoint also has ports that Swarm chose itself, and lacks all where nothing was allocated.
        ports=_ports(endpoint.get("Ports") or endpoint_spec.get("Ports") or ()),
        rolls_back_to_parked=bool(_parking_run(data.get("PreviousSpec") or {})),
        uses=frozenset((*network_ids, *_secrets_and_configs(container))),
        grace_s=_grace_s(container),
        version=int(data["Version"]["Index"]),
        spec=spec,
        previous_spec=data.get("PreviousSpec") or {},
    )


def _secrets_and_configs(container: Mapping[str, Any]) -> Iterator[str]:
    """Yield the IDs of the secrets and configs in a container's specification."""
    credentials = (container.get("Privileges") or {}).get("CredentialSpec") or {}
    yield from (clean(secret["SecretID"]) for secret in container.get("Secrets") or ())
    yield from (clean(config["ConfigID"]) for config in container.get("Configs") or ())
    if credentials.get("Config"):
        yield clean(credentials["Config"])


def _grace_s(container: Mapping[str, Any]) -> float:
    nanoseconds = container.get("StopGracePeriod")
    return DEFAULT_GRACE_S if nanoseconds is None else int(nanoseconds) / 1e9


def _stack(owner: Mapping[str, Any]) -> str:
    return clean((owner.get("Labels") or {}).get(STACK_LABEL) or "")


def _parking_run(spec: Mapping[str, Any]) -> str:
    label = (spec.get("Labels") or {}).get(PARKED_LABEL)
    if not label:
        return ""
    try:
        run = json.loads(label)
        return clean(f"{run['machine']}/{run['run']}")
    except DAMAGE:
        return "?"


def _ports(rows: Iterable[Mapping[str, Any]]) -> tuple[PublishedPort, ...]:
    return tuple(
        PublishedPort(
            int(row["PublishedPort"]),
            clean(row.get("Protocol") or "tcp"),
            row.get("PublishMode", "ingress") == "ingress",
        )
        for row in rows
        if row.get("PublishedPort")
    )


def _replicas(data: Mapping[str, Any]) -> int | None:
    replicas = (data.get("Replicated") or {}).get("Replicas")
    return None if replicas is None else int(replicas)


def _mode(data: Mapping[str, Any]) -> str:
    modes = {"Global": "global", "ReplicatedJob": "replicated-job", "GlobalJob": "global-job"}
    return next((name for key, name in modes.items() if data.get(key) is not None), "replicated")


def _image(container: Mapping[str, Any]) -> str:
    return clean(container.get("Image") or "", SENTENCE_LIMIT)


def _attachment(data: Mapping[str, Any]) -> TaskAttachment:
    network_data = data["Network"]
    return TaskAttachment(
        clean(network_data["ID"]),
        clean(network_data["Spec"].get("Name", "")),
        tuple(bare_address(address) for address in data.get("Addresses") or ()),
    )


def task(data: Mapping[str, Any]) -> Task:
    """Return a task from an entry of `GET /tasks`."""
    spec, status = data["Spec"], data["Status"]
    standalone = spec.get("NetworkAttachmentSpec")
    container_status = standalone or status.get("ContainerStatus") or {}
    container = spec.get("ContainerSpec") or {}
    attachments = tuple(_attachment(attachment) for attachment in data.get("NetworksAttachments") or ())
    return Task(
        id=clean(data["ID"]),
        service_id=clean(data.get("ServiceID") or ""),
        slot=int(data.get("Slot") or 0),
        node_id=clean(data.get("NodeID") or ""),
        state=clean(status["State"]),
        desired_state=clean(data["DesiredState"]),
        since=_time_or_none(status["Timestamp"]) or parse_moment(data["CreatedAt"]),
        message=clean_error(status.get("Message") or ""),
        error=clean_error(status.get("Err") or ""),
        container_id=clean(container_status.get("ContainerID") or ""),
        is_standalone=standalone is not None,
        attachments=attachments,
        created=parse_moment(data["CreatedAt"]),
        image=_image(container),
        exit_code=_exit_code(status),
        stack=_stack(container),
        network_ids=frozenset(
            (
                *(clean(entry["Target"]) for entry in spec.get("Networks") or ()),
                *(attachment.network_id for attachment in attachments),
            )
        ),
        grace_s=_grace_s(container),
        updated=_time_or_none(data.get("UpdatedAt")),
    )


def _exit_code(status: Mapping[str, Any]) -> int | None:
    container = status.get("ContainerStatus") or {}
    # The engine writes 0 for a container that still runs, and where there was none.
    if status["State"] in ALIVE or not container.get("ContainerID"):
        return None
    return int(container.get("ExitCode") or 0)


def node(data: Mapping[str, Any]) -> Node:
    """Return a node from an entry of `GET /nodes`."""
    manager = data.get("ManagerStatus")
    labels = data["Spec"].get("Labels") or {}
    return Node(
        id=clean(data["ID"]),
        hostname=clean((data.get("Description") or {}).get("Hostname") or ""),
        state=clean(data["Status"]["State"]),
        availability=clean(data["Spec"]["Availability"]),
        is_manager=manager is not None,
        is_leader=bool(manager and manager.get("Leader")),
        reachability=clean((manager or {}).get("Reachability") or ""),
        desired_role=clean(data["Spec"].get("Role") or ""),
        handover=clean(labels.get(HANDOVER_LABEL) or ""),
        availability_before=clean(labels.get(AVAILABILITY_LABEL) or ""),
        labels=labels,
        borrowed_by=clean(labels.get(BORROW_LABEL) or ""),
        allocator_rebuilt=clean(labels.get(REBUILT_LABEL) or ""),
    )


def stack_object(kind: ObjectKind, data: Mapping[str, Any]) -> StackObject:
    """Return a secret or config from an entry of `GET /secrets` or `GET /configs`; its data is not kept."""
    return StackObject(kind, clean(data["ID"]), clean(data["Spec"]["Name"]), _stack(data["Spec"]))

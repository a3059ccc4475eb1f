"""Networks in the words of the Engine API."""

from datetime import datetime
from typing import Any

from console.simulator.ipam import LARGEST_COUNT
from console.simulator.joining import AnyEngine
from console.simulator.objects import Json, SimContainer, SimNetwork

VXLAN_OPTION = "com.docker.network.driver.overlay.vxlanid_list"


def date(value: datetime) -> str:
    """Return a date as the engine writes it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def network_json(engine: AnyEngine, network: SimNetwork) -> Json:
    """Return a network as the list shows it. Driver and IPAM stay empty until it is allocated."""
    is_allocated = bool(network.config)
    data: Json = {
        "Name": network.name,
        "Id": network.id,
        "Created": date(network.created),
        "Scope": "swarm",
        "Driver": "overlay" if is_allocated else "",
        "EnableIPv6": network.has_ipv6,
        "IPAM": _ipam(network),
        "Internal": network.is_internal,
        "Attachable": network.is_attachable,
        "Ingress": network.is_ingress,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Options": _options(network) if is_allocated else None,
        "Labels": network.labels,
    }
    if engine.identity.api >= (1, 47):
        data["EnableIPv4"] = True
    if engine.identity.api < (1, 52):
        data["Containers"] = None
    return data


def copy_json(engine: AnyEngine, network: SimNetwork) -> Json:
    """Return a node's own copy of a network as the list shows it where the swarm does not: made later, and with peers."""
    data = network_json(engine, network)
    users = [container for container in engine.store.containers.values() if _is_on(container, network)]
    data["Created"] = date(min((user.created for user in users), default=network.created))
    if engine.identity.api < (1, 52):
        data["Containers"] = {}
        data["Peers"] = _peers(engine, network)
    return data


def network_detail_json(
    engine: AnyEngine, network: SimNetwork, *, by_full_id: bool, api: tuple[int, int]
) -> Json:
    """Return a network as its inspection shows it.

    Where this node takes part, its containers, its load balancer and the peers are there. From API 1.52 on there is
    `Status`: the leader's counters, but by the full ID those of this node alone, if it takes part.
    """
    data = network_json(engine, network)
    is_local = network.id in engine.networks.local_copies()
    endpoints = _endpoints(engine, network) if is_local else {}
    data["Containers"] = endpoints if is_local else (None if api < (1, 52) else {})
    if is_local:
        data["Labels"] = network.labels or {}
        data["Peers"] = _peers(engine, network)
    pools = engine.allocator.pools.pools.get(network.id, [])
    if api >= (1, 52) and pools:
        subnets: Json = {}
        for pool in pools:
            if by_full_id and is_local:
                of_this_node = sum(
                    1
                    for endpoint in endpoints.values()
                    if pool.has(endpoint["IPv4Address"] or endpoint["IPv6Address"])
                )
                in_use = 3 + of_this_node
                free = min(pool.subnet.num_addresses - in_use, LARGEST_COUNT)
            else:
                in_use, free = pool.in_use, pool.free
            subnets[str(pool.subnet)] = {"IPsInUse": in_use, "DynamicIPsAvailable": free}
        data["Status"] = {"IPAM": {"Subnets": subnets}}
    return data


def task_network_json(network: SimNetwork) -> Json:
    """Return a network as a task carries it along, also after the network was removed."""
    spec: Json = {
        "Name": network.name,
        "Labels": network.labels or {},
        "DriverConfiguration": {} if network.is_ingress else {"Name": "overlay"},
        "Scope": "swarm",
    }
    if network.is_attachable:
        spec["Attachable"] = True
    if network.is_ingress:
        spec["Ingress"] = True
    if network.ipam_config:
        spec["IPAMOptions"] = {"Driver": {"Name": "default"}, "Configs": network.ipam_config}
    return {
        "ID": network.id,
        "Version": {"Index": network.index},
        "CreatedAt": date(network.created),
        "UpdatedAt": date(network.updated),
        "Spec": spec,
        "DriverState": {"Name": "overlay", "Options": _options(network)},
        "IPAMOptions": {"Driver": {"Name": "default"}, "Configs": _ipam(network)["Config"]},
    }


def _ipam(network: SimNetwork) -> Json:
    if not network.config:
        return {"Driver": "", "Options": None, "Config": None}
    configs: list[Json] = []
    for subnet in network.config:
        config = {"Subnet": subnet.subnet, "Gateway": subnet.gateway}
        if subnet.ip_range:
            config["IPRange"] = subnet.ip_range
        configs.append(config)
    return {"Driver": "default", "Options": None, "Config": configs}


def _options(network: SimNetwork) -> dict[str, str]:
    return {**network.options, VXLAN_OPTION: ",".join(str(config.vxlan) for config in network.config)}


def _endpoints(engine: AnyEngine, network: SimNetwork) -> dict[str, Any]:
    endpoints: dict[str, Any] = {}
    for container in engine.store.containers.values():
        if container.state == "running":
            for other, address in container.attachments:
                if other is network:
                    endpoints[container.id] = _endpoint(container, address)
    if balancer := engine.node.balancers.get(network.id):
        key, name = (
            ("ingress-sbox", "ingress") if network.is_ingress else (f"lb-{network.name}", network.name)
        )
        endpoints[key] = {
            **_addresses(balancer),
            "Name": f"{name}-endpoint",
            "EndpointID": f"{network.id:0<64}",
        }
    return endpoints


def _is_on(container: SimContainer, network: SimNetwork) -> bool:
    return container.state == "running" and any(other is network for other, _ in container.attachments)


def _peers(engine: AnyEngine, network: SimNetwork) -> list[Json]:
    return [
        {"Name": node.id[:12], "IP": node.address}
        for node in engine.store.nodes.values()
        if network.id in node.balancers
    ]


def _endpoint(container: SimContainer, address: str) -> Json:
    return {"Name": container.name, "EndpointID": container.id[::-1], **_addresses(address)}


def _addresses(address: str) -> Json:
    plain = address.partition("/")[0]
    if ":" in plain:
        return {"MacAddress": "", "IPv4Address": "", "IPv6Address": address}
    mac = "02:42:" + ":".join(f"{int(part):02x}" for part in plain.split("."))
    return {"MacAddress": mac, "IPv4Address": address, "IPv6Address": ""}


def local_networks_json(engine: AnyEngine) -> list[Json]:
    """Return the networks that every engine of a swarm has for itself."""
    bridges = {"bridge": "172.17.0.0/16", "docker_gwbridge": "172.18.0.0/16"}
    return [
        {
            "Name": name,
            "Id": f"{number:x}" * 64,
            # The engine creates this one again at every start.
            "Created": date(engine.daemon_start if name == "bridge" else engine.start),
            "Scope": "local",
            "Driver": driver,
            "EnableIPv6": False,
            "IPAM": {
                "Driver": "default",
                "Options": None,
                "Config": [{"Subnet": bridges[name]}] if name in bridges else [],
            },
            "Internal": False,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Options": {},
            "Labels": {},
            **({"Containers": {}} if engine.identity.api < (1, 52) else {}),
        }
        for number, (name, driver) in enumerate(
            (("bridge", "bridge"), ("docker_gwbridge", "bridge"), ("host", "host"), ("none", "null")),
            start=10,
        )
    ]

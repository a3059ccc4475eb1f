"""A network's whole definition: what it takes to make the same one again.

Field names: Docker Engine API v1.41 to v1.52, `GET /networks` and `POST /networks/create`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from console.swarm.parse import moment
from console.text import clean

VXLAN_OPTION = "com.docker.network.driver.overlay.vxlanid_list"
"""Among the options the engine also tells the VXLAN IDs that it gave. Asking for them again would clash."""
KEPT = ("EnableIPv4", "EnableIPv6", "Internal", "Attachable", "Labels")
IPAM_KEPT = ("Subnet", "IPRange", "Gateway", "AuxiliaryAddresses")
"""Of each subnet. A field that is added here needs its flag in the way back by hand, too."""


@dataclass(frozen=True, slots=True)
class NetworkDefinition:
    """A network as it is defined. Names are cleaned; `body` is as the engine gave it, and never shown."""

    id: str
    name: str
    scope: str
    driver: str
    is_ingress: bool
    is_attachable: bool
    is_allocated: bool
    """Whether Swarm has given it all its subnets and its VXLAN IDs."""
    is_from_config: bool
    """Whether it takes its settings from another network, or lends them to others."""
    subnets: tuple[IPv4Network | IPv6Network, ...]
    created: datetime
    body: Mapping[str, Any]
    """What `POST /networks/create` takes to make it again, its subnets as they are."""

    @property
    def ipv4(self) -> tuple[IPv4Network, ...]:
        """Its IPv4 subnets."""
        return tuple(each for each in self.subnets if isinstance(each, IPv4Network))


def network_definition(data: Mapping[str, Any]) -> NetworkDefinition:
    """Return a network's definition from an entry of `GET /networks`, or from its inspection."""
    ipam, options = data.get("IPAM") or {}, dict(data.get("Options") or {})
    vxlans = options.pop(VXLAN_OPTION, "")
    configs = [
        {key: each[key] for key in IPAM_KEPT if each.get(key)}
        for each in ipam.get("Config") or ()
        if each.get("Subnet")
    ]
    subnets = tuple(ip_network(each["Subnet"], strict=False) for each in configs)
    body: dict[str, Any] = {
        "Name": data["Name"],
        # Engines before API 1.44 would make a second network of the same name without it.
        "CheckDuplicate": True,
        "Driver": data.get("Driver") or "overlay",
        **{key: data[key] for key in KEPT if data.get(key) is not None},
        "Options": options,
        "IPAM": {
            "Driver": ipam.get("Driver") or "default",
            "Options": ipam.get("Options"),
            "Config": configs,
        },
    }
    return NetworkDefinition(
        id=clean(data["Id"]),
        name=clean(data["Name"]),
        scope=clean(data.get("Scope") or ""),
        driver=clean(data.get("Driver") or ""),
        is_ingress=bool(data.get("Ingress")),
        is_attachable=bool(data.get("Attachable")),
        is_allocated=bool(subnets and vxlans),
        is_from_config=bool(data.get("ConfigOnly") or (data.get("ConfigFrom") or {}).get("Network")),
        subnets=subnets,
        created=moment(data["Created"]),
        body=body,
    )


def body_with_subnet(body: Mapping[str, Any], subnet: IPv4Network) -> dict[str, Any]:
    """Return the body of a creation with one IPv4 subnet instead of those that it has; IPv6 stays as it is.

    Gateway and ip-range of the old subnet go with it: they lie in there.
    """
    ipam = body.get("IPAM") or {}
    kept = [
        each for each in ipam.get("Config") or () if ip_network(each["Subnet"], strict=False).version == 6
    ]
    return {**body, "IPAM": {**ipam, "Config": [{"Subnet": str(subnet)}, *kept]}}


def ipv4_of(body: Mapping[str, Any]) -> tuple[IPv4Network, ...]:
    """Return the IPv4 subnets that a body asks for."""
    configs = (body.get("IPAM") or {}).get("Config") or ()
    asked = [ip_network(each["Subnet"], strict=False) for each in configs]
    return tuple(each for each in asked if isinstance(each, IPv4Network))


def overlapping(
    subnet: IPv4Network, networks: Iterable[NetworkDefinition], besides: str = ""
) -> tuple[tuple[NetworkDefinition, IPv4Network], ...]:
    """Return the networks that a subnet overlaps and with which of theirs; the one with the ID `besides` is skipped."""
    return tuple(
        (each, other)
        for each in networks
        if each.id != besides
        for other in each.ipv4
        if other.overlaps(subnet)
    )

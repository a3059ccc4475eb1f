"""The docker commands that bring a network and its containers back: a flag for every field that a recreation keeps. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from console.remedies.network_recreation_record import ContainerRecord, NetworkRecord


def create_command(network: NetworkRecord) -> tuple[str, ...]:
    """Return the docker command that creates a network as it was."""
    return ("docker", "network", "create", *_flags(network.body, _FLAGS), network.name)


def connect_options(container: ContainerRecord) -> tuple[str, ...]:
    """Return the options that attach a container to the network as it was, without its address."""
    return tuple(_flags(container.config, _CONNECT_FLAGS))


def left_out(network: NetworkRecord, containers: Iterable[ContainerRecord]) -> tuple[str, ...]:
    """Return what docker's command line cannot say of a network and its containers, each a phrase."""
    found = [*_left_out_of_network(network.body)]
    for each in containers:
        ipam = each.config.get("IPAMConfig") or {}
        fields = (*_unknown(each.config, _CONNECT_FLAGS, ""), *_unknown(ipam, _ADDRESS_FLAGS, "IPAMConfig."))
        found += [f"{field} of the container {each.name}" for field in fields]
    return tuple(found)


def _left_out_of_network(body: Mapping[str, Any]) -> tuple[str, ...]:
    ipam = body.get("IPAM") or {}
    found = [*_unknown(body, _FLAGS, ""), *_unknown(ipam, _IPAM_FLAGS, "IPAM.")]
    for each in ipam.get("Config") or ():
        found += _unknown(each, _SUBNET_FLAGS, "IPAM.Config.")
    names = [name for each in ipam.get("Config") or () for name in each.get("AuxiliaryAddresses") or ()]
    # The command line takes one address for a name, over all subnets: the last one would count.
    found += [f"the auxiliary address {each} of a second subnet" for each in names if names.count(each) > 1]
    return tuple(dict.fromkeys(found))


_Flag = Callable[[Any], list[str]]


def _flags(body: Mapping[str, Any], flags: Mapping[str, _Flag]) -> Iterator[str]:
    for field, flag in flags.items():
        if body.get(field) is not None:
            yield from flag(body[field])


def _unknown(body: Mapping[str, Any], flags: Mapping[str, _Flag], prefix: str) -> list[str]:
    return [f"{prefix}{field}" for field, value in body.items() if field not in flags and value]


def _needs_none(_: Any) -> list[str]:
    return []


def _switch(flag: str) -> _Flag:
    return lambda value: [flag] if value else []


def _named(flag: str) -> _Flag:
    return lambda value: [flag, str(value)] if value else []


def _pairs(flag: str) -> _Flag:
    return lambda values: [each for key, value in values.items() for each in (flag, f"{key}={value}")]


def _listed(flag: str) -> _Flag:
    return lambda values: [each for value in values for each in (flag, str(value))]


def _addresses(ipam: Mapping[str, Any]) -> list[str]:
    return list(_flags(ipam, _ADDRESS_FLAGS))


def _ipam(ipam: Mapping[str, Any]) -> list[str]:
    return list(_flags(ipam, _IPAM_FLAGS))


def _subnets(configs: Any) -> list[str]:
    # Which range, gateway and address belong to which subnet docker finds out by what lies in it.
    return [each for config in configs for each in _flags(config, _SUBNET_FLAGS)]


# In the order in which the flags stand in the command.
_FLAGS: Mapping[str, _Flag] = {
    # The name stands behind the flags.
    "Name": _needs_none,
    # Docker's command line always asks for it.
    "CheckDuplicate": _needs_none,
    "Driver": _named("--driver"),
    "Attachable": _switch("--attachable"),
    "Internal": _switch("--internal"),
    "EnableIPv6": _switch("--ipv6"),
    # On is what every engine takes, and older command lines know no flag for it.
    "EnableIPv4": lambda value: [] if value else ["--ipv4=false"],
    "Labels": _pairs("--label"),
    "Options": _pairs("--opt"),
    "IPAM": _ipam,
}
_IPAM_FLAGS: Mapping[str, _Flag] = {
    "Driver": lambda value: [] if value in ("", "default") else ["--ipam-driver", str(value)],
    "Options": _pairs("--ipam-opt"),
    "Config": _subnets,
}
_SUBNET_FLAGS: Mapping[str, _Flag] = {
    "Subnet": _named("--subnet"),
    "IPRange": _named("--ip-range"),
    "Gateway": _named("--gateway"),
    "AuxiliaryAddresses": _pairs("--aux-address"),
}
_CONNECT_FLAGS: Mapping[str, _Flag] = {
    "Aliases": _listed("--alias"),
    "Links": _listed("--link"),
    "DriverOpts": _pairs("--driver-opt"),
    "GwPriority": _named("--gw-priority"),
    "IPAMConfig": _addresses,
}
_ADDRESS_FLAGS: Mapping[str, _Flag] = {"LinkLocalIPs": _listed("--link-local-ip")}

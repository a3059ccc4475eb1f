"""The way back in plain docker commands, for when this program cannot run."""

import csv
import io
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from console.operations.network_recreation.parking import NOWHERE
from console.operations.network_recreation.record import (
    ContainerRecord,
    NetworkRecord,
    Record,
    ServiceRecord,
)
from console.swarm.parse import PARKED_LABEL
from console.text import clean, listed

_Flag = Callable[[Any], list[str]]
SCRIPT = "way-back.sh"
"""The name of the file."""
_SCRIPT = r"""#!/bin/sh
# Brings back what the recreation of the network @NETWORK@ took apart (vipconsole, run @RUN@).
#
# Plain docker commands, for a manager of the swarm on this host; call it at any time, and again. Services that are not
# parked and containers that are attached are left alone. Where the network is gone it is created as it was.
# Exit code: 0 everything is back, 1 something is not and is named.
@LEFT_OUT@set -u
network=@NETWORK@
failed=0

make_network() {
    docker network inspect "$network" >/dev/null 2>&1 || @CREATE@ || true
}

# A copy of the removed network may linger on this node for some seconds: then it is tried again.
retry() {
    what=$1; shift
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -ge "${TRIES:-30}" ]; then echo "$what could not be brought back" >&2; failed=1; return; fi
        sleep 2
        make_network
    done
    echo "$what is back"
}

# Updates a service, with the network where it is not on it any more: update ID ATTACHMENT OPTION...
update() {
    id=$1; attachment=$2; shift 2
    on=$(docker service inspect --format '{{range .Spec.TaskTemplate.Networks}}{{.Target}} {{end}}' "$id") || return 1
    case " $on" in
        *" $(docker network inspect --format '{{.Id}}' "$network") "*) ;;
        *) set -- --network-add "$attachment" "$@" ;;
    esac
    docker service update --quiet --detach --label-rm @LABEL@ "$@" "$id"
}

# service ID NAME ATTACHMENT OPTION...
service() {
    id=$1; name=$2; attachment=$3; shift 3
    if ! label=$(docker service inspect --format '{{index .Spec.Labels "@LABEL@"}}' "$id"); then
        echo "$name is gone" >&2; failed=1
    elif [ -n "$label" ]; then
        retry "$name" update "$id" "$attachment" "$@"
    fi
}

# container ID NAME OPTION...
container() {
    id=$1; name=$2; shift 2
    if ! at=$(docker inspect --format '{{with index .NetworkSettings.Networks "@NETWORK@"}}{{.NetworkID}}{{end}}' "$id"); then
        echo "the container $name is gone" >&2; failed=1
    elif [ -z "$at" ] || [ "$at" != "$(docker network inspect --format '{{.Id}}' "$network")" ]; then
        [ -z "$at" ] || docker network disconnect "$network" "$id" || true
        retry "the container $name" docker network connect "$@" "$network" "$id"
    fi
}

make_network
@STEPS@

parked=$(docker service ls --filter label=@LABEL@ --format '{{.Name}}')
if [ -n "$parked" ]; then echo "still parked:" $parked >&2; failed=1; fi
exit "$failed"
"""


def create_command(network: NetworkRecord) -> tuple[str, ...]:
    """Return the docker command that creates a network as it was."""
    return ("docker", "network", "create", *_flags(network.body, _FLAGS), network.name)


def connect_options(container: ContainerRecord) -> tuple[str, ...]:
    """Return the options that attach a container to the network as it was, without its address."""
    return tuple(_flags(container.config, _CONNECT_FLAGS))


def inexpressible_settings(network: NetworkRecord, containers: Iterable[ContainerRecord]) -> tuple[str, ...]:
    """Return what docker's command line cannot say of a network and its containers, each a phrase."""
    settings = [*_inexpressible_in_network(network.body)]
    for container in containers:
        ipam = container.config.get("IPAMConfig") or {}
        fields = (
            *_unknown(container.config, _CONNECT_FLAGS, ""),
            *_unknown(ipam, _ADDRESS_FLAGS, "IPAMConfig."),
        )
        settings += [f"{field} of the container {container.name}" for field in fields]
    return tuple(settings)


def _inexpressible_in_network(body: Mapping[str, Any]) -> tuple[str, ...]:
    ipam = body.get("IPAM") or {}
    settings = [*_unknown(body, _FLAGS, ""), *_unknown(ipam, _IPAM_FLAGS, "IPAM.")]
    for config in ipam.get("Config") or ():
        settings += _unknown(config, _SUBNET_FLAGS, "IPAM.Config.")
    names = [name for config in ipam.get("Config") or () for name in config.get("AuxiliaryAddresses") or ()]
    # The command line takes one address for a name, over all subnets: the last one would count.
    settings += [
        f"the auxiliary address {name} of a second subnet" for name in names if names.count(name) > 1
    ]
    return tuple(dict.fromkeys(settings))


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


def _value_flag(flag: str) -> _Flag:
    return lambda value: [flag, str(value)] if value else []


def _pair_flags(flag: str) -> _Flag:
    return lambda values: [word for key, value in values.items() for word in (flag, f"{key}={value}")]


def _repeated_flag(flag: str) -> _Flag:
    return lambda values: [word for value in values for word in (flag, str(value))]


def _addresses(ipam: Mapping[str, Any]) -> list[str]:
    return list(_flags(ipam, _ADDRESS_FLAGS))


def _ipam(ipam: Mapping[str, Any]) -> list[str]:
    return list(_flags(ipam, _IPAM_FLAGS))


def _subnets(configs: Any) -> list[str]:
    # Which range, gateway and address belong to which subnet docker finds out by what lies in it.
    return [flag for config in configs for flag in _flags(config, _SUBNET_FLAGS)]


# In the order in which the flags stand in the command.
_FLAGS: Mapping[str, _Flag] = {
    # The name stands behind the flags.
    "Name": _needs_none,
    # Docker's command line always asks for it.
    "CheckDuplicate": _needs_none,
    "Driver": _value_flag("--driver"),
    "Attachable": _switch("--attachable"),
    "Internal": _switch("--internal"),
    "EnableIPv6": _switch("--ipv6"),
    # On is what every engine takes, and older command lines know no flag for it.
    "EnableIPv4": lambda value: [] if value else ["--ipv4=false"],
    "Labels": _pair_flags("--label"),
    "Options": _pair_flags("--opt"),
    "IPAM": _ipam,
}
_IPAM_FLAGS: Mapping[str, _Flag] = {
    "Driver": lambda value: [] if value in ("", "default") else ["--ipam-driver", str(value)],
    "Options": _pair_flags("--ipam-opt"),
    "Config": _subnets,
}
_SUBNET_FLAGS: Mapping[str, _Flag] = {
    "Subnet": _value_flag("--subnet"),
    "IPRange": _value_flag("--ip-range"),
    "Gateway": _value_flag("--gateway"),
    "AuxiliaryAddresses": _pair_flags("--aux-address"),
}
_CONNECT_FLAGS: Mapping[str, _Flag] = {
    "Aliases": _repeated_flag("--alias"),
    "Links": _repeated_flag("--link"),
    "DriverOpts": _pair_flags("--driver-opt"),
    "GwPriority": _value_flag("--gw-priority"),
    "IPAMConfig": _addresses,
}
_ADDRESS_FLAGS: Mapping[str, _Flag] = {"LinkLocalIPs": _repeated_flag("--link-local-ip")}


def way_back_script(record: Record) -> str:
    """Return the script that brings everything of a record back."""
    steps = [
        *(_service_line(service, record.network.name) for service in record.services),
        *(_container_line(container, record.network) for container in record.containers),
    ]
    missing = inexpressible_settings(record.network, record.containers)
    # Names in it come from outside: without a line break they stay a comment.
    comment = (
        f"#\n# Docker's command line cannot say this, so set it by hand: {clean(listed(missing), 1000)}.\n"
        if missing
        else ""
    )
    # The name stands in the script's own quotes too; the engine allows no character in it that would need any.
    values = {
        "CREATE": shlex.join(create_command(record.network)),
        "STEPS": "\n".join(steps),
        "RUN": shlex.quote(record.run),
        "NETWORK": shlex.quote(record.network.name),
        "LABEL": PARKED_LABEL,
        "LEFT_OUT": comment,
    }
    # In one go: what is filled in may hold such a place itself.
    return re.sub("@([A-Z_]+)@", lambda match: values[match[1]], _SCRIPT)


def _service_line(service: ServiceRecord, network: str) -> str:
    body = service.entries[0].body if service.entries else {}
    fields = [f"name={network}", *(f"alias={alias}" for alias in body.get("Aliases") or ())]
    fields += [f"driver-opt={key}={value}" for key, value in (body.get("DriverOpts") or {}).items()]
    if service.mode == "global":
        options = ["--constraint-rm", NOWHERE]
    else:
        options = ["--replicas", str(1 if service.replicas is None else service.replicas)]
    return shlex.join(["service", service.id, service.name, _as_csv(fields), *options])


def _container_line(container: ContainerRecord, network: NetworkRecord) -> str:
    options = [*connect_options(container)]
    if container.is_given and container.fits(*network.ipv4):
        options += ["--ip", container.address]
    return shlex.join(["container", container.id, container.name, *options])


def _as_csv(fields: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(fields)
    return buffer.getvalue()

"""The way back as a shell script of plain docker commands, to be written before the first change."""

import csv
import io
import re
import shlex
from collections.abc import Iterable

from console.remedies.network_recreation_command import connect_options, create_command, left_out
from console.remedies.network_recreation_record import (
    ContainerRecord,
    NetworkRecord,
    Record,
    ServiceRecord,
)
from console.remedies.network_recreation_spec import NOWHERE
from console.swarm.parse import PARKED_LABEL
from console.text import clean, listed

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


def way_back_script(record: Record) -> str:
    """Return the script that brings everything of a record back."""
    steps = [
        *(_service_line(each, record.network.name) for each in record.services),
        *(_container_line(each, record.network) for each in record.containers),
    ]
    missing = left_out(record.network, record.containers)
    # Names in it come from outside: without a line break they stay a comment.
    said = (
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
        "LEFT_OUT": said,
    }
    # In one go: what is filled in may hold such a place itself.
    return re.sub("@([A-Z_]+)@", lambda found: values[found[1]], _SCRIPT)


def _service_line(service: ServiceRecord, network: str) -> str:
    body = service.entries[0].body if service.entries else {}
    fields = [f"name={network}", *(f"alias={one}" for one in body.get("Aliases") or ())]
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
    held = io.StringIO()
    csv.writer(held, lineterminator="").writerow(fields)
    return held.getvalue()

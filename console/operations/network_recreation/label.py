"""The label of a parked service, from which alone it can be brought back."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from console.operations.network_recreation.record import (
    FORMAT,
    ContainerRecord,
    NetworkRecord,
    Record,
    ServiceRecord,
    containers_from_json,
    network_from_json,
    require_format,
    service_from_json,
)
from console.swarm.overlays import OverlayLook, SpecifiedService
from console.swarm.parse import PARKED_LABEL, moment


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked service, and what its label says."""

    service: SpecifiedService
    run: str
    machine: str
    network: NetworkRecord
    target: str
    record: ServiceRecord
    containers: tuple[ContainerRecord, ...]
    since: datetime
    """When it was parked, by the engine's clock."""


def parked_label(record: Record, service: ServiceRecord, since: datetime) -> str:
    """Return the label's value for a service that is parked now: compact JSON."""
    said = {
        "v": FORMAT,
        "run": record.run,
        "machine": record.machine,
        "network": asdict(record.network),
        "target": record.target,
        "service": asdict(service),
        "containers": [asdict(each) for each in record.containers],
        "since": since.isoformat(),
    }
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def parked_from(service: SpecifiedService) -> Parked | None:
    """Return what a parked service's label says; None where it has none, or one that cannot be read."""
    text = service.label(PARKED_LABEL)
    if not text:
        return None
    try:
        data = json.loads(text)
        require_format(data)
        return Parked(
            service,
            str(data["run"]),
            str(data["machine"]),
            network_from_json(data["network"]),
            str(data["target"]),
            service_from_json(data["service"]),
            containers_from_json(data["containers"]),
            moment(data["since"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def parked_in(look: OverlayLook) -> tuple[Parked, ...]:
    """Return the parked services whose labels can be read."""
    found = (parked_from(each) for each in look.services)
    return tuple(each for each in found if each is not None)


def unreadable_in(look: OverlayLook) -> tuple[str, ...]:
    """Return the names of services with a label that cannot be read: somebody else wrote it, or a newer program."""
    return tuple(
        each.name for each in look.services if each.label(PARKED_LABEL) and parked_from(each) is None
    )


def record_from_labels(parked: Iterable[Parked], run: str = "") -> Record | None:
    """Return what the labels of one network's parked services tell; None where there are none.

    They may have been written by several attempts: then the network as it was before the first of them counts, which
    is the one that most labels name.
    """
    known = tuple(parked)
    if not known:
        return None
    networks = [each.network.id for each in known]
    first = max(known, key=lambda each: networks.count(each.network.id))
    containers = {one.id: one for each in known for one in each.containers}
    return Record(
        run=run or first.run,
        machine=first.machine,
        network=first.network,
        target=first.target,
        services=tuple(each.record for each in sorted(known, key=lambda each: each.record.name)),
        containers=tuple(containers.values()),
    )

"""Parks services: each keeps its specification and loses its tasks."""

from typing import Any

from console.operations.changes import Change
from console.operations.network_recreation.definition import (
    detach,
    empty,
    is_emptied,
    is_parked,
    migrate,
    must_migrate,
)
from console.operations.network_recreation.job import Job
from console.operations.network_recreation.label import parked_from, parked_label
from console.operations.network_recreation.record import (
    as_specified,
    service_record,
)
from console.swarm.definitions import NetworkDefinition
from console.swarm.overlays import OverlayLook, SpecifiedService


async def empty_service(
    job: Job, network: NetworkDefinition, look: OverlayLook, service: SpecifiedService
) -> None:
    """Park a service that a look shows on a network. What it is at the very moment of the update is what it gets back."""
    means, names = job.means, (network.id, network.name)
    earlier = parked_from(service)
    known = earlier.record if earlier is not None else job.record.service(service.id)
    record = known or service_record(service, network, look)

    def change(spec: dict[str, Any]) -> None:
        nonlocal record
        # One that was parked and given tasks again by somebody has no other past than the one on its label.
        if not is_parked(spec):
            record = as_specified(record, spec, names)
        job.refresh(record)
        empty(spec, record, parked_label(job.record, record, look.now))

    async def act() -> None:
        if must_migrate(dict(service.spec)):
            await means.changer.update_service(service.id, migrate)
        await means.changer.update_service(service.id, change)
        job.parked_here.add(service.id)

    async def is_made() -> bool:
        now = await means.reader.service(service.id)
        return now is None or is_emptied(dict(now.spec))

    state = {"name": service.name, "spec": dict(service.spec)}
    await means.steady.make(Change("service", service.id, "park", state, act, is_made))


async def detach_service(job: Job, network: NetworkDefinition, service: SpecifiedService) -> None:
    """Take a service without tasks off a network."""
    means, names = job.means, (network.id, network.name)

    async def act() -> None:
        await means.changer.update_service(service.id, lambda spec: detach(spec, names))

    async def is_made() -> bool:
        now = await means.reader.service(service.id)
        return now is None or not now.is_on(*names)

    state = {"name": service.name, "networks": [each["Target"] for each in _networks(service)]}
    await means.steady.make(Change("service", service.id, "detach", state, act, is_made))


def _networks(service: SpecifiedService) -> list[dict[str, Any]]:
    return list((service.spec.get("TaskTemplate") or {}).get("Networks") or ())

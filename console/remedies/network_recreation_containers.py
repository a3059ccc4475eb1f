"""Takes containers that somebody attached by hand off a network, and attaches them again."""

from console.errors import EngineRefused
from console.remedies.changes import Change
from console.remedies.network_recreation_job import Job
from console.remedies.network_recreation_plan import container_record
from console.remedies.network_recreation_record import ContainerRecord
from console.swarm.definitions import NetworkDefinition

# Always by the network's name: one that is stopped knows a removed network by nothing else, and would keep the ID of a
# new one as its name (both seen on 20.10).


async def remember(job: Job, network: NetworkDefinition, container_id: str) -> None:
    """Put a container that came to a network into the record."""
    if any(each.id == container_id for each in job.record.containers):
        return
    found = await job.means.steady.asked(lambda: job.means.reader.endpoint(container_id, network.name))
    if found is not None:
        job.record = job.record.with_container(container_record(found, {}))


async def disconnect(job: Job, network: NetworkDefinition, container: ContainerRecord) -> None:
    """Take a container off a network."""
    means = job.means

    async def is_made() -> bool:
        found = await means.reader.endpoint(container.id, network.name)
        return found is None or found.network_id not in (network.id, "")

    async def act() -> None:
        await means.changer.disconnect(network.name, container.id)

    state = {"name": container.name, "address": container.address, "config": dict(container.config)}
    await means.steady.make(Change("container", container.id, "disconnect", state, act, is_made))


async def connect(job: Job, network: NetworkDefinition, container: ContainerRecord) -> None:
    """Attach a container again, with its address where it fits, else with another one. One that is gone stays gone."""
    means = job.means
    asks_address = container.is_given is not False and container.fits(*network.ipv4)

    async def is_made() -> bool:
        look = await means.reader.look()
        there = next((each for each in look.containers if each.id == container.id), None)
        return there is None or there.networks.get(network.name) in (
            network.id,
            *([] if there.is_running else [""]),
        )

    async def act() -> None:
        # One that was stopped before may still know the removed network.
        stale = await means.reader.endpoint(container.id, network.name)
        if stale is not None:
            await means.changer.disconnect(network.name, container.id)
        config = dict(container.config)
        if not asks_address:
            await means.changer.connect(network.name, container.id, config)
            return
        ipam = {**config.get("IPAMConfig", {}), "IPv4Address": container.address}
        try:
            await means.changer.connect(network.name, container.id, {**config, "IPAMConfig": ipam})
        except EngineRefused:
            await means.say(f"{container.name} cannot have {container.address} again")
            await means.changer.connect(network.name, container.id, config)

    state = {"name": container.name, "address": container.address, "config": dict(container.config)}
    await means.steady.make(
        Change("container", container.id, "connect", state, act, is_made, is_way_back=True)
    )

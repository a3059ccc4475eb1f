"""The reverse proxy of a network is the last to go down and the first to come up while the network is recreated."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

from console.clock import Clock
from console.operations.changes import RetryingChanger
from console.operations.network_recreation.job import RecreationDependencies
from console.operations.network_recreation.plan import (
    RecreationEnvironment,
    RecreationInputs,
    RecreationOwner,
    RecreationRequest,
)
from console.operations.network_recreation.recreation import Recreation, RecreationResult
from console.operations.network_recreation.refusals import plan_recreation
from console.swarm.changer import EngineChanger
from console.swarm.client import EngineConnection
from console.swarm.parse import parse_moment
from console.swarm.reader import EngineReader
from tests.contract.world import World
from tests.support.change_records import ChangeRecordList
from tests.support.recreation_store import RecordStore


@dataclass
class WorldClock:
    """The time that passes in a world."""

    world: World

    def now(self) -> datetime:
        return system_time(self.world)

    def monotonic(self) -> float:
        return system_time(self.world).timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.to_thread(self.world.pass_time, seconds)


def system_time(world: World) -> datetime:
    if world.name != "simulator":
        # The engine is this machine's, and takes longer to tell it than the pause that is measured.
        return datetime.now(UTC)
    return parse_moment(world.client.info()["SystemTime"])


async def recreate(world: World, clock: Clock, network: str, folder: Path) -> RecreationResult:
    async def say(_: str) -> None:
        pass

    connection = EngineConnection(f"unix://{world.socket}", 60)
    try:
        reader, owner = EngineReader(connection), RecreationOwner("machine-a", "run-1")
        environment = RecreationEnvironment((), (IPv4Network("10.0.0.0/8"),))
        inputs = RecreationInputs(await reader.snapshot(), (), environment)
        request = RecreationRequest(network, IPv4Network(world.fresh_subnet(24)))
        plan = plan_recreation(inputs, request, owner)
        assert plan.refusals == ()
        assert plan.record is not None
        dependencies = RecreationDependencies(
            reader,
            EngineChanger(connection, lambda _: None),
            RetryingChanger(clock, ChangeRecordList()),
            owner,
            RecordStore(folder).keep,
            say,
            interval_s=0.2,
        )
        recreation = Recreation(dependencies, plan.record, environment)
        recreation.resets_rollback = False
        return await recreation.forward()
    finally:
        connection.close()


def updates(world: World, since: datetime) -> list[str]:
    """Return the IDs of the services that were updated since, in that order."""
    until = system_time(world)
    events = world.client.events(
        decode=True,
        since=f"{since.timestamp():.6f}",
        until=f"{until.timestamp():.6f}",
        filters={"type": ["service"], "event": ["update"]},
    )
    return [event["Actor"]["ID"] for event in events]


async def test_the_reverse_proxy_is_the_last_down_and_the_first_up(world: World, tmp_path: Path) -> None:
    name = world.fresh("shared")
    network = world.create_overlay(name, world.fresh_subnet(27), attachable=True)
    graces_s = {"slow": 4.0, "quick": 1.0}
    services = {
        kind: world.create_service(world.fresh(kind), [network], stop_grace_s=grace_s)
        for kind, grace_s in graces_s.items()
    }
    proxy = world.create_service(world.fresh("edge"), [network], ports=[(18090, 80)])
    for service in (*services.values(), proxy):
        world.wait_for_state(service, "running", 1)
    world.pass_time(1)
    since = system_time(world)
    world.pass_time(0.1)

    result = await recreate(world, WorldClock(world), name, tmp_path)

    world.pass_time(0.1)
    assert result.sentences == ()
    order = updates(world, since)
    down = [*dict.fromkeys(order)]
    assert down == [services["slow"], services["quick"], proxy]
    up = [*dict.fromkeys(reversed(order))][::-1]
    assert up[0] == proxy
    began_at = {outage.name.rstrip("0123456789"): outage.began_at for outage in result.outages}
    assert began_at["slow"] < began_at["quick"] <= began_at["edge"]

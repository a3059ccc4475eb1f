"""A census that is disturbed or broken off: what it found is not believed, and no probe of it stays."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from console.errors import Declined, EngineError
from console.operations.census import take_census
from console.operations.probes import ProbeOwner, Prober, probe_spec, remove_leftovers
from console.swarm.changer import EngineChanger
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.censuses import MARK, census, leak, means_for, probes
from tests.support.engines import simulation


@pytest.mark.parametrize("what", ["restart", "lead"])
async def test_an_allocator_that_began_anew_in_the_middle_makes_it_worthless(what: str) -> None:
    engine = a_swarm("1.41", others=[("other", "manager")] if what == "lead" else [])
    leak(engine, a_network(engine, subnet="10.0.1.0/26"), 3)
    steps = iter(range(10_000))

    def disturb() -> None:
        if next(steps) == 20:
            engine.restart() if what == "restart" else engine.lead("other")

    with pytest.raises(Declined, match="was rebuilt during the census"):
        await census(engine, meanwhile=disturb)


async def test_a_network_that_is_removed_in_the_middle_is_said() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine, subnet="10.0.1.0/26")
    steps = iter(range(10_000))

    def remove() -> None:
        if next(steps) == 20:
            for each in list(engine.store.services):
                engine.services.remove(each)
            engine.networks.remove(proxy)

    with pytest.raises(EngineError):
        await census(engine, meanwhile=remove)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/services/create", "garbage"),
        ("POST", "/services/create", "lose_answer"),
        ("POST", "/services/create", "status:503"),
        ("GET", "/services/?*", "status:500"),
        ("GET", "/services/?*", "garbage"),
        ("DELETE", "/services/*", "lose_answer"),
    ],
)
async def test_whatever_the_engine_answers_no_probe_stays(method: str, path: str, kind: str) -> None:
    engine = a_swarm("1.41")
    a_network(engine, subnet="10.0.1.0/26")
    with simulation(engine) as running, means_for(running) as dependencies:
        running.control("faults", [{"method": method, "path": path, "kind": kind, "times": 1}])
        with pytest.raises(EngineError):
            await take_census(dependencies, "proxy")
    assert probes(engine) == []


async def test_a_cancelled_census_takes_its_probe_away() -> None:
    engine = a_swarm("1.41")
    a_network(engine, subnet="10.0.1.0/26")
    with simulation(engine) as running, means_for(running) as dependencies:
        for moment in range(12):
            there = asyncio.Event()

            async def arrive(*_: int, there: asyncio.Event = there) -> None:
                there.set()

            task = asyncio.create_task(take_census(dependencies, "proxy", progress=arrive))
            await there.wait()
            # Wherever in a step it is: some turns of the loop later.
            for _ in range(moment):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert probes(engine) == []


class SlowChanger(EngineChanger):
    """Creates what was asked for, though whoever asked has given up meanwhile: as a call that is on its way does."""

    def __init__(self, asked: asyncio.Event) -> None:
        self.asked = asked
        self.there: list[str] = []

    async def create_service(self, spec: Mapping[str, Any]) -> str:
        async def arrive() -> str:
            await asyncio.sleep(0.05)
            self.there.append(str(spec["Name"]))
            return "its-id"

        self.asked.set()
        return await asyncio.shield(asyncio.create_task(arrive()))

    async def remove_service(self, service_id: str) -> None:
        if service_id in self.there:
            self.there.remove(service_id)


async def test_a_probe_that_is_just_being_created_is_taken_away_too() -> None:
    asked = asyncio.Event()
    changer = SlowChanger(asked)
    engine = a_swarm("1.41")
    with simulation(engine) as running, means_for(running) as dependencies:
        prober = Prober(dependencies.reader, changer, dependencies.clock, MARK, "any")
        task = asyncio.create_task(prober.next_address())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
    assert changer.there == []


async def test_leftovers_of_this_machine_are_removed_and_others_are_refused() -> None:
    engine = a_swarm("1.41")
    proxy = a_network(engine)
    spec: Any = probe_spec(ProbeOwner("this-machine", 5), proxy)
    a_service(engine, proxy, name="theirs")
    engine.services.create(spec)
    with simulation(engine) as running, means_for(running) as dependencies:
        removed = await remove_leftovers(dependencies.reader, dependencies.changer, "this-machine", 10)
        assert removed == (spec["Name"],)
        assert [each.spec["Name"] for each in engine.store.services.values()] == ["theirs"]

        engine.services.create(spec)
        with pytest.raises(Declined, match="machine this-machine, process 5"):
            await remove_leftovers(dependencies.reader, dependencies.changer, "other-machine", 10)
        assert probes(engine) == [spec["Name"]]

        running.break_call("/services", "garbage")
        with pytest.raises(EngineError):
            await remove_leftovers(dependencies.reader, dependencies.changer, "this-machine", 10)

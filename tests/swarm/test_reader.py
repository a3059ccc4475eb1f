"""What the reader makes of a swarm, against what the simulated allocator itself knows."""

from datetime import UTC, datetime

import pytest

from console.addresses.accounting import account
from console.addresses.holders import HolderKind
from console.errors import Unknown
from console.simulator.engine import EngineInfo, SimulatedEngine
from tests.support.engines import read_swarm, simulation

START = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("scenario", ["evening", "older", "quiet", "cluster"])
async def test_every_address_that_the_allocator_gave_away_has_its_holder(scenario: str) -> None:
    with simulation(scenario) as running:
        state = await read_swarm(running.host)
        accounts = {each.network.name: each for each in account(state, state)}
        assert len(accounts) >= 5
        for name, found in accounts.items():
            truth = {
                kind: set(running.model.addresses_of(name, kind))
                for kind in ("vip", "task", "balancer", "leaked")
            }
            named = {str(address): holders[0].kind for address, holders in found.holders()}
            assert {address for address, kind in named.items() if kind is HolderKind.VIP} == truth["vip"]
            tasks = {
                address for address, kind in named.items() if kind in (HolderKind.TASK, HolderKind.CONTAINER)
            }
            assert tasks == truth["task"]
            assert found.count(HolderKind.LOAD_BALANCER) == len(truth["balancer"])
            counts = not isinstance(state.engine, Unknown) and state.engine.counts_addresses
            assert found.leaked == (len(truth["leaked"]) if counts else None)


async def test_a_standalone_container_is_seen_although_the_engine_hides_its_task() -> None:
    model = SimulatedEngine(EngineInfo("1.41", images=frozenset({"box"})), START)
    model.networks.create({"Name": "proxy", "Driver": "overlay", "Attachable": True})
    model.advance(1)
    model.containers.start(
        model.containers.create(
            "by-hand", {"Image": "box", "NetworkingConfig": {"EndpointsConfig": {"proxy": {}}}}
        )
    )
    model.advance(5)
    with simulation(model) as running:
        state = await read_swarm(running.host)
    (found,) = [each for each in account(state) if each.network.name == "proxy"]
    assert [
        holder.name
        for _, holders in found.holders()
        for holder in holders
        if holder.kind is HolderKind.CONTAINER
    ] == ["by-hand"]


@pytest.mark.parametrize(
    ("membership", "said"),
    [("worker", "is a worker, and only managers see the swarm"), ("none", "is not part of a swarm")],
)
async def test_an_engine_that_sees_no_swarm_says_why(membership: str, said: str) -> None:
    model = SimulatedEngine(EngineInfo("1.51", membership=membership), START)
    with simulation(model) as running:
        state = await read_swarm(running.host)
    assert isinstance(state.engine, Unknown)
    assert said in state.engine.reason
    assert isinstance(state.tasks, Unknown)


async def test_a_healthy_network_is_read_while_another_breaks_the_look_up_by_name() -> None:
    with simulation("evening") as running:
        running.control("trap", {"unallocated_breaks_names": True})
        running.model.networks.create(
            {"Name": "late", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.0.1.0/24"}]}}
        )
        state = await read_swarm(running.host)
    (proxy,) = [each for each in account(state, state) if each.network.name == "proxy"]
    assert proxy.leaked == 12

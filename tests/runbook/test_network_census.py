"""`network.census`: the remedy as an action of a run."""

from collections.abc import Iterator

import pytest

from console.host.identity import machine_id
from console.operations.probes import own_probe_owner, probe_spec
from console.swarm.parse import PROBE_LABEL
from tests.simulator.swarms import a_network, a_service, a_swarm
from tests.support.benches import Bench, bench, is_yes

CENSUS = "network.census"


@pytest.fixture
def host() -> Iterator[Bench]:
    engine = a_swarm("1.41")
    proxy, own = a_network(engine, subnet="10.0.1.0/27"), a_network(engine, "own", "10.9.0.0/24")
    service = a_service(engine, proxy, own, name="leaky", replicas=3, constraint="node.labels.none==x")
    engine.advance(1.0)
    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)
    with bench(engine) as ready:
        ready.is_read_only = False
        yield ready


def probes(host: Bench) -> list[str]:
    services = host.model.store.services.values()
    return [each.name for each in services if PROBE_LABEL in (each.spec.get("Labels") or {})]


async def test_what_leaked_is_put_out_by_name(host: Bench) -> None:
    host.is_read_only = True
    plan = await host.plan(CENSUS, network="proxy")
    assert "at most 29 free addresses" in plan.summary
    assert plan.calls
    assert (host.changes, plan.refused) == ([], ())
    host.is_read_only = False

    outputs = await host.act(CENSUS, network="proxy")

    assert (outputs["leaked"], outputs["possibly_load_balancers"]) == (3, 0)
    assert isinstance(outputs["addresses"], list)
    assert len(outputs["addresses"]) == 3
    found = await host.verify(CENSUS, outputs, network="proxy")
    assert is_yes(found)
    assert found.sentence.startswith("3 addresses of proxy leaked")
    assert probes(host) == []


async def test_what_is_too_large_or_too_full_is_unknown_and_no_failure(host: Bench) -> None:
    a_network(host.model, "large", "10.10.0.0/16")
    small = a_network(host.model, "small", "10.11.0.0/29")
    a_service(host.model, small, name="some", replicas=0)
    host.advance(1.0)
    for network, why in (("large", "65533 free addresses"), ("small", "4 free addresses")):
        plan = await host.plan(CENSUS, network=network)
        assert why in plan.summary
        assert [part.what for part in plan.not_checked] == [f"leaks of {network}"]
        host.changes.clear()
        outputs = await host.act(CENSUS, network=network)
        assert (outputs["leaked"], outputs["addresses"], host.changes) == (None, [], [])
        found = await host.verify(CENSUS, outputs, network=network)
        assert is_yes(found)
        assert found.sentence.startswith(f"Leaks of {network} are unknown: ")


async def test_an_undo_removes_what_was_left_and_is_in_nobodys_way(host: Bench) -> None:
    outputs = await host.act(CENSUS, network="proxy")
    await host.undo(CENSUS, outputs, network="proxy")
    (proxy,) = [each.id for each in host.model.store.networks.values() if each.name == "proxy"]
    host.model.services.create(dict(probe_spec(own_probe_owner(machine_id()), proxy)))
    assert probes(host)
    await host.undo(CENSUS, {}, network="proxy")
    assert probes(host) == []

"""`leak.probe`: the remedy as an action of a run."""

from collections.abc import Iterator

import pytest

from console.host.identity import machine_id
from console.operations.probes import network_name, own_probe_owner
from tests.simulator.swarms import a_network, a_swarm
from tests.support.benches import Bench, bench, is_yes


@pytest.fixture
def host() -> Iterator[Bench]:
    engine = a_swarm()
    a_network(engine)
    with bench(engine) as ready:
        ready.is_read_only = False
        yield ready


def networks(host: Bench) -> set[str]:
    return {each.name for each in host.model.store.networks.values()}


async def test_what_was_lost_is_put_out_and_told_with_the_head_room(host: Bench) -> None:
    outputs = await host.act("leak.probe", network="proxy")
    assert (outputs["naive"], outputs["safe"], outputs["tasks"]) == (3, 0, 3)
    found = await host.verify("leak.probe", outputs, network="proxy")
    assert is_yes(found)
    assert "only adds room" in found.sentence


async def test_an_undo_of_it_removes_what_was_left_and_is_in_nobodys_way(host: Bench) -> None:
    assert (await host.plan("leak.probe")).no_return == ""
    before = networks(host)
    outputs = await host.act("leak.probe")
    await host.undo("leak.probe", outputs)
    assert networks(host) == before
    a_network(host.model, network_name(own_probe_owner(machine_id()), "shared"), "10.7.0.0/28")
    await host.undo("leak.probe", {})
    assert networks(host) == before

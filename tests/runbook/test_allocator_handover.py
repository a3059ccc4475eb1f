"""`allocator.handover`: the remedy as an action of a run."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.errors import Declined, StepFailed
from console.host.identity import machine_id
from console.runbook.contracts import Answer
from console.simulator.engine import EngineInfo, SimulatedEngine
from console.simulator.objects import SimNode
from console.swarm.changer import EngineChanger
from tests.simulator.swarms import a_network, a_service
from tests.support.benches import Bench, bench, is_yes
from tests.support.swarms import NOW

NAME = "allocator.handover"


@pytest.fixture
def host() -> Iterator[Bench]:
    others = [("two", "manager"), ("three", "manager")]
    engine = SimulatedEngine(EngineInfo("1.52", host="one"), NOW, others=others, leader="two")
    a_service(engine, a_network(engine), name="traefik", replicas=3, constraint="node.role==manager")
    engine.advance(10.0)
    with bench(engine) as ready:
        ready.is_read_only = False
        yield ready


def two(host: Bench) -> SimNode:
    return host.model.store.find_node("two")


def containers(host: Bench) -> set[str]:
    return {each.container_id for each in host.model.store.tasks.values() if each.state == "running"}


class Killed(BaseException):
    """Stands for the death of the runner."""


async def killed_after(host: Bench, changes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Act, and die in front of the change of a node after so many."""
    made = 0
    change_node = EngineChanger.update_node

    async def update_node(
        self: EngineChanger, node_id: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        nonlocal made
        if made == changes:
            raise Killed
        made += 1
        await change_node(self, node_id, change)

    with monkeypatch.context() as patched:
        patched.setattr(EngineChanger, "update_node", update_node)
        with pytest.raises(Killed):
            await host.act(NAME)
    host.remember()


async def test_the_plan_names_every_change_and_what_it_ends(host: Bench) -> None:
    planned = await host.plan(NAME)
    assert "No container stops. two is paused meanwhile" in planned.summary
    assert [each.split("#")[0].strip() for each in planned.changes] == [
        "docker node update --availability pause two",
        "docker node demote two",
        "docker node promote two",
        "docker node update --availability active two",
    ]
    assert planned.calls == (f"POST /nodes/{two(host).id}/update",) * 4
    assert planned.refused == ()


async def test_a_plan_that_is_refused_announces_nothing(host: Bench) -> None:
    host.model.set_node("three", state="down")
    planned = await host.plan(NAME)
    assert "needs 3 reachable managers" in planned.refused[0]
    assert "No container stops" not in planned.summary
    assert (planned.changes, planned.calls) == ((), ())


async def test_another_node_leads_and_the_record_tells_what_the_old_leader_was(host: Bench) -> None:
    before = containers(host)
    assert not is_yes(await host.probe(NAME))
    outputs = await host.act(NAME)
    assert outputs["old_leader"] == "two"
    verified = await host.verify(NAME, outputs)
    assert is_yes(verified)
    assert verified.evidence["availability"] == "active"
    host.remember()
    assert is_yes(await host.probe(NAME))
    assert host.change_recorder.states[0] == {"name": "two", "role": "manager", "availability": "active"}
    assert containers(host) == before


@pytest.mark.parametrize("changes", [1, 2, 3])
async def test_a_runner_that_was_killed_goes_on_and_the_node_is_what_it_was(
    host: Bench, changes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = containers(host)
    await killed_after(host, changes, monkeypatch)
    host.advance(10)
    found = await host.probe(NAME)
    assert found.answer is Answer.NO
    assert "not yet what it was before" in found.sentence
    outputs = await host.act(NAME)
    assert is_yes(await host.verify(NAME, outputs))
    # The pause is the hand-over's own: what the node was before is what the record tells.
    assert {each.get("availability") for each in host.change_recorder.states if "role" in each} == {"active"}
    assert (two(host).availability, two(host).labels, two(host).role) == ("active", {}, "manager")
    assert containers(host) == before


@pytest.mark.parametrize("changes", [1, 2, 3])
async def test_an_undo_brings_the_node_back_and_hands_nothing_over(
    host: Bench, changes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = containers(host)
    await killed_after(host, changes, monkeypatch)
    host.advance(10)
    led = two(host).is_leader
    await host.undo(NAME, {})
    assert two(host).is_leader == led == (changes == 1)
    assert (two(host).availability, two(host).labels, two(host).role) == ("active", {}, "manager")
    assert containers(host) == before


async def test_there_is_nothing_to_undo_where_nothing_was_cut_short(host: Bench) -> None:
    with pytest.raises(Declined, match="Any manager may be the leader"):
        await host.undo(NAME, {})


async def test_one_that_cannot_go_on_is_undone_and_the_step_fails(host: Bench) -> None:
    two(host).availability = "pause"
    two(host).labels = {
        "vipconsole.handover": f"{machine_id()}/7",
        "vipconsole.handover.availability": "active",
    }
    host.model.set_node("three", state="down")
    with pytest.raises(StepFailed, match="was undone") as told:
        await host.act(NAME)
    assert "needs 3 reachable managers" in told.value.hint
    assert (two(host).availability, two(host).labels) == ("active", {})

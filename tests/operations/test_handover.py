"""A hand-over of the leadership, on a simulated swarm of three managers."""

from collections.abc import Callable
from typing import Any

import pytest

from console.errors import Declined, EngineError
from console.operations.handover import WORKER_FOR_S, Ending
from console.simulator.engine import SimulatedEngine
from console.swarm.client import EngineConnection
from console.swarm.managers import refusal, restore, roles_of
from console.swarm.model import Node
from console.swarm.parse import HANDOVER_LABEL
from tests.simulator.swarms import a_network, a_service
from tests.support.engines import simulation
from tests.support.simulated_handovers import (
    MARK,
    containers,
    for_managers,
    handing_over,
    leader_of,
    node_two,
    roles,
    three,
)


def leak(engine: SimulatedEngine) -> str:
    """Lose two addresses of a shared network, and return its ID."""
    shared = a_network(engine, "proxy", "10.0.9.0/27")
    own = a_network(engine, "own", "10.9.0.0/24")
    service = a_service(engine, shared, own, name="leaky", replicas=2, constraint="node.labels.none==x")
    engine.advance(1.0)
    engine.services.remove(service)
    engine.networks.remove(own)
    engine.advance(1.0)
    return shared


async def test_what_leaked_is_free_again_and_every_manager_is_one_again() -> None:
    engine = three()
    leak(engine)
    assert len(engine.addresses_of("proxy", "leaked")) == 2
    with simulation(engine) as running, handing_over(running) as handover:
        done = await handover.run()
    assert (done.old_leader, done.ending) == ("two", Ending.MADE)
    assert leader_of(engine) == done.new_leader != "two"
    assert roles(engine) == {"one": "manager", "two": "manager", "three": "manager"}
    assert engine.addresses_of("proxy", "leaked") == []
    assert not any(HANDOVER_LABEL in each.labels for each in engine.store.nodes.values())


async def test_what_may_run_on_managers_only_goes_on_running() -> None:
    engine = three()
    before = for_managers(engine)
    with simulation(engine) as running, handing_over(running) as handover:
        await handover.run()
        engine.advance(30.0)
    assert containers(engine) == before
    assert {each.availability for each in engine.store.nodes.values()} == {"active"}


async def test_it_asks_for_the_engine_and_its_nodes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    purposes, ask = set[str](), EngineConnection.ask

    async def recorded(self: EngineConnection, purpose: str, question: Callable[[Any], Any]) -> Any:
        purposes.add(purpose)
        return await ask(self, purpose, question)

    monkeypatch.setattr(EngineConnection, "ask", recorded)
    with simulation(three()) as running, handing_over(running) as handover:
        await handover.run()
    assert {"describe itself", "list the nodes"} <= purposes
    assert not {f"list the {what}" for what in ("services", "tasks", "networks")} & purposes


STEPS = {
    0: ("active", "manager", Ending.MADE),
    1: ("pause", "manager", Ending.MADE),
    2: ("pause", "worker", Ending.FINISHED),
    3: ("pause", "manager", Ending.FINISHED),
}
"""What the node that led is after so many changes, and what the next call does then."""


@pytest.mark.parametrize("availability", ["active", "pause", "drain"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_after_any_change_the_next_call_ends_it_and_no_container_is_lost(
    step: int, availability: str
) -> None:
    engine = three()
    before = for_managers(engine)
    engine.set_node("two", availability=availability)
    paused, role, ending = STEPS[step]
    with simulation(engine) as running:
        with handing_over(running, dies_at=step) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.advance(30.0)
        now = node_two(engine)
        assert now.role == role
        assert now.availability == (paused if availability == "active" else availability)
        with handing_over(running, "this-machine/99") as handover:
            done = await handover.run()
        engine.advance(30.0)
    assert (done.old_leader, done.ending) == ("two", ending)
    assert leader_of(engine) == done.new_leader != "two"
    assert set(roles(engine).values()) == {"manager"}
    assert (node_two(engine).availability, node_two(engine).labels) == (availability, {})
    assert containers(engine) == before


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_another_machines_is_left_alone_and_told_how_to_end_it_by_hand(step: int) -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=step) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.advance(5.0)
        left = (node_two(engine).role, node_two(engine).availability, node_two(engine).labels)
        with handing_over(running, "another-machine/1") as handover, pytest.raises(Declined) as told:
            await handover.run()
    assert (node_two(engine).role, node_two(engine).availability, node_two(engine).labels) == left
    assert "(machine this-machine)" in told.value.sentence
    assert ("docker node promote two" in told.value.hint) == (step == 2)
    assert (
        "docker node update --availability active --label-rm vipconsole.handover "
        "--label-rm vipconsole.handover.availability two"
    ) in told.value.hint


async def test_one_that_cannot_go_on_is_undone_and_says_so() -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=1) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.set_node("three", state="down")
        with handing_over(running) as handover:
            done = await handover.run()
    assert done.ending is Ending.UNDONE
    assert "needs 3 reachable managers" in done.because
    assert leader_of(engine) == "two"
    assert (node_two(engine).availability, node_two(engine).labels) == ("active", {})


@pytest.mark.parametrize(("step", "leads"), [(0, "two"), (1, "two"), (2, "three"), (3, "three")])
async def test_what_is_put_back_hands_nothing_over(step: int, leads: str) -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=step) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.advance(5.0)
        was = leader_of(engine)
        with handing_over(running) as handover:
            done = await handover.put_back()
    assert (done is None) == (step == 0)
    assert leader_of(engine) == was
    assert (was == "two") == (leads == "two")
    assert set(roles(engine).values()) == {"manager"}
    assert (node_two(engine).availability, node_two(engine).labels) == ("active", {})


@pytest.mark.parametrize("availability", ["active", "drain"])
async def test_an_availability_that_somebody_chose_meanwhile_stays(availability: str) -> None:
    engine = three()
    with simulation(engine) as running:
        with handing_over(running, dies_at=3) as handover, pytest.raises(KeyboardInterrupt):
            await handover.run()
        engine.set_node("two", availability=availability)
        with handing_over(running) as handover:
            await handover.run()
    assert (node_two(engine).availability, node_two(engine).labels) == (availability, {})


async def test_a_node_that_somebody_makes_active_before_it_is_demoted_is_not_demoted() -> None:
    engine = three()
    before = for_managers(engine)

    def meddle(number: int) -> None:
        if number == 1:
            engine.set_node("two", availability="active")

    with (
        simulation(engine) as running,
        handing_over(running, meanwhile=meddle) as handover,
        pytest.raises(Declined, match="The leader node was changed"),
    ):
        await handover.run()
    assert leader_of(engine) == "two"
    assert (node_two(engine).role, node_two(engine).labels) == ("manager", {})
    assert containers(engine) == before


async def test_a_manager_that_is_lost_after_the_pause_ends_it_before_the_demotion() -> None:
    engine = three()

    def lose(number: int) -> None:
        if number == 0:
            engine.set_node("three", state="down")

    with (
        simulation(engine) as running,
        handing_over(running, meanwhile=lose) as handover,
        pytest.raises(Declined, match="needs 3 reachable managers"),
    ):
        await handover.run()
    assert leader_of(engine) == "two"
    assert (node_two(engine).availability, node_two(engine).labels) == ("active", {})


async def test_it_is_promoted_once_it_has_registered_with_the_new_leader_as_a_worker() -> None:
    engine = three()
    registered_s, promoted_s = [0.0], [0.0]

    def register() -> None:
        engine.set_node("two", state="ready")
        registered_s[0] = engine.store.timeline.elapsed_s

    def lag(number: int) -> None:
        if number == 1:
            engine.set_node("two", state="unknown")
            engine.store.timeline.after(20.0, register)
        if number == 2:
            promoted_s[0] = engine.store.timeline.elapsed_s

    with simulation(engine) as running, handing_over(running, meanwhile=lag) as handover:
        await handover.run()
    assert promoted_s[0] >= registered_s[0] + WORKER_FOR_S
    assert set(roles(engine).values()) == {"manager"}


async def test_a_worker_is_never_made_active() -> None:
    with pytest.raises(Declined, match="stays paused until it is a manager again"):
        restore({"Role": "worker", "Availability": "pause", "Labels": {HANDOVER_LABEL: MARK}})


async def test_killed_before_anything_it_has_done_nothing() -> None:
    engine = three()
    with (
        simulation(engine) as running,
        handing_over(running, dies_at=0) as handover,
        pytest.raises(KeyboardInterrupt),
    ):
        await handover.run()
    assert roles(engine)["two"] == "manager"
    assert leader_of(engine) == "two"


async def test_an_answer_that_was_lost_is_looked_for() -> None:
    engine = three()
    with simulation(engine) as running, handing_over(running) as handover:
        running.break_call("/nodes/*/update", "lose_answer", times=1)
        done = await handover.run()
    assert leader_of(engine) == done.new_leader != "two"
    assert set(roles(engine).values()) == {"manager"}


async def test_an_engine_that_refuses_for_ever_is_told_with_how_to_go_on() -> None:
    engine = three()
    with simulation(engine) as running, handing_over(running) as handover:
        running.break_call("/nodes/*/update", "status:500")
        with pytest.raises(EngineError):
            await handover.run()
    assert set(roles(engine).values()) == {"manager"}


async def test_it_is_refused_through_the_leader_itself() -> None:
    with (
        simulation(three("one")) as running,
        handing_over(running) as handover,
        pytest.raises(Declined) as told,
    ):
        await handover.run()
    assert "cannot promote itself" in told.value.sentence
    assert "Run it on" in told.value.hint


def manager(name: str, reachability: str = "reachable", *, leads: bool = False) -> Node:
    return Node(name, name, "ready", "active", True, leads, reachability, "manager")


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ((manager("a"), manager("b")), "has no leader"),
        ((manager("a"), manager("b", leads=True)), "needs 3 reachable managers, and there are 2"),
        ((manager("a"), manager("b", leads=True), manager("c", "unreachable")), "there are 2"),
        (
            (manager("a"), manager("b", leads=True), manager("c"), manager("d", "unreachable")),
            "1 manager cannot be reached (d)",
        ),
    ],
)
def test_the_quorum_is_never_put_at_risk(nodes: tuple[Node, ...], says: str) -> None:
    found = refusal(roles_of(nodes, "a"))
    assert found is not None
    assert says in found[0]
    assert found[1]


def test_three_managers_of_which_another_leads_are_enough() -> None:
    assert refusal(roles_of((manager("a"), manager("b", leads=True), manager("c")), "a")) is None

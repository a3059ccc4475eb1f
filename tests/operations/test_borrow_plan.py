"""Whether a manager can be borrowed, in which words that is refused or told, and what is on disk of it. Pure, or nearly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.errors import Declined, HostError, Unknown
from console.operations.borrow.plan import BorrowFacts, plan_borrow, plan_ending
from console.operations.reclaim import ReclaimMethod, ReclaimPlan
from console.runbook.store.viewer import decline_if_unfinished
from console.storage.borrow import BorrowPhase, BorrowStore, unfinished_borrow
from console.swarm.managers import roles_of
from console.swarm.model import Node
from tests.support.borrowing import borrow_record
from tests.support.swarms import HERE, LONG_AGO, service, swarm, task

LEADER = replace(HERE, reachability="reachable", desired_role="manager")
FOLDER = Path("/var/lib/vipconsole/borrow")


def planned(*nodes: Node, here: str = HERE.id, facts: BorrowFacts | None = None) -> ReclaimPlan:
    found = facts or BorrowFacts(swarm(nodes=nodes), FOLDER, borrow_record().cable, "192.0.2.10:2377")
    return plan_borrow(roles_of(nodes, here), found)


def test_on_the_only_manager_it_tells_what_it_does_for_how_long_and_what_is_at_risk() -> None:
    plan = planned(LEADER)
    assert (plan.method, plan.refusal) == (ReclaimMethod.BORROW, "")
    for told in (
        "A second dockerd on this host joins the swarm",
        "This takes about 20 s,",
        "No container stops.",
    ):
        assert told in plan.cost
    assert plan.risk == (
        "For 5 to 20 s the second dockerd is the only manager. If anything dies then, containers run on, and `vipconsole "
        f"reclaim` finishes it from what is in {FOLDER}. A copy of the swarm's state and `way-back.sh` lie there too."
    )
    assert [step.partition("  #")[0] for step in plan.steps] == [
        "docker swarm join --availability drain --token … 192.0.2.10:2377",
        "docker node update --availability pause ci-host",
        "docker node demote ci-host",
        "docker node promote ci-host",
        "docker node update --availability active ci-host",
        "docker node demote vipconsole-temporary",
        "docker node rm --force vipconsole-temporary",
    ]


def test_a_manager_that_takes_no_tasks_is_neither_paused_nor_made_active() -> None:
    assert not [
        step for step in planned(replace(LEADER, availability="drain")).steps if "node update" in step
    ]


def test_it_names_the_global_services_that_must_not_be_updated_meanwhile() -> None:
    agent = replace(service("agent"), mode="global", constraints=("node.role == manager",))
    state = swarm(services=(agent,), tasks=(task("agent"),), nodes=(LEADER,))
    tasks = tuple(replace(one, node_id=HERE.id, service_id=agent.id) for one in state.tasks)  # type: ignore[union-attr]
    facts = BorrowFacts(replace(state, tasks=tasks), FOLDER, borrow_record().cable, "192.0.2.10:2377")
    assert "Do not update agent meanwhile" in planned(LEADER, facts=facts).risk
    assert "Do not update" not in planned(LEADER).risk


SECOND = replace(LEADER, id="node-two", hostname="two", is_leader=False)


@pytest.mark.parametrize(
    ("nodes", "here", "says", "hint"),
    [
        ((replace(LEADER, is_leader=False),), HERE.id, "no leader", ""),
        ((LEADER, SECOND), HERE.id, "this one has 2", "--by handover"),
        (
            (LEADER, replace(SECOND, is_manager=False, reachability="", desired_role="worker")),
            "node-two",
            "leader ci-host, not on this node",
            "Run it on ci-host.",
        ),
    ],
)
def test_where_it_cannot_be_done_it_says_why_and_what_to_do(
    nodes: tuple[Node, ...], here: str, says: str, hint: str
) -> None:
    plan = planned(*nodes, here=here)
    assert says in plan.refusal
    assert hint in plan.hint
    assert (plan.cost, plan.steps) == ("", ())


def test_what_speaks_against_it_on_this_host_is_told_as_it_is() -> None:
    why = Unknown("The disk is full.", "Free some.")
    plan = planned(LEADER, facts=BorrowFacts(swarm(nodes=(LEADER,)), FOLDER, why))
    assert (plan.refusal, plan.hint) == ("The disk is full.", "Free some.")


def test_what_ends_one_that_was_cut_short_names_the_step_and_the_node() -> None:
    plan = plan_ending(borrow_record(step="demote the manager"))
    assert plan.brings_back
    assert "(demote the manager): ci-host becomes what it was before" in plan.cost
    assert plan.steps[0] == "docker node promote ci-host"


# The record.


def test_a_record_comes_back_as_it_was_written_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    store = BorrowStore(tmp_path / "state")
    assert store.read() is None
    record = replace(
        borrow_record().with_step_done(LONG_AGO).with_step("next", LONG_AGO),
        containers={"c1": "2026-06-01T00:00:00Z"},
        temporary_id="temporary",
        has_led=True,
        phase=BorrowPhase.RELEASING,
    )
    store.write(record)
    assert store.read() == record
    assert (store.folder.stat().st_mode & 0o777, (store.folder / "record.json").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    store.remove()
    assert not store.folder.exists()
    store.remove()


def test_an_unfinished_one_keeps_everything_else_from_changing_the_swarm(tmp_path: Path) -> None:
    assert unfinished_borrow(tmp_path) is None
    decline_if_unfinished(tmp_path)
    BorrowStore(tmp_path).write(borrow_record(step="demote the manager"))
    found = unfinished_borrow(tmp_path)
    assert found is not None
    assert (found.title, found.step, found.began_at) == (
        "a second manager beside ci-host",
        "demote the manager",
        LONG_AGO,
    )
    with pytest.raises(Declined) as told:
        decline_if_unfinished(tmp_path)
    assert told.value.sentence.startswith("The borrowed manager is unfinished at step demote the manager")
    assert "vipconsole reclaim" in told.value.hint
    assert str(tmp_path / "borrow") in told.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace("borrow/1", "borrow/2"),
        lambda text: text.replace('"began_at"', '"begins_at"'),
        lambda _: "null",
    ],
)
def test_one_that_cannot_be_read_is_taken_for_unfinished(
    damage: Callable[[str], str], tmp_path: Path
) -> None:
    store = BorrowStore(tmp_path)
    store.write(borrow_record())
    path = store.folder / "record.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(HostError, match="cannot be read"):
        unfinished_borrow(tmp_path)
    with pytest.raises(Declined, match="is unknown"):
        decline_if_unfinished(tmp_path)

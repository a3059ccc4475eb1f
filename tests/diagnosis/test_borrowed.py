"""What a borrowed manager left, and where one is named as the cure."""

from dataclasses import replace

import pytest

from console.diagnosis.assess import assess
from console.diagnosis.findings.networks import reclaim_hint
from console.diagnosis.values import Assessment, Finding, Severity, UnfinishedRun
from console.errors import Declined, Unknown
from console.operations.claims import decline_if_handed_over
from console.settings import Thresholds
from console.swarm.model import Node
from tests.support.swarms import HERE, NOW, network, service, snapshot, swarm

MACHINE = "0123456789abcdef0123456789abcdef"
TEMPORARY = Node(
    "t" * 25, "vipconsole-temporary", "ready", "drain", is_manager=True, is_leader=False, borrowed_by=f"{MACHINE}/77"
)  # fmt: skip
RECORD = UnfinishedRun(
    "", "a second manager beside ci-host", "demote", "is unfinished", NOW, "Run `vipconsole reclaim`.", kind="borrowed manager"
)  # fmt: skip


def assessed(*nodes: Node, machine: str = MACHINE, runs: tuple[UnfinishedRun, ...] = ()) -> Assessment:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], [service("web")]))
    seen = replace(seen, swarm=replace(seen.swarm, nodes=(HERE, *nodes)), machine=machine, runs=runs)
    return assess(seen, Thresholds(), ("proxy",))


def find(assessment: Assessment) -> list[Finding]:
    return [finding for finding in assessment.findings if finding.code == "borrow-unfinished"]


def test_no_borrowed_manager_is_nothing() -> None:
    assert find(assessed(replace(TEMPORARY, borrowed_by=""))) == []


def test_one_whose_record_is_lost_is_critical_with_the_commands_that_remove_it() -> None:
    (found,) = find(assessed(TEMPORARY))
    assert (found.severity, found.subject) == (Severity.CRITICAL, "vipconsole-temporary")
    assert "borrowed by this machine" in found.sentence
    assert f"`docker node demote {TEMPORARY.id}`, then `docker node rm --force {TEMPORARY.id}`" in found.hint


def test_one_that_is_a_worker_already_is_only_removed() -> None:
    (found,) = find(assessed(replace(TEMPORARY, is_manager=False)))
    assert "demote" not in found.hint
    assert "docker node rm --force" in found.hint


def test_one_of_this_machine_with_a_record_is_told_once() -> None:
    (found,) = find(assessed(TEMPORARY, runs=(RECORD,)))
    assert found.subject == "swarm"
    assert found.hint == RECORD.hint


def test_another_machines_is_told_beside_a_record_of_this_one() -> None:
    machine = "f" * 32
    found = find(assessed(TEMPORARY, machine=machine, runs=(RECORD,)))
    assert len(found) == 2
    assert "`vipconsole reclaim` on that machine finishes it" in found[1].hint
    assert f"the machine {MACHINE}" in found[1].sentence


def test_it_comes_before_the_hand_over_that_it_is_part_of() -> None:
    paused = replace(HERE, id="n9", is_leader=False, handover=f"{MACHINE}/77", availability="pause")
    codes = [finding.code for finding in assessed(TEMPORARY, paused).findings]
    assert codes.index("borrow-unfinished") < codes.index("handover-unfinished")


def test_nothing_changes_the_swarm_while_another_machine_borrows_a_manager() -> None:
    with pytest.raises(Declined, match="Another machine is borrowing a manager") as caught:
        decline_if_handed_over((HERE, TEMPORARY), "f" * 32)
    assert f"docker node rm --force {TEMPORARY.id}" in caught.value.hint
    # Its own is for the record to tell, which is looked at first.
    decline_if_handed_over((HERE, TEMPORARY), MACHINE)


@pytest.mark.parametrize(("managers", "names"), [(1, "--by borrow"), (3, "offers both"), (0, "offers both")])
def test_a_borrowed_manager_is_named_where_there_is_one_manager(managers: int, names: str) -> None:
    others = [replace(HERE, id=f"n{number}", is_leader=False) for number in range(managers - 1)]
    state = replace(swarm(), nodes=(HERE, *others) if managers else Unknown("Nobody answers."))
    assert names in reclaim_hint(state)

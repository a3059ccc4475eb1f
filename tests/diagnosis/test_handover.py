from dataclasses import replace

import pytest

from console.diagnosis.assess import assess
from console.diagnosis.values import Assessment, Finding, Severity
from console.settings import Thresholds
from console.swarm.model import Node
from tests.support.swarms import HERE, network, service, snapshot, swarm

MACHINE = "0123456789abcdef0123456789abcdef"
BY = f"{MACHINE}/77"
TWO = Node("n2", "two", "ready", "active", is_manager=True, is_leader=False, desired_role="manager")
PAUSED = replace(TWO, availability="pause", handover=BY, availability_before="active")
DEMOTED = replace(PAUSED, is_manager=False, desired_role="worker")
DRAINED = replace(PAUSED, availability="drain", availability_before="drain")


def assessed(*nodes: Node, machine: str = MACHINE) -> Assessment:
    seen = snapshot(swarm([network("proxy", "10.0.1.0/24")], [service("web")]))
    seen = replace(seen, swarm=replace(seen.swarm, nodes=(HERE, *nodes)), machine=machine)
    return assess(seen, Thresholds(), ("proxy",))


def find(assessment: Assessment) -> list[Finding]:
    return [each for each in assessment.findings if each.code == "handover-unfinished"]


def test_a_node_that_somebody_paused_is_none_of_its_business() -> None:
    assert find(assessed(replace(TWO, availability="pause"))) == []


@pytest.mark.parametrize(
    ("node", "says", "command"),
    [
        (
            PAUSED,
            "two is paused: no new task starts on it",
            "By hand: `docker node update --availability active",
        ),
        (DEMOTED, "two is a worker, but was a manager", "By hand: `docker node promote two`, then"),
        (DRAINED, "two still has its label", "By hand: `docker node update --label-rm"),
    ],
)
def test_what_a_hand_over_left_is_critical_with_the_command_that_ends_it(
    node: Node, says: str, command: str
) -> None:
    (found,) = find(assessed(node))
    assert (found.severity, found.subject) == (Severity.CRITICAL, "two")
    assert says in found.sentence
    assert "`vipconsole reclaim` finishes or undoes it" in found.hint
    assert command in found.hint


def test_another_machines_is_ended_there() -> None:
    (found,) = find(assessed(PAUSED, machine="f" * 32))
    assert f"`vipconsole reclaim` on the machine {MACHINE}" in found.hint

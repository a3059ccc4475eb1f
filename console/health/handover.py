"""Findings about nodes that a hand-over of the lead has paused or demoted, and has not made what they were before."""

from collections.abc import Iterator

from console.health.values import Finding, Observation, Severity
from console.parts import known
from console.swarm.managers import by_hand, is_to_be_active, machine_of
from console.swarm.values import Node

CODE = "handover-unfinished"


def find_handover(observation: Observation) -> Iterator[Finding]:
    """Yield a critical finding for each node with the label of a hand-over, which is removed at its very end."""
    for node in known(observation.swarm.nodes, ()):
        if node.handover:
            yield _unfinished(node, observation.machine)


def _unfinished(node: Node, here: str) -> Finding:
    machine = machine_of(node)
    where = "" if machine == here else f" on the machine {machine} (by its /etc/machine-id)"
    commands = ", then ".join(f"`{each}`" for each in by_hand(node))
    return Finding(
        CODE,
        Severity.CRITICAL,
        node.hostname,
        f"a hand-over from {node.hostname} is unfinished",
        f"A hand-over of the lead is under way or was cut short: {node.hostname} {_state(node)}.",
        f"If none is running, `vipconsole reclaim`{where} finishes or undoes it; by hand: {commands}.",
        (node.hostname,),
    )


def _state(node: Node) -> str:
    if node.wanted_role == "worker":
        return "is a worker, and not a manager as before"
    if is_to_be_active(node):
        return "is paused: no new task starts on it"
    return "still has its label"

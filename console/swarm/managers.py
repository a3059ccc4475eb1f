"""Who leads a swarm and who votes in it, whether a hand-over can be made, and what it changes on a node. Pure."""

from collections.abc import Callable
from typing import Any

from console.errors import Declined
from console.frozen import frozen
from console.swarm.model import Node
from console.swarm.parse import (
    AVAILABILITY_LABEL,
    BORROW_LABEL,
    HANDOVER_LABEL,
    HEARTBEAT_LABEL,
    REBUILT_LABEL,
    SNAPSHOT_LABEL,
)
from console.text import plural

MANAGERS_AT_LEAST = 3
"""With two, the other one alone has no quorum the moment that it fails."""
NO_LEADER = ("The swarm has no leader.", "Run `docker node ls` on the managers.")

Objection = tuple[str, str]
"""Why nothing is done to the managers: a sentence and a hint."""
NodeSpec = dict[str, Any]


@frozen
class ManagerRoles:
    """The managers of a swarm, and what an earlier hand-over left behind."""

    leader: Node | None
    managers: tuple[Node, ...]
    unfinished: tuple[Node, ...]
    """Nodes with the label of a hand-over, which is removed at its very end."""
    here: str

    @property
    def reachable(self) -> tuple[Node, ...]:
        """The managers that can vote."""
        return tuple(manager for manager in self.managers if manager.reachability == "reachable")

    @property
    def former_leaders(self) -> tuple[Node, ...]:
        """Nodes from which the lead was taken, and which are not yet what they were before.

        One with the label that still leads was paused, and not demoted.
        """
        return tuple(node for node in self.unfinished if not node.is_leader)

    def node(self, node_id: str) -> Node | None:
        """Return a manager, or a node with the label."""
        return next(
            (manager for manager in (*self.managers, *self.unfinished) if manager.id == node_id), None
        )


def roles_of(nodes: tuple[Node, ...], here: str) -> ManagerRoles:
    """Return who leads, who can vote, and which hand-over is unfinished."""
    return ManagerRoles(
        next((node for node in nodes if node.is_leader), None),
        tuple(node for node in nodes if node.is_manager),
        tuple(node for node in nodes if node.handover),
        here,
    )


def refusal(roles: ManagerRoles, at_least: int = MANAGERS_AT_LEAST) -> Objection | None:
    """Return why no hand-over can be made through this node, and what to do; None where it can."""
    leader, reachable = roles.leader, roles.reachable
    if leader is None:
        return NO_LEADER
    if len(reachable) < at_least:
        there = f"there {'is' if len(reachable) == 1 else 'are'} {len(reachable)}"
        return (
            f"A hand-over needs {at_least} reachable managers, and {there}.",
            (
                "`vipconsole reclaim --by borrow` adds a manager for a moment, on a swarm with one; `--by restart` restarts "
                "dockerd: every container of the leader stops."
            ),
        )
    if len(reachable) < len(roles.managers):
        unreachable_names = sorted(
            manager.hostname for manager in roles.managers if manager.reachability != "reachable"
        )
        return (
            f"{plural(len(unreachable_names), 'manager')} cannot be reached ({', '.join(unreachable_names)}): a hand-over could lose the quorum.",
            "Bring it back, or demote it for good, and try again.",
        )
    if leader.id == roles.here:
        others = [node.hostname for node in reachable if node.id != leader.id]
        return (
            f"This node leads the swarm, and a demoted node cannot promote itself ({leader.hostname}).",
            f"Run it on {others[0]}, or name its engine with --via.",
        )
    return None


def foreign(roles: ManagerRoles, machine: str) -> Objection | None:
    """Return why nothing can be done while another machine has a hand-over unfinished; None where none has."""
    node = next((node for node in roles.unfinished if machine_of(node) != machine), None)
    if node is None:
        return None
    machine, commands = machine_of(node), ", then ".join(f"`{command}`" for command in by_hand(node))
    sentence = f"Another machine is handing over the lead, or was interrupted: {node.hostname} has its label (machine {machine})."
    hint = (
        "Wait until it has ended. If it was killed, `vipconsole reclaim` on that machine finishes or undoes it. By hand: "
        f"{commands}."
    )
    return sentence, hint


def machine_of(node: Node) -> str:
    """Return the machine whose hand-over a node has the label of."""
    return node.handover.partition("/")[0]


def machine_of_borrowed(node: Node) -> str:
    """Return the machine that borrowed a temporary manager."""
    return node.borrowed_by.partition("/")[0]


def borrowed_by_hand(node: Node) -> tuple[str, ...]:
    """Return the plain commands that remove a temporary manager from the swarm, once another one leads."""
    # Its name may be that of an earlier one too, so the ID is told.
    demote = (f"docker node demote {node.id}",) if node.is_manager else ()
    return (*demote, f"docker node rm --force {node.id}")


def borrowed_elsewhere(nodes: tuple[Node, ...], machine: str) -> Objection | None:
    """Return why nothing can be done while another machine has a manager borrowed; None where none has."""
    node = next((node for node in nodes if node.borrowed_by and machine_of_borrowed(node) != machine), None)
    if node is None:
        return None
    machine, commands = (
        machine_of_borrowed(node),
        ", then ".join(f"`{command}`" for command in borrowed_by_hand(node)),
    )
    sentence = f"Another machine is borrowing a manager, or was interrupted: {node.hostname} has its label (machine {machine})."
    hint = (
        "Wait until it has ended. If it was killed, `vipconsole reclaim` on that machine finishes it. By hand, once another "
        f"manager leads: {commands}."
    )
    return sentence, hint


def is_to_be_active(node: Node) -> bool:
    """Whether a node is paused by a hand-over only. Another availability that it was given meanwhile is the operator's choice."""
    return node.availability_before == "active" and node.availability == "pause"


def by_hand(node: Node) -> tuple[str, ...]:
    """Return the plain commands that make a node what it was before an unfinished hand-over."""
    promote = (f"docker node promote {node.hostname}",) if node.desired_role == "worker" else ()
    active = "--availability active " if is_to_be_active(node) else ""
    labels = f"--label-rm {HANDOVER_LABEL}"
    if node.availability_before:
        labels += f" --label-rm {AVAILABILITY_LABEL}"
    heartbeat = "docker swarm update --dispatcher-heartbeat 5s"
    return (*promote, f"docker node update {active}{labels} {node.hostname}", heartbeat)


# What a hand-over changes on the node that leads, one update after the other.


def pause(owner: str) -> Callable[[NodeSpec], None]:
    """Return what pauses a node, and notes in the same update whose hand-over that is and what it was before.

    A node that is not active needs no pause: Swarm leaves its tasks alone. It keeps its availability.
    """

    def change(spec: NodeSpec) -> None:
        labels = dict(spec.get("Labels") or {})
        now = str(spec.get("Availability") or "active")
        # A hand-over that was cut short after this has noted it already, and only its pause is seen now.
        earlier_availability = labels.get(AVAILABILITY_LABEL) if HANDOVER_LABEL in labels else None
        before = now if now == "active" or earlier_availability is None else earlier_availability
        spec["Labels"] = {**labels, HANDOVER_LABEL: owner, AVAILABILITY_LABEL: before}
        if now == "active":
            spec["Availability"] = "pause"

    return change


def demote(spec: NodeSpec) -> None:
    """Make a node a worker. Raises Declined where it is active: Swarm would end its tasks that ask for a manager."""
    if spec.get("Availability") == "active" or HANDOVER_LABEL not in (spec.get("Labels") or {}):
        raise Declined(
            "The leader node was changed just before it was to be demoted.",
            "It was not demoted. `docker node inspect` shows the change. Run this again when nobody changes the node.",
        )
    spec["Role"] = "worker"


def promote(spec: NodeSpec) -> None:
    """Make a node a manager again."""
    spec["Role"] = "manager"


class DemotedMeanwhile(Declined):
    """A node is a worker that was last seen as a manager: the snapshot was older than its demotion."""


def restore(spec: NodeSpec) -> None:
    """Give a node the availability that it had before, where it is still paused, and take the labels away.

    Raises DemotedMeanwhile for a worker: once it is active, Swarm would end its tasks that ask for a manager.
    """
    if spec.get("Role") == "worker":
        raise DemotedMeanwhile(
            "The former leader was demoted, and stays paused until it is a manager again.",
            "Run this again: it promotes the node first.",
        )
    labels = dict(spec.get("Labels") or {})
    if labels.pop(AVAILABILITY_LABEL, "") == "active" and spec.get("Availability") == "pause":
        spec["Availability"] = "active"
    labels.pop(HANDOVER_LABEL, None)
    spec["Labels"] = labels


# What a hand-over changes in the swarm's own settings.

LONG_HEARTBEAT_S = 60
"""A node is taken for down after three heartbeats that it missed, and its tasks are started elsewhere."""
_NS = 1_000_000_000


def lengthen_heartbeat(spec: NodeSpec) -> None:
    """Give nodes more time to register with a new leader, and note in the same update what they had.

    A demoted leader registers with the new one through its own manager, which is about to stop: that session dies unseen.
    Where a client asks the demoted engine at that moment, its manager takes 8 s to stop, and its agent then waits up to 8 s
    before it tries again (measured on 20.10.24). With the usual heartbeat of 5 s the node is taken for down after 15 s.
    """
    dispatcher = dict(spec.get("Dispatcher") or {})
    labels = dict(spec.get("Labels") or {})
    now_ns = int(dispatcher.get("HeartbeatPeriod") or 5 * _NS)
    if HEARTBEAT_LABEL in labels or now_ns >= LONG_HEARTBEAT_S * _NS:
        return
    spec["Labels"] = {**labels, HEARTBEAT_LABEL: str(now_ns)}
    spec["Dispatcher"] = {**dispatcher, "HeartbeatPeriod": LONG_HEARTBEAT_S * _NS}


def restore_heartbeat(spec: NodeSpec) -> None:
    """Give the swarm the heartbeat period that it had; one that somebody set meanwhile stays."""
    labels = dict(spec.get("Labels") or {})
    before = labels.pop(HEARTBEAT_LABEL, None)
    if before is None:
        return
    spec["Labels"] = labels
    dispatcher = dict(spec.get("Dispatcher") or {})
    if before.isdecimal() and dispatcher.get("HeartbeatPeriod") == LONG_HEARTBEAT_S * _NS:
        spec["Dispatcher"] = {**dispatcher, "HeartbeatPeriod": int(before)}


USUAL_SNAPSHOT_INTERVAL = 10_000


def shorten_snapshots(spec: NodeSpec) -> None:
    """Let every manager take a snapshot of the log at once and after each entry, and note in the same update what it was.

    A manager that joins is sent the leader's last snapshot, and forgets each member that is missing in it. Where the leader
    itself is missing, since it joined after that snapshot, the two may not find each other again, and neither leads: seen on
    20.10.24 in a swarm that locks its managers, twice of twice, for minutes. In one that does not, they found each other.
    """
    raft = dict(spec.get("Raft") or {})
    labels = dict(spec.get("Labels") or {})
    interval = int(raft.get("SnapshotInterval") or USUAL_SNAPSHOT_INTERVAL)
    if SNAPSHOT_LABEL in labels or interval == 1:
        return
    spec["Labels"] = {**labels, SNAPSHOT_LABEL: str(interval)}
    spec["Raft"] = {**raft, "SnapshotInterval": 1}


def restore_snapshots(spec: NodeSpec) -> None:
    """Let the swarm take snapshots as before; an interval that somebody set meanwhile stays."""
    labels = dict(spec.get("Labels") or {})
    before = labels.pop(SNAPSHOT_LABEL, None)
    if before is None:
        return
    spec["Labels"] = labels
    raft = dict(spec.get("Raft") or {})
    if before.isdecimal() and raft.get("SnapshotInterval") == 1:
        spec["Raft"] = {**raft, "SnapshotInterval": int(before)}


# What is changed on the node of a temporary manager.


def mark_borrowed(owner: str) -> Callable[[NodeSpec], None]:
    """Return what notes on a node who made it a manager for a moment."""

    def change(spec: NodeSpec) -> None:
        spec["Labels"] = {**(spec.get("Labels") or {}), BORROW_LABEL: owner}

    return change


def give_labels(old: Node) -> Callable[[NodeSpec], None]:
    """Return what gives a node the labels of another one in whose place it comes, and the availability that that one had.

    What a hand-over left on the other one goes with it.
    """

    def change(spec: NodeSpec) -> None:
        left = (HANDOVER_LABEL, AVAILABILITY_LABEL)
        spec["Labels"] = {key: value for key, value in old.labels.items() if key not in left}
        spec["Availability"] = old.availability_before or old.availability

    return change


def mark_rebuilt(at: str) -> Callable[[NodeSpec], None]:
    """Return what notes on a manager that its allocator forgot all leaks: what was known of them before says nothing now."""

    def change(spec: NodeSpec) -> None:
        spec["Labels"] = {**(spec.get("Labels") or {}), REBUILT_LABEL: at}

    return change


def demote_borrowed(spec: NodeSpec) -> None:
    """Make a temporary manager a worker. It is drained, so no task of it can end."""
    spec["Role"] = "worker"

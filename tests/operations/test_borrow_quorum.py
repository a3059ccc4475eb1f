"""A real manager that lost its part of the swarm joins it again, whatever dies in between."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from console.errors import EngineUnreachable, Result
from console.host.temporary.values import Cable
from console.operations.borrow.members import AnswerWatch, Member
from console.operations.borrow.progress import BorrowDependencies, BorrowProgress
from console.operations.borrow.quorum import LOST_AFTER_S, QuorumRescue
from console.storage.borrow import BorrowPhase, BorrowRecord, BorrowStore
from console.swarm.membership import Addresses, Membership, MemberState
from console.swarm.model import Engine, Node, SwarmState
from tests.support.clocks import Hours
from tests.support.swarms import swarm

OLD, NEW, TEMPORARY = "old-id", "new-id", "temporary-id"
MANAGER, TEMPORARY_ADDRESS = "192.0.2.10:2377", "198.18.0.2"
LABELS = {"place": "here", "vipconsole.handover": "machine/1", "vipconsole.handover.availability": "active"}


class Killed(BaseException):
    """The program ends here."""


@dataclass
class TwoManagers:
    """A swarm without a quorum: what its two engines do when they are told to. Each call may be the program's last one."""

    dies_at: int
    calls: int = 0
    leads: str = ""
    real_id: str = OLD
    is_dead: bool = False
    """Whether the real dockerd ends each time it is started."""
    votes_again: bool = False
    told: list[str] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        real = Node(
            OLD, "node1", "unknown", "pause", True, False, labels=LABELS, availability_before="active"
        )
        temporary = Node(TEMPORARY, "vipconsole-temporary", "ready", "drain", True, False)
        self.nodes = {OLD: real, TEMPORARY: temporary}

    def call(self, change: str = "") -> None:
        """Count a call, before or after which the program may die."""
        self.calls += 1
        if self.calls == self.dies_at:
            raise Killed
        if change:
            self.told.append(change)

    def listed(self) -> SwarmState:
        if not self.leads:
            raise EngineUnreachable("The swarm does not have a leader.")
        return swarm(
            nodes=[replace(node, is_leader=node.id == self.leads) for node in self.nodes.values()],
            node_id=self.leads,
        )


@dataclass
class FakeEngine:
    """One of the engines: its nodes, its changes, its membership."""

    both: TwoManagers
    is_real: bool

    async def engine_and_nodes(self, _deadline_s: float) -> tuple[Result[Engine], Result[tuple[Node, ...]]]:
        self.both.call()
        shown = self.both.listed()
        return shown.engine, shown.nodes

    async def nodes(self, deadline_s: float) -> Result[tuple[Node, ...]]:
        return (await self.engine_and_nodes(deadline_s))[1]

    async def update_node(self, node_id: str, change: Any) -> None:
        self.both.call(f"update {node_id}")
        spec: dict[str, Any] = {"Labels": {}, "Availability": self.both.nodes[node_id].availability}
        change(spec)
        changed = replace(self.both.nodes[node_id], labels=spec["Labels"], availability=spec["Availability"])
        self.both.nodes[node_id] = changed
        self.both.call()

    async def read(self) -> Membership:
        self.both.call()
        if self.both.is_dead:
            raise EngineUnreachable("Nobody listens.")
        if self.both.votes_again:
            self.both.nodes[OLD] = replace(self.both.nodes[OLD], reachability="reachable")
        state = MemberState.ACTIVE if self.both.real_id else MemberState.INACTIVE
        is_manager = self.both.real_id == NEW
        return Membership(state, self.both.real_id, is_manager, "", "", "cluster", "20.10", "/var/lib/docker")

    async def form_alone(self, address: str) -> None:
        self.both.call(f"alone at {address}")
        self.both.leads = OLD if self.is_real else TEMPORARY
        self.both.call()

    async def leave(self) -> None:
        self.both.call("leave")
        self.both.real_id = ""
        self.both.call()

    async def join(self, _manager: object, remote: str, own: Addresses) -> None:
        self.both.call(f"join {remote} as {own.advertise}")
        self.both.real_id = NEW
        node = Node(NEW, "node1", "ready", "drain", True, False, reachability="reachable")
        self.both.nodes[NEW] = node
        self.both.call()

    async def remove_node(self, node_id: str) -> None:
        self.both.call(f"remove {node_id}")
        self.both.nodes.pop(node_id, None)
        self.both.call()

    @property
    def member(self) -> Member:
        return Member(cast("Any", self), cast("Any", self), cast("Any", self))


def rescue(both: TwoManagers, state: Path, clock: Hours, *, has_log: bool = False) -> QuorumRescue:
    """Return a rescue as a process makes it that finds the record on disk."""
    real, temporary = (FakeEngine(both, is_real).member for is_real in (True, False))

    async def has_it() -> bool:
        # Once it has joined again it has one.
        return has_log or both.real_id == NEW

    async def start() -> None:
        both.call("start without its log")
        both.is_dead, both.votes_again = False, True

    store = BorrowStore(state)
    needs = BorrowDependencies(
        real, temporary, cast("Any", None), store, clock, "machine/1", both.told.append,
        cast("Any", None), has_it, start,
    )  # fmt: skip
    record = store.read()
    assert record is not None
    watch = AnswerWatch(clock, temporary)
    watch._answered_at_s = 0.0
    return QuorumRescue(needs, BorrowProgress(needs, record), watch)


def record_in(phase: BorrowPhase) -> BorrowRecord:
    cable = Cable("vipconsole0", "198.18.0.1", TEMPORARY_ADDRESS, 30, "192.0.2.10")
    began_at = datetime(2026, 6, 12, 2, 0, tzinfo=UTC)
    record = BorrowRecord("machine/1", began_at, "cluster", OLD, "node1", MANAGER, cable)
    return replace(record, phase=phase, temporary_id=TEMPORARY)


@pytest.mark.parametrize("dies_at", range(1, 30))
async def test_whatever_call_is_the_last_one_the_next_process_brings_the_real_manager_back(
    dies_at: int, tmp_path: Path
) -> None:
    store, both, clock = BorrowStore(tmp_path), TwoManagers(dies_at), Hours()
    store.write(record_in(BorrowPhase.HANDING_OVER))
    try:
        await rescue(both, tmp_path, clock).regain()
    except Killed:
        again = rescue(both, tmp_path, clock)
        await (again.rejoin() if again.is_under_way else again.regain())
    assert both.leads == TEMPORARY
    assert set(both.nodes) == {NEW, TEMPORARY}
    assert (both.nodes[NEW].labels, both.nodes[NEW].availability) == ({"place": "here"}, "active")
    assert both.told.count("leave") == 1
    record = store.read()
    assert record is not None
    assert (record.node_id, record.rejoins, record.has_led) == (NEW, False, True)
    assert f"join {TEMPORARY_ADDRESS}:2377 as {MANAGER}" in both.told


async def test_a_dockerd_that_cannot_start_with_its_log_gets_another_one_and_stays_the_node_it_was(
    tmp_path: Path,
) -> None:
    both, clock = TwoManagers(0, is_dead=True), Hours()
    BorrowStore(tmp_path).write(record_in(BorrowPhase.HANDING_OVER))
    await rescue(both, tmp_path, clock).regain()
    assert both.told.count("start without its log") == 1
    assert not any(line.startswith(("leave", "join", "remove")) for line in both.told)
    record = BorrowStore(tmp_path).read()
    assert record is not None
    assert (record.node_id, record.rejoins) == (OLD, False)
    # What the hand-over noted on it is still there: it is put back next.
    assert both.nodes[OLD].labels == LABELS


async def test_the_real_manager_forms_the_swarm_alone_where_the_temporary_one_died_as_it_joined(
    tmp_path: Path,
) -> None:
    both, clock = TwoManagers(0), Hours()
    BorrowStore(tmp_path).write(record_in(BorrowPhase.JOINING))
    assert await rescue(both, tmp_path, clock, has_log=True).regain() is not None
    assert both.leads == OLD
    assert f"alone at {MANAGER}" in both.told
    assert "leave" not in both.told


async def test_a_real_manager_that_has_its_log_is_never_taken_out_of_the_swarm(tmp_path: Path) -> None:
    both, clock = TwoManagers(0), Hours(10 * LOST_AFTER_S)
    BorrowStore(tmp_path).write(record_in(BorrowPhase.HANDING_OVER))
    whole = rescue(both, tmp_path, clock, has_log=True)
    assert not await whole.is_lost()
    assert await whole.regain() is None
    assert not any("leave" in line or "alone" in line for line in both.told)


async def test_a_manager_is_taken_for_lost_only_after_nobody_has_answered_for_long(tmp_path: Path) -> None:
    both, clock = TwoManagers(0), Hours(LOST_AFTER_S - 1)
    BorrowStore(tmp_path).write(record_in(BorrowPhase.HANDING_OVER))
    empty = rescue(both, tmp_path, clock)
    assert not await empty.is_lost()
    clock.at_s += 2
    assert await empty.is_lost()
    # While it was started it could not answer.
    with empty.watch.starting():
        clock.at_s += 3 * LOST_AFTER_S
        assert not await empty.is_lost()
    clock.at_s += LOST_AFTER_S - 1
    assert not await empty.is_lost()
    clock.at_s += 2
    assert await empty.is_lost()

"""Gives leaked addresses back by a change of leader: the leader is demoted, another one takes over, it is promoted again.

The new leader's allocator starts from what the swarm knows, and so without the leaks (measured: 216 → 246 free of 246, new
leader in less than 0.1 s). A demoted node's own socket cannot promote it, so all of it goes through another manager.

A demoted node is a worker for some seconds, and Swarm ends every task on an *active* worker whose service asks for a manager
(swarmkit, constraintenforcer; nearly every reverse proxy asks for one). So the leader is paused first, and made active again
once it is a manager. Labels on the node tell what is to be brought back, wherever this is cut short.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from typing import ClassVar, TypeVar

from console.clock import Clock
from console.concurrency import until
from console.errors import Declined, EngineError, EngineTimeout, Unknown
from console.frozen import frozen
from console.swarm.changer import SwarmChanger
from console.swarm.managers import (
    MANAGERS_AT_LEAST,
    NO_LEADER,
    DemotedMeanwhile,
    ManagerRoles,
    NodeSpec,
    demote,
    foreign,
    lengthen_heartbeat,
    pause,
    promote,
    refusal,
    restore,
    restore_heartbeat,
    roles_of,
)
from console.swarm.model import Node
from console.swarm.reader import SwarmReader

T = TypeVar("T")

SETTLED_WITHIN_S = 60.0
"""A change of leader takes a fraction of a second."""
CHANGED_WITHIN_S = 120.0
"""Where a manager has just come, no change is committed until it has the swarm's log: 35 s for 10,000 entries, which are the most
(450 a second, measured on 20.10.24)."""
PROMOTED_WITHIN_S = 150.0
"""A promotion takes a second, or 37 s where it reaches the node before the demotion has (measured on 20.10.24; swarmkit
waits 16 s twice)."""
WORKER_WITHIN_S, WORKER_FOR_S = 60.0, 5.0
"""How long it may take until a node is known to be a worker, and how long it is one, snapshot after snapshot, before that is
believed. A new leader shows a node at first as its predecessor knew it: `ready`. A moment later no node is known to it until
it registers, and one that is promoted in between is taken for down, which ends its containers (seen on 20.10.24). A node is a
manager again 1 to 4 s after its promotion (measured)."""
POLL_S = 0.25
RESTORE_ATTEMPTS = 3
"""A manager that lags behind shows a node as it was before its demotion. When the write meets the demotion, the node is
promoted first, and then restored. It is demoted again only by somebody else."""


class Ending(StrEnum):
    """How a hand-over ended."""

    MADE = "made"
    FINISHED = "finished"
    """An interrupted hand-over was finished, and nothing else was done."""
    UNDONE = "undone"
    """An interrupted hand-over was undone, because it cannot continue: no address came back."""


@frozen
class HandoverResult:
    """What came of a hand-over."""

    old_leader: str
    new_leader: str
    took_s: float
    ending: Ending
    because: str = ""
    """Why it was undone."""


async def read_roles(reader: SwarmReader) -> ManagerRoles:
    """Return the roles as they are now. Raises EngineError where they cannot be read."""
    engine, nodes = await reader.engine_and_nodes(10)
    if isinstance(engine, Unknown):
        raise EngineError(engine.reason, engine.hint)
    if isinstance(nodes, Unknown):
        raise EngineError(nodes.reason, nodes.hint)
    return roles_of(nodes, engine.node_id)


class Handover:
    """One hand-over, through a manager that does not lead. Calling it again finishes what was cut short."""

    managers_at_least: ClassVar[int] = MANAGERS_AT_LEAST

    def __init__(
        self,
        reader: SwarmReader,
        changer: SwarmChanger,
        clock: Clock,
        owner: str,
        tell: Callable[[str], object],
    ) -> None:
        """`owner` says whose it is, as `MACHINE/PROCESS`, in the label of the node that is demoted for a moment."""
        self._reader = reader
        self._changer = changer
        self._clock = clock
        self._owner = owner
        self._tell = tell

    @staticmethod
    def prepare_swarm(spec: NodeSpec) -> None:
        """Change the swarm's own settings for the time of the hand-over."""
        lengthen_heartbeat(spec)

    @staticmethod
    def restore_swarm(spec: NodeSpec) -> None:
        """Make the swarm's settings what they were."""
        restore_heartbeat(spec)

    async def run(self) -> HandoverResult:
        """Make another node lead, and the one that led what it was. Raises Declined, or an EngineError."""
        began_s = self._clock.monotonic()
        roles = await self._roles()
        if roles.former_leaders:
            return await self._finish(roles.former_leaders, began_s)
        objection, leader = refusal(roles, self.managers_at_least), roles.leader
        if objection is not None or leader is None:
            sentence, hint = objection or NO_LEADER
            if not roles.unfinished:
                raise Declined(sentence, hint)
            return await self._undo(roles.unfinished, began_s, f"{sentence} {hint}")
        return await self._hand_over(leader, began_s)

    async def put_back(self) -> HandoverResult | None:
        """Make a node what it was before a hand-over that was cut short, and hand nothing over. None: there is none."""
        began_s = self._clock.monotonic()
        roles = await self._roles()
        if roles.former_leaders:
            return await self._finish(roles.former_leaders, began_s)
        if roles.unfinished:
            return await self._undo(roles.unfinished, began_s, "")
        return None

    async def _roles(self) -> ManagerRoles:
        roles = await read_roles(self._reader)
        objection = foreign(roles, self._owner.partition("/")[0])
        if objection is not None:
            raise Declined(*objection)
        if roles.unfinished and roles.leader is None:
            # Whether the lead was taken from it is not known: another snapshot tells.
            raise Declined(*NO_LEADER)
        return roles

    async def _finish(self, nodes: tuple[Node, ...], began_s: float) -> HandoverResult:
        for node in nodes:
            await self._bring_back(node)
        now = await read_roles(self._reader)
        return self._result(nodes[0], now.leader, began_s, Ending.FINISHED)

    async def _undo(self, nodes: tuple[Node, ...], began_s: float, because: str) -> HandoverResult:
        were_demoted = [await self._restore(node) for node in nodes]
        if any(were_demoted):
            # Another one leads then, and has given the addresses back.
            return self._result(nodes[0], (await read_roles(self._reader)).leader, began_s, Ending.FINISHED)
        return self._result(nodes[0], nodes[0], began_s, Ending.UNDONE, because)

    async def _hand_over(self, leader: Node, began_s: float) -> HandoverResult:
        name = leader.hostname
        self._tell(f"pausing {name}, the leader" if leader.availability == "active" else f"labelling {name}")
        await self._change(leader.id, pause(self._owner), lambda node: bool(node.handover))
        roles = await self._wait(
            lambda: self._roles_once_labelled(leader.id), f"{name} has its label", SETTLED_WITHIN_S
        )
        if roles.leader is not None and roles.leader.id != leader.id:
            # Somebody else made another one lead, or the leader was lost: either has given the addresses back.
            await self._restore(leader)
            return self._result(leader, roles.leader, began_s, Ending.MADE)
        try:
            self._require_quorum(roles)
            await self._change_swarm(self.prepare_swarm)
            self._tell(f"demoting {name}")
            await self._change(leader.id, demote, lambda node: node.desired_role == "worker")
        except (Declined, EngineError):
            # It was not demoted, so nothing is left to be done but to let it take tasks again.
            await self._restore(leader)
            raise
        new = await self._wait(
            lambda: self._leader_after(leader.id), f"another node leads instead of {name}", SETTLED_WITHIN_S
        )
        self._tell(f"{new.hostname} leads now")
        await self._bring_back(leader, is_worker=True)
        return self._result(leader, new, began_s, Ending.MADE)

    async def _bring_back(
        self, node: Node, *, is_worker: bool = False, attempts: int = RESTORE_ATTEMPTS
    ) -> None:
        """Make a node a manager, and once it is one what it was before."""
        if is_worker or node.desired_role == "worker":
            await self._wait_until_worker(node)
            self._tell(f"promoting {node.hostname} again")
            await self._change(node.id, promote, lambda now: now.desired_role == "manager")
        await self._wait(
            lambda: self._voting(node.id), f"{node.hostname} is a manager again", PROMOTED_WITHIN_S
        )
        await self._restore(node, attempts)

    async def _wait_until_worker(self, node: Node) -> None:
        """Wait until a node knows that it was demoted: promoted before that, it takes half a minute to vote again."""
        # Where that does not come, it is promoted all the same: sooner or later it votes. That is right for a node that is
        # down too. Swarm has replaced its tasks already, so the promotion ends none that would go on, and it changes a
        # specification only: the node votes no sooner than it is back. Left a worker, it would come back as one, and the
        # swarm would be short of a manager until somebody calls this again. It stays paused until it is `ready`.
        since_s: float | None = None

        async def is_worker_for_long() -> bool:
            nonlocal since_s
            asked_s, before_s, since_s = self._clock.monotonic(), since_s, None
            # Anything else starts the count again, and so does no answer: another leader may be on its way, which knows the
            # node only by hearsay too.
            if not await self._is_worker(node.id):
                return False
            since_s = self._clock.monotonic() if before_s is None else before_s
            return asked_s - since_s >= WORKER_FOR_S

        with suppress(EngineTimeout):
            await self._wait(is_worker_for_long, f"{node.hostname} is a worker", WORKER_WITHIN_S)

    async def _restore(self, node: Node, attempts: int = RESTORE_ATTEMPTS) -> bool:
        """Make a node what it was before, once it is ready; where the write shows that it was demoted, promote it first.

        Return whether it was demoted. Raises EngineTimeout where it does not get ready: it stays paused then.
        """
        # A manager may vote before its leader knows it as a node again. Only one that is known is made active.
        await self._wait(lambda: self._is_ready(node.id), f"{node.hostname} is ready", SETTLED_WITHIN_S)
        self._tell(f"making {node.hostname} what it was before")
        # Before its labels go, which tell that something is unfinished.
        await self._change_swarm(self.restore_swarm)
        try:
            await self._change(node.id, restore, lambda now: not now.handover)
        except DemotedMeanwhile:
            if attempts <= 1:
                raise
            self._tell(f"{node.hostname} was demoted meanwhile")
            await self._bring_back(node, is_worker=True, attempts=attempts - 1)
            return True
        return False

    def _require_quorum(self, roles: ManagerRoles) -> None:
        objection = refusal(roles, self.managers_at_least)
        if objection is not None:
            raise Declined(*objection)

    def _result(
        self, old: Node, new: Node | None, began_s: float, ending: Ending, because: str = ""
    ) -> HandoverResult:
        took_s = self._clock.monotonic() - began_s
        return HandoverResult(old.hostname, "?" if new is None else new.hostname, took_s, ending, because)

    # What is waited for.

    async def _roles_once_labelled(self, node_id: str) -> ManagerRoles | None:
        roles = await read_roles(self._reader)
        return roles if any(node.id == node_id for node in roles.unfinished) else None

    async def _leader_after(self, node_id: str) -> Node | None:
        leader = (await read_roles(self._reader)).leader
        return leader if leader is not None and leader.id != node_id else None

    async def _is_ready(self, node_id: str) -> bool:
        node = (await read_roles(self._reader)).node(node_id)
        return node is not None and node.state == "ready"

    async def _is_worker(self, node_id: str) -> bool:
        # A new leader knows no node's state until the node registers with it, and is told its role then.
        return await self._is_ready(node_id) and node_id not in await self._reader.manager_ids()

    async def _voting(self, node_id: str) -> bool:
        # Its specification says at once what it is to be. Tasks that ask for a manager are safe once it *is* one.
        if node_id not in await self._reader.manager_ids():
            return False
        return any(node.id == node_id for node in (await read_roles(self._reader)).reachable)

    async def _change(
        self, node_id: str, change: Callable[[NodeSpec], None], is_done: Callable[[Node], bool]
    ) -> None:
        """Change a node, and try again while the swarm is between two leaders, until it shows the change."""
        end_s = self._clock.monotonic() + CHANGED_WITHIN_S
        while True:
            try:
                await self._changer.update_node(node_id, change)
            except EngineError:
                # Somebody changed the node meanwhile, no leader took the call, or the answer was lost: a snapshot tells.
                if self._clock.monotonic() >= end_s:
                    raise
            else:
                return
            await self._clock.sleep(POLL_S)
            with suppress(EngineError):
                node = (await read_roles(self._reader)).node(node_id)
                if node is not None and is_done(node):
                    return

    async def _change_swarm(self, change: Callable[[NodeSpec], None]) -> None:
        """Change the swarm's settings, and try again while the swarm is between two leaders."""

        async def attempt() -> bool:
            await self._changer.update_swarm(change)
            return True

        await until(attempt, self._clock, CHANGED_WITHIN_S, POLL_S, despite=(EngineError,))

    async def _wait(self, snapshot: Callable[[], Awaitable[T | None]], what: str, within_s: float) -> T:
        async def attempt() -> T | None:
            # Between two leaders nobody answers for the swarm.
            with suppress(EngineError):
                return await snapshot()
            return None

        result = await until(attempt, self._clock, within_s, POLL_S)
        if result is None:
            raise EngineTimeout(
                f"Timed out after {within_s:g} s waiting until {what}.",
                "`docker node ls` shows the managers. Run the command again: it continues where it stopped.",
            )
        return result

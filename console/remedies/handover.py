"""Gives leaked addresses back by a change of leader: the leader is demoted, another one takes over, it is promoted again.

The new leader's allocator begins anew from what the swarm knows, and so without the leaks; no container is touched
(measured: 216 → 246 free of 246, new leader in less than 0.1 s). A demoted node's own socket cannot promote it, so all
of it goes through another manager.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from console.clock import Clock
from console.errors import Declined, EngineError, EngineTimeout
from console.parts import Unknown
from console.swarm.changer import SwarmChanger
from console.swarm.parse import HANDOVER_LABEL
from console.swarm.reader import EngineReader
from console.swarm.values import Node
from console.text import plural

MANAGERS_AT_LEAST = 3
"""With two, the other one alone has no quorum the moment that it fails."""
SETTLED_WITHIN_S = 60.0
"""A change of leader takes a fraction of a second, a promotion some seconds."""
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Roles:
    """The managers of a swarm, and what an earlier hand-over left behind."""

    leader: Node | None
    managers: tuple[Node, ...]
    demoted: tuple[Node, ...]
    """Nodes that a hand-over demoted and has not promoted again."""
    here: str

    @property
    def reachable(self) -> tuple[Node, ...]:
        """The managers that can vote."""
        return tuple(each for each in self.managers if each.reachability == "reachable")


@dataclass(frozen=True, slots=True)
class Handed:
    """What came of a hand-over."""

    old_leader: str
    new_leader: str
    took_s: float
    resumed: bool
    """Whether it finished one that was cut short, and did nothing else."""


def roles_of(nodes: tuple[Node, ...], here: str) -> Roles:
    """Return who leads, who can vote, and who was left demoted."""
    return Roles(
        next((each for each in nodes if each.is_leader), None),
        tuple(each for each in nodes if each.is_manager),
        tuple(each for each in nodes if each.handover and each.wanted_role == "worker"),
        here,
    )


async def read_roles(reader: EngineReader) -> Roles:
    """Return the roles as they are now. Raises EngineError where they cannot be read."""
    swarm = await reader.glimpse(10)
    if isinstance(swarm.engine, Unknown):
        raise EngineError(swarm.engine.reason, swarm.engine.hint)
    if isinstance(swarm.nodes, Unknown):
        raise EngineError(swarm.nodes.reason, swarm.nodes.hint)
    return roles_of(swarm.nodes, swarm.engine.node_id)


def refusal(roles: Roles) -> tuple[str, str] | None:
    """Return why no hand-over can be made through this node, and what to do; None where it can."""
    leader, reachable = roles.leader, roles.reachable
    if leader is None:
        return "The swarm has no leader.", "`docker node ls` on the managers."
    if len(reachable) < MANAGERS_AT_LEAST:
        there = f"there {'is' if len(reachable) == 1 else 'are'} {len(reachable)}"
        return (
            f"A hand-over needs {MANAGERS_AT_LEAST} reachable managers, and {there}.",
            "`vipconsole reclaim --by restart` restarts dockerd instead: every container of the leader stops.",
        )
    if len(reachable) < len(roles.managers):
        lost = sorted(each.hostname for each in roles.managers if each.reachability != "reachable")
        return (
            f"{plural(len(lost), 'manager')} cannot be reached ({', '.join(lost)}): a hand-over could lose the quorum.",
            "Bring it back, or demote it for good, and try again.",
        )
    if leader.id == roles.here:
        others = [each.hostname for each in reachable if each.id != leader.id]
        return (
            f"This node leads the swarm, and a node that was demoted cannot promote itself ({leader.hostname}).",
            f"Run it on {others[0]}, or give that one's engine with --via.",
        )
    return None


class Handover:
    """One hand-over, through a manager that does not lead. Calling it again finishes what was cut short."""

    def __init__(
        self,
        reader: EngineReader,
        changer: SwarmChanger,
        clock: Clock,
        mark: str,
        tell: Callable[[str], object],
    ) -> None:
        """`mark` says whose it is, in the label of the node that is demoted for a moment."""
        self._reader = reader
        self._changer = changer
        self._clock = clock
        self._mark = mark
        self._tell = tell

    async def run(self) -> Handed:
        """Make another node lead, and promote the one that did again. Raises Declined, or an EngineError."""
        began_s = self._clock.monotonic()
        roles = await read_roles(self._reader)
        if roles.demoted:
            _require_own(roles.demoted, self._mark)
            for each in roles.demoted:
                await self._promote(each)
            after = await read_roles(self._reader)
            now = after.leader.hostname if after.leader else "?"
            took_s = self._clock.monotonic() - began_s
            return Handed(roles.demoted[0].hostname, now, took_s, resumed=True)
        refused = refusal(roles)
        if refused is not None or roles.leader is None:
            raise Declined(*(refused or ("The swarm has no leader.", "")))
        leader = roles.leader
        self._tell(f"demoting {leader.hostname}, which leads")
        await self._change(leader.id, _demote(self._mark), lambda node: node.wanted_role == "worker")
        new = await self._wait(
            lambda now: now.leader if now.leader is not None and now.leader.id != leader.id else None,
            "another node leads",
        )
        self._tell(f"{new.hostname} leads now")
        await self._promote(leader)
        return Handed(leader.hostname, new.hostname, self._clock.monotonic() - began_s, resumed=False)

    async def _promote(self, node: Node) -> None:
        self._tell(f"promoting {node.hostname} again")
        await self._change(node.id, _promote, lambda now: now.wanted_role == "manager")
        await self._wait(
            lambda now: next((each for each in now.reachable if each.id == node.id), None),
            f"{node.hostname} is a manager again",
        )

    async def _change(
        self, node_id: str, change: Callable[[dict[str, Any]], None], is_done: Callable[[Node], bool]
    ) -> None:
        """Change a node, and try again while the swarm is between two leaders, until it shows the change."""
        end_s = self._clock.monotonic() + SETTLED_WITHIN_S
        while True:
            try:
                await self._changer.update_node(node_id, change)
            except EngineError as error:
                # Somebody changed the node meanwhile, no leader took the call, or the answer was lost: it is looked at.
                if self._clock.monotonic() >= end_s:
                    raise
                failed: EngineError | None = error
            else:
                failed = None
            if failed is None:
                return
            await self._clock.sleep(POLL_S)
            with suppress(EngineError):
                if any(each.id == node_id and is_done(each) for each in await self._nodes()):
                    return

    async def _nodes(self) -> tuple[Node, ...]:
        roles = await read_roles(self._reader)
        return (*roles.managers, *roles.demoted)

    async def _wait(self, found: Callable[[Roles], Node | None], what: str) -> Node:
        end_s = self._clock.monotonic() + SETTLED_WITHIN_S
        while True:
            # Between two leaders nobody answers for the swarm.
            with suppress(EngineError):
                node = found(await read_roles(self._reader))
                if node is not None:
                    return node
            if self._clock.monotonic() >= end_s:
                raise EngineTimeout(
                    f"Within {SETTLED_WITHIN_S:g} s it did not come to this: {what}.",
                    "`docker node ls` shows the managers. Calling it again goes on where it stopped.",
                )
            await self._clock.sleep(POLL_S)


def _require_own(demoted: tuple[Node, ...], mark: str) -> None:
    machine = mark.partition("/")[0]
    foreign = next((each for each in demoted if each.handover.partition("/")[0] != machine), None)
    if foreign is not None:
        raise Declined(
            f"Another machine is handing the leadership over: it demoted {foreign.hostname} "
            f"(machine {foreign.handover}).",
            f"Wait until it has ended. If it was killed, `docker node promote {foreign.hostname}`.",
        )


def _demote(mark: str) -> Callable[[dict[str, Any]], None]:
    def change(spec: dict[str, Any]) -> None:
        # One update: the label that brings it back is there in the very moment in which it is needed.
        spec["Labels"] = {**(spec.get("Labels") or {}), HANDOVER_LABEL: mark}
        spec["Role"] = "worker"

    return change


def _promote(spec: dict[str, Any]) -> None:
    labels: Mapping[str, str] = spec.get("Labels") or {}
    spec["Labels"] = {key: value for key, value in labels.items() if key != HANDOVER_LABEL}
    spec["Role"] = "manager"

"""The two engines of a borrowed manager, and for how long neither of them answers for the swarm."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar

from console.clock import Clock
from console.errors import Declined, VipconsoleError
from console.frozen import frozen
from console.operations.handover import Handover
from console.swarm.changer import SwarmChanger
from console.swarm.managers import (
    NodeSpec,
    lengthen_heartbeat,
    restore_heartbeat,
    restore_snapshots,
    shorten_snapshots,
)
from console.swarm.membership import EngineMembership
from console.swarm.reader import SwarmReader

ASK_EVERY_S = 0.1
LOCKED = (
    "The temporary manager is locked: it was restarted, and this swarm locks its managers.",
    "Give the unlock key with --unlock-key-file; `docker swarm unlock-key -q` shows it where a manager answers.",
)
"""What is said where the temporary manager is locked and no key is given."""


class QuorumLost(Declined):
    """The real manager died as it became a manager again, and has nothing of the swarm's log: it never votes."""

    def __init__(self) -> None:
        super().__init__(
            "The real manager died as it became a manager again, and lost its part of the swarm: it cannot vote."
        )


@frozen
class Member:
    """An engine, through its own socket."""

    reader: SwarmReader
    changer: SwarmChanger
    membership: EngineMembership


@dataclass(slots=True)
class AnswerWatch:
    """The longest time in which no manager answered for the swarm."""

    clock: Clock
    member: Member
    """Who is asked. One that is being demoted must not be: a call that is under way delays the end of its manager by 8 s."""
    _answered_at_s: float | None = field(default=None, init=False)
    _expected_from_s: float = field(default=0.0, init=False)
    _longest_s: float = field(default=0.0, init=False)

    @property
    def longest_s(self) -> float:
        """In seconds; what is asked every 0.1 s is known no better than that."""
        return self._longest_s

    @property
    def unanswered_s(self) -> float:
        """For how long nobody has answered who could have, in seconds."""
        if self._answered_at_s is None:
            return 0.0
        return self.clock.monotonic() - max(self._answered_at_s, self._expected_from_s)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let the engine that is asked be started: until then it cannot answer."""
        self._expected_from_s = inf
        try:
            yield
        finally:
            self._expected_from_s = self.clock.monotonic()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask all the while."""
        self._answered_at_s = self.clock.monotonic()
        asker = asyncio.ensure_future(self._ask())
        try:
            yield
        finally:
            asker.cancel()
            await asyncio.gather(asker, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            with suppress(VipconsoleError):
                if await self.member.membership.answers():
                    self._note(self.clock.monotonic())
            await self.clock.sleep(ASK_EVERY_S)

    def _note(self, now_s: float) -> None:
        if self._answered_at_s is not None:
            self._longest_s = max(self._longest_s, now_s - self._answered_at_s)
        self._answered_at_s = now_s


class HandoverOfTwo(Handover):
    """A hand-over between two managers.

    The other one alone has the quorum meanwhile: it has to be one that is sure to be started again.
    """

    managers_at_least: ClassVar[int] = 2

    def __init__(
        self,
        member: Member,
        clock: Clock,
        owner: str,
        tell: Callable[[str], object],
        is_lost: Callable[[], Awaitable[bool]],
    ) -> None:
        """`is_lost` tells whether the one that was demoted can never vote again: then nothing is waited for."""
        super().__init__(member.reader, member.changer, clock, owner, tell)
        self._is_lost = is_lost

    async def _voting(self, node_id: str) -> bool:
        if await self._is_lost():
            raise QuorumLost
        return await super()._voting(node_id)

    @staticmethod
    def prepare_swarm(spec: NodeSpec) -> None:
        """Lengthen the heartbeat, and let the other manager take a snapshot that knows it as a member."""
        lengthen_heartbeat(spec)
        shorten_snapshots(spec)

    @staticmethod
    def restore_swarm(spec: NodeSpec) -> None:
        """Change nothing: the lead changes once more, when the other manager goes. `restore_settings` comes after that."""

    async def restore_settings(self) -> None:
        """Make the swarm's heartbeat and its interval of snapshots what they were."""

        def restore(spec: NodeSpec) -> None:
            restore_heartbeat(spec)
            restore_snapshots(spec)

        await self._change_swarm(restore)

"""The two engines of a borrowed manager, and for how long neither of them answers for the swarm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from console.clock import Clock
from console.errors import VipconsoleError
from console.swarm.changer import SwarmChanger
from console.swarm.membership import EngineMembership
from console.swarm.reader import SwarmReader

ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
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
    _longest_s: float = field(default=0.0, init=False)

    @property
    def longest_s(self) -> float:
        """In seconds; what is asked every 0.1 s is known no better than that."""
        return self._longest_s

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

"""Waits until a swarm and its host are quiet, and tells meanwhile what blocks.

Quiet for N seconds means that it was *seen* to be quiet for that long: every look in between found nothing, and the
engine told no change. Whatever is seen or told, a gap in the engine's events, a part that cannot be read or a pause in
which nobody looked begins the time anew.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from console.clock import Clock
from console.health.quiet.values import Judgement, Report, Rules, Verdict
from console.parts import Unknown
from console.pausing import sleep_unless
from console.settings import Look
from console.stillness import HostEye, OwnHost, Stillness
from console.swarm.events import Heard
from console.swarm.values import SwarmState

LOOKS_APART_S = 0.2
"""At least so long between two looks, however much the engine tells."""
LAST_LOOK_S = 1.0
"""The least that a look is given, however little of the time limit is left."""


class SwarmEye(Protocol):
    """Looks at a swarm, as `console.swarm.reader.EngineReader` does."""

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        ...

    async def glimpse(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now, its networks not inspected."""
        ...


class Ear(Protocol):
    """Hears an engine's changes, as `console.swarm.events.EventSource` does."""

    def listening(self, since: datetime) -> AbstractAsyncContextManager[AsyncIterator[Heard]]:
        """Give what is heard from a moment of the engine's clock on."""
        ...


@dataclass(frozen=True, slots=True)
class Senses:
    """What a wait sees and hears with."""

    swarm: SwarmEye
    host: HostEye
    ear: Ear


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a wait is."""

    report: Report
    waited_s: float
    quiet_for_s: float
    """For how long it has been seen quiet, without a break until now."""
    dwell_s: float
    outcome: Verdict | None
    """How it ended; None while it goes on."""


async def wait_for_quiet(
    senses: Senses, clock: Clock, rules: Rules, look: Look, timeout_s: float
) -> AsyncGenerator[Progress, None]:
    """Yield the state after every look; the last one has an outcome.

    It ends when it was quiet for the dwell time, at the time limit, after one look where there is no dwell time, and
    at once where it can never be known: the first look cannot read the swarm, or a check that the settings ask for
    has no meaning here. At the time limit the outcome is `busy` unless nothing but unknown checks were in the way.
    """
    watch = _Watch(senses, clock, rules, look)
    # A single look is not a wait, and no time limit is about it.
    swarm = await watch.glimpse(timeout_s if rules.dwell_s else math.inf)
    if isinstance(swarm.engine, Unknown) or not rules.dwell_s:
        report = (await watch.judged(swarm)).report
        yield watch.progress(report, 0.0, report.verdict)
        return
    async with (
        senses.ear.listening(swarm.engine.time) as heard,
        aclosing(watch.follow(heard, timeout_s)) as states,
    ):
        async for each in states:
            yield each


class _Watch:
    def __init__(self, senses: Senses, clock: Clock, rules: Rules, look: Look) -> None:
        self._senses = senses
        self._clock = clock
        self._rules = rules
        self._look = look
        self._started_s = clock.monotonic()
        self._stillness = Stillness(senses.swarm.host, clock, rules)
        self._own = OwnHost(senses.swarm.host, senses.host)
        self._woken = asyncio.Event()

    async def follow(self, heard: AsyncIterator[Heard], timeout_s: float) -> AsyncGenerator[Progress, None]:
        """Look again and again until there is an outcome."""
        hearing = asyncio.create_task(self._hear(heard))
        try:
            while True:
                began_s = self._clock.monotonic()
                self._woken.clear()
                judgement = await self.judged(await self.glimpse(timeout_s))
                if hearing.done():
                    # It only ends by failing.
                    hearing.result()
                since_s = self._stillness.quiet_since(judgement, self._rules.wanted.poll_s)
                quiet_s = 0.0 if since_s is None else max(0.0, began_s - since_s)
                outcome = self._outcome(judgement.report, quiet_s, timeout_s)
                yield self.progress(judgement.report, quiet_s, outcome)
                if outcome is not None:
                    return
                await self._pause(quiet_s, timeout_s)
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing

    async def glimpse(self, timeout_s: float) -> SwarmState:
        """Look at the swarm, for no longer than is left of the time limit."""
        deadline_s = min(self._look.deadline_s, max(self._left_s(timeout_s), LAST_LOOK_S))
        return await self._senses.swarm.glimpse(deadline_s)

    async def judged(self, swarm: SwarmState) -> Judgement:
        """Look at the host too, and judge what was seen and heard so far."""
        return self._stillness.judge(swarm, await self._own.activity(swarm))

    def progress(self, report: Report, quiet_s: float, outcome: Verdict | None) -> Progress:
        """Return the state of the wait."""
        waited_s = self._clock.monotonic() - self._started_s
        return Progress(report, waited_s, quiet_s, self._rules.dwell_s, outcome)

    def _outcome(self, report: Report, quiet_s: float, timeout_s: float) -> Verdict | None:
        if any(each.is_lasting for each in report.blocking):
            return Verdict.UNKNOWN
        if quiet_s >= self._rules.dwell_s and report.verdict is Verdict.QUIET:
            return Verdict.QUIET
        if self._left_s(timeout_s) > 0:
            return None
        return Verdict.UNKNOWN if report.verdict is Verdict.UNKNOWN else Verdict.BUSY

    async def _hear(self, heard: AsyncIterator[Heard]) -> None:
        async for each in heard:
            self._stillness.hear(each)
            self._woken.set()

    def _left_s(self, timeout_s: float) -> float:
        return timeout_s - (self._clock.monotonic() - self._started_s)

    async def _pause(self, quiet_s: float, timeout_s: float) -> None:
        """Wait for the next look: until something is told, but not longer than there is anything to wait for."""
        left_s = max(self._left_s(timeout_s), 0.0)
        due_s = min(self._rules.wanted.poll_s, max(self._rules.dwell_s - quiet_s, 0.0), left_s)
        await self._clock.sleep(LOOKS_APART_S)
        if due_s <= LOOKS_APART_S:
            return
        await sleep_unless(self._woken, self._clock, due_s - LOOKS_APART_S)

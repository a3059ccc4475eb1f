"""Waits for quiescence: takes snapshots until nothing has disturbed it for long enough, and names what blocks.

Quiet for N seconds means that it was *seen* to be quiet for that long: every snapshot in between found nothing, and the
engine reported no change. Any change, a gap in the engine's events, a part that cannot be read or a pause in
which no snapshot was taken restarts the time.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from datetime import datetime
from typing import Protocol

from console.clock import Clock
from console.concurrency import sleep_unless
from console.diagnosis.quiescence.checks import judge
from console.diagnosis.quiescence.values import (
    CHANGES,
    Changes,
    CheckInputs,
    Judgement,
    PreviousChecks,
    QuiescenceRules,
    QuiescenceVerdict,
    Report,
    ReportedChange,
)
from console.diagnosis.values import Snapshot
from console.errors import Unknown
from console.frozen import frozen
from console.host.activity import HostActivity, Inapplicable, OwnProcess
from console.host.identity import why_engine_is_foreign
from console.host.reader import unavailable_activity
from console.settings import SnapshotSettings
from console.swarm.events import EventGap, Listening, StreamItem
from console.swarm.model import SwarmState

MAX_GAP_S = 10.0
"""A gap between two snapshots that is longer than this, beyond the intended pause, restarts the time."""

NO_LOG = Unknown("dockerd's log was not read: quiet does not depend on it.")
MIN_INTERVAL_S = 0.2
"""The shortest time between two snapshots, however many events arrive."""
MIN_DEADLINE_S = 1.0
"""The shortest deadline of a snapshot, however little of the time limit is left."""


class ActivityReader(Protocol):
    """Reads what goes on on this host, as `console.host.reader.HostReader` does."""

    def own(self) -> OwnProcess:
        """Return this process among the others."""
        ...

    async def take(self) -> HostActivity:
        """Return processes, jobs, units, timers, logins and the lock holder as they are now."""
        ...


class OwnHost:
    """The activity of this host, where the engine at an address is its own."""

    def __init__(self, host: str, reader: ActivityReader) -> None:
        self._host = host
        self._reader = reader
        self._is_ours = False

    async def activity(self, swarm: SwarmState) -> HostActivity:
        """Return the current activity, or why it has nothing to do with the engine."""
        # Once the engine was proven to be this host's own it stays so, also while it restarts.
        if not self._is_ours:
            if isinstance(swarm.engine, Unknown):
                return unavailable_activity(
                    Unknown("It is not known whether the engine runs on this host."), self._reader.own()
                )
            refusal = await asyncio.to_thread(why_engine_is_foreign, self._host, swarm.engine.name)
            if refusal is not None:
                return unavailable_activity(Inapplicable(refusal.reason), self._reader.own())
            self._is_ours = True
        return await self._reader.take()


class QuiescenceTracker:
    """Keeps the verdicts of successive snapshots, with the engine's events in between."""

    def __init__(self, host: str, clock: Clock, rules: QuiescenceRules) -> None:
        self._host = host
        self._clock = clock
        self._rules = rules
        self._previous = PreviousChecks()
        self._reported_changes: list[ReportedChange] = []
        self._why_no_events: Unknown | None = Unknown("The engine's events are not received yet.")
        self._listening_since_s = self._last_snapshot_s = clock.monotonic()
        self._calm_since_s: float | None = None

    def receive(self, item: StreamItem) -> None:
        """Record an event, a gap in the events, or that they arrive again."""
        now_s, now = self._clock.monotonic(), self._clock.now()
        match item:
            case Listening():
                self._why_no_events, self._listening_since_s = None, now_s
            case EventGap(why):
                self._why_no_events = why
                self._reported_changes.append(ReportedChange(None, now, now_s))
            case _:
                self._reported_changes.append(ReportedChange(item, now, now_s))

    def judge(self, swarm: SwarmState, activity: HostActivity) -> Judgement:
        """Return the verdict of a snapshot, with the events so far."""
        judgement = judge(self._inputs(swarm, activity), self._previous, self._rules)
        self._previous = judgement.previous
        return judgement

    async def judge_aside(self, swarm: SwarmState, activity: HostActivity) -> Judgement:
        """Return the same, judged by a thread: it takes long where there are thousands of tasks. One at a time."""
        inputs = self._inputs(swarm, activity)
        judgement = await asyncio.to_thread(judge, inputs, self._previous, self._rules)
        self._previous = judgement.previous
        return judgement

    def _inputs(self, swarm: SwarmState, activity: HostActivity) -> CheckInputs:
        now_s = self._clock.monotonic()
        self._reported_changes = [
            item for item in self._reported_changes if now_s - item.received_s < self._rules.dwell_s
        ]
        snapshot = Snapshot(self._host, self._clock.now(), 0.0, swarm, None, (), NO_LOG)
        return CheckInputs(
            snapshot, activity, Changes(tuple(self._reported_changes), self._why_no_events), now_s
        )

    def quiet_since(self, judgement: Judgement, pause_s: float) -> float | None:
        """Return since when it has been quiet without a break, by the monotonic clock; None while it is not.

        To be asked once after each snapshot; `pause_s` is the longest that is meant to lie between two of them.
        """
        before_s, self._last_snapshot_s = self._last_snapshot_s, self._clock.monotonic()
        if self._last_snapshot_s - before_s > pause_s + MAX_GAP_S:
            self._calm_since_s = None
        # Changes have a time of their own; everything else is only known at each snapshot.
        if any(check.code != CHANGES for check in judgement.report.blocking):
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = self._last_snapshot_s
        if self._calm_since_s is None or self._why_no_events is not None:
            return None
        change_times = [] if judgement.changed_s is None else [judgement.changed_s]
        return max(self._calm_since_s, self._listening_since_s, *change_times)


class SwarmLister(Protocol):
    """Reads the lists of a swarm, as `console.swarm.reader.EngineReader` does."""

    @property
    def host(self) -> str:
        """The address of the engine that is asked."""
        ...

    async def lists(self, deadline_s: float) -> SwarmState:
        """Return the swarm as it is now, its networks not inspected."""
        ...


class ChangeListener(Protocol):
    """Receives an engine's events, as `console.swarm.events.EventSource` does."""

    def listening(self, since: datetime) -> AbstractAsyncContextManager[AsyncIterator[StreamItem]]:
        """Yield the events from a moment of the engine's clock on."""
        ...


@frozen
class WaitDependencies:
    """The sources of a wait: swarm, host and events."""

    swarm: SwarmLister
    host: ActivityReader
    listener: ChangeListener


@frozen
class WaitProgress:
    """How far a wait is."""

    report: Report
    waited_s: float
    quiet_for_s: float
    """For how long it has been seen quiet, without a break until now."""
    dwell_s: float
    outcome: QuiescenceVerdict | None
    """How it ended; None while it goes on."""


async def wait_for_quiet(
    dependencies: WaitDependencies,
    clock: Clock,
    rules: QuiescenceRules,
    snapshot: SnapshotSettings,
    timeout_s: float,
) -> AsyncGenerator[WaitProgress, None]:
    """Yield the state after every snapshot; the last one has an outcome.

    It ends when it was quiet for the dwell time, at the time limit, after one snapshot where there is no dwell time, and
    at once where it can never be known: the first snapshot cannot read the swarm, or a check that the settings ask for
    has no meaning here. At the time limit the outcome is `busy` unless nothing but unknown checks were in the way.
    """
    wait = _QuiescenceWait(dependencies, clock, rules, snapshot)
    # A single snapshot is not a wait, and no time limit is about it.
    swarm = await wait.quick_snapshot(timeout_s if rules.dwell_s else math.inf)
    if isinstance(swarm.engine, Unknown) or not rules.dwell_s:
        report = (await wait.judge(swarm)).report
        yield wait.progress(report, 0.0, report.verdict)
        return
    async with (
        dependencies.listener.listening(swarm.engine.time) as stream,
        aclosing(wait.follow(stream, timeout_s)) as states,
    ):
        async for state in states:
            yield state


class _QuiescenceWait:
    def __init__(
        self, dependencies: WaitDependencies, clock: Clock, rules: QuiescenceRules, snapshot: SnapshotSettings
    ) -> None:
        self._dependencies = dependencies
        self._clock = clock
        self._rules = rules
        self._snapshot = snapshot
        self._started_s = clock.monotonic()
        self._quiescence = QuiescenceTracker(dependencies.swarm.host, clock, rules)
        self._own = OwnHost(dependencies.swarm.host, dependencies.host)
        self._woken = asyncio.Event()

    async def follow(
        self, stream: AsyncIterator[StreamItem], timeout_s: float
    ) -> AsyncGenerator[WaitProgress, None]:
        """Take snapshots until there is an outcome."""
        receiving = asyncio.create_task(self._receive(stream))
        try:
            while True:
                start_s = self._clock.monotonic()
                self._woken.clear()
                judgement = await self.judge(await self.quick_snapshot(timeout_s))
                if receiving.done():
                    # It only ends by failing.
                    receiving.result()
                since_s = self._quiescence.quiet_since(judgement, self._rules.settings.poll_s)
                quiet_s = 0.0 if since_s is None else max(0.0, start_s - since_s)
                outcome = self._outcome(judgement.report, quiet_s, timeout_s)
                yield self.progress(judgement.report, quiet_s, outcome)
                if outcome is not None:
                    return
                await self._pause(quiet_s, timeout_s)
        finally:
            receiving.cancel()
            with suppress(asyncio.CancelledError):
                await receiving

    async def quick_snapshot(self, timeout_s: float) -> SwarmState:
        """Read the swarm, for no longer than is left of the time limit."""
        deadline_s = min(self._snapshot.deadline_s, max(self._remaining_s(timeout_s), MIN_DEADLINE_S))
        return await self._dependencies.swarm.lists(deadline_s)

    async def judge(self, swarm: SwarmState) -> Judgement:
        """Read the host too, and judge the swarm with the events so far."""
        return self._quiescence.judge(swarm, await self._own.activity(swarm))

    def progress(self, report: Report, quiet_s: float, outcome: QuiescenceVerdict | None) -> WaitProgress:
        """Return how long the wait has taken and how long it has been quiet."""
        waited_s = self._clock.monotonic() - self._started_s
        return WaitProgress(report, waited_s, quiet_s, self._rules.dwell_s, outcome)

    def _outcome(self, report: Report, quiet_s: float, timeout_s: float) -> QuiescenceVerdict | None:
        if any(check.is_lasting for check in report.blocking):
            return QuiescenceVerdict.UNKNOWN
        if quiet_s >= self._rules.dwell_s and report.verdict is QuiescenceVerdict.QUIET:
            return QuiescenceVerdict.QUIET
        if self._remaining_s(timeout_s) > 0:
            return None
        return (
            QuiescenceVerdict.UNKNOWN
            if report.verdict is QuiescenceVerdict.UNKNOWN
            else QuiescenceVerdict.BUSY
        )

    async def _receive(self, stream: AsyncIterator[StreamItem]) -> None:
        async for item in stream:
            self._quiescence.receive(item)
            self._woken.set()

    def _remaining_s(self, timeout_s: float) -> float:
        return timeout_s - (self._clock.monotonic() - self._started_s)

    async def _pause(self, quiet_s: float, timeout_s: float) -> None:
        """Wait for the next snapshot: until an event arrives, or until its time at the latest."""
        remaining_s = max(self._remaining_s(timeout_s), 0.0)
        due_s = min(self._rules.settings.poll_s, max(self._rules.dwell_s - quiet_s, 0.0), remaining_s)
        await self._clock.sleep(MIN_INTERVAL_S)
        if due_s <= MIN_INTERVAL_S:
            return
        await sleep_unless(self._woken, self._clock, due_s - MIN_INTERVAL_S)

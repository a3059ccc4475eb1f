"""Polls the swarm, and keeps the leak tracker."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.addresses.leak_tracker import (
    IDLE_INTERVAL_S,
    LeakTracker,
    add_entries,
    drop_addresses,
    settle,
    step,
)
from console.addresses.leaks import allocator_key, allocator_of
from console.concurrency import sleep_unless
from console.diagnosis.findings.unfinished import find_unfinished_runs
from console.diagnosis.values import Finding, UnfinishedRun
from console.errors import Result, Unknown
from console.frozen import frozen
from console.monitor.assessor import AssessmentInputs, Assessor
from console.monitor.history import History
from console.monitor.pace import CALM_S, MOTION_S, RecorderPace
from console.monitor.schedule import EventListener, InspectionSchedule, pause_s, retry_s, urgent_pause_s
from console.monitor.snapshot import ContextCache
from console.monitor.values import StatePublisher
from console.nodes.values import NO_NODES, OtherNodes
from console.settings import Settings
from console.swarm.model import Engine, SwarmState
from console.swarm.repeated import RepeatedReader

if TYPE_CHECKING:
    from console.addresses.tracked_tasks import TrackedTask
    from console.journal.summary import Summary

REMOVAL_S = 5.0
"""For this long after a removal event snapshots are frequent, whether or not anything is seen ending."""


@frozen
class _Publication:
    """A snapshot that was published, and what follows it."""

    swarm: SwarmState
    end_s: float
    """When it ended, by the monotonic clock."""
    pause_s: float
    """How long to pause after it."""
    took_s: float


class SnapshotPoller:
    """The feed of snapshots. `on_snapshot` is called with every snapshot."""

    def __init__(
        self,
        reader: RepeatedReader,
        settings: Settings,
        publisher: StatePublisher,
        context: ContextCache,
        history: History,
    ) -> None:
        self._last_swarm: SwarmState | None = None
        self._last_change_s = 0.0
        self._gaps = 0
        self._reader = reader
        self._settings = settings
        self._publisher = publisher
        self._clock = publisher.clock
        self._context = context
        self._history = history
        self._schedule = InspectionSchedule(settings.snapshot.settle_s)
        self._assessor = Assessor(reader.host, settings.thresholds, publisher.clock)
        self._leak_tracker = LeakTracker()
        self._woken = asyncio.Event()
        self._is_urgent = False
        self._failures = 0
        self._began_s = 0.0
        self._first_snapshot: Future[_Publication] | None = None
        self.attended_networks: frozenset[str] = frozenset()
        """Networks (IDs) that are on the screen."""
        self.listener: EventListener | None = None
        self.pace: RecorderPace | None = None
        self.nodes: Callable[[], OtherNodes] = lambda: NO_NODES
        self.on_snapshot: Callable[[SwarmState], None] = lambda _: None

    def wake(self, is_urgent: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback of the event listener
        """Take a snapshot soon instead of at the end of the present pause; an urgent one is taken at once."""
        self._is_urgent = self._is_urgent or is_urgent
        self._woken.set()

    def begin(self) -> None:
        """Take and assess the first snapshot at once, on a thread: it does not wait for the loop that `run` will be on."""
        self._first_snapshot = Future()
        # The caller may give up waiting; it is finished all the same.
        self._first_snapshot.set_running_or_notify_cancel()
        threading.Thread(
            target=self._take_ahead, args=(self._first_snapshot,), name="first snapshot", daemon=True
        ).start()

    def _take_ahead(self, first_snapshot: Future[_Publication]) -> None:
        try:
            first_snapshot.set_result(asyncio.run(self._take()))
        except BaseException as error:  # noqa: BLE001 - it is raised to the caller that waits for the snapshot
            first_snapshot.set_exception(error)

    async def run(self) -> None:
        """Take snapshots until cancelled."""
        first_snapshot, self._first_snapshot = self._first_snapshot, None
        publication = await (self._take() if first_snapshot is None else asyncio.wrap_future(first_snapshot))
        while True:
            self.on_snapshot(publication.swarm)
            await self._pause(publication)
            publication = await self._take()

    async def _take(self) -> _Publication:
        """Take a snapshot, and publish what it means."""
        self._woken.clear()
        self._is_urgent = False
        self._began_s = start_s = self._clock.monotonic()
        removed_networks = self.listener.removed_networks() if self.listener is not None else frozenset[str]()
        swarm = await self._reader.next_state(self._settings.snapshot.deadline_s, self._choose)
        end_s = self._clock.monotonic()
        took_s = end_s - start_s
        self._schedule.note(swarm, end_s)
        rebuilt_at = _rebuilt_at(self._publisher.summary())
        if self._leak_tracker.last_snapshot_at is None and not isinstance(swarm.engine, Unknown):
            earlier_leaks = await self._history.begin(swarm.engine, allocator_of(swarm))
            self._leak_tracker = add_entries(self._leak_tracker, earlier_leaks)
            removed_networks |= await self._resume(swarm, swarm.engine)
        self._leak_tracker = replace(
            self._leak_tracker,
            longest_idle_s=self._longest_idle_s(),
            has_events=self.listener is not None,
        )
        self._leak_tracker = step(self._leak_tracker, swarm, end_s, rebuilt_at, removed_networks)
        await self._settle(swarm, end_s)
        self._note_change(swarm, end_s)
        swarm = self._leak_tracker.without_leftovers(swarm)
        runs = await self._context.runs()
        self._publisher.show(run_findings=self._find_runs(runs))
        if isinstance(swarm.engine, Unknown):
            self._failures += 1
            wait_s = retry_s(self._failures, took_s)
            snapshot = self._publisher.failure(self._publisher.monitor_state.snapshot, swarm.engine)
            self._publisher.show(snapshot=snapshot, leak_log=self._leak_tracker.leak_log)
        else:
            self._failures = 0
            wait_s = pause_s(self._poll_s(end_s), took_s, is_close=self._is_close())
            await self._show(swarm, swarm.engine, runs, took_s, wait_s)
        return _Publication(swarm, end_s, wait_s, took_s)

    async def _resume(self, swarm: SwarmState, engine: Engine) -> frozenset[str]:
        """Go on with the tasks of an earlier recorder; return the networks (IDs) that were removed meanwhile, as far as told."""
        key = allocator_key(allocator_of(swarm), engine.managers)
        if self.pace is None or self.listener is None or not key:
            return frozenset()
        # Those that are alive are followed on. Of those that have ended meanwhile the ones that had outlived a network leaked.
        earlier = await self.pace.restore(engine.cluster_id, key)
        tracked_tasks = {tracked_task.task.id: tracked_task for tracked_task in earlier.tasks}
        self._leak_tracker = replace(
            self._leak_tracker, tracked_tasks=tracked_tasks, resumed_at=earlier.until
        )
        if not tracked_tasks:
            return frozenset()
        times = await self.listener.event_times(earlier.until, engine.time)
        return frozenset(times.removed)

    async def _settle(self, swarm: SwarmState, now_s: float) -> None:
        """Let events tell what the snapshot does not."""
        tasks = self._leak_tracker.unsettled_tasks
        if self.listener is not None and tasks and not isinstance(swarm.engine, Unknown):
            since = min((task.wanted_at for task in tasks if task.wanted_at is not None), default=None)
            times = await self.listener.event_times(since, swarm.engine.time)
            self._leak_tracker = settle(self._leak_tracker, swarm, times, now_s)

    def _note_change(self, swarm: SwarmState, now_s: float) -> None:
        last = self._last_swarm
        is_same = last is not None and (last.services, last.tasks, last.nodes) == (
            swarm.services,
            swarm.tasks,
            swarm.nodes,
        )
        if not is_same:
            self._last_change_s = now_s
        self._last_swarm = swarm

    def _longest_idle_s(self) -> float:
        """Return how long the time since the last snapshot may be: events tell of all that happens while they arrive."""
        if self.pace is None or self.listener is None:
            return IDLE_INTERVAL_S
        is_whole = self.listener.is_open and self.listener.gaps == self._gaps
        self._gaps = self.listener.gaps
        return self.pace.longest_idle_s if is_whole else IDLE_INTERVAL_S

    def _poll_s(self, now_s: float) -> float:
        poll_s = self._settings.snapshot.poll_s
        if self.pace is None or self.listener is None or not self.listener.is_open:
            return poll_s
        is_calm = now_s - max(self._last_change_s, self.listener.last_event_s) >= CALM_S
        return max(poll_s, self.pace.idle_s if is_calm else MOTION_S)

    def _choose(self, swarm: SwarmState) -> set[str]:
        return self._schedule.choose(swarm, self.attended_networks | {self._settings.network}, self._began_s)

    def _is_close(self) -> bool:
        is_removal_recent = self.listener is not None and self.listener.since_removal_s() < REMOVAL_S
        return is_removal_recent or self._leak_tracker.is_ending() or bool(self._leak_tracker.unsettled_tasks)

    def _find_runs(self, runs: Result[tuple[UnfinishedRun, ...]]) -> tuple[Finding, ...]:
        """Return the findings about runs; the very same where they are as they were."""
        before, now = (
            self._publisher.monitor_state.run_findings,
            tuple(find_unfinished_runs(runs, self._clock.now())),
        )
        return before if before == now else now

    async def _show(
        self,
        swarm: SwarmState,
        engine: Engine,
        runs: Result[tuple[UnfinishedRun, ...]],
        took_s: float,
        pause_s: float,
    ) -> None:
        inputs = AssessmentInputs(
            swarm,
            self._schedule.settled_networks(),
            took_s,
            await self._context.routes(engine),
            self._publisher.summary(),
            await self._context.censuses(),
            self._leak_tracker.leak_log,
            self._leak_tracker.allocator,
            runs,
            await self._context.failing_alerts(),
            self._publisher.monitor_state.trends,
            nodes=self.nodes(),
        )
        snapshot = await self._assessor.assess(inputs)
        trends = self._history.take(
            snapshot.assessment.accounts,
            engine,
            self._leak_tracker.allocator,
            self._leak_tracker.leak_log,
            _rebuilt_at(inputs.journal),
        )
        for network_id, addresses in self._assessor.find_disproved_leaks():
            self._leak_tracker = drop_addresses(self._leak_tracker, network_id, addresses)
        self._publisher.show(
            snapshot=self._publisher.success(snapshot),
            leak_log=self._leak_tracker.leak_log,
            outlived_tasks=self._outlived_tasks(),
            live_tasks=self._live_tasks(),
            trends=trends,
            watching=None if self.pace is not None else await self._context.watching(engine),
            poll_s=pause_s,
        )

    def _outlived_tasks(self) -> "tuple[TrackedTask, ...]":
        before = self._publisher.monitor_state.outlived_tasks
        now = tuple(
            tracked_task
            for tracked_task in self._leak_tracker.tracked_tasks.values()
            if tracked_task.removed_network and not tracked_task.is_past
        )
        return before if before == now else now

    def _live_tasks(self) -> "tuple[TrackedTask, ...]":
        before = self._publisher.monitor_state.live_tasks
        unsettled_tasks = (task.tracked_task for task in self._leak_tracker.unsettled_tasks)
        followed_tasks = (
            tracked_task
            for tracked_task in self._leak_tracker.tracked_tasks.values()
            if not tracked_task.removed_network
        )
        now = (*unsettled_tasks, *followed_tasks)
        return before if before == now else now

    async def _pause(self, publication: _Publication) -> None:
        due_s = publication.end_s + publication.pause_s
        while True:
            if self._woken.is_set():
                self._woken.clear()
                soon_s = urgent_pause_s(publication.took_s, is_urgent=self._is_urgent)
                if self.pace is not None and not self._is_urgent:
                    # What shows only for a moment begins with a removal.
                    soon_s = max(soon_s, MOTION_S)
                due_s = min(due_s, publication.end_s + soon_s)
            remaining_s = due_s - self._clock.monotonic()
            if remaining_s <= 0:
                return
            await sleep_unless(self._woken, self._clock, remaining_s)


def _rebuilt_at(journal: "Result[Summary]") -> datetime | None:
    return None if isinstance(journal, Unknown) else journal.rebuilt_at

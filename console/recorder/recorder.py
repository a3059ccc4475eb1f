"""Follows a monitor, keeps what happens, and hands each state to those who listen."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from console.clock import Clock
from console.diagnosis.values import Severity, Snapshot
from console.durations import duration, stamp
from console.errors import DAMAGE, HostError, Unknown, VipconsoleError
from console.frozen import frozen
from console.monitor.monitor import Monitor
from console.monitor.pace import EarlierWatch
from console.monitor.values import AssessedSnapshot, Feed, MonitorState
from console.recorder.baseline import Baseline, from_json, to_json
from console.recorder.derive import derive
from console.recorder.values import EventKind, RecordedEvent, StateListener, WatchSpan
from console.storage.record import RecordStore
from console.text import SENTENCE_LIMIT, clean

WRITE_INTERVAL_S = 30.0
"""What is no event is written that often."""
LIVE_INTERVAL_S = 5.0
"""The same where tasks came or changed that may leak: the next recorder can only miss those that it knows."""
RETRY_S = 10.0
"""After a write that failed, such as on a full disk."""
SPAN_INTERVAL_S = 60.0
THIN_INTERVAL_S = 3600.0
THIN_EVENTS = 5000
"""After so many events it is thinned before its time."""
MAX_PENDING = 10_000
"""So many events wait for a disk that is full; then the oldest are lost, leaks last."""
BREAK = timedelta(minutes=3)
"""So long without a snapshot that was due, by the engine's clock, was not watched: the machine slept, or its clock was set."""
SHORTEST_GAP = timedelta(seconds=10)
"""A shorter time without a recorder is not told: it was started again."""


@frozen
class RecorderOptions:
    """How large the record may be, and who is told in a sentence what is watched and what is wrong."""

    max_bytes: int = 64 * 2**20
    report: Callable[[str], None] = lambda _: None


class Recorder:
    """Keeps what happens to one swarm. One at a time in each state directory: see `console.storage.recorder_lock`."""

    def __init__(
        self,
        monitor: Monitor,
        store: RecordStore,
        clock: Clock,
        listeners: Sequence[StateListener] = (),
        options: RecorderOptions | None = None,
    ) -> None:
        options = options or RecorderOptions()
        self._monitor = monitor
        self._store = store
        self._clock = clock
        self._listeners = listeners
        self._max_bytes = options.max_bytes
        self._report = options.report
        self._cluster_id = ""
        self._baseline = Baseline()
        self._stored_baseline = Baseline()
        self._events: list[RecordedEvent] = []
        self._counts: dict[datetime, dict[str, int]] = {}
        self._span: WatchSpan | None = None
        self._stored_span_s = self._written_s = float("-inf")
        self._retry_s = float("-inf")
        self._thinned_s = float("-inf")
        self._pause_s = 0.0
        self._events_since_thin = 0
        self._gaps: set[tuple[datetime, str]] = set()
        self._engine_failure: Unknown | None = None
        self._failure = ""

    async def run(self) -> None:
        """Record until cancelled; then write what is left, and close the listeners."""
        try:
            async with aclosing(self._monitor.monitor_states()) as states:
                async for state in states:
                    await self._take(state)
                    for listener in self._listeners:
                        try:
                            await listener.take(state)
                        except VipconsoleError as error:
                            self._report(error.sentence)
        finally:
            await self._flush()
            for listener in self._listeners:
                with suppress(VipconsoleError):
                    await listener.close()

    async def _take(self, state: MonitorState) -> None:
        assessed = state.snapshot.value
        failure = state.snapshot.failure
        if failure != self._engine_failure:
            self._note_engine(failure)
        if failure is not None or assessed is None or isinstance(assessed.snapshot.swarm.engine, Unknown):
            # What was seen last is not seen now: the time that it stands for has ended.
            await self._write()
            if failure is not None and self._span is not None:
                await self._note_span()
                self._span = None
            return
        engine = assessed.snapshot.swarm.engine
        now = self._read_at(state.snapshot, assessed.snapshot)
        if engine.cluster_id != self._cluster_id and not await self._begin(engine.cluster_id, now):
            return
        derivation = derive(self._baseline, state, now)
        self._advance_span(now, BREAK + timedelta(seconds=3 * self._pause_s))
        self._pause_s = state.poll_s
        self._baseline = derivation.baseline
        self._events += derivation.events
        for hour, counts in derivation.counts.items():
            of_hour = self._counts.setdefault(hour, {})
            for signature_id, count in counts.items():
                of_hour[signature_id] = of_hour.get(signature_id, 0) + count
        self._note_gaps(state)
        await self._write()

    def _read_at(self, feed: Feed[AssessedSnapshot], snapshot: Snapshot) -> datetime:
        """Return when the swarm was last read, by the engine's clock: a snapshot in which nothing changed is an old one."""
        age = timedelta(seconds=self._clock.monotonic() - feed.at_s)
        return self._clock.now() - age + (snapshot.now - snapshot.taken_at)

    async def _begin(self, cluster_id: str, now: datetime) -> bool:
        """Read where the last recorder was; return whether that was possible: else nothing may be written over it."""
        if self._clock.monotonic() < self._retry_s:
            return False
        if self._cluster_id:
            await self._flush()
        try:
            text = await asyncio.to_thread(self._store.baseline, cluster_id)
            spans = await asyncio.to_thread(self._store.spans, cluster_id)
        except HostError as error:
            self._fail(error)
            return False
        baseline = Baseline()
        with suppress(*DAMAGE):
            baseline = from_json(text) if text else baseline
        last_seen = max((span.ended for span in spans), default=None)
        self._cluster_id = cluster_id
        self._baseline = replace(baseline, seen_at=last_seen if text else None)
        self._stored_baseline = self._baseline
        self._span, self._counts = None, {}
        self._events, self._gaps = [], set()
        if last_seen is not None and now - last_seen >= SHORTEST_GAP:
            self._events.append(_unwatched(last_seen, now, "no recorder was at work"))
        before = "" if last_seen is None else f" The last recorder watched until {stamp(last_seen)}."
        self._report(f"Watching since {stamp(now)}.{before}")
        return True

    def _advance_span(self, now: datetime, longest: timedelta) -> None:
        if self._span is not None and not self._span.ended - longest <= now <= self._span.ended + longest:
            if now > self._span.ended:
                self._events.append(_unwatched(self._span.ended, now, "no snapshot was taken"))
            self._span = None
        if self._span is None:
            self._span = WatchSpan(now, now)
            self._stored_span_s = float("-inf")
        self._span = replace(self._span, ended=max(now, self._span.ended))

    def _note_engine(self, failure: Unknown | None) -> None:
        was_away, self._engine_failure = self._engine_failure is not None, failure
        sentence = "The engine answers again." if failure is None else clean(failure.reason, SENTENCE_LIMIT)
        self._report(sentence)
        if was_away != (failure is not None) and self._cluster_id:
            severity = Severity.OK if failure is None else Severity.WARNING
            event = RecordedEvent(
                self._clock.now(),
                EventKind.WATCHING,
                "engine",
                sentence,
                severity=severity,
                is_end=failure is None,
            )
            self._events.append(event)

    def _note_gaps(self, state: MonitorState) -> None:
        """Keep why leaks may have been missed, once each."""
        for gap in reversed(state.leak_log.past_gaps):
            key = (gap.since, gap.why)
            if key not in self._gaps and gap.until is not None:
                self._gaps.add(key)
                sentence = f"Leaks may have been missed. {gap.why}"
                self._events.append(RecordedEvent(gap.until, EventKind.WATCHING, "leaks", sentence))
        if len(self._gaps) > MAX_PENDING:
            self._gaps = {(gap.since, gap.why) for gap in state.leak_log.past_gaps}

    async def _write(self) -> None:
        now_s = self._clock.monotonic()
        if not self._cluster_id or now_s < self._retry_s:
            self._bound()
            return
        is_urgent = bool(self._events) or (
            (self._baseline.outlived_tasks, self._baseline.leaks)
            != (self._stored_baseline.outlived_tasks, self._stored_baseline.leaks)
        )
        is_live_news = self._baseline.live_tasks != self._stored_baseline.live_tasks
        is_due = now_s - self._written_s >= (LIVE_INTERVAL_S if is_live_news else WRITE_INTERVAL_S)
        try:
            if is_urgent or (is_due and (self._counts or self._baseline != self._stored_baseline)):
                await self._keep()
            if self._span is not None and now_s - self._stored_span_s >= SPAN_INTERVAL_S:
                await self._note_span()
            if now_s - self._thinned_s >= THIN_INTERVAL_S or self._events_since_thin >= THIN_EVENTS:
                await asyncio.to_thread(self._store.thin, self._clock.now(), self._max_bytes)
                self._thinned_s, self._events_since_thin = now_s, 0
        except HostError as error:
            self._fail(error)
        else:
            self._succeed()

    async def _keep(self) -> None:
        # Nothing that comes while the store writes may count as written.
        events, counts, baseline = self._events, self._counts, self._baseline
        self._events, self._counts = [], {}
        try:
            await asyncio.to_thread(self._store.keep, self._cluster_id, events, counts, to_json(baseline))
        except BaseException:
            # Also where it is cancelled: what was taken out is written by the next call, or at the very end.
            self._events, self._counts = [*events, *self._events], counts
            self._bound()
            raise
        self._stored_baseline = baseline
        self._written_s = self._clock.monotonic()
        self._events_since_thin += len(events)

    async def _note_span(self) -> None:
        if self._span is not None:
            self._stored_span_s = self._clock.monotonic()
            with suppress(HostError):
                # The tasks that the next recorder goes on with are followed until the end of the span.
                if self._baseline != self._stored_baseline:
                    await self._keep()
                await asyncio.to_thread(self._store.note_watching, self._cluster_id, self._span)

    async def _flush(self) -> None:
        if not self._cluster_id:
            return
        try:
            if self._events or self._counts or self._baseline != self._stored_baseline:
                await self._keep()
            await self._note_span()
        except HostError as error:
            self._fail(error)

    def _bound(self) -> None:
        if len(self._events) > MAX_PENDING:
            leaks = [event for event in self._events if event.kind is EventKind.LEAK]
            others = [event for event in self._events if event.kind is not EventKind.LEAK]
            kept = [*leaks[-MAX_PENDING:], *others[max(0, len(others) - MAX_PENDING // 2) :]]
            self._events = sorted(kept, key=lambda event: event.at)

    def _fail(self, error: HostError) -> None:
        self._retry_s = self._clock.monotonic() + RETRY_S
        if self._failure != error.sentence:
            self._failure = error.sentence
            self._report(f"{error.sentence} {error.hint}".rstrip())

    def _succeed(self) -> None:
        if self._failure:
            self._failure = ""
            self._report("The record can be written again.")


def _unwatched(since: datetime, until: datetime, why: str) -> RecordedEvent:
    lasted = duration((until - since).total_seconds())
    sentence = (
        f"Nothing was recorded for {lasted}, since {stamp(since)}: {why}. What leaked then may be missing."
    )
    return RecordedEvent(since, EventKind.WATCHING, "recorder", sentence)


def stored_watch(store: RecordStore) -> Callable[[str, str], Awaitable[EarlierWatch]]:
    """Return what gives that which the last recorder was following when it ended, under the same allocator."""

    async def restore(cluster_id: str, allocator_key: str) -> EarlierWatch:
        with suppress(HostError, *DAMAGE):
            text = await asyncio.to_thread(store.baseline, cluster_id)
            spans = await asyncio.to_thread(store.spans, cluster_id)
            baseline = from_json(text) if text else Baseline()
            if baseline.allocator_key == allocator_key:
                until = max((span.ended for span in spans), default=None)
                return EarlierWatch((*baseline.outlived_tasks, *baseline.live_tasks), until)
        return EarlierWatch()

    return restore

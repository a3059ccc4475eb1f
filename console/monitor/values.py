"""What the monitor publishes: frozen, dated, part by part."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from console.addresses.forecast import Trend
from console.addresses.leaks import LeakLog
from console.clock import Clock
from console.diagnosis.values import Assessment, Finding, Snapshot
from console.errors import Result, Unknown
from console.frozen import frozen

if TYPE_CHECKING:
    from console.addresses.tracked_tasks import TrackedTask
    from console.diagnosis.quiescence.values import Report
    from console.journal.matching import LogEvent, UnexplainedError
    from console.journal.summary import Summary

T = TypeVar("T")
MAX_LINES = 5000
"""Lines of dockerd's log that are kept while monitoring."""


@frozen
class Feed(Generic[T]):
    """The last value that one source gave, and why its newest attempt gave none.

    Before the first answer there is neither. A value beside a failure is old: it is shown as such, never thrown away.
    """

    value: T | None = None
    at_s: float = 0.0
    """When the value came, by the monotonic clock; meaningless without a value."""
    failure: Unknown | None = None
    """Why the newest attempt brought nothing; None while it does."""
    failing_since_s: float = 0.0
    """Since when it fails."""


@frozen
class AssessedSnapshot:
    """A snapshot with the findings and accounts that its assessment gave."""

    snapshot: Snapshot
    assessment: Assessment


@frozen
class Line:
    """One line of dockerd's log. `number` grows by one with each, also over those that were dropped."""

    number: int
    text: str
    """Clean: the message as dockerd wrote it."""
    at: datetime
    level: str
    """`error`, `warning`, `info` …, or nothing for a line that is not dockerd's own form."""
    meaning: "LogEvent | UnexplainedError | None"
    """What it means, where it has a signature; errors without one are unexplained."""


@frozen
class Log:
    """What dockerd logged lately."""

    summary: "Summary"
    lines: tuple[Line, ...] = ()
    """The newest, oldest first, at most `MAX_LINES`."""
    dropped: int = 0
    """Lines that came while monitoring and made room for newer ones."""


@frozen
class Watching:
    """Whether a swarm is recorded, and since when."""

    is_at_work: bool
    since: datetime
    """Since when it has been recorded; where no recorder is at work, until when it was. By the engine's clock."""


@frozen
class MonitorState:
    """Everything that the panes show, as of one moment. Parts that did not change are the very same objects."""

    number: int = 0
    """Grows with every state."""
    snapshot: Feed[AssessedSnapshot] = field(default_factory=Feed)
    log: Feed[Log] = field(default_factory=Feed)
    quiet: "Feed[Report]" = field(default_factory=Feed)
    quiet_since_s: float | None = None
    """Since when it has been seen quiet without a break, by the monotonic clock; None while it is not."""
    run_findings: tuple[Finding, ...] = ()
    """Findings about maintenance runs that are not over; they hold whether the engine answers or not."""
    leak_log: LeakLog = field(default_factory=LeakLog)
    outlived_tasks: "tuple[TrackedTask, ...]" = ()
    """Live tasks whose network was removed: they leak when they end."""
    live_tasks: "tuple[TrackedTask, ...]" = ()
    """Other live tasks that may leak, and those of which it is not settled yet whether they did."""
    trends: Mapping[str, Trend] = field(default_factory=lambda: MappingProxyType({}))
    """By network ID."""
    history_failure: Unknown | None = None
    """Why the history of use cannot be kept or read; trends then cover this session only."""
    watching: Watching | None = None
    """Since when the swarm has been recorded; None where it never was."""
    poll_s: float = 2.0
    """The pause between two snapshots at present: longer when the engine is slow, shorter while something is removed."""

    @property
    def has_news(self) -> bool:
        """Whether a snapshot was taken, or is known to have failed."""
        return self.snapshot.value is not None or self.snapshot.failure is not None


NO_JOURNAL_YET = Unknown("dockerd's journal has not been read yet.")


class StatePublisher:
    """Holds one monitor state, which feeds change part by part; the thread of the first snapshot may do so too."""

    def __init__(self, clock: Clock) -> None:
        self.monitor_state = MonitorState()
        self.clock = clock
        self._change_event = asyncio.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        """The loop on which somebody waits for changes, and its thread."""

    def show(self, **parts: Any) -> None:
        """Change parts of the state, by their names; nothing happens where each is the very same as before."""
        with self._lock:
            before = self.monitor_state
            if all(getattr(before, name) is value for name, value in parts.items()):
                return
            self.monitor_state = replace(before, number=before.number + 1, **parts)
            if self._loop is None or self._thread == threading.get_ident():
                self._change_event.set()
            else:
                self._loop.call_soon_threadsafe(self._change_event.set)

    def summary(self) -> "Result[Summary]":
        """Return what dockerd logged lately, or why that is not known."""
        log = self.monitor_state.log
        if log.failure is not None:
            return log.failure
        return NO_JOURNAL_YET if log.value is None else log.value.summary

    def success(self, value: T) -> Feed[T]:
        """Return a feed whose newest attempt succeeded."""
        return Feed(value, self.clock.monotonic())

    def failure(self, feed: Feed[T], why: Unknown) -> Feed[T]:
        """Return a feed whose newest attempt failed; it keeps its last value."""
        since_s = feed.failing_since_s if feed.failure is not None else self.clock.monotonic()
        # Where it is the same failure, the sentence is kept too.
        return feed if feed.failure == why else replace(feed, failure=why, failing_since_s=since_s)

    async def monitor_states(
        self, feeds: Iterable["asyncio.Task[None]"]
    ) -> AsyncGenerator[MonitorState, None]:
        """Yield the newest state after each change. A feed that ends by a bug ends this with its exception."""
        running = set(feeds)
        with self._lock:
            self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        waiting = asyncio.ensure_future(self._change_event.wait())
        try:
            while True:
                self._change_event.clear()
                yield self.monitor_state
                if waiting.done():
                    waiting = asyncio.ensure_future(self._change_event.wait())
                done_tasks, _ = await asyncio.wait({waiting, *running}, return_when=asyncio.FIRST_COMPLETED)
                for task in done_tasks & running:
                    task.result()
                    running.discard(task)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

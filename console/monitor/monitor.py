"""The monitor: snapshots, events and log of one swarm in one stream of states.

The first snapshot waits for nothing that only the rest needs: that is loaded once the first has been shown.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from console.clock import Clock, SystemClock
from console.errors import Unknown
from console.frozen import frozen
from console.journal.reader import DaemonLog
from console.monitor.history import History
from console.monitor.nodes_feed import NodesFeed
from console.monitor.pace import RecorderPace
from console.monitor.poller import SnapshotPoller
from console.monitor.schedule import EventListener
from console.monitor.snapshot import ContextCache
from console.monitor.values import MonitorState, StatePublisher
from console.settings import Settings
from console.storage.history import HistoryStore
from console.storage.recorder_lock import recorder_of
from console.swarm.client import EngineConnection
from console.swarm.events import EventSource
from console.swarm.model import SwarmState
from console.swarm.repeated import RepeatedReader

if TYPE_CHECKING:
    from console.monitor.log_follower import LogFollower
    from console.monitor.quiescence_feed import QuiescenceFeed
    from console.nodes.reader import NodesReader


@frozen
class Sources:
    """Where the monitor reads from."""

    connection: EngineConnection
    """The engine; its creator closes it, after the last state."""
    log: DaemonLog
    """Where dockerd's lines are read from."""
    state: Path | None
    """Where censuses and the history of use are kept; None where nothing that is kept is about this swarm (the demo)."""
    history: Path | None = None
    """Where the history of use is kept, where that is another place."""


class Monitor:
    """Monitors a swarm and its host: `async with aclosing(monitor.monitor_states()) as states: async for state in states: …`."""

    def __init__(
        self,
        sources: Sources,
        settings: Settings,
        clock: Clock | None = None,
        pace: RecorderPace | None = None,
    ) -> None:
        """Make a monitor; with a pace it is the recorder's, which alone writes the history, and reads no host."""
        clock = clock or SystemClock()
        reader = RepeatedReader(sources.connection)
        self._publisher = StatePublisher(clock)
        state = sources.history or sources.state
        store = None if state is None else HistoryStore(state)
        self._history = History(
            store, clock, self._publisher, lambda: pace is not None or state is None or not recorder_of(state)
        )
        context = ContextCache(reader.host, sources.state, settings.snapshot, clock)
        self._poller = SnapshotPoller(reader, settings, self._publisher, context, self._history)
        self._sources, self._settings, self._clock = sources, settings, clock
        self._host = reader.host
        self._log_follower: LogFollower | None = None
        self._quiescence_feed: QuiescenceFeed | None = None
        self._judges_quiescence = pace is None
        self._listener = EventListener(EventSource(sources.connection, clock), clock, self._poller.wake)
        self._nodes_feed = NodesFeed(self._nodes_reader(), clock, self._poller.wake)
        self._poller.nodes = lambda: self._nodes_feed.nodes
        self._first_snapshot: asyncio.Future[SwarmState] | None = None
        self._last_snapshot: SwarmState | None = None
        self._is_shown, self._is_judged = asyncio.Event(), asyncio.Event()
        self._poller.listener = self._listener
        self._poller.pace = pace
        self._poller.on_snapshot = self._on_snapshot

    @property
    def monitor_state(self) -> MonitorState:
        """The newest state."""
        return self._publisher.monitor_state

    def begin(self) -> None:
        """Take and assess the first snapshot at once, on a thread, while the caller still prepares to ask for the states."""
        self._poller.begin()

    async def monitor_states(self) -> AsyncGenerator[MonitorState, None]:
        """Yield the newest state at once, and again whenever something in it changed, until closed.

        States in between may be skipped: a slow reader gets the newest. Parts that did not change are the identical
        objects as before, so that a pane can compare by identity. Nothing that fails outside ends it or is raised: it
        stands in its feed, and is retried. Closing it leaves no task and no thread of its own behind. Ask for it
        once; ages count from `Feed.at_s` by the monotonic clock.
        """
        self._first_snapshot = asyncio.get_running_loop().create_future()
        works = {
            "snapshots": self._poller.run(),
            "events": self._listen(),
            "log": self._follow_log(),
            "history": self._keep_history(),
        }
        if self._nodes_feed.reader is not None:
            works["nodes"] = self._nodes_feed.run()
        if self._judges_quiescence:
            works["host"] = self._judge_quiescence()
        feeds = [asyncio.create_task(work, name=name) for name, work in works.items()]
        try:
            async with aclosing(self._publisher.monitor_states(feeds)) as monitor_states:
                async for monitor_state in monitor_states:
                    yield monitor_state
                    # A caller that asks for the next one has done with this one.
                    if monitor_state.has_news:
                        self._is_shown.set()
        finally:
            for feed in feeds:
                feed.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)

    def wake(self) -> None:
        """Take a snapshot now instead of at the end of the present pause."""
        self._poller.wake(is_urgent=True)

    def attend(self, *network_ids: str) -> None:
        """Inspect these networks often, which are on the screen, and those of the last call no longer."""
        self._poller.attended_networks = frozenset(network_ids)
        self._poller.wake()

    def _nodes_reader(self) -> "NodesReader | None":
        # The demo keeps nothing, and has no other nodes.
        if not self._settings.node or self._sources.state is None:
            return None
        from console.nodes.reader import NodesReader  # noqa: PLC0415 - few settings name nodes

        return NodesReader(self._sources.connection, self._settings, self._clock, self._sources.state)

    async def _keep_history(self) -> None:
        # Until then the thread of the first snapshot has it.
        await self._is_shown.wait()
        await self._history.run()

    async def _follow_log(self) -> None:
        await self._load("console.monitor.log_follower")
        from console.monitor.log_follower import LogFollower  # noqa: PLC0415 - it was loaded aside

        self._log_follower = LogFollower(
            self._sources.log, self._host, self._settings.snapshot, self._clock, self._publisher
        )
        self._log_follower.on_rebuild = self._poller.wake
        if self._last_snapshot is not None:
            self._log_follower.learn(self._last_snapshot)
        await self._log_follower.run()

    async def _judge_quiescence(self) -> None:
        await self._load("console.monitor.quiescence_feed")
        from console.monitor.quiescence_feed import QuiescenceFeed  # noqa: PLC0415 - it was loaded aside

        self._quiescence_feed = QuiescenceFeed(self._host, self._settings, self._clock, self._publisher)
        self._listener.quiescence = self._quiescence_feed.tracker
        self._is_judged.set()
        if self._last_snapshot is not None:
            self._quiescence_feed.take(self._last_snapshot)
        await self._quiescence_feed.run()

    async def _load(self, module: str) -> None:
        """Import a module on a thread, once the first snapshot has been shown."""
        await self._is_shown.wait()
        await asyncio.to_thread(import_module, module)

    def _on_snapshot(self, swarm: SwarmState) -> None:
        self._last_snapshot = swarm
        if self._log_follower is not None:
            self._log_follower.learn(swarm)
        if self._quiescence_feed is not None:
            self._quiescence_feed.take(swarm)
        is_first = self._first_snapshot is not None and not self._first_snapshot.done()
        if is_first and self._first_snapshot is not None and not isinstance(swarm.engine, Unknown):
            self._first_snapshot.set_result(swarm)

    async def _listen(self) -> None:
        # The stream begins at a moment of the engine's own clock.
        if self._first_snapshot is None:
            raise AssertionError("nobody requested states")
        engine = (await self._first_snapshot).engine
        if self._judges_quiescence:
            await self._is_judged.wait()
        if not isinstance(engine, Unknown):
            await self._listener.run(engine.time)

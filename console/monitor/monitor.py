"""The monitor: snapshots, events and log, composed for as long as somebody looks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from console.clock import Clock, SystemClock
from console.diagnosis.quiescence.values import Rules
from console.diagnosis.quiescence.waiter import OwnHost, Stillness
from console.errors import Unknown
from console.host.survey import HostSurvey
from console.journal.reader import DaemonLog
from console.monitor.event_listener import Ear
from console.monitor.history import History
from console.monitor.log_follower import Following
from console.monitor.poller import Looking, Quieting
from console.monitor.snapshot import Surroundings
from console.monitor.values import Scene, Stage
from console.settings import Settings
from console.storage.history import HistoryStore
from console.swarm.connection import EngineConnection
from console.swarm.events import EventSource
from console.swarm.repeated import RepeatedReader
from console.swarm.values import SwarmState


@dataclass(frozen=True, slots=True)
class Sources:
    """What a watcher watches."""

    connection: EngineConnection
    """The engine; its creator closes it, after the last scene."""
    log: DaemonLog
    """Where dockerd's lines are read from."""
    state: Path | None
    """Where censuses and the history of use are kept; None where nothing that is kept is about this swarm (the demo)."""


class Watcher:
    """Watches a swarm and its host: `async with aclosing(watcher.scenes()) as scenes: async for scene in scenes: …`."""

    def __init__(self, sources: Sources, settings: Settings, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        reader = RepeatedReader(sources.connection)
        rules = Rules(settings.quiet, settings.thresholds, settings.quiet.dwell_s)
        survey = HostSurvey(settings.quiet, settings.look.call_timeout_s)
        stillness = Stillness(reader.host, clock, rules)
        self._stage = Stage(clock)
        store = None if sources.state is None else HistoryStore(sources.state)
        self._history = History(store, clock, self._stage)
        surroundings = Surroundings(reader.host, sources.state, settings.look, clock)
        self._looking = Looking(reader, settings, self._stage, surroundings, self._history)
        self._following = Following(sources.log, reader.host, settings.look, clock, self._stage)
        self._quieting = Quieting(OwnHost(reader.host, survey), survey, stillness, clock, self._stage)
        self._ear = Ear(EventSource(sources.connection, clock), clock, stillness, self._looking.hurry)
        self._first_look: asyncio.Future[SwarmState] | None = None
        self._looking.ear = self._ear
        self._looking.summary = self._following.summary
        self._looking.seen = self._seen
        self._following.rebuilt = self._looking.hurry

    async def scenes(self) -> AsyncGenerator[Scene, None]:
        """Yield the newest scene at once, and again whenever something in it changed, until closed.

        Scenes in between may be skipped: a slow reader gets the newest. Parts that did not change are the identical
        objects as before, so that a pane can compare by identity. Nothing that fails outside ends it or is raised: it
        stands in its feed, and is tried again. Closing it leaves no task and no thread of its own behind. Ask for it
        once; ages count from `Feed.at_s` by the monotonic clock.
        """
        self._first_look = asyncio.get_running_loop().create_future()
        feeds = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("looks", self._looking.run()),
                ("events", self._listen()),
                ("log", self._following.run()),
                ("host", self._quieting.run()),
                ("history", self._history.run()),
            )
        ]
        try:
            async with aclosing(self._stage.scenes(feeds)) as scenes:
                async for scene in scenes:
                    yield scene
        finally:
            for each in feeds:
                each.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)

    def hurry(self) -> None:
        """Take a snapshot now instead of at the end of the present pause."""
        self._looking.hurry(is_urgent=True)

    def attend(self, *network_ids: str) -> None:
        """Take frequent details of these networks, and no longer of those named before: they are on the screen."""
        self._looking.attended = frozenset(network_ids)
        self._looking.hurry()

    def _seen(self, swarm: SwarmState) -> None:
        self._following.learn(swarm)
        self._quieting.judge(swarm)
        is_first = self._first_look is not None and not self._first_look.done()
        if is_first and self._first_look is not None and not isinstance(swarm.engine, Unknown):
            self._first_look.set_result(swarm)

    async def _listen(self) -> None:
        # The stream begins at a moment of the engine's own clock.
        if self._first_look is None:
            raise AssertionError("nobody asked for scenes")
        engine = (await self._first_look).engine
        if not isinstance(engine, Unknown):
            await self._ear.run(engine.time)

"""The engine's stream of events, read by a thread of its own.

The stream begins at a moment of the engine's own clock, so that nothing is missed between that moment and the first
answer. When it breaks it is opened again from the moment of the last event, and the break is still reported as a gap: an engine that was restarted has forgotten what happened before (it keeps 256 events in memory).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TypeAlias

from console.clock import Clock
from console.errors import Unknown, VipconsoleError, unknown_from
from console.frozen import frozen
from console.swarm import parse_engine
from console.swarm.client import EngineConnection
from console.swarm.engine_client import EngineClient, EventStream
from console.swarm.failures import FAILURES, engine_error
from console.swarm.model import Event
from console.swarm.paths import events_path, moment_text
from console.swarm.replies import read_events

BEGINNING = datetime.fromtimestamp(1, UTC)
"""Before every event."""
RETRY_S = 0.5
"""Between two attempts to open a stream that broke."""
FILTERS = {
    "type": ["container", "network", "service", "node", "secret", "config"],
    "event": ["create", "update", "remove", "destroy", "connect", "disconnect", "start", "die"],
}
"""What is asked for: without it every health check of every container would be told too."""


@frozen
class Listening:
    """From here on every event arrives."""


@frozen
class EventGap:
    """From here on no event arrives, until `Listening` comes again."""

    why: Unknown


StreamItem: TypeAlias = Event | Listening | EventGap


class EventSource:
    """The events of the engine behind a connection."""

    def __init__(self, connection: EngineConnection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    @asynccontextmanager
    async def listening(self, since: datetime) -> AsyncIterator[AsyncIterator[StreamItem]]:
        """Give the events from a moment of the engine's clock on; leaving it closes the stream at once."""
        listener = _Listener(self._connection, self._clock, since)
        try:
            yield listener.items()
        finally:
            listener.close()

    async def stored(self, until: datetime) -> tuple[Event, ...]:
        """Return all that the engine remembers until a moment of its past, oldest first; raise VipconsoleError.

        It keeps its last 256 events, of every kind.
        """
        path = events_path(BEGINNING, until)
        return await self._connection.ask("tell its events", lambda client: read_events(client.get(path)))


class _Listener:
    def __init__(self, connection: EngineConnection, clock: Clock, since: datetime) -> None:
        self._connection = connection
        self._clock = clock
        self._since = since
        self._latest: set[tuple[datetime, str, str]] = set()
        self._stream: _Stream | None = None

    async def items(self) -> AsyncIterator[StreamItem]:
        while True:
            queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
            self._stream = _Stream(self._connection, self._since, asyncio.get_running_loop(), queue)
            self._stream.start()
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    break
                if item is None:
                    yield Listening()
                elif self._is_new(item):
                    yield item
            self._stream.close()
            yield EventGap(unknown_from(_as_vipconsole_error(item, self._connection.host)))
            await self._clock.sleep(RETRY_S)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _is_new(self, event: Event) -> bool:
        """Whether an event did not arrive before: a stream that is opened again repeats the last moment."""
        key = (event.at, event.id, event.action)
        if event.at > self._since:
            self._since = event.at
            self._latest = {key for key in self._latest if key[0] >= event.at}
        if key in self._latest:
            return False
        self._latest.add(key)
        return True


def _as_vipconsole_error(error: Exception, host: str) -> VipconsoleError:
    return error if isinstance(error, VipconsoleError) else engine_error(error, host, "stream its events")


class _Stream(threading.Thread):
    """One connection, read until it ends. Into the queue go None (it is open), events, and at last an exception."""

    def __init__(
        self,
        connection: EngineConnection,
        since: datetime,
        loop: asyncio.AbstractEventLoop,
        queue: "asyncio.Queue[Event | Exception | None]",
    ) -> None:
        super().__init__(name="events", daemon=True)
        self._connection = connection
        self._since = since
        self._loop = loop
        self._queue = queue
        self._guard = threading.Lock()
        self._open: EventStream | None = None
        self._is_closed = False

    def run(self) -> None:
        """Read until the engine or `close` ends it."""
        try:
            client = self._connection.streaming_client()
            try:
                for event in self._events(client):
                    self._put(event)
            finally:
                client.close()
        except (VipconsoleError, *FAILURES) as error:
            self._put(error)
        else:
            self._put(ConnectionResetError("the event stream ended"))

    def close(self) -> None:
        """End the stream from any thread; the thread that reads it ends with it."""
        with self._guard:
            self._is_closed = True
            if self._open is not None:
                self._open.close()
                self._open = None

    def _events(self, client: EngineClient) -> Iterator[Event | None]:
        stream = client.events(moment_text(self._since), FILTERS)
        with self._guard:
            if self._is_closed:
                return
            self._open = stream
        yield None
        for data in stream:
            yield parse_engine.event(data)

    def _put(self, item: Event | Exception | None) -> None:
        # The loop may have ended meanwhile; then nobody listens any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)

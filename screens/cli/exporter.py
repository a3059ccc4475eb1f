"""Serves the metrics of a recorder over HTTP, on threads of its own: `vipconsole record --listen ADDRESS`."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from socketserver import TCPServer
from typing import TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from console.alerts.values import AlertState
from console.clock import Clock
from console.errors import HostError, Unknown
from console.monitor.values import MonitorState
from console.settings import Thresholds
from console.storage.record import RecordStore
from console.text import clean
from screens.cli.service_arguments import Address
from screens.output.recording_metrics import Family, Recording, recording_families

Request: TypeAlias = socket.socket | tuple[bytes, socket.socket]
REQUESTS = 8
"""So many are answered at the same time; any other is turned away."""
REQUEST_S = 10.0
"""Time limit of each silence of a caller."""
COUNT_INTERVAL_S = 60.0
"""So often the events of the record are counted."""


class Exporter:
    """A server that is listening. `collect` is called on its threads, for each request."""

    def __init__(self, address: Address, collect: Callable[[], Iterable[Family]]) -> None:
        """Listen. Raises HostError where that is not possible."""
        registry = _Registry(collect)
        try:
            infos = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, _, _, _, (host, *_) = infos[0]
            kind: type[_Server] = type("Server", (_Server,), {"address_family": family})
            self._server: _Server = make_server(
                str(host), address.port, make_wsgi_app(registry), kind, handler_class=_Handler
            )
        except OSError as error:
            raise HostError(
                f"Cannot listen on {clean(str(address), 300)}: {error.strerror}.",
                "Name a free port of this host with --listen.",
            ) from error
        self.address = replace(address, port=self._server.server_port)
        """Where it listens: a port of 0 was any free one."""
        self._thread = threading.Thread(target=self._server.serve_forever, name="exporter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and return when it has."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Registry(Collector):
    def __init__(self, collect: Callable[[], Iterable[Family]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Family]:
        return (family for family in self._collect() if family.samples)


class _Handler(WSGIRequestHandler):
    """Answers one request, and writes no log."""

    timeout = REQUEST_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name where it comes from
        """Write nothing."""


class _Server(ThreadingWSGIServer):
    """Answers a bounded number of requests at the same time."""

    def __init__(self, server_address: tuple[str, int], handler_class: type[WSGIRequestHandler]) -> None:
        self._slots = threading.BoundedSemaphore(REQUESTS)
        super().__init__(server_address, handler_class)

    def server_bind(self) -> None:
        """Bind, without what the usual server does: it asks a name server who it is."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def process_request(self, request: Request, client_address: object) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Request, client_address: object) -> None:
        """Say nothing of callers that go away."""


class ExporterListener:
    """A `StateListener` that serves the newest state."""

    def __init__(
        self,
        address: Address,
        thresholds: Thresholds,
        store: RecordStore,
        clock: Clock,
        alerts: Callable[[], Mapping[str, AlertState]],
    ) -> None:
        """Listen from now on. Raises HostError where that is not possible."""
        self._thresholds = thresholds
        self._store = store
        self._clock = clock
        self._alerts = alerts
        self._counted_s = float("-inf")
        self._recording = Recording(clock.now(), clock.monotonic(), clock.now())
        self._exporter = Exporter(address, self._collect)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._exporter.address

    async def take(self, state: MonitorState) -> None:
        """Show a state from now on."""
        recording = replace(self._recording, state=state)
        feed = state.snapshot
        if feed.failure is not None or feed.value is None:
            recording = replace(recording, watching_since=None)
        elif recording.watching_since is None:
            recording = replace(recording, watching_since=self._clock.now())
        self._recording = recording
        await self._count(state)

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.to_thread(self._exporter.close)

    async def _count(self, state: MonitorState) -> None:
        now_s = self._clock.monotonic()
        if state.snapshot.value is None or now_s - self._counted_s < COUNT_INTERVAL_S:
            return
        engine = state.snapshot.value.snapshot.swarm.engine
        if isinstance(engine, Unknown):
            return
        self._counted_s = now_s
        count: int | None = None
        # The recorder itself tells that the record cannot be used.
        with suppress(HostError):
            count = await asyncio.to_thread(self._store.count, engine.cluster_id)
        self._recording = replace(self._recording, events=count)

    def _collect(self) -> Iterable[Family]:
        recording = replace(
            self._recording, now=self._clock.now(), now_s=self._clock.monotonic(), alerts=dict(self._alerts())
        )
        return recording_families(recording, self._thresholds)

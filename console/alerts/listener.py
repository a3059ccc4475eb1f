"""Listens to what the recorder sees, and tells those whom the settings name. The recorder never waits for them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from console.alerts.alert import Alert
from console.alerts.decision import decide, present_of
from console.alerts.deliverer import AlertDependencies, Deliverer
from console.alerts.values import AlertState
from console.concurrency import cancel_all
from console.diagnosis.values import Severity
from console.errors import HostError
from console.host.root import host_name
from console.monitor.values import MonitorState
from console.storage.alerts import read_alerts, write_alerts

TICK_S = 20.0
"""So often it is decided although nothing changed: hours and minutes pass by themselves."""
CLOSE_S = 5.0
"""So long an attempt that is under way may go on when the recorder ends."""


class AlertListener:
    """A `StateListener` that sends alerts. What it has told survives the recorder, in the state directory.

    A notification is written down before it is sent: one whose
    recorder is killed is sent by the next, twice at worst.
    """

    def __init__(self, alerts: Sequence[Alert], state: Path, dependencies: AlertDependencies) -> None:
        self._alerts = tuple(alerts)
        self._folder = state
        self._dependencies = dependencies
        self._clock = dependencies.clock
        self._listen = dependencies.listen
        self._host = host_name()
        self._deliverers: tuple[Deliverer, ...] = ()
        self._keeper: asyncio.Task[None] | None = None
        self._deliveries: tuple[asyncio.Task[None], ...] = ()
        self._others: tuple[asyncio.Task[None], ...] = ()
        self._is_closing = False
        self._newest: MonitorState | None = None
        self._is_changed = asyncio.Event()
        self._store_failure = ""

    @property
    def states(self) -> dict[str, AlertState]:
        """What is known of each alert now, by what it is called."""
        return {deliverer.alert.title: deliverer.state for deliverer in self._deliverers}

    @property
    def store_failure(self) -> str:
        """Why what was told cannot be written down; empty while it can."""
        return self._store_failure

    async def take(self, state: MonitorState) -> None:
        """Decide what is to be told of a state; it is sent by others."""
        if self._keeper is None:
            await self._begin()
        self._newest = state
        self._decide(state)

    async def close(self) -> None:
        """Let an attempt that is under way end, and write down what waits."""
        if self._keeper is None:
            return
        for deliverer in self._deliverers:
            deliverer.close()
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=CLOSE_S)
        await cancel_all(*self._deliveries, *self._others)
        # It is not cancelled: a thread that writes goes on, and two would write the same file.
        self._is_closing = True
        self._is_changed.set()
        await self._keeper
        for delivery in self._deliveries:
            # What ended it by a bug is raised, as it would be in the recorder itself.
            if not delivery.cancelled():
                delivery.result()

    async def _begin(self) -> None:
        kept: dict[str, AlertState] = {}
        try:
            kept = await asyncio.to_thread(read_alerts, self._folder)
        except HostError as error:
            self._listen(f"{error.sentence} {error.hint}".rstrip())
        # What is not in the settings any more is forgotten with the first writing.
        self._deliverers = tuple(
            Deliverer(alert, kept.get(alert.title, AlertState()), self._dependencies, self._is_changed.set)
            for alert in self._alerts
        )
        self._keeper = asyncio.create_task(self._keep(), name="alerts kept")
        self._others = (asyncio.create_task(self._tick(), name="alerts decided"),)
        self._deliveries = tuple(
            asyncio.create_task(deliverer.run(), name="alerts sent") for deliverer in self._deliverers
        )
        self._is_changed.set()

    def _decide(self, state: MonitorState) -> None:
        present = present_of(state, self._clock.now(), self._host)
        for deliverer in self._deliverers:
            alert = deliverer.alert
            memories, notifications = decide(
                deliverer.state.memories,
                # That this very alert does not get through is for the others to tell.
                present.without(("alert-failing", alert.title)),
                Severity(alert.at),
            )
            if memories != deliverer.state.memories or notifications:
                deliverer.state = replace(deliverer.state, memories=memories)
                deliverer.add(notifications)
                self._is_changed.set()

    async def _keep(self) -> None:
        """Write down what changed, and only then let it be sent; end after what was known when this was closed."""
        while not self._is_closing:
            await self._is_changed.wait()
            self._is_changed.clear()
            written = self.states
            await self._write()
            for deliverer in self._deliverers:
                deliverer.wake(written[deliverer.alert.title])
        await self._write()

    async def _write(self) -> None:
        """Write down what is known now; a failure is told, once."""
        try:
            await asyncio.to_thread(write_alerts, self._folder, self.states)
        except HostError as error:
            # Somebody is told all the same; after a restart perhaps twice.
            if error.sentence != self._store_failure:
                self._listen(f"{error.sentence} {error.hint}".rstrip())
            self._store_failure = error.sentence
        else:
            self._store_failure = ""

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_S)
            if self._newest is not None:
                self._decide(self._newest)
            if self._store_failure:
                self._is_changed.set()

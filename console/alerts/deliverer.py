"""Delivers the notifications of one alert, one after the other, for as long as it takes up to a day."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from random import random

from console.alerts.alert import Alert
from console.alerts.sending import send as send_once
from console.alerts.values import AlertState, Delivery, Notification
from console.clock import Clock
from console.concurrency import sleep_unless
from console.frozen import frozen
from console.text import plural

MAX_PENDING = 100
"""More than so many make the oldest ones lost."""
GIVE_UP = timedelta(days=1)
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0
LONGEST_WISH_S = 3600.0
"""So long at most it leaves a server alone that asks for it."""

Send = Callable[[Alert, Notification], Awaitable[Delivery]]


@frozen
class AlertDependencies:
    """What sending alerts needs."""

    clock: Clock
    listen: Callable[[str], None]
    """Is given a sentence when sending begins to fail, when it works again, and when something is lost."""
    send: Send = send_once
    random: Callable[[], float] = random
    """A number from 0 to 1, each time another one: recorders of many hosts must not try all at once."""


def pause_s(failures: int, chance: float, wish_s: float | None = None) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, and somewhere in its upper half."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return max(longest_s * (0.5 + chance / 2), min(wish_s or 0.0, LONGEST_WISH_S))


class Deliverer:
    """Holds what is known of one alert, and sends what waits. `changed` is called when something must be kept."""

    def __init__(
        self,
        alert: Alert,
        state: AlertState,
        dependencies: AlertDependencies,
        changed: Callable[[], None],
    ) -> None:
        self.alert = alert
        self.state = state
        self._clock = dependencies.clock
        self._random = dependencies.random
        self._send = dependencies.send
        self._listen = dependencies.listen
        self._changed = changed
        self._written: tuple[Notification, ...] = ()
        self._has_work = asyncio.Event()
        self._is_closing = asyncio.Event()
        self._failures = 0
        """In a row."""

    def add(self, notifications: tuple[Notification, ...]) -> None:
        """Take notifications into the queue. They are not sent before `wake`: first they are written down."""
        pending = (*self.state.pending, *notifications)
        lost = max(0, len(pending) - MAX_PENDING)
        self.state = replace(self.state, pending=pending[lost:])
        self._lose(lost, f"more than {MAX_PENDING} wait")

    def wake(self, written: AlertState) -> None:
        """Send what waits, as far as it is written down, and only once it is written down what was delivered before.

        So a recorder that is killed leaves at most one notification that is delivered twice.
        """
        if written.delivered == self.state.delivered:
            self._written = written.pending
            self._has_work.set()

    def close(self) -> None:
        """Let `run` end: after the attempt that is under way, if there is one."""
        self._is_closing.set()
        self._has_work.set()

    async def run(self) -> None:
        """Send until closed."""
        while not self._is_closing.is_set():
            pending = self.state.pending
            if pending and pending[0] in self._written:
                await self._attempt(pending[0])
            else:
                self._has_work.clear()
                await self._has_work.wait()

    async def _attempt(self, notification: Notification) -> None:
        delivery = await self._send(self.alert, notification)
        now = self._clock.now()
        if delivery.is_delivered:
            if self.state.failing_since is not None:
                self._listen(f"The alert {self.alert.title} gets through again ({delivery.summary}).")
            self._failures = 0
            self._written = ()
            self._drop(notification)
            self.state = replace(
                self.state,
                failing_since=None,
                reason="",
                delivered=self.state.delivered + 1,
                delivered_at=now,
            )
            self._changed()
            return
        self._failures += 1
        if self.state.failing_since is None:
            self._listen(
                f"The alert {self.alert.title} does not get through: {delivery.summary}. It is tried again."
            )
        self.state = replace(
            self.state,
            failing_since=self.state.failing_since or now,
            reason=delivery.summary,
            failures=self.state.failures + 1,
        )
        # It waits since it was decided, whatever was in front of it.
        old = [waiting for waiting in self.state.pending if now - waiting.at >= GIVE_UP]
        for waiting in old:
            self._drop(waiting)
        self._lose(len(old), "they waited for a day")
        self._changed()
        if self.state.pending:
            wait_s = pause_s(self._failures, self._random(), delivery.retry_after_s)
            await sleep_unless(self._is_closing, self._clock, wait_s)

    def _drop(self, notification: Notification) -> None:
        # While it was sent, too many others may have pushed it out.
        with suppress(ValueError):
            pending = list(self.state.pending)
            pending.remove(notification)
            self.state = replace(self.state, pending=tuple(pending))

    def _lose(self, count: int, reason: str) -> None:
        if count:
            self.state = replace(self.state, lost=self.state.lost + count, lost_at=self._clock.now())
            self._listen(f"The alert {self.alert.title} gives up {plural(count, 'notification')}: {reason}.")

"""Polls the swarm, keeps the leak tracker, and judges quiescence at every snapshot."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from console.addresses.leak_tracker import Books, seeded, step, without
from console.addresses.leaks import allocator_of
from console.clock import Clock
from console.concurrency import sleep_unless
from console.diagnosis.findings.unfinished import find_unfinished
from console.diagnosis.quiescence.waiter import HostEye, OwnHost, Stillness
from console.diagnosis.values import Finding, UnfinishedRun
from console.errors import Part, Unknown
from console.host.activity import HostActivity
from console.host.survey import unlooked
from console.journal.summary import Summary
from console.monitor.assessor import Assessor, Sight
from console.monitor.event_listener import Ear
from console.monitor.history import History
from console.monitor.log_follower import NOT_READ
from console.monitor.schedule import Rota, hurried_s, pause_s, retry_s
from console.monitor.snapshot import Surroundings
from console.monitor.values import Stage
from console.settings import Settings
from console.swarm.repeated import RepeatedReader
from console.swarm.values import Engine, SwarmState

HOST_S = 10.0
"""Seconds between two snapshots of this host: its processes are many, and systemd answers slowly."""
NOT_YET = Unknown("This host has not been checked yet.")


class Quieting:
    """The feed of quiet."""

    def __init__(self, own: OwnHost, eye: HostEye, stillness: Stillness, clock: Clock, stage: Stage) -> None:
        self._own = own
        self._stillness = stillness
        self._clock = clock
        self._stage = stage
        self._activity: HostActivity = unlooked(NOT_YET, eye.own())
        self._swarm: SwarmState | None = None
        self._is_seen = asyncio.Event()

    def judge(self, swarm: SwarmState) -> None:
        """Publish the verdict of a swarm snapshot, with the last snapshot of this host."""
        self._swarm = swarm
        self._is_seen.set()
        judgement = self._stillness.judge(swarm, self._activity)
        since_s = self._stillness.quiet_since(judgement, self._stage.scene.poll_s)
        before = self._stage.scene.quiet.value
        report = judgement.report
        if before is not None and replace(before, taken_at=report.taken_at) == report:
            report = before
        self._stage.show(quiet=self._stage.came(report), quiet_since_s=since_s)

    async def run(self) -> None:
        """Look at this host until cancelled."""
        await self._is_seen.wait()
        while True:
            if self._swarm is not None:
                self._activity = await self._own.activity(self._swarm)
            await self._clock.sleep(HOST_S)


REMOVAL_S = 5.0
"""For this long after a removal event snapshots are frequent, whether or not anything is seen ending."""


class Looking:
    """The feed of snapshots. `summary` gives what dockerd logged so far; `seen` is called with every snapshot."""

    def __init__(
        self,
        reader: RepeatedReader,
        settings: Settings,
        stage: Stage,
        surroundings: Surroundings,
        history: History,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._stage = stage
        self._clock = stage.clock
        self._surroundings = surroundings
        self._history = history
        self._rota = Rota(settings.look.settle_s)
        self._assessor = Assessor(reader.host, settings.thresholds, stage.clock)
        self._books = Books()
        self._woken = asyncio.Event()
        self._is_urgent = False
        self._failures = 0
        self._began_s = 0.0
        self.attended: frozenset[str] = frozenset()
        """Networks (IDs) that somebody looks at closely."""
        self.ear: Ear | None = None
        self.summary: Callable[[], Part[Summary]] = lambda: NOT_READ
        self.seen: Callable[[SwarmState], None] = lambda _: None

    def hurry(self, is_urgent: bool = False) -> None:  # noqa: FBT001, FBT002 - a callback of the event listener
        """Take a snapshot soon instead of at the end of the present pause; an urgent one is taken at once."""
        self._is_urgent = self._is_urgent or is_urgent
        self._woken.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._woken.clear()
            self._is_urgent = False
            self._began_s = began_s = self._clock.monotonic()
            removed = self.ear.removed() if self.ear is not None else frozenset[str]()
            swarm = await self._reader.next_state(self._settings.look.deadline_s, self._choose)
            ended_s = self._clock.monotonic()
            took_s = ended_s - began_s
            self._rota.note(swarm, ended_s)
            rebuilt_at = _rebuilt_at(self.summary())
            if self._books.seen_at is None and not isinstance(swarm.engine, Unknown):
                kept = await self._history.begin(swarm.engine, allocator_of(swarm))
                self._books = seeded(self._books, kept)
            self._books = step(self._books, swarm, ended_s, rebuilt_at, removed)
            swarm = self._books.without_leftovers(swarm)
            runs = await self._surroundings.runs()
            self._stage.show(unfinished=self._unfinished(runs))
            if isinstance(swarm.engine, Unknown):
                self._failures += 1
                wait_s = retry_s(self._failures, took_s)
                look = self._stage.failed(self._stage.scene.look, swarm.engine)
                self._stage.show(look=look, ledger=self._books.ledger)
            else:
                self._failures = 0
                wait_s = pause_s(self._settings.look.poll_s, took_s, is_close=self._is_close())
                await self._show(swarm, swarm.engine, runs, took_s, wait_s)
            self.seen(swarm)
            await self._pause(ended_s, wait_s, took_s)

    def _choose(self, swarm: SwarmState) -> set[str]:
        return self._rota.choose(swarm, self.attended | {self._settings.network}, self._began_s)

    def _is_close(self) -> bool:
        is_told = self.ear is not None and self.ear.since_removal_s() < REMOVAL_S
        return is_told or self._books.is_ending()

    def _unfinished(self, runs: Part[tuple[UnfinishedRun, ...]]) -> tuple[Finding, ...]:
        """Return the findings about runs; the very same where they are as they were."""
        before, now = self._stage.scene.unfinished, tuple(find_unfinished(runs, self._clock.now()))
        return before if before == now else now

    async def _show(
        self,
        swarm: SwarmState,
        engine: Engine,
        runs: Part[tuple[UnfinishedRun, ...]],
        took_s: float,
        pause_s: float,
    ) -> None:
        sight = Sight(
            swarm,
            self._rota.settled(),
            took_s,
            await self._surroundings.routes(engine),
            self.summary(),
            await self._surroundings.censuses(),
            self._books.ledger,
            self._books.allocator,
            runs,
        )
        look = await self._assessor.look(sight)
        trends = self._history.take(
            look.assessment.accounts,
            engine,
            self._books.allocator,
            self._books.ledger,
            _rebuilt_at(sight.journal),
        )
        for network_id, addresses in self._assessor.disproved():
            self._books = without(self._books, network_id, addresses)
        self._stage.show(
            look=self._stage.came(look), ledger=self._books.ledger, trends=trends, poll_s=pause_s
        )

    async def _pause(self, ended_s: float, pause_s: float, took_s: float) -> None:
        due_s = ended_s + pause_s
        while True:
            if self._woken.is_set():
                self._woken.clear()
                due_s = min(due_s, ended_s + hurried_s(took_s, is_urgent=self._is_urgent))
            left_s = due_s - self._clock.monotonic()
            if left_s <= 0:
                return
            await sleep_unless(self._woken, self._clock, left_s)


def _rebuilt_at(journal: Part[Summary]) -> datetime | None:
    return None if isinstance(journal, Unknown) else journal.rebuilt_at

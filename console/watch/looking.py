"""Looks at the swarm again and again, and keeps the ledger while it does."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from console.addresses.bookkeeping import Books, seeded, step, without
from console.addresses.evidence import allocator_of
from console.health.unfinished import find_unfinished
from console.health.values import Finding, UnfinishedRun
from console.journal.summary import Summary
from console.parts import Part, Unknown
from console.pausing import sleep_unless
from console.settings import Settings
from console.swarm.repeated import RepeatedReader
from console.swarm.values import Engine, SwarmState
from console.watch import pace
from console.watch.assessor import Assessor, Sight
from console.watch.ear import Ear
from console.watch.following import NOT_READ
from console.watch.history import History
from console.watch.rota import Rota
from console.watch.stage import Stage
from console.watch.surroundings import Surroundings

REMOVAL_S = 5.0
"""For so long after a removal was told it is looked closely, whether anything is seen ending or not."""


class Looking:
    """The feed of looks. `summary` gives what dockerd logged so far; `seen` is told of every look."""

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

    def hurry(self, is_urgent: bool = False) -> None:  # noqa: FBT001, FBT002 - called back by whoever hears something
        """Look soon instead of at the end of the present pause; an urgent look comes at once."""
        self._is_urgent = self._is_urgent or is_urgent
        self._woken.set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self._woken.clear()
            self._is_urgent = False
            self._began_s = began_s = self._clock.monotonic()
            removed = self.ear.removed() if self.ear is not None else frozenset[str]()
            swarm = await self._reader.look_again(self._settings.look.deadline_s, self._choose)
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
                pause_s = pace.retry_s(self._failures, took_s)
                look = self._stage.failed(self._stage.scene.look, swarm.engine)
                self._stage.show(look=look, ledger=self._books.ledger)
            else:
                self._failures = 0
                pause_s = pace.pause_s(self._settings.look.poll_s, took_s, is_close=self._is_close())
                await self._show(swarm, swarm.engine, runs, took_s, pause_s)
            self.seen(swarm)
            await self._pause(ended_s, pause_s, took_s)

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
                due_s = min(due_s, ended_s + pace.hurried_s(took_s, is_urgent=self._is_urgent))
            left_s = due_s - self._clock.monotonic()
            if left_s <= 0:
                return
            await sleep_unless(self._woken, self._clock, left_s)


def _rebuilt_at(journal: Part[Summary]) -> datetime | None:
    return None if isinstance(journal, Unknown) else journal.rebuilt_at

"""What of the history is written to the store, and when: each network on its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from console.addresses.accounting import EarlierLeaks, account
from console.addresses.forecast import Point
from console.addresses.leaks import LeakLog, allocator_of
from console.errors import HostError
from console.monitor.history import WRITE_INTERVAL_S, History
from console.monitor.values import StatePublisher
from console.storage.history import HistoryStore, SeriesKey
from tests.support.monitors import HandClock
from tests.support.swarms import NOW, engine, network, service, swarm

PREFIXES = {"proxy": "10.0.1", "monitoring": "10.0.2"}
BRIDGE = network("bridge", "172.17.0.0/16", driver="bridge", scope="local")


class RecordingStore(HistoryStore):
    """Records each write; a write can be held up, or fail."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.writes: list[dict[str, int]] = []
        self.began, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()
        self.is_broken = False
        self.thins_that_fail = 0
        self.thinned: list[bool] = []

    def thin(self, now: datetime, allocator_of: Mapping[str, str]) -> None:
        self.thinned.append(self.thins_that_fail == 0)
        if self.thins_that_fail:
            self.thins_that_fail -= 1
            raise HostError("The disk is full.")
        super().thin(now, allocator_of)

    def add_points(self, cluster_id: str, points: Iterable[tuple[SeriesKey, Point]]) -> None:
        written = list(points)
        self.began.set()
        assert self.may_end.wait(60)
        if self.is_broken:
            raise HostError("The disk is full.")
        super().add_points(cluster_id, written)
        self.writes.append({network_id.removeprefix("id-"): point.used for (network_id, _), point in written})


class WatchedClock(HandClock):
    """Tells when somebody sleeps by it."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.is_asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.is_asleep.set()
        await super().sleep(seconds)


class Session:
    """A history at work; the test gives its time and its snapshots."""

    def __init__(self, store: RecordingStore) -> None:
        self.store, self.clock = store, WatchedClock()
        self.history = History(store, self.clock, StatePublisher(self.clock))

    def take(self, **services: int) -> None:
        """Take in a snapshot in which so many services hold a virtual IP on each of these networks."""
        held = [
            service(f"{name}_{number}", (f"id-{name}", f"{PREFIXES[name]}.{10 + number}"))
            for name, count in services.items()
            for number in range(count)
        ]
        networks = [network(name, f"{PREFIXES[name]}.0/24") for name in services]
        state = swarm([*networks, BRIDGE], held)
        accounts = [each for each in account(state, state, EarlierLeaks()) if each.network.name in services]
        asked = replace(engine(), time=self.clock.now())
        self.history.take(tuple(accounts), asked, allocator_of(state), LeakLog(), None)

    async def pass_minute(self, *, is_held_up: bool = False) -> None:
        """Let the time until the next write pass, and the write end, unless it is held up."""
        await self.clock.is_asleep.wait()
        self.clock.is_asleep.clear()
        self.store.began.clear()
        self.clock.advance(WRITE_INTERVAL_S)
        if is_held_up:
            assert await asyncio.to_thread(self.store.began.wait, 60)
        else:
            await self.clock.is_asleep.wait()


@asynccontextmanager
async def session(state: Path) -> AsyncIterator[Session]:
    begun = Session(RecordingStore(state))
    writing = asyncio.create_task(begun.history.run())
    try:
        yield begun
    finally:
        begun.store.may_end.set()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def test_a_network_that_stands_still_is_written_as_often_as_others_change(tmp_path: Path) -> None:
    async with session(tmp_path) as at:
        for minute in range(32):
            at.take(proxy=2, monitoring=1 + minute)
            await at.pass_minute()
        proxy = [number for number, each in enumerate(at.store.writes) if "proxy" in each]
        assert [each["monitoring"] for each in at.store.writes] == list(range(1, 33))
    # At first, and after ten minutes each, though another network was written every minute.
    assert proxy == [0, 10, 20, 30]


async def test_what_changes_while_it_is_written_is_written_next(tmp_path: Path) -> None:
    async with session(tmp_path) as at:
        at.take(proxy=1, monitoring=1)
        at.store.may_end.clear()
        await at.pass_minute(is_held_up=True)
        at.take(proxy=5, monitoring=1)
        at.store.may_end.set()
        await at.pass_minute()
        await at.pass_minute()
        assert at.store.writes == [{"proxy": 1, "monitoring": 1}, {"proxy": 5}]


async def test_what_could_not_be_written_is_written_when_that_works_again(tmp_path: Path) -> None:
    async with session(tmp_path) as at:
        at.take(proxy=1, monitoring=1)
        at.store.is_broken = True
        await at.pass_minute()
        at.take(proxy=2, monitoring=1)
        at.store.is_broken = False
        await at.pass_minute()
        assert at.store.writes == [{"proxy": 2, "monitoring": 1}]


async def test_the_last_change_of_a_session_is_written_at_its_end(tmp_path: Path) -> None:
    async with session(tmp_path) as at:
        at.take(proxy=1)
        await at.pass_minute()
        at.clock.advance(20)
        at.take(proxy=4)
    assert at.store.writes == [{"proxy": 1}, {"proxy": 4}]


async def test_a_store_that_could_not_be_thinned_is_thinned_at_the_next_write(tmp_path: Path) -> None:
    async with session(tmp_path) as at:
        at.store.thins_that_fail = 1
        at.take(proxy=1)
        for _ in range(3):
            await at.pass_minute()
        assert at.store.thinned == [False, True]

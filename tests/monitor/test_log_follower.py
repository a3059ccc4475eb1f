"""dockerd's log while it is followed: floods, failures, whose log it is, and names."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from console.errors import HostError, Unknown
from console.journal.matching import LogEvent, UnexplainedError
from console.journal.reader import DaemonLog
from console.journal.values import Batch, JournalEntry, JournalGap, Window
from console.monitor.log_follower import LogFollower
from console.monitor.values import MAX_LINES, Log, StatePublisher
from console.settings import SnapshotSettings
from console.swarm.model import SwarmState
from tests.journal.lines import VIP_LINE
from tests.support.monitors import HandClock
from tests.support.swarms import NOW, service, swarm

ELSEWHERE = "tcp://elsewhere:2375"
HERE = "unix:///nonexistent.sock"
SILENT = Unknown("no answer")
BLIND = SwarmState(SILENT, SILENT, SILENT, SILENT, SILENT)
SEEN = swarm(services=[replace(service("ghost_app"), id="s" * 25)])
STARTING = 'time="2026-06-12T02:00:00.000000000Z" level=info msg="Starting up"'
HOSTILE = 'time="x" level=info msg="\x1b]0;owned\x07 [/bold] \u202egnp"'


def entry(number: int, message: str = "", at: datetime = NOW) -> JournalEntry:
    text = message or f'time="2026-06-12T02:00:00.000000000Z" level=info msg="line {number}"'
    return JournalEntry(f"c{number}", at, "b", "stdout", "docker.service", "dockerd", 1, text)


@dataclass
class Journal:
    """A journal that a test writes."""

    first: Batch | HostError = field(default_factory=Batch)
    windows: list[Window] = field(default_factory=list)
    begun: list[tuple[str | None, datetime | None]] = field(default_factory=list)
    queue: "asyncio.Queue[Batch | HostError]" = field(default_factory=asyncio.Queue)

    async def read(self, window: Window) -> Batch:
        self.windows.append(window)
        if isinstance(self.first, HostError):
            raise self.first
        return self.first

    async def follow(
        self, after: str | None = None, since: datetime | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.begun.append((after, since))
        while True:
            said = await self.queue.get()
            if isinstance(said, HostError):
                raise said
            yield said

    def write(self, *entries: JournalEntry) -> None:
        self.queue.put_nowait(Batch(entries))


@dataclass
class Rig:
    journal: Journal
    clock: HandClock
    stage: StatePublisher
    log_follower: LogFollower
    rebuilt: int = 0

    async def settle(self) -> None:
        # Whose host it is, is found out in a thread.
        for _ in range(30):
            await asyncio.sleep(0.001)

    async def let(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.clock.advance(0.1)
            for _ in range(10):
                await asyncio.sleep(0)
        await self.settle()

    async def until(self, holds: Callable[[], object]) -> None:
        for _ in range(2000):
            if holds():
                return
            self.clock.advance(0.1)
            await asyncio.sleep(0.001)
        raise AssertionError(f"never; the feed is {self.stage.monitor_state.log}")

    @property
    def log(self) -> Log:
        value = self.stage.monitor_state.log.value
        assert value is not None
        return value


@asynccontextmanager
async def following(
    journal: Journal, host: str = HERE, *, is_proven: bool = True, swarm: SwarmState = SEEN
) -> AsyncIterator[Rig]:
    clock = HandClock(NOW)
    stage = StatePublisher(clock)
    log = DaemonLog(journal, is_proven=is_proven)
    rig = Rig(journal, clock, stage, LogFollower(log, host, SnapshotSettings(), clock, stage))

    def rebuilt() -> None:
        rig.rebuilt += 1

    rig.log_follower.on_rebuild = rebuilt
    rig.log_follower.learn(swarm)
    task = asyncio.create_task(rig.log_follower.run())
    try:
        await rig.settle()
        yield rig
        assert not task.done() or task.result() is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_last_hour_is_read_and_then_followed_from_there() -> None:
    journal = Journal(Batch((entry(1), entry(2))))
    async with following(journal) as rig:
        assert [each.since for each in journal.windows] == [NOW - timedelta(seconds=3600)]
        assert journal.begun == [("c2", None)]
        assert [(each.number, each.level, each.meaning) for each in rig.log.lines] == [
            (1, "info", None),
            (2, "info", None),
        ]
        journal.write(entry(3, VIP_LINE))
        await rig.let(0.3)
        assert [each.number for each in rig.log.lines] == [1, 2, 3]
        last = rig.log.lines[-1]
        assert isinstance(last.meaning, LogEvent)
        assert (last.text, last.at, last.level) == (VIP_LINE, NOW, "error")
        assert [each.signature.id for each in rig.log.summary.findings] == ["vip-create"]
        assert rig.log.summary.window_s == 3600


async def test_without_a_line_it_is_followed_from_when_it_was_read() -> None:
    journal = Journal()
    async with following(journal):
        assert journal.begun == [(None, NOW)]


async def test_names_come_from_snapshots_also_of_services_that_are_gone() -> None:
    line = VIP_LINE.replace(VIP_LINE.split("service ")[1][:25], "s" * 25)
    journal = Journal(Batch((entry(1, line),)))
    async with following(journal) as rig:
        assert rig.log.summary.findings[0].objects["service"] == ("ghost_app",)
        rig.log_follower.learn(swarm())
        journal.write(entry(2, line))
        await rig.let(0.3)
        assert rig.log.summary.findings[0].objects["service"] == ("ghost_app",)


async def test_a_flood_is_shown_in_batches_and_bounded_and_what_is_let_go_is_counted() -> None:
    journal = Journal()
    async with following(journal) as rig:
        await rig.let(1)
        before, number = rig.stage.monitor_state.number, 0
        for _ in range(20):
            for _ in range(2):
                journal.write(*(entry(number + one) for one in range(500)))
                number += 500
            await rig.let(0.1)
        await rig.let(0.5)
        assert rig.stage.monitor_state.number - before <= 13
        assert len(rig.log.lines) == MAX_LINES
        assert rig.log.dropped == number - MAX_LINES
        assert rig.log.lines[-1].number == number
        assert rig.log.summary.entries == number


async def test_text_is_clean_and_bounded() -> None:
    journal = Journal(Batch((entry(1, HOSTILE), entry(2, "x" * 60_000))))
    async with following(journal) as rig:
        assert all(each.text.isprintable() for each in rig.log.lines)
        assert "\\x1b]0;owned\\x07 [/bold]" in rig.log.lines[0].text
        assert len(rig.log.lines[1].text) == 2000


async def test_nothing_new_is_the_very_same_log() -> None:
    journal = Journal(Batch((entry(1),)))
    async with following(journal) as rig:
        before, at_s = rig.log, rig.stage.monitor_state.log.at_s
        await rig.let(40)
        assert rig.log is before
        assert rig.stage.monitor_state.log.at_s > at_s


async def test_what_is_older_than_the_hour_is_no_finding_any_more() -> None:
    journal = Journal(Batch((entry(1, VIP_LINE),)))
    async with following(journal) as rig:
        assert rig.log.summary.findings
        rig.clock.advance(3700)
        await rig.let(31)
        assert rig.log.summary.findings == ()
        assert len(rig.log.lines) == 1


async def test_a_journal_that_breaks_off_is_followed_on_from_the_place() -> None:
    journal = Journal(Batch((entry(1),)))
    async with following(journal) as rig:
        journal.queue.put_nowait(HostError("journalctl ended."))
        await rig.settle()
        feed = rig.stage.monitor_state.log
        assert feed.failure == Unknown("journalctl ended.")
        assert feed.value is not None
        assert isinstance(rig.stage.summary(), Unknown)
        await rig.until(lambda: len(journal.begun) == 2)
        journal.write(entry(2))
        await rig.let(0.3)
        assert (rig.stage.monitor_state.log.failure, [each.number for each in rig.log.lines]) == (
            None,
            [1, 2],
        )
        assert journal.begun[1] == ("c1", None)


async def test_tries_are_further_and_further_apart() -> None:
    journal = Journal(HostError("not for this user", "be root"))
    async with following(journal) as rig:
        assert rig.stage.monitor_state.log.failure == Unknown("not for this user", "be root")
        await rig.let(60)
        assert 5 <= len(journal.windows) <= 7
        journal.first = Batch((entry(1),))
        await rig.until(lambda: rig.stage.monitor_state.log.failure is None)


async def test_a_gap_is_told() -> None:
    journal = Journal()
    async with following(journal) as rig:
        journal.queue.put_nowait(Batch((entry(1),), (JournalGap("Older entries were removed."),)))
        await rig.let(0.3)
        assert not rig.log.summary.is_complete


async def test_the_log_of_another_host_is_not_read() -> None:
    journal = Journal(Batch((entry(1),)))
    async with following(journal, ELSEWHERE, is_proven=False) as rig:
        assert rig.stage.monitor_state.log.value is None
        assert rig.stage.monitor_state.log.failure == Unknown(
            f"The engine at {ELSEWHERE} is not on this host."
        )
        assert journal.windows == []


async def test_the_log_behind_a_silent_socket_is_read_until_it_turns_out_to_be_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Journal(Batch((entry(1),)))
    monkeypatch.setattr("console.journal.reader.why_engine_is_foreign", lambda *_: Unknown("another's"))
    async with following(journal, is_proven=False, swarm=BLIND) as rig:
        assert len(rig.log.lines) == 1
        rig.log_follower.learn(SEEN)
        await rig.settle()
        assert rig.stage.monitor_state.log.value is None
        assert rig.stage.monitor_state.log.failure == Unknown("another's")


async def test_the_log_behind_a_silent_socket_goes_on_when_it_is_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = Journal(Batch((entry(1),)))
    monkeypatch.setattr("console.journal.reader.why_engine_is_foreign", lambda *_: None)
    async with following(journal, is_proven=False, swarm=BLIND) as rig:
        rig.log_follower.learn(SEEN)
        await rig.settle()
        journal.write(entry(2))
        await rig.let(0.3)
        assert len(rig.log.lines) == 2
        assert len(journal.begun) == 1


async def test_a_line_that_says_that_dockerd_started_calls_for_a_snapshot() -> None:
    journal = Journal()
    async with following(journal) as rig:
        journal.write(entry(1), entry(2, STARTING))
        await rig.let(0.3)
        assert rig.rebuilt == 1
        assert isinstance(rig.log.lines[1].meaning, LogEvent)


async def test_errors_without_a_signature_are_told_apart() -> None:
    odd = 'time="2026-06-12T02:00:00.000000000Z" level=error msg="odd"'
    async with following(Journal(Batch((entry(1, odd),)))) as rig:
        assert isinstance(rig.log.lines[0].meaning, UnexplainedError)


async def test_a_bug_in_showing_the_log_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    stage = StatePublisher(HandClock(NOW))
    log = DaemonLog(Journal(), is_proven=True)
    following = LogFollower(log, HERE, SnapshotSettings(), stage.clock, stage)
    monkeypatch.setattr(stage, "show", broken)
    following.learn(SEEN)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(following.run(), 60)

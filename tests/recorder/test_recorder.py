"""The recorder at work: what it keeps when nothing goes as it should, and what consoles do meanwhile."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from console.clock import SystemClock
from console.errors import HostError
from console.monitor.values import MonitorState
from console.recorder.values import EventKind, RecordedEvent
from console.simulator.stacks import DeployedStack, Part, deploy, remove_at_once
from console.storage.history import HistoryStore
from console.storage.record import RecordStore
from console.storage.recorder_lock import recorder_of, recording
from tests.recorder.stage import Stage, stage
from tests.recorder.test_decline import a_swarm, leaked
from tests.support.engines import simulation
from tests.support.monitors import simulated_monitor

GHOST = (Part("app", ("proxy",), replicas=2),)


class FullDisk(RecordStore):
    """A store that cannot be written to while the disk is full."""

    is_full = False

    def keep(
        self,
        cluster_id: str,
        events: Iterable[RecordedEvent],
        counts: Mapping[datetime, Mapping[str, int]],
        baseline: str,
    ) -> None:
        if FullDisk.is_full:
            raise HostError("The disk is full.")
        super().keep(cluster_id, events, counts, baseline)


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.closed = 0

    async def take(self, state: MonitorState) -> None:
        self.numbers.append(state.number)
        if len(self.numbers) == 1:
            raise HostError("The listener has a bad day.")

    async def close(self) -> None:
        self.closed += 1


async def ghost(shown: Stage) -> DeployedStack:
    stack = shown.do(partial(deploy, stack="ghost", parts=GHOST))
    await shown.let(12)
    return stack


async def removed(shown: Stage, stack: DeployedStack) -> list[str]:
    """Remove a stack at once, and return what it leaked."""
    await shown.heard(partial(remove_at_once, stack=stack))
    await shown.let(16)
    return shown.do(lambda engine: engine.addresses_of("proxy", "leaked"))


def kinds(events: Iterable[RecordedEvent]) -> list[str]:
    return [event.kind.value for event in events if event.kind is not EventKind.FINDING]


def has_history(state: Path, cluster_id: str) -> bool:
    return bool(HistoryStore(state).points(cluster_id))


async def test_a_day_of_a_stack_is_in_the_record(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        lost = await removed(shown, await ghost(shown))
        events = shown.events()
        assert kinds(events) == ["deploy", "removal", "removal", "leak", "leak"]
        assert sorted(leaked(events)) == sorted(lost)
        assert {event.stack for event in events if event.kind is EventKind.LEAK} == {"ghost"}
        assert shown.reports[0].startswith("Watching since ")
        (span,) = RecordStore(shown.state).spans(shown.cluster_id)
        assert span.began <= span.ended


async def test_without_a_change_it_asks_seldom_and_leaves_no_gap(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(40)
        before = shown.connection.asked.count("list the tasks")
        await shown.let(300)
        assert 9 <= shown.connection.asked.count("list the tasks") - before <= 11
        # What happens after a long pause is seen from its beginning.
        stack = await ghost(shown)
        await shown.let(60)
        lost = await removed(shown, stack)
        assert len(lost) == 2
        assert sorted(leaked(shown.events())) == sorted(lost)
        assert "watching" not in kinds(shown.events())


async def test_events_wait_for_a_disk_that_is_full(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.store_of = FullDisk
        shown.start()
        await shown.let(5)
        FullDisk.is_full = True
        try:
            lost = await removed(shown, await ghost(shown))
            assert kinds(shown.events()) == []
            assert shown.reports.count("The disk is full.") == 1
        finally:
            FullDisk.is_full = False
        await shown.let(60)
        assert sorted(leaked(shown.events())) == sorted(lost)
        assert shown.reports[-1] == "The record can be written again."


async def test_an_engine_that_is_away_is_told_and_what_happened_meanwhile_too(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(40)
        shown.simulated.break_call("*", "refuse")
        await shown.let(60)
        shown.simulated.mend()
        await shown.let(30)
        away, back = (event for event in shown.events() if event.subject == "engine")
        assert (away.kind, away.is_end, back.is_end) == (EventKind.WATCHING, False, True)
        assert len(RecordStore(shown.state).spans(shown.cluster_id)) == 2


async def test_what_happens_while_no_recorder_is_at_work_is_told_with_the_gap(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.start()
        await shown.let(5)
        stack = await ghost(shown)
        await shown.stop()
        shown.do(lambda engine: remove_at_once(engine, stack))
        await shown.let(120, step_s=1)
        shown.start()
        await shown.let(10)
        assert kinds(shown.events()) == ["deploy", "watching", "leak", "leak", "removal", "removal"]
        (gap,) = (event for event in shown.events() if event.kind is EventKind.WATCHING)
        assert gap.sentence.startswith("Nothing was recorded for ")
        assert "no recorder was at work" in gap.sentence


async def test_a_listener_gets_each_state_and_its_failure_ends_nothing(tmp_path: Path) -> None:
    listener = Listener()
    async with stage(a_swarm(), tmp_path / "state") as shown:
        shown.listeners = (listener,)
        shown.start()
        await shown.let(5)
        await ghost(shown)
        assert listener.numbers == sorted(set(listener.numbers))
        assert len(listener.numbers) > 3
        assert "The listener has a bad day." in shown.reports
        await shown.stop()
        assert listener.closed == 1


async def test_a_damaged_record_is_reported_and_left_alone(tmp_path: Path) -> None:
    async with stage(a_swarm(), tmp_path / "state") as shown:
        file = shown.state / "record.sqlite"
        file.write_bytes(b"not a database" * 100)
        shown.start()
        await shown.let(30)
        assert file.read_bytes() == b"not a database" * 100
        assert len([report for report in shown.reports if "cannot be used" in report]) == 1


async def test_one_records_and_a_second_one_is_told_who(tmp_path: Path) -> None:
    assert recorder_of(tmp_path) == ""
    async with recording(tmp_path, SystemClock()):
        assert recorder_of(tmp_path).startswith("process ")
        with pytest.raises(HostError, match=r"Another recorder is at work in .*: process "):
            async with recording(tmp_path, SystemClock()):
                raise AssertionError("two record")
    assert recorder_of(tmp_path) == ""
    async with recording(tmp_path, SystemClock()):
        pass


async def test_while_somebody_records_a_console_reads_the_history_and_does_not_write(tmp_path: Path) -> None:
    with simulation(a_swarm()) as simulated:
        cluster_id = simulated.running.run(lambda engine: engine.cluster_id)
        async with (
            recording(tmp_path, SystemClock()),
            simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched,
        ):
            await watched.let(70)
        assert not has_history(tmp_path, cluster_id)
        async with simulated_monitor(simulated.host, simulated.running, state=tmp_path) as watched:
            await watched.let(70)
        assert has_history(tmp_path, cluster_id)

"""Following a journal that is being written, with rotation, and giving up on it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.errors import HostError
from console.journal.journalctl import CommandJournal
from console.journal.native import NativeJournal
from console.journal.reader import JournalReader
from console.journal.summary import Summariser
from console.journal.values import BATCH_ENTRIES, Batch, Window
from tests.journal.journals import LiveJournal, container, daemon, foreign, write_journal
from tests.journal.lines import VIP_LINE

LATENCY_S = 1.0
"""The aim; a loaded machine may take ten times as long."""
Door = Callable[[Path], JournalReader]
DOORS: list[Door] = [
    lambda directory: NativeJournal(directory=directory),
    lambda directory: CommandJournal(directory=directory),
]
doors = pytest.mark.parametrize("door", DOORS, ids=["native", "command"])


async def _messages(batches: AsyncGenerator[Batch, None], count: int) -> list[str]:
    """Return so many messages, however many batches they come in."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += [each.message for each in (await anext(batches)).entries]
    return found


async def _is_listening(batches: AsyncGenerator[Batch, None], journal: LiveJournal) -> None:
    """Return when a follower that begins at the tail has seen a line written after it began."""
    waiting = asyncio.ensure_future(anext(batches))
    async with asyncio.timeout(60):
        while not waiting.done():
            journal.write(daemon("ping"))
            await asyncio.wait([waiting], timeout=0.2)


@doors
async def test_a_new_failure_is_seen_within_a_second(tmp_path: Path, door: Door) -> None:
    with LiveJournal(tmp_path / "live.journal") as journal:
        journal.write(daemon("before"))
        await _until_written(tmp_path, 1)
        async with contextlib.aclosing(door(tmp_path).follow()) as batches:
            await _is_listening(batches, journal)
            latencies = []
            summariser = Summariser()
            for number in range(5):
                began = time.monotonic()
                journal.write(foreign(number), container(VIP_LINE), daemon(VIP_LINE))
                async with asyncio.timeout(60):
                    while not summariser.add(await anext(batches)):
                        pass
                latencies.append(time.monotonic() - began)
    assert summariser.summary({}).findings[0].count == 5
    assert sorted(latencies)[2] < 10 * LATENCY_S


async def _until_written(directory: Path, count: int) -> None:
    reader = NativeJournal(directory=directory)
    since = datetime.now(UTC) - timedelta(hours=1)
    async with contextlib.aclosing(reader.follow(since=since)) as batches:
        await _messages(batches, count)


@doors
async def test_following_a_journal_that_holds_nothing_of_dockerd_s_begins_with_its_first_line(
    tmp_path: Path, door: Door
) -> None:
    write_journal(tmp_path / "a.journal", [foreign(1), foreign(2)], 1_700_000_000_000_000)
    with LiveJournal(tmp_path / "live.journal") as journal:
        async with contextlib.aclosing(door(tmp_path).follow()) as batches:
            await _is_listening(batches, journal)


@doors
async def test_following_goes_on_through_a_rotation(tmp_path: Path, door: Door) -> None:
    path = tmp_path / "system.journal"
    with LiveJournal(path) as journal:
        journal.write(daemon("first"))
        await _until_written(tmp_path, 1)
        reader = door(tmp_path)
        async with contextlib.aclosing(
            reader.follow(since=datetime.now(UTC) - timedelta(hours=1))
        ) as batches:
            assert await _messages(batches, 1) == ["first"]
            journal.write(daemon("second"))
            assert await _messages(batches, 1) == ["second"]
            path.rename(tmp_path / "system@archived.journal")
            with LiveJournal(path) as after:
                after.write(daemon("third"))
                assert await _messages(batches, 1) == ["third"]
                after.write(daemon("fourth"))
                assert await _messages(batches, 1) == ["fourth"]


@doors
async def test_following_begins_after_a_cursor_without_repeating_it(tmp_path: Path, door: Door) -> None:
    write_journal(tmp_path / "a.journal", [daemon(f"line {number}") for number in range(5)])
    read = await door(tmp_path).read(Window())
    async with contextlib.aclosing(door(tmp_path).follow(after=read.entries[2].cursor)) as batches:
        assert await _messages(batches, 2) == ["line 3", "line 4"]


@doors
async def test_a_burst_comes_in_capped_batches_and_whole(tmp_path: Path, door: Door) -> None:
    count = BATCH_ENTRIES * 2 + 17
    write_journal(tmp_path / "a.journal", [daemon(f"line {number}") for number in range(count)])
    sizes: list[int] = []
    since = datetime.now(UTC) - timedelta(hours=1)
    async with contextlib.aclosing(door(tmp_path).follow(since=since)) as batches:
        async with asyncio.timeout(60):
            while sum(sizes) < count:
                sizes.append(len((await anext(batches)).entries))
    assert sum(sizes) == count
    assert max(sizes) <= BATCH_ENTRIES


@doors
async def test_a_follower_that_is_cancelled_while_it_waits_leaves_nothing_behind(
    tmp_path: Path, door: Door
) -> None:
    write_journal(tmp_path / "a.journal", [daemon("line")])

    async def wait_for_ever() -> None:
        async with contextlib.aclosing(door(tmp_path).follow()) as batches:
            await anext(batches)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait_for_ever(), 0.5)


@doors
async def test_a_journal_that_cannot_be_opened_is_an_error(tmp_path: Path, door: Door) -> None:
    with pytest.raises(HostError):
        await anext(door(tmp_path / "none").follow())


@pytest.mark.process
async def test_journalctl_that_ends_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    with pytest.raises(HostError, match="ended while the journal was being followed"):
        await anext(CommandJournal(directory=tmp_path, program=str(program)).follow())

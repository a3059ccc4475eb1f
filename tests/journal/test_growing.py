"""A recording that still grows, and what the simulated dockerd writes into one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.errors import HostError
from console.journal.recordings import GrowingJournal
from console.journal.values import Batch, Window
from console.simulator.dockerd_log import MAX_FILE_LINES, MAX_LINES, DockerdLog, JournalFile
from console.simulator.objects import SimulatedTimeline

NOW = datetime(2026, 6, 12, 4, 40, tzinfo=UTC)


class Quick:
    """A clock that does not wait."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the protocol's
        await asyncio.sleep(0.001)


@pytest.fixture
def said() -> DockerdLog:
    return DockerdLog(SimulatedTimeline(NOW))


@pytest.fixture
def path(said: DockerdLog, tmp_path: Path) -> Iterator[Path]:
    """Give the file that a simulated dockerd writes to."""
    with closing(JournalFile(said, tmp_path / "journal")):
        yield tmp_path / "journal"


def journal(path: Path) -> GrowingJournal:
    return GrowingJournal(path, clock=Quick())


def content(path: Path) -> bytes:
    return path.read_bytes()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class Reader:
    def __init__(self, batches: AsyncIterator[Batch]) -> None:
        self._batches = batches
        self.gaps: list[str] = []

    async def messages(self, count: int) -> list[str]:
        found: list[str] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                batch = await anext(self._batches)
                self.gaps += [each.reason for each in batch.gaps]
                found += [each.message.partition("msg=")[2] for each in batch.entries]
        return found


@asynccontextmanager
async def following(
    path: Path, after: str | None = None, since: datetime | None = None
) -> AsyncIterator[Reader]:
    async with aclosing(journal(path).follow(after, since)) as batches:
        yield Reader(batches)


async def test_what_is_written_later_is_followed(said: DockerdLog, tmp_path: Path) -> None:
    said.write("info", "before")
    file = JournalFile(said, tmp_path / "journal")
    batch = await journal(tmp_path / "journal").read(Window())
    assert [each.message for each in batch.entries] == [said.lines[0].text]
    assert batch.entries[0].realtime == NOW
    async with following(tmp_path / "journal", batch.cursor) as reader:
        said.write("error", "one more", "it failed")
        said.write("info", "and one")
        assert await reader.messages(2) == ['"one more" error="it failed"', '"and one"']
        said.write("info", "late")
        assert await reader.messages(1) == ["late"]
        assert reader.gaps == []
    file.close()
    said.write("info", "unheard")


async def test_it_begins_at_a_time_or_now(said: DockerdLog, path: Path) -> None:
    said.write("info", "one")
    async with following(path, since=NOW) as reader:
        assert await reader.messages(1) == ["one"]
    async with following(path, since=NOW + timedelta(seconds=1)) as later, following(path) as newest:
        waiting = [asyncio.ensure_future(each.messages(1)) for each in (later, newest)]
        await asyncio.sleep(0.05)
        said._timeline.advance(2)
        said.write("info", "two")
        assert await asyncio.gather(*waiting) == [["two"], ["two"]]


async def test_half_a_line_is_waited_for_and_nonsense_is_counted(said: DockerdLog, path: Path) -> None:
    said.write("info", "whole")
    line = content(path)
    append(path, b"no json\n" + line[:30])
    async with aclosing(journal(path).follow(since=NOW)) as batches:
        first = await anext(batches)
        assert (len(first.entries), first.unreadable) == (1, 1)
        append(path, line[30:])
        assert len((await anext(batches)).entries) == 1


async def test_a_file_that_is_begun_anew_is_followed_on(said: DockerdLog, path: Path) -> None:
    said.write("info", "first")
    async with following(path, since=NOW) as reader:
        assert await reader.messages(1) == ["first"]
        for number in range(MAX_FILE_LINES + 10):
            said.write("info", f"n{number}")
            if number % 500 == 0:
                await asyncio.sleep(0.01)
        assert len(content(path).splitlines()) <= MAX_LINES + 20
        found = await reader.messages(MAX_FILE_LINES + 10)
        assert found == [f"n{number}" for number in range(MAX_FILE_LINES + 10)]
        assert reader.gaps == []


async def test_what_was_begun_anew_without_the_place_is_a_gap(said: DockerdLog, path: Path) -> None:
    said.write("info", "first")
    async with following(path, after="s=gone;i=1") as reader:
        assert await reader.messages(1) == ["first"]
        assert len(reader.gaps) == 1


async def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        async with following(tmp_path / "none", since=NOW) as reader:
            await reader.messages(1)


def test_lines_have_the_form_of_journalctl(said: DockerdLog, path: Path) -> None:
    said.write_service_failure("s" * 25, "no address", is_update=False, is_init=False)
    fields = json.loads(path.read_text())
    assert fields["_SYSTEMD_UNIT"] == "docker.service"
    assert fields["_TRANSPORT"] == "stdout"
    assert fields["MESSAGE"] == (
        'time="2026-06-12T04:40:00.000000000Z" level=error msg="Failed allocation for service '
        f'{"s" * 25}" error="no address" module=node node.id=""'
    )

"""One journal, three doors, the same findings."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.errors import HostError
from console.journal.journalctl import CommandJournal
from console.journal.native import NativeJournal
from console.journal.reader import JournalReader, best_door
from console.journal.recordings import RecordedJournal
from console.journal.summary import Summary, summarise
from console.journal.values import Batch, Window
from tests.journal.journals import (
    NEW,
    OLD,
    Fields,
    container,
    daemon,
    foreign,
    record,
    recorded_lines,
    suppressed,
    write_journal,
)
from tests.journal.lines import VIP_LINE

Door = Callable[[Path], JournalReader]


def _native(directory: Path) -> JournalReader:
    return NativeJournal(directory=directory)


def _command(directory: Path) -> JournalReader:
    return CommandJournal(directory=directory)


def _export(directory: Path) -> JournalReader:
    path = directory.parent / "recording.export"
    record(directory, path, "export")
    return RecordedJournal(path)


def _json(directory: Path) -> JournalReader:
    path = directory.parent / "recording.json"
    record(directory, path, "json")
    return RecordedJournal(path)


DOORS = [_native, _command, _export, _json]
LIVE_DOORS = [_native, _command]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    path.mkdir()
    return path


def _plain(summary: Summary) -> list[tuple[str, int, object, str]]:
    return [(each.signature.id, each.count, dict(each.objects), each.text) for each in summary.findings]


@pytest.mark.parametrize("log", [OLD, NEW], ids=["20.10.24", "28.5.2"])
async def test_a_real_exhaustion_reads_the_same_through_every_door(directory: Path, log: Path) -> None:
    entries: list[Fields] = [foreign(0), container(VIP_LINE), suppressed(77)]
    write_journal(directory / "a.journal", entries + recorded_lines(log))
    batches = [await door(directory).read(Window()) for door in DOORS]
    for batch in batches[1:]:
        assert batch == batches[0]
    summary = summarise([batches[0]], {})
    counts = {each.signature.id: each.count for each in summary.findings}
    assert counts["vip-create"] == 8
    assert counts["commit-lost"] == 5
    assert counts["suppressed"] == 1
    assert not summary.is_complete
    assert [_plain(summarise([batch], {})) for batch in batches] == [_plain(summary)] * len(DOORS)


@pytest.mark.parametrize("door", DOORS)
async def test_only_the_docker_unit_s_own_output_is_read(directory: Path, door: Door) -> None:
    line = VIP_LINE
    entries = [
        container(line),
        {**daemon(line), "_SYSTEMD_UNIT": "other.service"},
        {**daemon(line), "_TRANSPORT": "syslog"},
        {**suppressed(5), "OBJECT_SYSTEMD_UNIT": "other.service"},
        {**suppressed(5), "_TRANSPORT": "journal"},
    ]
    write_journal(directory / "a.journal", entries)
    assert (await door(directory).read(Window())).entries == ()


@pytest.mark.parametrize("door", DOORS)
async def test_hostile_messages_are_read_and_match_nothing(directory: Path, door: Door) -> None:
    line = VIP_LINE
    without = {name: value for name, value in daemon("").items() if name != "MESSAGE"}
    entries = [
        daemon(line.encode() + b"\xff\x1b[2J\x9b31m"),
        daemon(line + "\nsecond line"),
        without,
        daemon("x" * 6000),
        daemon(b"\xfe" * 5000),
        daemon(line + " huge=" + "y" * 70_000),
    ]
    write_journal(directory / "a.journal", entries)
    batch = await door(directory).read(Window())
    messages = [each.message for each in batch.entries]
    assert messages[0].startswith("time=")
    assert "\ufffd" in messages[0]
    assert messages[2:4] == ["", "x" * 6000]
    assert messages[4] == "\ufffd" * 5000
    assert [each.is_cut for each in batch.entries] == [False, False, True, False, False, True]
    assert summarise([batch], {}).findings == ()


@pytest.mark.parametrize("door", DOORS)
async def test_a_window_keeps_the_newest_and_says_that_there_was_more(directory: Path, door: Door) -> None:
    write_journal(directory / "a.journal", [daemon(f"line {number}") for number in range(50)])
    reader = door(directory)
    batch = await reader.read(Window(entries=3))
    assert [each.message for each in batch.entries] == ["line 47", "line 48", "line 49"]
    assert batch.is_partial
    assert not (await reader.read(Window(entries=50))).is_partial
    few = await reader.read(Window(bytes=2000))
    assert [each.message for each in few.entries] == ["line 47", "line 48", "line 49"]
    assert (await reader.read(Window(deadline_s=0.0))).is_partial


@pytest.mark.parametrize("door", DOORS)
async def test_a_window_begins_at_a_time_or_after_a_cursor(directory: Path, door: Door) -> None:
    first = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
    lines = [daemon(f"line {number}") for number in range(10)]
    write_journal(directory / "a.journal", lines, int(first.timestamp() * 1e6))
    reader = door(directory)
    late = await reader.read(Window(since=first + timedelta(milliseconds=7)))
    assert [each.message for each in late.entries] == ["line 7", "line 8", "line 9"]
    assert late.entries[0].realtime == first + timedelta(milliseconds=7)
    rest = await reader.read(Window(after=late.entries[0].cursor))
    assert [each.message for each in rest.entries] == ["line 8", "line 9"]
    assert (rest.gaps, rest.is_partial) == ((), False)
    assert (await reader.read(Window(after=late.cursor))) == Batch()


@pytest.mark.parametrize("door", DOORS)
async def test_a_window_that_begins_before_the_journal_has_a_gap(directory: Path, door: Door) -> None:
    first = datetime(2026, 11, 22, 3, 12, tzinfo=UTC)
    lines = [foreign(1), daemon("line"), foreign(2)]
    write_journal(directory / "a.journal", lines, int(first.timestamp() * 1e6))
    assert (await door(directory).read(Window(since=first))).gaps == ()
    batch = await door(directory).read(Window(since=first - timedelta(seconds=1)))
    assert [each.reason for each in batch.gaps] == [
        "The journal begins at 2026-11-22 03:12:00 UTC, later than requested."
    ]
    assert not summarise([batch], {}).is_complete
    late = await door(directory).read(Window(since=first + timedelta(hours=1)))
    assert (late.entries, late.gaps) == ((), ())


@pytest.mark.parametrize("door", LIVE_DOORS)
@pytest.mark.process
async def test_an_empty_journal_knows_nothing_of_the_last_hour(directory: Path, door: Door) -> None:
    batch = await door(directory).read(Window(since=datetime(2026, 11, 22, tzinfo=UTC)))
    assert [each.reason for each in batch.gaps] == [
        "The journal is empty, so nothing is known about the requested time."
    ]


@pytest.mark.parametrize("door", DOORS)
async def test_a_cursor_that_was_vacuumed_is_a_gap(directory: Path, door: Door) -> None:
    write_journal(directory / "a.journal", [daemon("old")], 1_700_000_000_000_000)
    old = await NativeJournal(directory=directory).read(Window())
    (directory / "a.journal").unlink()
    write_journal(directory / "b.journal", [daemon("new")])
    batch = await door(directory).read(Window(after=old.cursor))
    assert [each.message for each in batch.entries] == ["new"]
    assert [each.after for each in batch.gaps] == [old.cursor]
    async with contextlib.aclosing(door(directory).follow(after=old.cursor)) as batches:
        first = await anext(batches)
    assert [each.message for each in first.entries] == ["new"]
    assert [each.after for each in first.gaps] == [old.cursor]


@pytest.mark.parametrize("door", LIVE_DOORS)
@pytest.mark.process
async def test_an_empty_journal_is_empty_and_a_missing_one_an_error(directory: Path, door: Door) -> None:
    assert await door(directory).read(Window()) == Batch()
    with pytest.raises(HostError, match="does not exist"):
        await door(directory / "none").read(Window())


@pytest.mark.process
async def test_a_program_that_fails_is_an_error_with_its_own_words(directory: Path, tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\nprintf 'no such \\033[2J option' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(HostError, match=r"no such \\x1b\[2J option"):
        await CommandJournal(directory=directory, program=str(program)).read(Window())
    with pytest.raises(HostError, match="is not on this host"):
        await CommandJournal(directory=directory, program=str(tmp_path / "none")).read(Window())


@pytest.mark.process
async def test_a_program_that_hangs_is_left_at_the_deadline(directory: Path, tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    began = time.monotonic()
    window = Window(since=datetime.now(UTC), deadline_s=0.2)
    batch = await CommandJournal(directory=directory, program=str(program)).read(window)
    assert (batch.is_partial, batch.gaps) == (True, ())
    assert time.monotonic() - began < 60


async def test_the_library_is_preferred_where_it_is_installed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(best_door("docker.service", directory), NativeJournal)
    monkeypatch.setattr("console.journal.native._library", None)
    assert isinstance(best_door("docker.service", directory), CommandJournal)
    with pytest.raises(HostError, match="no Python binding"):
        await NativeJournal(directory=directory).read(Window())

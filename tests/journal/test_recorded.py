"""Recordings and answers that are damaged, and fields in every shape."""

import json
from pathlib import Path

import pytest

from console.errors import HostError
from console.journal.journalctl import CommandJournal
from console.journal.parsing import DROPPED_MESSAGE_ID, entry_from
from console.journal.recordings import RecordedJournal
from console.journal.values import BATCH_ENTRIES, Batch, Window
from tests.journal.journals import OLD as RECORDING
from tests.journal.journals import export_text, recorded_lines
from tests.journal.lines import VIP_LINE

OWN: dict[str, object] = {
    "__CURSOR": "s=1;i=1",
    "__REALTIME_TIMESTAMP": "1795000000000000",
    "__MONOTONIC_TIMESTAMP": "1500000",
    "_BOOT_ID": "0123456789abcdef0123456789abcdef",
    "_TRANSPORT": "stdout",
    "_SYSTEMD_UNIT": "docker.service",
    "SYSLOG_IDENTIFIER": "dockerd",
    "_PID": "812",
    "MESSAGE": VIP_LINE,
}
DROP = {
    **OWN,
    "_TRANSPORT": "driver",
    "_SYSTEMD_UNIT": "systemd-journald.service",
    "OBJECT_SYSTEMD_UNIT": "docker.service",
    "MESSAGE_ID": DROPPED_MESSAGE_ID,
}


def _json(*entries: object) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in entries)


async def _read(path: Path, data: bytes) -> Batch:
    return await _recorded(path, data).read(Window())


def _recorded(path: Path, data: bytes) -> RecordedJournal:
    path.write_bytes(data)
    return RecordedJournal(path)


async def test_a_message_comes_in_every_shape(tmp_path: Path) -> None:
    shapes: list[object] = [
        VIP_LINE,
        None,
        [104, 105, 255],
        [],
        ["one", "two"],
        [[104, 105], "two"],
        7,
        {"a": 1},
        "",
    ]
    entries = [{**OWN, "__CURSOR": str(number), "MESSAGE": each} for number, each in enumerate(shapes)]
    batch = await _read(tmp_path / "a.json", _json(*entries))
    assert [each.message for each in batch.entries] == [
        VIP_LINE, "", "hi\ufffd", "", "one\ntwo", "hi\ntwo", "", "", "",
    ]  # fmt: skip
    cut = [each.is_cut for each in batch.entries]
    assert cut == [False, True, False, False, True, True, False, False, False]
    assert batch.entries[0].realtime.isoformat() == "2026-11-18T11:06:40+00:00"
    assert batch.entries[0].pid == 812


@pytest.mark.parametrize(
    "change",
    [
        {"_TRANSPORT": ["stdout", "journal"]},
        {"_TRANSPORT": None},
        {"_TRANSPORT": "journal"},
        {"_SYSTEMD_UNIT": ["docker.service", "other.service"]},
        {"_SYSTEMD_UNIT": "docker.service.d"},
    ],
)
def test_an_entry_is_dockerd_s_own_only_by_exactly_these_fields(change: dict[str, object]) -> None:
    assert entry_from(OWN, "docker.service") is not None
    assert entry_from({**OWN, **change}, "docker.service") is None


def test_the_unit_may_have_another_name() -> None:
    assert (
        entry_from({**OWN, "_SYSTEMD_UNIT": "docker-rootless.service"}, "docker-rootless.service") is not None
    )
    assert entry_from(OWN, "docker-rootless.service") is None


@pytest.mark.parametrize(
    ("count", "dropped"), [("77", 77), ("0", 1), (None, 1), ("many", 1), (["1", "2"], 1)]
)
def test_a_suppression_counts_even_without_a_count(count: object, dropped: int) -> None:
    entry = entry_from({**DROP, "N_DROPPED": count}, "docker.service")
    assert entry is not None
    assert entry.dropped == dropped


def test_a_container_cannot_announce_a_suppression() -> None:
    assert entry_from({**DROP, "_TRANSPORT": "journal", "N_DROPPED": "7"}, "docker.service") is None
    plain = entry_from({**OWN, "N_DROPPED": "7", "MESSAGE_ID": DROPPED_MESSAGE_ID}, "docker.service")
    assert plain is not None
    assert plain.dropped == 0


async def test_nonsense_among_entries_is_counted(tmp_path: Path) -> None:
    bad = [
        {**OWN, "__CURSOR": None},
        {**OWN, "__REALTIME_TIMESTAMP": "soon"},
        {**OWN, "__REALTIME_TIMESTAMP": "9" * 19},
    ]
    data = _json(OWN) + b'{"half\n' + b"[1]\n" + _json(*bad) + b"[" * 100_000 + b"\n" + _json(OWN)
    batch = await _read(tmp_path / "a.json", data)
    assert (len(batch.entries), batch.unreadable) == (2, 6)


@pytest.mark.parametrize(
    "damage", [b"MESSAGE\n\x05\x00", b"MESSAGE\n" + b"\xff" * 8, b"_PID", b"A\n" + bytes(8) + b"x"]
)
async def test_a_damaged_export_keeps_what_came_before(tmp_path: Path, damage: bytes) -> None:
    whole = export_text([{"__CURSOR": "1", **recorded_lines(RECORDING)[0]}])
    batch = await _read(tmp_path / "a.export", whole + damage)
    assert (len(batch.entries), batch.unreadable) == (1, 1)


async def test_a_recording_is_followed_to_its_end_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    count = BATCH_ENTRIES + 3
    path.write_bytes(_json(*({**OWN, "__CURSOR": str(number)} for number in range(count))))
    sizes = [len(batch.entries) async for batch in RecordedJournal(path).follow()]
    assert sizes == [BATCH_ENTRIES, 3]
    sizes = [len(batch.entries) async for batch in RecordedJournal(path).follow(after=str(count - 2))]
    assert sizes == [1]


async def test_a_missing_or_empty_recording(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        await RecordedJournal(tmp_path / "none").read(Window())
    assert await _read(tmp_path / "empty", b"") == Batch()


@pytest.mark.process
async def test_a_line_of_journalctl_without_end_is_left_out(tmp_path: Path) -> None:
    program = tmp_path / "journalctl"
    (tmp_path / "answer").write_bytes(
        _json(OWN) + b'{"MESSAGE":"' + b"x" * 3_000_000 + b'"}\n' + _json({**OWN, "__CURSOR": "2"})
    )
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/answer\n")
    program.chmod(0o755)
    batch = await CommandJournal(directory=tmp_path, program=str(program)).read(Window())
    assert (len(batch.entries), batch.unreadable) == (2, 1)

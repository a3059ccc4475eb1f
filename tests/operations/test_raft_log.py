"""How far a manager's log is committed, by the frame of its file."""

import struct
from pathlib import Path

import pytest

from console.errors import HostError
from console.operations.borrow.backup import clear_log, has_log
from console.operations.borrow.raft_log import committed_index

METADATA, ENTRY, HARD_STATE, CRC, SNAPSHOT = 1, 2, 3, 4, 5


def varint(value: int) -> bytes:
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127)
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def frame(kind: int, data: bytes = b"") -> bytes:
    """Return a record as etcd writes it: its length, with the padding to 8 bytes in the highest byte, and a message."""
    record = b"\x08" + varint(kind) + b"\x10" + varint(12345678) + b"\x1a" + varint(len(data)) + data
    padding = -len(record) % 8
    length = len(record) | ((0x80 | padding) << 56 if padding else 0)
    return struct.pack("<Q", length) + record + bytes(padding)


def hard_state(commit: int) -> bytes:
    return frame(HARD_STATE, b"\x08\x13\x10" + varint(8003725585805305742) + b"\x18" + varint(commit))


BEGUN = frame(CRC) + frame(METADATA, b"encrypted") + frame(SNAPSHOT, b"\x08\x00\x10\x00")


def raft_with(root: Path, *logs: bytes) -> Path:
    folder = root / "swarm" / "raft" / "wal-v3-encrypted"
    folder.mkdir(parents=True)
    for number, log in enumerate(logs):
        (folder / f"{number:016x}-{number:016x}.wal").write_bytes(log + bytes(4096))
    (folder / "0.tmp").write_bytes(bytes(4096))
    return folder.parent


def test_a_log_that_was_only_begun_holds_nothing(tmp_path: Path) -> None:
    assert committed_index(raft_with(tmp_path, BEGUN)) == 0
    assert not has_log(str(tmp_path))


def test_the_last_hard_state_counts_over_all_files(tmp_path: Path) -> None:
    first = BEGUN + frame(ENTRY, b"secret" * 100) + hard_state(41) + hard_state(342)
    assert committed_index(raft_with(tmp_path, first, BEGUN + hard_state(300))) == 342
    assert has_log(str(tmp_path))


def test_a_record_that_was_cut_short_ends_the_log(tmp_path: Path) -> None:
    raft = raft_with(tmp_path)
    (raft / "wal-v3-encrypted" / "0.wal").write_bytes(BEGUN + hard_state(7) + hard_state(900)[:12])
    assert committed_index(raft) == 7


def test_no_log_is_no_log(tmp_path: Path) -> None:
    assert committed_index(tmp_path / "swarm" / "raft") == 0


def test_a_form_that_is_not_known_is_said_and_not_guessed(tmp_path: Path) -> None:
    raft = raft_with(tmp_path, struct.pack("<Q", 8) + b"\xff" * 8)
    with pytest.raises(HostError, match="has a form that is not known"):
        committed_index(raft)


def test_a_log_in_which_something_is_is_never_removed(tmp_path: Path) -> None:
    raft = raft_with(tmp_path, BEGUN + hard_state(1))
    with pytest.raises(HostError, match="is not removed"):
        clear_log(str(tmp_path))
    assert raft.exists()


def test_an_empty_log_is_removed_and_the_rest_stays(tmp_path: Path) -> None:
    raft = raft_with(tmp_path, BEGUN)
    (raft.parent / "state.json").write_text("[]")
    clear_log(str(tmp_path))
    clear_log(str(tmp_path))
    assert [path.name for path in raft.parent.iterdir()] == ["state.json"]

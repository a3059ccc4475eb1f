"""How much of a swarm's log a manager has on disk. Only the frame of the file is read: what the entries say is encrypted.

A manager that dies while it becomes one has a log without any committed entry. It never votes then, or its dockerd ends each time
it is started (`state.commit 0 is out of range`); both were seen on 20.10.24. The format is etcd's (`server/wal/encoder.go`,
`walpb/record.proto`, `raftpb/raft.proto`), in the folder that swarmkit gives it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from console.errors import HostError

HARD_STATE = 3
"""The type of a record that says how far the log is committed."""
TYPE, DATA = 1, 3
COMMIT = 3
"""The fields of a record, and of a hard state."""
_VARINT, _BYTES = 0, 2
_LENGTH = struct.Struct("<Q")


def committed_index(raft: Path) -> int:
    """Return up to which entry the log in a manager's `swarm/raft` is committed; 0 where there is none, or nothing in it.

    Raises HostError where it cannot be read.
    """
    try:
        logs = sorted(path for path in raft.glob("wal-*/*.wal"))
        return max((_commit(data) for path in logs for data in _hard_states(path)), default=0)
    except OSError as error:
        raise HostError(
            f"{raft} cannot be read: {error.strerror}.", "Run this as root on the manager."
        ) from error
    except (ValueError, IndexError) as error:
        raise HostError(
            f"The swarm's log in {raft} has a form that is not known.",
            "Use another way: `vipconsole reclaim --help` names all.",
        ) from error


def _hard_states(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while True:
            frame = file.read(_LENGTH.size)
            if len(frame) < _LENGTH.size or frame == bytes(_LENGTH.size):
                # The file is made with all the room that it may need: zeros follow.
                return
            (field,) = _LENGTH.unpack(frame)
            padding = field >> 56 & 7 if field >> 63 else 0
            length = field & (1 << 56) - 1
            data = file.read(length + padding)[:length]
            if len(data) < length:
                # It was being written as the machine died.
                return
            record = dict(_fields(data))
            if record.get(TYPE) == HARD_STATE:
                yield bytes(record.get(DATA, b""))


def _commit(hard_state: bytes) -> int:
    return int(dict(_fields(hard_state)).get(COMMIT, 0))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message of protocol buffers, by their numbers."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind, value = key & 7, 0
        value, place = _varint(data, place)
        if kind == _VARINT:
            yield key >> 3, value
        elif kind == _BYTES:
            yield key >> 3, data[place : place + value]
            place += value
        else:
            raise ValueError(f"a field of the kind {kind}")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place

"""The Journal Export Format of systemd, taken apart ("Journal Export Formats" of systemd.io)."""

from collections.abc import Iterator
from typing import BinaryIO

_LINE_LIMIT_BYTES = 1024 * 1024
_FIELD_LIMIT_BYTES = 64 * 1024 * 1024


def entries_from_export(stream: BinaryIO) -> Iterator[dict[str, object]]:
    """Yield the fields of each entry; a repeated field is a list.

    Values are bytes, but for the names that begin with two underscores (cursor and times), which are text.

    Raises ValueError where the stream is not in the format or ends inside an entry's field; what came before
    has been yielded by then.
    """
    fields: dict[str, object] = {}
    while line := stream.readline(_LINE_LIMIT_BYTES):
        if not line.endswith(b"\n"):
            raise ValueError("the recording ends inside a line, or the line is too long")
        if line == b"\n":
            if fields:
                yield fields
            fields = {}
            continue
        name, mark, value = line[:-1].partition(b"=")
        if not mark:
            value = _sized(stream)
        key = name.decode("ascii", "replace")
        _put(fields, key, value.decode("ascii", "replace") if key.startswith("__") else value)
    if fields:
        yield fields


def _sized(stream: BinaryIO) -> bytes:
    size = int.from_bytes(_exactly(stream, 8), "little")
    if size > _FIELD_LIMIT_BYTES:
        raise ValueError("a field of a size that no journal has")
    value = _exactly(stream, size)
    if _exactly(stream, 1) != b"\n":
        raise ValueError("a field does not end where it says")
    return value


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("the recording ends inside a field")
    return data


def _put(fields: dict[str, object], name: str, value: str | bytes) -> None:
    before = fields.get(name)
    if before is None:
        fields[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        fields[name] = [before, value]

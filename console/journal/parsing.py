"""Journal entries and dockerd's log lines made values, in whichever form they came. Pure.

A field is text, bytes (what is no UTF-8), a list (a field given several times), null or missing; see
systemd.journal-fields(7) and "Journal JSON Format". Names that begin with an underscore are journald's own and
cannot be set by the program that logs.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, BinaryIO

from console.journal.values import EMPTY, MESSAGE_LIMIT_BYTES, DaemonLine, JournalEntry

_QUOTATION = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_PAIR = re.compile(rf'([^\s="]+)=(?:{_QUOTATION}|([^\s"=\\]*))(?: |$)')
_HEAD = re.compile(
    rf'time=(?:"[^"\\ ]+"|[^"\\ ]+) level=([a-z]+)(?: msg=(?:{_QUOTATION}|([^\s"=\\]*)))?(?: (?=\S)|$)'
)
_HEAD_START = re.compile(r'time=(?:"[^"\\ ]+"|[^"\\ ]+) level=([a-z]+) ')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_SHORT = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_LEVELS = frozenset({"trace", "debug", "info", "warning", "error", "fatal", "panic"})
_LINE_LIMIT_BYTES = 1024 * 1024
_FIELD_LIMIT_BYTES = 64 * 1024 * 1024
DROPPED_MESSAGE_ID = "a596d6fe7bfa4994828e72309e95d61e"
"""SD_MESSAGE_JOURNAL_DROPPED of systemd/sd-messages.h: journald threw messages of a unit away."""
FIELDS = (
    "MESSAGE", "MESSAGE_ID", "N_DROPPED", "OBJECT_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_BOOT_ID", "_LINE_BREAK",
    "_PID", "_STREAM_ID", "_SYSTEMD_UNIT", "_TRANSPORT",
)  # fmt: skip
"""The fields that are needed, besides those that always come."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_line(text: str) -> DaemonLine:
    """Return what the line says; a line that is not dockerd's comes back as a bare message."""
    if text.startswith("{"):
        return _parse_json(text)
    head = _HEAD.match(text)
    if head is None or head[1] not in _LEVELS:
        return _bare(text)
    message = _unquote(head[2]) if head[2] is not None else (head[3] or "")
    at, end = head.end(), len(text)
    if at == end:
        return DaemonLine(head[1], message)
    fields: dict[str, str] = {}
    while at < end:
        pair = _PAIR.match(text, at)
        if pair is None or pair[1] in fields or pair[1] in {"time", "level", "msg"}:
            return _bare(text)
        fields[pair[1]] = _unquote(pair[2]) if pair[2] is not None else pair[3]
        at = pair.end()
    error = fields.pop("error", "")
    return DaemonLine(head[1], message, error, MappingProxyType(fields))


def claimed_level(text: str) -> str:
    """Return the level that a line begins with, however it goes on; empty when it begins otherwise."""
    head = _HEAD_START.match(text)
    return head[1] if head is not None and head[1] in _LEVELS else ""


def _bare(text: str) -> DaemonLine:
    return DaemonLine("", text, is_well_formed=False)


def _unquote(body: str) -> str:
    return _ESCAPE.sub(_unescape, body) if "\\" in body else body


def _unescape(match: re.Match[str]) -> str:
    byte, short, long, letter = match.groups()
    if letter is not None:
        return _SHORT.get(letter, match[0])
    if byte is not None:
        # Go writes a byte that is no UTF-8 this way; a character past DEL gets \u.
        return chr(int(byte, 16)) if byte < "80" else "\ufffd"
    code = int(short or long, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _parse_json(text: str) -> DaemonLine:
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError):
        return _bare(text)
    if not isinstance(document, dict):
        return _bare(text)
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in document.items()}
    if values.pop("time", None) is None or values.get("level") not in _LEVELS:
        return _bare(text)
    level, message, error = values.pop("level"), values.pop("msg", ""), values.pop("error", "")
    return DaemonLine(level, message, error, MappingProxyType(values) if values else EMPTY)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is given twice")
    return document


def fields_from_json(line: bytes) -> dict[str, object]:
    """Return the fields of one line. Raises ValueError when it is no entry."""
    try:
        document = json.loads(line)
    except RecursionError as problem:
        raise ValueError("nested too deeply to be an entry") from problem
    if not isinstance(document, dict):
        raise ValueError("an entry is an object")  # noqa: TRY004 -- callers handle one error for every malformed entry
    return {key: _value(value) for key, value in document.items()}


def _value(value: Any) -> object:
    if not isinstance(value, list):
        return value
    if all(isinstance(item, int) and 0 <= item <= 255 for item in value):
        return bytes(value)
    return [_value(item) for item in value]


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
            value = _read_value(stream)
        key = name.decode("ascii", "replace")
        _add_value(fields, key, value.decode("ascii", "replace") if key.startswith("__") else value)
    if fields:
        yield fields


def _read_value(stream: BinaryIO) -> bytes:
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


def _add_value(fields: dict[str, object], name: str, value: str | bytes) -> None:
    before = fields.get(name)
    if before is None:
        fields[name] = value
    elif isinstance(before, list):
        before.append(value)
    else:
        fields[name] = [before, value]


def matches(unit: str) -> tuple[tuple[str, ...], ...]:
    """Return what to ask a journal for: any of these groups, all of the terms of a group.

    dockerd's own lines come over its standard output; a container's line under the journald log driver has the
    same unit, but the transport `journal`. A suppression is logged by journald itself (`driver`) about the unit.
    """
    return (
        (f"_SYSTEMD_UNIT={unit}", "_TRANSPORT=stdout"),
        (f"OBJECT_SYSTEMD_UNIT={unit}", "_TRANSPORT=driver", f"MESSAGE_ID={DROPPED_MESSAGE_ID}"),
    )


def is_from_daemon(fields: Mapping[str, object], unit: str) -> bool:
    """Whether the entry is dockerd's own, or journald's word about its unit, by fields that nobody can forge."""
    return any(
        all(_text(fields.get(name)) == expected for name, expected in map(_term, group))
        for group in matches(unit)
    )


def _term(term: str) -> tuple[str, str]:
    name, _, expected = term.partition("=")
    return name, expected


def entry_from(fields: Mapping[str, object], unit: str) -> JournalEntry | None:
    """Return the entry, or None when it is not dockerd's own.

    `__REALTIME_TIMESTAMP` is microseconds. Raises ValueError when there is no
    usable time or cursor.
    """
    if not is_from_daemon(fields, unit):
        return None
    cursor, realtime = _text(fields.get("__CURSOR")), realtime_of(fields)
    if not cursor or realtime is None:
        raise ValueError("an entry without a cursor or a possible time")
    message, is_cut = _message(fields)
    transport = _text(fields.get("_TRANSPORT"))
    # A suppression that does not say how much still is one.
    dropped = max(1, _number(fields.get("N_DROPPED")) or 1) if transport == "driver" else 0
    return JournalEntry(
        cursor=cursor,
        realtime=realtime,
        boot_id=_text(fields.get("_BOOT_ID")),
        transport=transport,
        unit=unit,
        identifier=_text(fields.get("SYSLOG_IDENTIFIER")),
        pid=_number(fields.get("_PID")),
        message=message,
        dropped=dropped,
        stream=_text(fields.get("_STREAM_ID")),
        line_break=_text(fields.get("_LINE_BREAK")),
        is_cut=is_cut,
    )


def realtime_of(fields: Mapping[str, object]) -> datetime | None:
    """Return when the entry was written, in UTC; None when it says no possible time."""
    realtime_us = _number(fields.get("__REALTIME_TIMESTAMP"))
    try:
        return None if realtime_us is None else _EPOCH + timedelta(microseconds=realtime_us)
    except OverflowError:
        return None


def _message(fields: Mapping[str, object]) -> tuple[str, bool]:
    """Return the message and whether it is not whole; a list is joined, and is not what dockerd writes."""
    field = fields.get("MESSAGE")
    if isinstance(field, list):
        text, is_cut = "\n".join(_text(item) for item in field), True
    else:
        text, is_cut = _text(field), field is None
    # A byte that was no UTF-8 is one character here, so the comparison is in characters on purpose.
    if len(text) >= MESSAGE_LIMIT_BYTES or len(text.encode("utf-8", "replace")) >= MESSAGE_LIMIT_BYTES:
        return text[:MESSAGE_LIMIT_BYTES], True
    return text, is_cut


def _text(value: object) -> str:
    """Return the text of a field; a list, a number and null have none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    if isinstance(value, int):
        return value
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

"""dockerd's log lines, taken apart. Pure; whatever it is given, it answers, and never with half a match.

dockerd writes with logrus: `time=… level=… msg=… key=value …`, keys after the first three sorted, and every value
outside `[A-Za-z0-9._/@^+-]*` quoted as Go's `%q` does (text_formatter.go of sirupsen/logrus). So no quote of a
value's own text ever stands unescaped in a line, and a line that does not follow this to its last character was
not written by dockerd as it stands. With `log-format: json` the line is one flat JSON object.
"""

import json
import re
from types import MappingProxyType
from typing import Any

from console.journal.values import EMPTY, DaemonLine

_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_PAIR = re.compile(rf'([^\s="]+)=(?:{_QUOTED}|([^\s"=\\]*))(?: |$)')
_HEAD = re.compile(
    rf'time=(?:"[^"\\ ]+"|[^"\\ ]+) level=([a-z]+)(?: msg=(?:{_QUOTED}|([^\s"=\\]*)))?(?: (?=\S)|$)'
)
_HEAD_START = re.compile(r'time=(?:"[^"\\ ]+"|[^"\\ ]+) level=([a-z]+) ')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_SHORT = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_LEVELS = frozenset({"trace", "debug", "info", "warning", "error", "fatal", "panic"})


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
    return _ESCAPE.sub(_unescaped, body) if "\\" in body else body


def _unescaped(found: re.Match[str]) -> str:
    byte, short, long, letter = found.groups()
    if letter is not None:
        return _SHORT.get(letter, found[0])
    if byte is not None:
        # Go writes a byte that is no UTF-8 this way; a character past DEL gets \u.
        return chr(int(byte, 16)) if byte < "80" else "\ufffd"
    code = int(short or long, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _parse_json(text: str) -> DaemonLine:
    try:
        found = json.loads(text, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        return _bare(text)
    if not isinstance(found, dict):
        return _bare(text)
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}
    if values.pop("time", None) is None or values.get("level") not in _LEVELS:
        return _bare(text)
    level, message, error = values.pop("level"), values.pop("msg", ""), values.pop("error", "")
    return DaemonLine(level, message, error, MappingProxyType(values) if values else EMPTY)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found

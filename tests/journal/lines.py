"""Lines as dockerd's logger writes them."""

import re
from datetime import UTC, datetime

from console.journal.values import JournalEntry

_PLAIN = re.compile(r"[A-Za-z0-9\-._/@^+]*")
_GO = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
TIME = 'time="2026-11-22T22:41:23.000000001Z"'
S, T, N, R, NODE = (letter * 25 for letter in ("s", "t", "n", "r", "d"))
TAIL = f" module=node node.id={NODE}"
AGENT = f" module=node/agent/taskmanager node.id={NODE} service.id={S} task.id={T}"
NO_VIP = "could not find an available IP while allocating VIP"
NO_ATTACHMENT = "node is missing network attachments, ip addresses may be exhausted"


def go_quote(text: str) -> str:
    """Return what Go's %q writes (strconv.Quote)."""
    parts = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            parts.append("\\" + character)
        elif character in _GO:
            parts.append(_GO[character])
        elif character.isprintable():
            parts.append(character)
        elif code < 0x80:
            parts.append(f"\\x{code:02x}")
        else:
            parts.append(f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
    return f'"{"".join(parts)}"'


def value(text: str) -> str:
    """Return a value as logrus writes it, quoted where it must be."""
    return text if _PLAIN.fullmatch(text) else go_quote(text)


def line(message: str, error: str = "", tail: str = TAIL, level: str = "error") -> str:
    """Return a whole line."""
    return f"{TIME} level={level} msg={value(message)}" + (f" error={value(error)}" if error else "") + tail


def vip_line(service: str = S) -> str:
    """Return the line of a service that gets no virtual IP."""
    return line(f"Failed allocation for service {service}", NO_VIP)


VIP_LINE = vip_line()
LOST_LINE = line(
    f"allocation commit failure for task {T}",
    f"failed updating state in store transaction for task {T}: object does not exist",
)
START_LINE = line("Starting up", tail="", level="info")


def entry(message: str, *, stream: str = "a", line_break: str = "", is_cut: bool = False) -> JournalEntry:
    """Return an entry of dockerd's with that message."""
    return JournalEntry(
        cursor="c",
        realtime=datetime(2026, 11, 22, tzinfo=UTC),
        boot_id="b",
        transport="stdout",
        unit="docker.service",
        identifier="dockerd",
        pid=1,
        message=message,
        stream=stream,
        line_break=line_break,
        is_cut=is_cut,
    )

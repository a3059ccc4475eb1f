"""What becomes of good input: JSON with other values in some places, and bytes that are cut, flipped or mixed."""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]
"""Draws one example from a strategy."""

TEXTS = (
    "",
    " ",
    "-",
    "\x1b[2J\x1b]0;t\x07",
    "\u202egnp.exe\u2066",
    "a\nb\r\tc\x9bm",
    "a\u200bb\u00ad",
    "\ud800",
    "\x00",
    "[red]x[/red]",
    "[/x]",
    "[@click=app.quit]go[/]",
    "x" * 10_000,
    "宽" * 70,
    "e\u0301" * 40,
    "👩‍👩‍👧‍👦" * 20,
    "${vars.x}",
    "`id`; $(id) 'q' \"d\" \\",
    "../../etc/passwd",
    "%s%n{0}{x}",
    "--help",
    "NaN",
    "null",
    "1e999",
    "-1",
    "9" * 400,
    "٣",
    "²",
    "\ue000",
    "\U0010ffff",
)
"""Texts that somebody else may have chosen."""
TIMES = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-02-30T00:00:00Z",
    "2026-06-01",
    "2026-06-01T00:00:00",
    "2026-06-01T00:00:00+23:59",
    "0001-01-01T00:00:01+14:00",
    "9999-12-31T23:59:59-14:00",
    "1970-01-01T00:00:00Z",
    "1900-01-01T00:00:00.5Z",
    "2026-06-01T00:00:00.Z",
    "2262-04-12T00:00:00Z",
    "20260601T000000Z",
)
ADDRESSES = (
    "10.0.1.300",
    "10.0.1.5/33",
    "0.0.0.0/0",
    "255.255.255.255/32",
    "fe80::1/64",
    "::/0",
    "10.0.1.0/31",
    "10.0.1.1/24",
    "10.0.0.0/8",
    "10.0.01.5",
    "fe80::1%eth0",
)
NUMBERS = (
    -1,
    0,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
    10**30,
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
)
DIGITS, DEEP = "@digits@", "@deep@"
"""Stand for what Python's own writer refuses: a number of 5,000 digits, and lists in lists."""
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": None},
    DIGITS,
    DEEP,
    *TEXTS,
    *TIMES,
    *ADDRESSES,
    *NUMBERS,
)


def chosen(draw: Draw, options: Sequence[T]) -> T:
    """Return one of some options; the first is the simplest."""
    option: T = options[draw(st.integers(0, len(options) - 1))]
    return option


def places(document: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document: what holds it, and its key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            found += [(holder, key) for key in keys]
            waiting += [holder[key] for key in keys]
    return found


def renamed(document: Any, before: str, after: str) -> None:
    """Put another text wherever a document has this one."""
    for holder, key in places(document):
        if isinstance(holder[key], str) and holder[key] == before:
            holder[key] = after


def mutated(draw: Draw, document: Any, most: int = 4) -> Any:
    """Return a copy of a document with other values in some places."""
    result = {"": copy.deepcopy(document)}
    for _ in range(draw(st.integers(1, most))):
        every_place = places(result)
        holder, key = chosen(draw, every_place)
        match draw(st.integers(0, 6)):
            case 0:
                if key != "":
                    del holder[key]
            case 1 if isinstance(holder[key], str):
                holder[key] = chosen(draw, (*TIMES, *ADDRESSES) if holder[key][:1].isdecimal() else TEXTS)
            case 2 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
                holder[key] = chosen(draw, NUMBERS)
            case 3:
                other, other_key = chosen(draw, every_place)
                holder[key] = copy.deepcopy(other[other_key])
            case 4 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case 5 if isinstance(holder[key], str):
                # The same name everywhere: what belongs together still does.
                renamed(result, holder[key], chosen(draw, TEXTS))
            case _:
                holder[key] = copy.deepcopy(chosen(draw, VALUES))
    return result.get("")


def json_bytes(document: Any) -> bytes:
    """Return a document as bytes, with what Python's own writer would refuse."""
    text = json.dumps(document, separators=(",", ":"))
    text = text.replace(json.dumps(DIGITS), "9" * 5000).replace(json.dumps(DEEP), "[" * 30_000 + "]" * 30_000)
    return text.encode()


def broken(draw: Draw, data: bytes, most: int = 4) -> bytes:
    """Return bytes that are cut, flipped, doubled or mixed."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, most))):
        size = len(result)
        at = draw(st.integers(0, size))
        match draw(st.integers(0, 6)):
            case 0:
                del result[at:]
            case 1 if at < size:
                result[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del result[at : at + draw(st.integers(1, 64))]
            case 3:
                result[at:at] = draw(st.binary(min_size=1, max_size=8))
            case 4:
                result[at:at] = result[at : at + draw(st.integers(1, 200))]
            case 5:
                piece = chosen(draw, (*TEXTS, *TIMES, *ADDRESSES)).encode("utf-8", "surrogatepass")
                result[at : at + draw(st.integers(0, 20))] = piece
            case _:
                length = min(draw(st.integers(1, 64)), size - at)
                result[at : at + length] = bytes(length)
    return bytes(result)

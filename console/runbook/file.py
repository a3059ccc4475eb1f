"""Reads a runbook: the file, then its data, then its shape, then its meaning; and tells everything that is wrong at once."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from console.errors import RunbookError
from console.runbook.build import build
from console.runbook.checking import Problem, checked
from console.runbook.meaning import check_meaning
from console.runbook.models import RunbookShape
from console.runbook.source import MAX_BYTES, distrust, read_bytes
from console.runbook.tree import MAX_FLAWS, Flaw, Node, read_tree
from console.runbook.values import Place, Runbook
from console.text import SENTENCE_LIMIT, clean, plural

_MARK = b"\xef\xbb\xbf"
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, other line ends than those of every editor, and what lets text show in another order."""
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_runbook(path: Path) -> Runbook:
    """Return the runbook in a file. Raises RunbookError with every problem, and for a file that root must not follow."""
    data = read_bytes(path)
    if os.geteuid() == 0 and (why := distrust(path)):
        raise RunbookError(
            f"Root does not follow the runbook {clean(str(path), 300)}. {why}",
            "A runbook and its directories must belong to root, or to you with sudo, and only their owner may write them.",
        )
    return parse_runbook(data, str(path))


def parse_runbook(data: bytes, source: str) -> Runbook:
    """Return the runbook in some bytes; `source` is what problems are told of. Raises RunbookError with every problem."""
    name = clean(source, 300)
    root, flaws = _read(data)
    shape = None
    if root is not None:
        shape, problems = checked(RunbookShape, root.plain())
        flaws = (*(_flaw(root, each) for each in problems), *check_meaning(root))
    if shape is None or root is None or flaws:
        lines = tuple(_lines(name, flaws))
        count = plural(len(lines), "problem")
        raise RunbookError(
            f"The runbook {name} cannot be used: {count}.", "Mend it; `vipconsole validate` tells all.", lines
        )
    return build(root, shape, hashlib.sha256(data).hexdigest(), name)


def _read(data: bytes) -> tuple[Node | None, tuple[Flaw, ...]]:
    if len(data) > MAX_BYTES:
        return None, (Flaw(Place(1, 1), f"the runbook is larger than {MAX_BYTES // 1024} KiB"),)
    try:
        text = data.removeprefix(_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data.removeprefix(_MARK)[: error.start].decode("utf-8")
        return None, (Flaw(_place_after(before), "this is not UTF-8"),)
    unseen = _UNSEEN.search(text)
    if unseen is not None:
        shown = clean(unseen[0])
        return None, (
            Flaw(
                _place_after(text[: unseen.start()]),
                f"the character {shown} is not allowed: it does not show",
            ),
        )
    root, flaws = read_tree(text)
    if root is None or flaws:
        return None, flaws or (Flaw(Place(1, 1), "the runbook is empty"),)
    if not isinstance(root.value, dict):
        empty = root.value is None
        return None, (Flaw(root.place, "the runbook is empty" if empty else "a runbook must be a mapping"),)
    return root, ()


def _flaw(root: Node, problem: Problem) -> Flaw:
    return Flaw(root.place_of(problem.path, is_about_key=problem.is_about_key), problem.sentence_end)


def _lines(name: str, flaws: Iterable[Flaw]) -> Iterator[str]:
    in_order = sorted(dict.fromkeys(flaws), key=lambda each: (each.place.line, each.place.column))
    for each in in_order[:MAX_FLAWS]:
        yield f"{name}:{each.place.line}:{each.place.column}: {clean(each.message, SENTENCE_LIMIT)}"
    if len(in_order) > MAX_FLAWS:
        last = in_order[MAX_FLAWS].place
        yield f"{name}:{last.line}:{last.column}: and {len(in_order) - MAX_FLAWS} more"


def _place_after(text: str) -> Place:
    lines = _LINE_END.split(text)
    return Place(len(lines), len(lines[-1]) + 1)

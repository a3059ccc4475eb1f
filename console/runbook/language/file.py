"""Reads a runbook: the file, then its data, shape and meaning; every problem is reported at once."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from console.errors import RunbookError
from console.runbook.actions.registry import ACTIONS
from console.runbook.language.checking import Problem, validate
from console.runbook.language.meaning import check_meaning
from console.runbook.language.models import Defaults, RetryPolicy, RunbookShape, StepShape, UndoShape
from console.runbook.language.source import (
    MAX_BYTES,
    distrust,
    read_bytes,
)
from console.runbook.language.substitution import ConditionEntry, entries_of
from console.runbook.language.tree import MAX_FLAWS, Flaw, YamlNode, read_tree
from console.runbook.language.values import Call, Runbook, SourcePosition, Step, Undo, Variable
from console.text import SENTENCE_LIMIT, clean, plural

NO_RETRIES = RetryPolicy(max=0)
WORD_WHEN_DONE = "done"
"""The word for a manual step that names none."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, line ends that few editors know, and characters that reorder text on the screen."""
_LINE_END = re.compile(r"\r\n|\r|\n")


def build(root: YamlNode, shape: RunbookShape, digest: str, source: str) -> Runbook:
    """Return the runbook of a shape that was checked, with the places of its file."""
    variables = tuple(
        Variable(name, variable.type, variable.default, variable.about)
        for name, variable in shape.vars.items()
    )
    steps = root.at(("steps",))
    return Runbook(
        id=shape.id,
        title=shape.title,
        about=shape.about,
        variables=variables,
        steps=tuple(
            _step(variable, steps.at((number,)), shape.defaults)
            for number, variable in enumerate(shape.steps)
        ),
        digest=digest,
        source=source,
    )


def _step(shape: StepShape, node: YamlNode, defaults: Defaults) -> Step:
    requires, verify = _entries(node, "requires"), node.child("verify")
    # A default is for those that may be tried again; an action that must not be is simply not.
    may_retry = shape.uses is not None and ACTIONS[shape.uses].may_retry
    retries = shape.retries or (defaults.retries if may_retry else NO_RETRIES)
    confirm = shape.confirm.type if shape.confirm else ""
    reason = verify.child("none") if verify is not None else None
    return Step(
        id=shape.id,
        title=shape.title or shape.id,
        action=_call(shape.uses, shape.with_, node.at(("uses",)).place),
        manual=shape.manual or "",
        requires=tuple(require.call() for require in requires if not require.is_step),
        requires_steps=tuple(require.name for require in requires if require.is_step),
        probe=tuple(entry.call() for entry in _entries(node, "probe")),
        confirm=confirm or (WORD_WHEN_DONE if shape.manual else ""),
        verify=() if reason else tuple(entry.call() for entry in _entries(node, "verify")),
        unverified_because=str(reason.value) if reason else "",
        undo=_undo(shape.undo, node),
        timeout_s=shape.timeout or defaults.timeout,
        retries=retries.max,
        retry_every_s=retries.every,
        on_failure=shape.on_failure or defaults.on_failure,
        is_checkpoint=shape.checkpoint,
        place=node.place,
    )


def _undo(shape: UndoShape | None, node: YamlNode) -> Undo:
    if shape is None:
        return Undo()
    return Undo(_call(shape.uses, shape.with_, node.at(("undo", "uses")).place), shape.none or "")


def _call(name: str | None, parameters: object, place: SourcePosition) -> Call | None:
    return None if name is None else Call(name, parameters if isinstance(parameters, dict) else {}, place)


def _entries(node: YamlNode, key: str) -> list[ConditionEntry]:
    inside = node.child(key)
    return (
        [] if inside is None else [entry for entry in entries_of(inside) if isinstance(entry, ConditionEntry)]
    )


def read_runbook(path: Path) -> Runbook:
    """Return the runbook in a file. Raises RunbookError with every problem, and for a file that root must not follow."""
    data = read_bytes(path)
    if os.geteuid() == 0 and (why := distrust(path)):
        raise RunbookError(
            f"As root, vipconsole does not use the runbook {clean(str(path), 300)}. {why}",
            "A runbook and its directories must belong to root, or to you with sudo, and only their owner may write them.",
        )
    return parse_runbook(data, str(path))


def parse_runbook(data: bytes, source: str) -> Runbook:
    """Return the runbook in some bytes; `source` is what problems are told of. Raises RunbookError with every problem."""
    name = clean(source, 300)
    root, flaws = _read_root(data)
    shape = None
    if root is not None:
        shape, problems = validate(RunbookShape, root.plain())
        flaws = (*(_flaw(root, problem) for problem in problems), *check_meaning(root))
    if shape is None or root is None or flaws:
        lines = tuple(_lines(name, flaws))
        count = plural(len(lines), "problem")
        raise RunbookError(
            f"The runbook {name} has errors: {count}.", "Fix them; `vipconsole validate` shows all.", lines
        )
    return build(root, shape, hashlib.sha256(data).hexdigest(), name)


def _read_root(data: bytes) -> tuple[YamlNode | None, tuple[Flaw, ...]]:
    if len(data) > MAX_BYTES:
        return None, (Flaw(SourcePosition(1, 1), f"the runbook is larger than {MAX_BYTES // 1024} KiB"),)
    try:
        text = data.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data.removeprefix(_BYTE_ORDER_MARK)[: error.start].decode("utf-8")
        return None, (Flaw(_place_after(before), "this is not UTF-8"),)
    match = _INVISIBLE.search(text)
    if match is not None:
        character = clean(match[0])
        return None, (
            Flaw(
                _place_after(text[: match.start()]),
                f"the invisible character {character} is not allowed",
            ),
        )
    root, flaws = read_tree(text)
    if root is None or flaws:
        return None, flaws or (Flaw(SourcePosition(1, 1), "the runbook is empty"),)
    if not isinstance(root.value, dict):
        is_empty = root.value is None
        return None, (
            Flaw(root.place, "the runbook is empty" if is_empty else "a runbook must be a mapping"),
        )
    return root, ()


def _flaw(root: YamlNode, problem: Problem) -> Flaw:
    return Flaw(root.place_of(problem.path, is_about_key=problem.is_about_key), problem.sentence_end)


def _lines(name: str, flaws: Iterable[Flaw]) -> Iterator[str]:
    in_order = sorted(dict.fromkeys(flaws), key=lambda flaw: (flaw.place.line, flaw.place.column))
    for flaw in in_order[:MAX_FLAWS]:
        yield f"{name}:{flaw.place.line}:{flaw.place.column}: {clean(flaw.message, SENTENCE_LIMIT)}"
    if len(in_order) > MAX_FLAWS:
        last = in_order[MAX_FLAWS].place
        yield f"{name}:{last.line}:{last.column}: and {len(in_order) - MAX_FLAWS} more"


def _place_after(text: str) -> SourcePosition:
    lines = _LINE_END.split(text)
    return SourcePosition(len(lines), len(lines[-1]) + 1)

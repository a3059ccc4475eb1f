"""What a step waits for, and how long each thing has kept it waiting. Pure, and bounded however long the wait is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from console.text import SENTENCE_LIMIT, clean, listed

MOST_ROWS = 40
"""More things than that are shown as one."""
MOST_SHOWN = 12
"""How many of the things that block are named."""
WHAT_LIMIT = 200
OTHERS = "other things"
_HEADLINE_LIMIT = 240
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Blocking:
    """One thing that a step waits for at this moment."""

    name: str
    """Stays the same as long as it is the same thing: no counts, no times."""
    what: str = ""
    """What it does, or what is wrong with it."""

    @property
    def text(self) -> str:
        """Both, for people."""
        return f"{self.name}: {self.what}" if self.what else self.name


@dataclass(frozen=True, slots=True)
class BlockedTime:
    """How long one thing kept a step waiting, all in all."""

    name: str
    what: str
    """What it did when last seen."""
    began_at: datetime
    ended_at: datetime
    times: int
    """How often it began to block."""
    took_s: float
    """How long it blocked, without the pauses between; for `OTHERS` the most that it can be."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The wait of a step as it is now."""

    step: str
    began_at: datetime
    at: datetime
    """When that was so."""
    blocking: tuple[Blocking, ...]
    """The first `MOST_SHOWN` of what blocks."""
    more: int = 0
    """How many more block."""
    note: str = ""
    """What is waited for where nothing blocks."""
    headline: str = ""
    """What blocks, in a line that changes seldom: for viewers that print line after line."""
    rows: tuple[BlockedTime, ...] = ()

    @property
    def text(self) -> str:
        """What is waited for, in a line."""
        return headline_of(self.blocking, self.note, self.more)


def cut(blocking: Iterable[Blocking]) -> tuple[Blocking, ...]:
    """Return each thing once, its texts cleaned and bounded."""
    found: dict[str, Blocking] = {}
    for blocker in blocking:
        name = clean(blocker.name)
        found.setdefault(name, Blocking(name, clean(blocker.what, WHAT_LIMIT)))
    return tuple(found.values())


def headline_of(blocking: Sequence[Blocking], note: str, more: int = 0) -> str:
    """Return what is waited for, in a line."""
    if not blocking:
        return clean(note, SENTENCE_LIMIT)
    texts = [blocker.text.removesuffix(".") for blocker in blocking]
    unnamed = [""] * more
    return clean(f"waiting for {listed([*texts, *unnamed], _NAMED)}", _HEADLINE_LIMIT)


def taken_in(
    rows: Sequence[BlockedTime],
    before: frozenset[str],
    blocking: Sequence[Blocking],
    at: datetime,
    passed_s: float,
) -> tuple[BlockedTime, ...]:
    """Return the rows with one more look: `before` blocked since the last one, `passed_s` ago, and `blocking` does now."""
    now = {blocker.name: blocker for blocker in blocking}
    after: list[BlockedTime] = []
    for row in rows:
        each = row
        if each.name in before:
            each = replace(each, ended_at=at, took_s=each.took_s + passed_s)
        if each.name in now:
            began = each.times + (each.name not in before)
            each = replace(each, ended_at=at, times=began, what=now[each.name].what)
        after.append(each)
    known = {row.name for row in rows}
    after += [
        BlockedTime(blocker.name, blocker.what, at, at, 1, 0.0)
        for blocker in blocking
        if blocker.name not in known
    ]
    return bounded(after, now.keys())


def merged(rows: Iterable[BlockedTime]) -> tuple[BlockedTime, ...]:
    """Return the rows of several waits as those of one."""
    found: dict[str, BlockedTime] = {}
    for row in rows:
        known = found.get(row.name)
        found[row.name] = row if known is None else _sum(known, row, row.name, row.what)
    return bounded(list(found.values()), ())


def bounded(rows: list[BlockedTime], kept: Iterable[str]) -> tuple[BlockedTime, ...]:
    """Return at most `MOST_ROWS`: those to be kept and those that took longest stay by name, the rest become one."""
    if len(rows) <= MOST_ROWS:
        return tuple(rows)
    wanted = frozenset(kept)
    named = [row for row in rows if row.name != OTHERS]
    by_weight = sorted(named, key=lambda each: (each.name in wanted, each.took_s), reverse=True)
    stay = {blocked_time.name for blocked_time in by_weight[: MOST_ROWS - 1]}
    (others, *rest) = [row for row in rows if row.name not in stay]
    for blocked_time in rest:
        others = _sum(others, blocked_time, OTHERS, "")
    return (*(row for row in rows if row.name in stay), replace(others, name=OTHERS, what=""))


def _sum(one: BlockedTime, two: BlockedTime, name: str, what: str) -> BlockedTime:
    began, ended, took_s = (
        min(one.began_at, two.began_at),
        max(one.ended_at, two.ended_at),
        one.took_s + two.took_s,
    )
    if name == OTHERS:
        # Several may have blocked at once: together they did for no longer than from the first to the last.
        took_s = min(took_s, (ended - began).total_seconds())
    return BlockedTime(name, what, began, ended, one.times + two.times, took_s)

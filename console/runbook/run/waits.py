"""What a step waits for, and how long each thing has kept it waiting. Pure, and bounded however long the wait is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from console.frozen import frozen
from console.text import SENTENCE_LIMIT, clean, listed

MOST_ROWS = 40
"""More things than that are shown as one."""
MOST_SHOWN = 12
"""How many of the things that block are named."""
WHAT_LIMIT = 200
OTHERS = "other things"
_HEADLINE_LIMIT = 240
_NAMED = 3


@frozen
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


@frozen
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


@frozen
class Measure:
    """How far something is that has a known end, such as a walk or the time for which it must be quiet."""

    done: float
    whole: float
    unit: str
    """`s` for seconds, which go on by themselves while nothing blocks; else what is counted."""


@frozen
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
    measure: Measure | None = None

    @property
    def text(self) -> str:
        """What is waited for, in a line."""
        return headline_of(self.blocking, self.note, self.more)


def unique_blocking(blocking: Iterable[Blocking]) -> tuple[Blocking, ...]:
    """Return each thing once, its texts cleaned and bounded."""
    unique: dict[str, Blocking] = {}
    for blocker in blocking:
        name = clean(blocker.name)
        unique.setdefault(name, Blocking(name, clean(blocker.what, WHAT_LIMIT)))
    return tuple(unique.values())


def headline_of(blocking: Sequence[Blocking], note: str, more: int = 0) -> str:
    """Return what is waited for, in a line."""
    if not blocking:
        return clean(note, SENTENCE_LIMIT)
    texts = [blocker.text.removesuffix(".") for blocker in blocking]
    nameless = [""] * more
    return clean(f"waiting for {listed([*texts, *nameless], _NAMED)}", _HEADLINE_LIMIT)


def update_rows(
    rows: Sequence[BlockedTime],
    before: frozenset[str],
    blocking: Sequence[Blocking],
    at: datetime,
    elapsed_s: float,
) -> tuple[BlockedTime, ...]:
    """Return the rows after a check. `before`: the names that blocked at the check before, `elapsed_s` ago; `blocking`: what blocks now."""
    now = {blocker.name: blocker for blocker in blocking}
    new_rows: list[BlockedTime] = []
    for row in rows:
        new_row = row
        if new_row.name in before:
            new_row = replace(new_row, ended_at=at, took_s=new_row.took_s + elapsed_s)
        if new_row.name in now:
            times = new_row.times + (new_row.name not in before)
            new_row = replace(new_row, ended_at=at, times=times, what=now[new_row.name].what)
        new_rows.append(new_row)
    names = {row.name for row in rows}
    new_rows += [
        BlockedTime(blocker.name, blocker.what, at, at, 1, 0.0)
        for blocker in blocking
        if blocker.name not in names
    ]
    return limit_rows(new_rows, now.keys())


def merge_rows(rows: Iterable[BlockedTime]) -> tuple[BlockedTime, ...]:
    """Return the rows of several waits as those of one."""
    by_name: dict[str, BlockedTime] = {}
    for row in rows:
        row_so_far = by_name.get(row.name)
        by_name[row.name] = row if row_so_far is None else _sum(row_so_far, row, row.name, row.what)
    return limit_rows(list(by_name.values()), ())


def limit_rows(rows: list[BlockedTime], required_names: Iterable[str]) -> tuple[BlockedTime, ...]:
    """Return at most `MOST_ROWS`: those to be kept and those that took longest stay by name, the rest become one."""
    if len(rows) <= MOST_ROWS:
        return tuple(rows)
    names = frozenset(required_names)
    proper_rows = [row for row in rows if row.name != OTHERS]
    by_weight = sorted(proper_rows, key=lambda row: (row.name in names, row.took_s), reverse=True)
    row_names = {blocked_time.name for blocked_time in by_weight[: MOST_ROWS - 1]}
    (others, *rest) = [row for row in rows if row.name not in row_names]
    for blocked_time in rest:
        others = _sum(others, blocked_time, OTHERS, "")
    return (*(row for row in rows if row.name in row_names), replace(others, name=OTHERS, what=""))


def _sum(one: BlockedTime, two: BlockedTime, name: str, what: str) -> BlockedTime:
    began_at, ended_at, took_s = (
        min(one.began_at, two.began_at),
        max(one.ended_at, two.ended_at),
        one.took_s + two.took_s,
    )
    if name == OTHERS:
        # Several may have blocked at once: together they did for no longer than from the first to the last.
        took_s = min(took_s, (ended_at - began_at).total_seconds())
    return BlockedTime(name, what, began_at, ended_at, one.times + two.times, took_s)

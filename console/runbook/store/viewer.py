"""Reads runs for the console and the command line. Decisions go through `console.runbook.runner.starting`.

A viewer is never more than that. It can go at any time and lose nothing; several of them see the same run.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from console.clock import Clock
from console.concurrency import OwningThreads
from console.errors import Declined, HostError
from console.runbook.run.replay import after, begun, fold
from console.runbook.run.view import Live, RunView, Watched, is_kept
from console.runbook.run.waits import Waiting
from console.runbook.runner.starting import is_alive
from console.runbook.store import database
from console.runbook.store.folders import LOG, folder_of, run_folders
from console.runbook.store.output import last_lines, last_number, pulse_age_s, read_waiting, waiting_mark
from console.text import clean

POLL_S = 0.25
LINES_SHOWN = 200
"""Of what a step told, so many of the newest lines."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A run that cannot be read."""

    name: str
    why: str


def runs_in(state: Path) -> tuple[Watched | Unreadable, ...]:
    """Return all runs, the newest first, without what their steps told; blocks. Raises HostError."""
    return tuple(_summary(each) for each in reversed(run_folders(state)))


def newest(state: Path) -> Path:
    """Return the folder of the run that an operator most likely means; blocks.

    It is the newest one that blocks others, else the newest that is not over, else the newest. Raises Declined where
    there is none, and HostError.
    """
    views = [each.view for each in runs_in(state) if isinstance(each, Watched)]
    meant = (
        [each for each in views if each.blocks and not each.is_over]
        or [each for each in views if not each.is_over]
        or views
    )
    if meant:
        return folder_of(state, meant[0].header.run_id)
    raise Declined("There is no run.", "`vipconsole run` begins one.")


def look_at(folder: Path) -> Watched:
    """Return a run as it is now; blocks. Raises HostError."""
    view = fold(database.read_log(folder / LOG))
    return Watched(view, _live(folder, view))


async def watch(folder: Path, clock: Clock) -> AsyncGenerator[Watched, None]:
    """Yield a run, and again whenever anything of it changes, until it is over. Raises HostError.

    Also when its runner is there or gone, and when that has given no sign of life for some seconds more.
    """
    reading: OwningThreads[sqlite3.Connection] = OwningThreads(
        lambda: database.connect_to_read(folder / LOG), sqlite3.Connection.close, 1
    )
    view: RunView | None = None
    shown: tuple[object, ...] = ()
    try:
        while True:
            news = partial(database.entries_after, number=0 if view is None else view.number)
            for each in await reading.call(news):
                view = begun(each) if view is None else after(view, each)
            if view is None:
                raise HostError("The run's log is empty.")
            mark = (view.number, *await asyncio.to_thread(_signs, folder))
            if mark != shown:
                shown = mark
                yield Watched(view, await asyncio.to_thread(_live, folder, view))
                if view.is_over and not await asyncio.to_thread(is_alive, folder):
                    return
            await clock.sleep(POLL_S)
    finally:
        reading.close()


def _summary(folder: Path) -> Watched | Unreadable:
    try:
        view = fold(database.read_log(folder / LOG))
        return Watched(view, Live(is_alive(folder)))
    except HostError as error:
        return Unreadable(clean(folder.name), f"{error.sentence} {error.hint}".strip())


def _live(folder: Path, view: RunView) -> Live:
    steps = tuple(each.id for each in view.steps)
    try:
        lines = last_lines(folder, steps, LINES_SHOWN)
    except HostError:
        # They are no part of the log: without them the run is still shown.
        lines = {}
    return Live(is_alive(folder), lines, _waiting(folder, view))


def _waiting(folder: Path, view: RunView) -> Waiting | None:
    """Return what the run waits for, where that is of the step that it is at, and not in the log already."""
    waiting, step = read_waiting(folder), view.current
    if waiting is None or step is None or view.is_over or waiting.step != step.id:
        return None
    return None if is_kept(waiting, step) else waiting


def _signs(folder: Path) -> tuple[object, ...]:
    """Return what changes when there is something to show besides the log."""
    age_s = pulse_age_s(folder)
    try:
        lines = last_number(folder)
    except HostError:
        lines = -1
    age = None if age_s is None else int(age_s // 5)
    return lines, is_alive(folder), age, waiting_mark(folder)

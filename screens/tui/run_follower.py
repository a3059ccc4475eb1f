"""Follows the maintenance runs of this host, and takes the operator's decisions to their logs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from console.clock import Clock
from console.errors import Declined, HostError, RunbookError, Unknown, unknown_from
from console.host.who import Who
from console.runbook.language.source import default_runbook
from console.runbook.run.decisions import DecisionRequest
from console.runbook.run.view import StoredRun
from console.runbook.runner.starting import Progress, decide, silent
from console.runbook.store.folders import run_folders
from console.runbook.store.viewer import UnreadableRun, newest, runs_in, watch


@dataclass
class Decider:
    """Decides about one run, in the name of the operator who has it open."""

    folder: Path
    who: Who
    clock: Clock
    is_cut_short: bool = False
    """Whether a decision was interrupted, and how far it came is unknown."""

    async def __call__(self, request: DecisionRequest, tell: Progress = silent) -> None:
        """Decide what was asked, for the question, the attempt and the plan that were shown. Raises Declined and HostError.

        RunnerNotStarted is one of these: then the decision is stored, but no runner has acted on it yet.
        """
        self.is_cut_short = True
        try:
            await decide(self.folder, request, self.who, self.clock, tell)
        except Exception:
            self.is_cut_short = False
            raise
        self.is_cut_short = False


EVERY_S = 3.0
"""How often to check whether another run has started."""


async def shown_runs(state: Path, clock: Clock) -> AsyncGenerator[StoredRun | Unknown, None]:
    """Yield the run that matters, and again whenever anything in it changes or another run starts.

    Unknown if runs cannot be read; nothing before the first run.
    """
    failed: Unknown | None = None
    while True:
        try:
            runs = await asyncio.to_thread(run_folders, state)
            folder = await asyncio.to_thread(newest, state)
            async with aclosing(_until_another(state, folder, runs, clock)) as views:
                async for view in views:
                    failed = None
                    yield view
        except Declined:
            now = await asyncio.to_thread(_unreadable, state)
            if now is not None and now != failed:
                yield now
            failed = now
        except HostError as error:
            now = unknown_from(error)
            if now != failed:
                yield now
            failed = now
        await clock.sleep(EVERY_S)


async def shown_run_in(folder: Path, clock: Clock) -> AsyncGenerator[StoredRun | Unknown, None]:
    """Yield one run, and again whenever anything in it changes, until it is over. Unknown while it cannot be read."""
    failed: Unknown | None = None
    while True:
        try:
            async with aclosing(watch(folder, clock)) as pictures:
                async for picture in pictures:
                    failed = None
                    yield picture
        except HostError as error:
            now = unknown_from(error)
            if now != failed:
                yield now
            failed = now
        else:
            return
        await clock.sleep(EVERY_S)


def _unreadable(state: Path) -> Unknown | None:
    """Return why none of the runs can be shown, or None if there is no run."""
    for run in runs_in(state):
        if isinstance(run, UnreadableRun):
            return Unknown(f"The run {run.name} cannot be read. {run.why}", "`vipconsole runs` lists them.")
    return None


async def _until_another(
    state: Path, folder: Path, runs: tuple[Path, ...], clock: Clock
) -> AsyncGenerator[StoredRun, None]:
    """Yield a run until another one begins, or until it is over."""
    async with aclosing(watch(folder, clock)) as pictures:
        coming = asyncio.ensure_future(anext(pictures))
        try:
            while True:
                await asyncio.wait({coming}, timeout=EVERY_S)
                if coming.done():
                    try:
                        stored_run = coming.result()
                    except StopAsyncIteration:
                        break
                    yield stored_run
                    coming = asyncio.ensure_future(anext(pictures))
                elif await asyncio.to_thread(run_folders, state) != runs:
                    return
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, HostError):
                await coming
    while await asyncio.to_thread(run_folders, state) == runs:
        await clock.sleep(EVERY_S)


def planned_run(now: datetime) -> StoredRun | Unknown:
    """Return the run that would begin now, as the runbook tells it; blocks. Unknown where that cannot be read."""
    # Checking a runbook loads every action; showing runs does not need that.
    from console.runbook.language.file import read_runbook  # noqa: PLC0415 - see above
    from console.runbook.runner.creation import preview_run  # noqa: PLC0415 - see above

    try:
        return preview_run(read_runbook(default_runbook()), now)
    except RunbookError as error:
        return unknown_from(error)

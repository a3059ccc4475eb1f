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
from console.runbook.runner.deciding import decide
from console.runbook.runner.starting import Tell, silent
from console.runbook.store.folders import run_folders
from console.runbook.store.viewer import newest, watch

EVERY_S = 3.0
"""How often to check whether another run has started."""


@dataclass
class Decider:
    """Decides about one run, in the name of the operator who has it open."""

    folder: Path
    who: Who
    clock: Clock
    is_cut_short: bool = False
    """Whether a decision was interrupted, and how far it came is unknown."""

    async def __call__(self, request: DecisionRequest, progress: Tell = silent) -> None:
        """Decide for the question, the attempt and the plan on the screen. Raises Declined and HostError.

        RunnerNotStarted is one of these: then the decision is stored, but no runner has acted on it yet.
        """
        self.is_cut_short = True
        try:
            await decide(self.folder, request, self.who, self.clock, progress)
        except Exception:
            # It failed, and says so: that is no interruption. A cancellation is one, and is no Exception.
            self.is_cut_short = False
            raise
        self.is_cut_short = False


async def follow_runs(state: Path, clock: Clock) -> AsyncGenerator[StoredRun | Unknown, None]:
    """Yield the run that matters, and again whenever anything in it changes or another run starts.

    Unknown if runs cannot be read; nothing before the first run.
    """
    failure: Unknown | None = None
    while True:
        try:
            runs = await asyncio.to_thread(run_folders, state)
            folder = await asyncio.to_thread(newest, state)
            async with aclosing(_until_another(state, folder, runs, clock)) as views:
                async for view in views:
                    failure = None
                    yield view
        except Declined:
            failure = None
        except HostError as error:
            now = unknown_from(error)
            if now != failure:
                yield now
            failure = now
        await clock.sleep(EVERY_S)


async def follow_run(folder: Path, clock: Clock) -> AsyncGenerator[StoredRun | Unknown, None]:
    """Yield one run, and again whenever anything in it changes, until it is over. Unknown while it cannot be read."""
    failure: Unknown | None = None
    while True:
        try:
            async with aclosing(watch(folder, clock)) as stored_runs:
                async for stored_run in stored_runs:
                    failure = None
                    yield stored_run
        except HostError as error:
            now = unknown_from(error)
            if now != failure:
                yield now
            failure = now
        else:
            return
        await clock.sleep(EVERY_S)


async def _until_another(
    state: Path, folder: Path, runs: tuple[Path, ...], clock: Clock
) -> AsyncGenerator[StoredRun, None]:
    """Yield a run until another one begins, or until it is over."""
    async with aclosing(watch(folder, clock)) as stored_runs:
        next_run = asyncio.ensure_future(anext(stored_runs))
        try:
            while True:
                await asyncio.wait({next_run}, timeout=EVERY_S)
                if next_run.done():
                    try:
                        stored_run = next_run.result()
                    except StopAsyncIteration:
                        break
                    yield stored_run
                    next_run = asyncio.ensure_future(anext(stored_runs))
                elif await asyncio.to_thread(run_folders, state) != runs:
                    return
        finally:
            next_run.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, HostError):
                await next_run
    while await asyncio.to_thread(run_folders, state) == runs:
        await clock.sleep(EVERY_S)


def preview_run(now: datetime) -> StoredRun | Unknown:
    """Return the run that would begin now, by the runbook; blocks. Unknown where that cannot be read."""
    # Checking a runbook loads every action; showing runs does not need that.
    from console.runbook.language.file import read_runbook  # noqa: PLC0415 - see above
    from console.runbook.runner.creation import preview_run  # noqa: PLC0415 - see above

    try:
        return preview_run(read_runbook(default_runbook()), now)
    except RunbookError as error:
        return unknown_from(error)

"""Reads runs: for the console and the command line, and for every snapshot, which of them keep others from changing the swarm.

Decisions go through `console.runbook.runner.deciding`. A viewer can go at any time and lose nothing; several of them see
the same run.
"""

import asyncio
import math
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from console.clock import Clock
from console.concurrency import OwningThreads
from console.diagnosis.values import UnfinishedRun
from console.errors import Declined, HostError, Result, Unknown, unknown_from
from console.frozen import frozen
from console.host.lock_probe import holder_of_lock
from console.rehearsal.forecast import Forecast, newest_about, planned_downtimes, rehearsed_steps
from console.runbook.language.values import ActionPlan, Effect, ExpectedDowntime, Json
from console.runbook.run import events
from console.runbook.run.downtime import downtime_of
from console.runbook.run.replay import after, initial_view, replay
from console.runbook.run.view import Live, RunState, RunView, StepState, StepView, StoredRun, is_logged
from console.runbook.run.waits import Waiting
from console.runbook.store import database
from console.runbook.store.finished import LOG
from console.runbook.store.folders import RUNNER_LOCK, folder_of, run_folders
from console.runbook.store.output import (
    last_lines,
    last_number,
    pulse_age_s,
    read_pulse,
    read_waiting,
    waiting_mark,
)
from console.storage.borrow import BorrowStore, unfinished_borrow
from console.text import clean

POLL_S = 0.25
LINES_SHOWN = 200
"""How many of the newest lines of a step's progress."""
FORMER_RUNS = 3
"""So many of the latest runs are read to tell how long a step takes."""
SAME_PULSE = timedelta(seconds=0.3)
REVIVED_WITHIN_S = 60.0
"""How long after a run's last sign of life its runner may still be started again: systemd waits for 10 s
before it does."""


@frozen
class UnreadableRun:
    """A run that cannot be read."""

    name: str
    why: str


def is_alive(folder: Path) -> bool:
    """Whether a runner works on a run, or waits for its operator. Raises HostError."""
    return holder_of_lock(folder / RUNNER_LOCK) != ""


def read_run(folder: Path) -> RunView:
    """Return what the log of a run amounts to; blocks. Raises HostError."""
    return replay(database.read_log(folder / LOG))


def runs_in(state: Path) -> tuple[StoredRun | UnreadableRun, ...]:
    """Return all runs, the newest first, without what their steps told; blocks. Raises HostError."""
    return tuple(_summary(folder) for folder in reversed(run_folders(state)))


def newest(state: Path) -> Path:
    """Return the folder of the run that an operator most likely means; blocks.

    It is the newest one that blocks others, else the newest that is not over, else the newest. Raises Declined where
    there is none, and HostError, also where that newest one cannot be read: nobody knows whether it is over.
    """
    runs = runs_in(state)
    views = [run.view for run in runs if isinstance(run, StoredRun)]
    unfinished = [view for view in views if view.blocks and not view.is_over] or [
        view for view in views if not view.is_over
    ]
    if not unfinished and runs and isinstance(runs[0], UnreadableRun):
        raise HostError(
            f"The run {runs[0].name} cannot be read. {runs[0].why}", "`vipconsole runs` lists them."
        )
    if views:
        return folder_of(state, (unfinished or views)[0].header.run_id)
    raise Declined("There are no runs.", "`vipconsole run` starts one.")


def read_stored_run(folder: Path) -> StoredRun:
    """Return a run as it is now; blocks. Raises HostError."""
    view = read_run(folder)
    return StoredRun(view, _live(folder, view))


async def watch(folder: Path, clock: Clock) -> AsyncGenerator[StoredRun, None]:
    """Yield a run, and again whenever anything of it changes, until it is over. Raises HostError.

    Also when its runner is there or gone, and when that has given no sign of life for some seconds more.
    """
    reading: OwningThreads[sqlite3.Connection] = OwningThreads(
        lambda: database.connect_to_read(folder / LOG), sqlite3.Connection.close, 1
    )
    view: RunView | None = None
    stored_run: StoredRun | None = None
    former_s: Mapping[str, float] | None = None
    planned: tuple[ExpectedDowntime, ...] = ()
    rehearsed_s: Mapping[str, float] = {}
    last_mark: tuple[object, ...] = ()
    try:
        while True:
            news = partial(database.entries_after, number=0 if view is None else view.number)
            for entry in await reading.call(news):
                view = initial_view(entry) if view is None else after(view, entry)
            if view is None:
                raise HostError("The run's log is empty.", events.DAMAGED_LOG_HINT)
            mark = (view.number, *await asyncio.to_thread(_signs, folder))
            if mark != last_mark:
                last_mark = mark
                if former_s is None:
                    kind = RunKind(view.header.runbook_id, view.header.cluster_id, view.header.variables)
                    state = folder.parent.parent
                    former_s = await asyncio.to_thread(_former_durations, state, kind, folder.name)
                if planned != (planned := planned_downtimes(_plans(view).values())):
                    rehearsed_s = await asyncio.to_thread(_rehearsed, folder, view)
                live = await asyncio.to_thread(_live, folder, view)
                stored_run = StoredRun(view, replace(live, former_s=former_s, rehearsed_s=rehearsed_s))
                yield stored_run
                if view.is_over and not await asyncio.to_thread(is_alive, folder):
                    return
            elif stored_run is not None and view.state is RunState.GOING:
                live = await asyncio.to_thread(_with_pulse, stored_run.live, folder)
                if _is_later(live, stored_run.live):
                    stored_run = replace(stored_run, live=live)
                    yield stored_run
            await clock.sleep(POLL_S)
    finally:
        reading.close()


def forecast_of(folder: Path, view: RunView) -> Forecast | None:
    """Return what a rehearsal foretold of a run: the newest one before it that had the same plan; blocks."""
    planned, header = planned_downtimes(_plans(view).values()), view.header
    if not planned:
        return None
    state = folder.absolute().parents[1]
    return newest_about(state, view.began_at, header.runbook_id, header.cluster_id, planned)


def _plans(view: RunView) -> Mapping[str, ActionPlan]:
    return {
        step.id: step.preparation.plan
        for step in view.steps
        if step.preparation is not None and step.preparation.plan is not None
    }


def _rehearsed(folder: Path, view: RunView) -> Mapping[str, float]:
    forecast = forecast_of(folder, view)
    return {} if forecast is None else rehearsed_steps(forecast, _plans(view))


@frozen
class RunKind:
    """What runs are compared by."""

    runbook_id: str
    cluster_id: str
    variables: Mapping[str, Json]
    """These name the network."""


def measured_before(state: Path, kind: RunKind, plans: Mapping[str, ActionPlan], at: datetime) -> Live:
    """Return what earlier runs and a rehearsal measured of a run that would begin now, by its plans by step; blocks."""
    planned = planned_downtimes(plans.values())
    forecast = newest_about(state, at, kind.runbook_id, kind.cluster_id, planned) if planned else None
    return Live(
        former_s=_former_durations(state, kind),
        rehearsed_s={} if forecast is None else rehearsed_steps(forecast, plans),
    )


def _former_durations(state: Path, kind: RunKind, before: str = "") -> Mapping[str, float]:
    """Return how long each step took in the last of some earlier runs of a runbook in which it was done; blocks.

    How long services were down counts for the same swarm and the same variables only.
    """
    durations: dict[str, float] = {}
    try:
        earlier = [other for other in run_folders(state) if not before or other.name < before]
    except HostError:
        return durations
    for other in earlier[-FORMER_RUNS:]:
        try:
            former = read_run(other)
        except HostError:
            # `vipconsole runs` says which run cannot be read; of this one only an estimate is missing.
            continue
        if former.header.runbook_id != kind.runbook_id:
            continue
        header = former.header
        is_alike = (header.cluster_id, dict(header.variables)) == (kind.cluster_id, dict(kind.variables))
        durations |= {
            step.id: _took_s(step)
            for step in former.steps
            if step.state is StepState.DONE
            and step.has_begun
            and (is_alike or step.head.effect is not Effect.OUTAGE)
        }
    return durations


def _took_s(step: StepView) -> float:
    downtime = downtime_of((step,))
    return downtime.whole_s if downtime.whole_s and downtime.is_exact else step.took_s


def _summary(folder: Path) -> StoredRun | UnreadableRun:
    try:
        return StoredRun(read_run(folder), Live(is_alive(folder)))
    except HostError as error:
        return UnreadableRun(clean(folder.name), f"{error.sentence} {error.hint}".strip())


def _live(folder: Path, view: RunView) -> Live:
    steps = tuple(step.id for step in view.steps)
    try:
        lines = last_lines(folder, steps, LINES_SHOWN)
    except HostError:
        # They are no part of the log: without them the run is still shown.
        lines = {}
    live = Live(is_alive(folder), lines, _waiting(folder, view), folder=str(folder))
    return _with_pulse(live, folder)


def _with_pulse(live: Live, folder: Path) -> Live:
    """Return what is known beyond the log, with the runner's last sign of life."""
    pulse = read_pulse(folder)
    if pulse is None:
        return replace(live, pulse_at=None, engine_silent_since=None)
    at = datetime.now(UTC) - timedelta(seconds=pulse.age_s)
    silent_s = pulse.engine_silent_s
    return replace(
        live,
        pulse_at=at,
        engine_silent_since=None if silent_s is None else at - timedelta(seconds=silent_s),
    )


def _is_later(live: Live, before: Live) -> bool:
    """Whether the runner has given another sign of life; the time of one is the same to some milliseconds."""
    if live.pulse_at is None or before.pulse_at is None:
        return live.pulse_at is not before.pulse_at
    if (live.engine_silent_since is None) is not (before.engine_silent_since is None):
        return True
    return live.pulse_at - before.pulse_at > SAME_PULSE


def _waiting(folder: Path, view: RunView) -> Waiting | None:
    """Return what the run waits for, where that is of the step that it is at, and not in the log already."""
    waiting, step = read_waiting(folder), view.current
    if waiting is None or step is None or view.is_over or waiting.step != step.id:
        return None
    return None if is_logged(waiting, step) else waiting


def _signs(folder: Path) -> tuple[object, ...]:
    """Return what changes when there is something to show besides the log."""
    age_s = pulse_age_s(folder)
    try:
        lines = last_number(folder)
    except HostError:
        lines = -1
    age = None if age_s is None else int(age_s // 5)
    return lines, is_alive(folder), age, waiting_mark(folder)


def unfinished_runs(state: Path, *, revived_within_s: float = 0.0) -> Result[tuple[UnfinishedRun, ...]]:
    """Return the runs that keep other commands from changing the swarm; unknown where one cannot be read.

    With `revived_within_s` also those that go on and have changed nothing yet, if they gave a sign of life within so
    long: a runner may have been killed, and then nobody holds the maintenance lock until systemd has started it again.
    """
    try:
        runs = [
            run
            for run in (_unfinished_run(folder, revived_within_s) for folder in run_folders(state))
            if run is not None
        ]
        borrow = unfinished_borrow(state)
    except HostError as error:
        return unknown_from(error)
    return (*runs, *(() if borrow is None else (borrow,)))


def decline_if_unfinished(state: Path, but: str | None = None) -> None:
    """Raise Declined where a run (other than `but`) is not over and has changed something; blocks for some milliseconds.

    A manager that the run `but` has borrowed is that run's own. Where that cannot be known, it is raised too.
    """
    runs = unfinished_runs(state)
    if isinstance(runs, Unknown):
        raise Declined(f"Whether a maintenance run is unfinished is unknown: {runs.reason}", runs.hint)
    for run in runs:
        is_its_own = run.run_id == but or (
            not run.run_id and but is not None and but == _borrowing_run(state)
        )
        if not is_its_own:
            raise Declined(
                f"{run.name} {run.state} at step {run.step}: nothing else may change the swarm until it is over.",
                run.hint,
            )


def _borrowing_run(state: Path) -> str:
    """Return the run that borrowed the manager which is unfinished; a command's is the number of its process."""
    record = BorrowStore(state).read()
    return "" if record is None else record.owner.partition("/")[2]


def _unfinished_run(folder: Path, revived_within_s: float) -> UnfinishedRun | None:
    last = database.last_entry(folder / LOG)
    # Most runs are long over; their logs are not read.
    if last is not None and (
        isinstance(last.event, events.Abandoned)
        or (isinstance(last.event, events.Ended) and not last.event.left)
    ):
        return None
    view = read_run(folder)
    is_going_on = view.state is RunState.GOING and _silent_for_s(folder, view) < revived_within_s
    if not (view.blocks or is_going_on):
        return None
    has_runner = is_going_on or is_alive(folder)
    at = view.left_behind[0] if view.left_behind else view.current
    return UnfinishedRun(
        run_id=view.header.run_id,
        title=view.header.title,
        step="" if at is None else at.id,
        state=_state_sentence(view, is_alive=has_runner),
        began_at=view.began_at,
        hint=_hint(view, is_alive=has_runner),
        is_in_outage=view.is_in_outage,
        is_alive=has_runner,
    )


def _silent_for_s(folder: Path, view: RunView) -> float:
    """Return how long ago a run's last sign of life was: its runner's pulse, or an entry of its log."""
    ages_s = (
        pulse_age_s(folder),
        # A runner may have been killed before its first sign of life. The clock may have been set back since.
        None if view.at is None else abs((datetime.now(UTC) - view.at).total_seconds()),
    )
    return min((age_s for age_s in ages_s if age_s is not None), default=math.inf)


def _state_sentence(view: RunView, *, is_alive: bool) -> str:
    if view.is_over:
        return "has left changes neither verified nor undone"
    if view.state is RunState.WAITING:
        return "is waiting for a decision"
    if view.state is RunState.STOPPED:
        return "has stopped"
    return "is under way" if is_alive else "was interrupted"


def _hint(view: RunView, *, is_alive: bool) -> str:
    run = view.header.run_id
    if view.is_over:
        return f"`vipconsole report {run}` shows them; `vipconsole abandon {run}` ends the run."
    if view.state is RunState.WAITING or is_alive:
        return f"`vipconsole attach {run}` shows it."
    return f"`vipconsole resume {run}` continues it; `vipconsole abandon {run}` gives it up."

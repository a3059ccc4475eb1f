"""Which runs are not over and have changed something. Reads only, and little: it is part of every snapshot."""

import math
from datetime import UTC, datetime
from pathlib import Path

from console.diagnosis.values import UnfinishedRun
from console.errors import Declined, HostError, Part, Unknown, unknown_from
from console.host.lock_probe import holder_of_lock
from console.runbook.run import events as e
from console.runbook.run.replay import fold
from console.runbook.run.view import RunState, RunView
from console.runbook.store.database import last_entry, read_log
from console.runbook.store.folders import LOG, RUNNER_LOCK, run_folders
from console.runbook.store.output import pulse_age_s

REVIVED_WITHIN_S = 60.0
"""How long after a run's last sign of life its runner may still be started again: systemd waits for 10 s
before it does."""


def unfinished_runs(state: Path, *, revived_within_s: float = 0.0) -> Part[tuple[UnfinishedRun, ...]]:
    """Return the runs that keep other commands from changing the swarm; unknown where one cannot be read.

    With `revived_within_s` also those that go on and have changed nothing yet, if anything was heard of them within so
    long: a runner may have been killed, and then nobody holds the maintenance lock until systemd has started it again.
    """
    try:
        found = [
            each
            for each in (_unfinished(folder, revived_within_s) for folder in run_folders(state))
            if each is not None
        ]
    except HostError as error:
        return unknown_from(error)
    return tuple(found)


def decline_if_unfinished(state: Path, but: str = "") -> None:
    """Raise Declined where a run (other than `but`) is not over and has changed something; blocks for some milliseconds.

    Where that cannot be known, it is raised too.
    """
    runs = unfinished_runs(state)
    if isinstance(runs, Unknown):
        raise Declined(f"Whether a maintenance run is unfinished is unknown: {runs.reason}", runs.hint)
    for each in runs:
        if each.run_id != but:
            raise Declined(
                f"The maintenance run {each.run_id} {each.state} at step {each.step}: nothing else may change the swarm "
                "until it is over.",
                each.hint,
            )


def _unfinished(folder: Path, revived_within_s: float) -> UnfinishedRun | None:
    last = last_entry(folder / LOG)
    # Most runs are long over; their logs are not read.
    if last is not None and (
        isinstance(last.event, e.Abandoned) or (isinstance(last.event, e.Ended) and not last.event.left)
    ):
        return None
    view = fold(read_log(folder / LOG))
    is_going_on = view.state is RunState.GOING and _silent_for_s(folder, view) < revived_within_s
    if not (view.blocks or is_going_on):
        return None
    is_alive = is_going_on or holder_of_lock(folder / RUNNER_LOCK) != ""
    at = view.left_behind[0] if view.left_behind else view.current
    return UnfinishedRun(
        run_id=view.header.run_id,
        title=view.header.title,
        step="" if at is None else at.id,
        state=_said(view, is_alive=is_alive),
        began_at=view.began_at,
        hint=_hint(view, is_alive=is_alive),
        is_in_outage=view.is_in_outage,
        is_alive=is_alive,
    )


def _silent_for_s(folder: Path, view: RunView) -> float:
    """Return for how long nothing was heard of a run: neither its runner's pulse, nor an entry of its log."""
    ages_s = (
        pulse_age_s(folder),
        # A runner may have been killed before its first sign of life. The clock may have been set back since.
        None if view.at is None else abs((datetime.now(UTC) - view.at).total_seconds()),
    )
    return min((each for each in ages_s if each is not None), default=math.inf)


def _said(view: RunView, *, is_alive: bool) -> str:
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

"""What this host must not be doing: deploying, starting units, about to fire timers, being maintained."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from console.diagnosis.quiescence.deploy_tools import ancestors, deploy_tools
from console.diagnosis.quiescence.values import Blocker, Check, State
from console.errors import Part, Unknown, known
from console.host.activity import HostActivity, Inapplicable, Job, Login, Own, Process, Timer, Unit
from console.settings import Quiet
from console.text import duration

T = TypeVar("T")


def check_host(activity: HostActivity, wanted: Quiet, now: datetime) -> tuple[Check, ...]:
    """Return the checks of this host; `now` is by its own clock."""
    own, soon_s = activity.own, wanted.timer_within_s
    return (
        _check(
            "tools",
            "deploy tools",
            activity.processes,
            lambda processes: _tools(processes, own, wanted.deploy_tools),
            "Wait for it to end.",
        ),
        _check(
            "jobs",
            "systemd jobs",
            activity.jobs,
            lambda jobs: _jobs(jobs, own),
            "`systemctl list-jobs` shows them.",
        ),
        _check(
            "units",
            "configured units",
            activity.units,
            lambda units: _units(units, own),
            "`systemctl status` tells what it does.",
        ),
        _check(
            "timers",
            f"configured timers within {duration(soon_s)}",
            activity.timers,
            lambda timers: _timers(timers, now, soon_s),
            "Let it fire, or stop it.",
        ),
        _check("run", "another vipconsole run", activity.lock_holder, _run, "Wait for it, or end it."),
        _check_logins(activity),
    )


def _tools(processes: tuple[Process, ...], own: Own, patterns: tuple[str, ...]) -> Iterator[Blocker]:
    for pattern, process in deploy_tools(processes, own, patterns):
        yield Blocker(f"{pattern} (pid {process.pid})", "runs", process.started)


def _jobs(jobs: tuple[Job, ...], own: Own) -> Iterator[Blocker]:
    running = {each.unit for each in jobs if each.state == "running"}
    # Where no other job runs, those that wait do so for the one that this process is: it is what they were ordered after.
    is_waited_for = running == {own.unit}
    for each in jobs:
        if each.unit != own.unit and not is_waited_for:
            yield Blocker(each.unit, f"is to {each.what} ({each.state})")


def _units(units: tuple[Unit, ...], own: Own) -> Iterator[Blocker]:
    for each in units:
        if each.is_at_work and each.name != own.unit:
            yield Blocker(each.name, f"is {each.state} ({each.detail})", each.since)


def _timers(timers: tuple[Timer, ...], now: datetime, soon_s: float) -> Iterator[Blocker]:
    for each in timers:
        left_s = (each.next_at - now).total_seconds() if each.next_at else float("inf")
        if left_s <= soon_s:
            yield Blocker(each.name, f"fires in {duration(left_s)}")


def _run(holder: str) -> Iterator[Blocker]:
    if holder:
        yield Blocker(holder, "holds the maintenance lock")


def _check(
    code: str,
    title: str,
    part: Part[T] | Inapplicable,
    find: Callable[[T], Iterable[Blocker]],
    hint: str,
) -> Check:
    if isinstance(part, Inapplicable):
        state = State.UNKNOWN if part.is_wanted else State.UNCHECKED
        return Check(code, title, state, note=part.reason, is_lasting=part.is_wanted)
    if isinstance(part, Unknown):
        return Check(code, title, State.UNKNOWN, note=part.reason, hint=part.hint)
    blockers = tuple(find(part))
    return (
        Check(code, title, State.BUSY, blockers, hint=hint) if blockers else Check(code, title, State.QUIET)
    )


def _check_logins(activity: HostActivity) -> Check:
    """Return who else is here. Somebody who only looks on does no harm, so it is never more than a warning."""
    code, title, part = "logins", "other logins", activity.logins
    if isinstance(part, Inapplicable):
        return Check(code, title, State.UNCHECKED, note=part.reason)
    if isinstance(part, Unknown):
        return Check(code, title, State.UNCHECKED, note=part.reason, hint=part.hint)
    others = tuple(
        Blocker(f"{each.user} on {each.terminal}", "is logged in", each.since)
        for each in part
        if not _is_own(each, activity)
    )
    return Check(code, title, State.WARNING if others else State.QUIET, others)


def _is_own(login: Login, activity: HostActivity) -> bool:
    if login.session and login.session == activity.own.session:
        return True
    processes = () if isinstance(activity.processes, Inapplicable) else known(activity.processes, ())
    family = ancestors(processes, activity.own.pid)
    return any(each.terminal == login.terminal for each in processes if each.pid in family and each.terminal)

"""Reads the activity of this host: processes, logins, and systemd's units, timers and jobs."""

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from console.concurrency import together
from console.errors import HostError, Result, Unknown, unknown_from
from console.frozen import frozen
from console.host.activity import (
    HostActivity,
    Inapplicable,
    Login,
    OwnProcess,
    Process,
    SystemdJob,
    Timer,
    Unit,
)
from console.host.lock_probe import LOCK, holder_of_lock
from console.host.process import MALFORMED_HINT, output_of
from console.host.root import under_root
from console.settings import QuiescenceSettings
from console.text import clean

BOOTED = under_root("/run/systemd/system")
"""Exists where systemd is the init system (sd_booted(3))."""
Run = Callable[[Sequence[str], float], Awaitable[bytes]]
"""Returns what a command printed, within so many seconds; raises HostError."""
_PROPERTIES = "Id,LoadState,ActiveState,SubState,StateChangeTimestampMonotonic,Result"


def property_blocks(output: bytes) -> Iterator[Mapping[str, str]]:
    """Yield the properties of one object after the other, unchecked; a line that is not a property is skipped."""
    for block in output.decode("utf-8", "replace").split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if properties:
            yield properties


def has_systemd(booted: Path = BOOTED) -> bool:
    """Whether systemd runs this machine."""
    return booted.is_dir()


async def read_jobs(timeout_s: float, run: Run = output_of) -> tuple[SystemdJob, ...]:
    """Return systemd's jobs, waiting and running. Raises HostError when it does not tell."""
    output = await run(
        ("systemctl", "list-jobs", "--no-legend", "--no-pager", "--plain", "--full"), timeout_s
    )
    jobs = []
    for line in output.decode("utf-8", "replace").splitlines():
        words = line.split()
        if not words or line.startswith("No jobs"):
            continue
        if len(words) < 4 or not words[0].isdecimal():
            raise HostError(
                f"`systemctl list-jobs` gave a malformed reply: {clean(line, 100)}.", MALFORMED_HINT
            )
        jobs.append(SystemdJob(clean(words[1]), clean(words[2]), clean(words[3])))
    return tuple(jobs)


async def read_units(patterns: Sequence[str], timeout_s: float, run: Run = output_of) -> tuple[Unit, ...]:
    """Return the units of these names and globs, and since when each is in its state."""
    output = await run(
        ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", "--", *patterns), timeout_s
    )
    now_s, now = time.monotonic(), datetime.now(UTC)
    units = []
    for properties in property_blocks(output):
        if "Id" not in properties or "ActiveState" not in properties:
            raise HostError("`systemctl show` gave a malformed reply.", MALFORMED_HINT)
        changed_us = properties.get("StateChangeTimestampMonotonic", "0")
        since = (
            now - timedelta(seconds=now_s - int(changed_us) / 1e6)
            if changed_us.isdecimal() and int(changed_us)
            else None
        )
        units.append(
            Unit(
                clean(properties["Id"]),
                clean(properties["ActiveState"]),
                clean(properties.get("SubState", "")),
                since,
                clean(properties.get("LoadState", "")),
                clean(properties.get("Result", "")),
            )
        )
    return tuple(units)


async def read_timers(patterns: Sequence[str], timeout_s: float, run: Run = output_of) -> tuple[Timer, ...]:
    """Return the active timers of these names and globs, and when each fires next (systemd 247 and later)."""
    output = await run(
        ("systemctl", "list-timers", "--no-pager", "--output=json", "--", *patterns), timeout_s
    )
    try:
        rows = json.loads(output or b"[]")
        return tuple(
            Timer(
                clean(row["unit"]),
                # Microseconds; 0 or null where nothing is planned.
                datetime.fromtimestamp(row["next"] / 1e6, UTC) if row.get("next") else None,
            )
            for row in rows
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise HostError(
            "`systemctl list-timers` gave a malformed reply.", "It needs systemd 247 or later."
        ) from error


PROC = under_root("/proc")

T = TypeVar("T")
_NO_SYSTEMD = "systemd does not run on this machine."

WORDS = 16
"""Words of a command line that are kept: a program, its options and what it is told to do come first."""

_PTS_MAJORS = range(136, 144)
"""Device majors of pseudo terminals (Linux, Documentation/admin-guide/devices.txt)."""

_SESSION = re.compile(r"session-([^/]+)\.scope")

_UNIT = re.compile(r"/([^/]+\.(?:service|scope))(?:/|$)")


async def read_logins(timeout_s: float, run: Run = output_of, *, logind: bool = True) -> tuple[Login, ...]:
    """Return the sessions that have a terminal, this one among them, and somebody at it.

    A session that its user has left is there for as long as a process of it lives. logind is asked first, where there
    is one, and utmp (`who`) when it does not answer. Raises HostError when neither tells.
    """
    if logind:
        try:
            return await _from_logind(timeout_s, run)
        except HostError:
            # utmp says less, but it is there without logind too.
            return _from_utmp(await run(("who",), timeout_s))
    return _from_utmp(await run(("who",), timeout_s))


async def _from_logind(timeout_s: float, run: Run) -> tuple[Login, ...]:
    output = await run(("loginctl", "list-sessions", "--no-pager", "--output=json"), timeout_s)
    try:
        rows: list[Mapping[str, Any]] = json.loads(output or b"[]")
        states = {str(row["session"]): row.get("state") for row in rows if row.get("tty")}
        logins = [
            Login(clean(row["user"]), clean(row["tty"]), clean(str(row["session"])), None)
            for row in rows
            if row.get("tty")
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`loginctl list-sessions` gave a malformed reply.", MALFORMED_HINT) from error
    without_state = [session for session, state in states.items() if state is None]
    if without_state:
        states.update(await _states(without_state, timeout_s, run))
    return tuple(login for login in logins if states.get(login.session) != "closing")


async def _states(sessions: Sequence[str], timeout_s: float, run: Run) -> Mapping[str, str]:
    """Return the states of sessions by their IDs, for systemd before 254, which does not list them."""
    # Each property by itself: loginctl of that age takes no list.
    command = ("loginctl", "show-session", "--no-pager", "--property=Id", "--property=State", "--", *sessions)
    try:
        output = await run(command, timeout_s)
    except HostError:
        # One of them has ended in between. Whose state is not known counts as somebody until the next snapshot.
        return {}
    return {
        block["Id"]: block["State"] for block in property_blocks(output) if {"Id", "State"} <= block.keys()
    }


def _from_utmp(output: bytes) -> tuple[Login, ...]:
    # `who` in the C locale: user, terminal, date, time, perhaps (host). The time is local.
    logins = []
    for line in output.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        try:
            since = datetime.strptime(f"{words[2]} {words[3]}", "%Y-%m-%d %H:%M").astimezone()
        except ValueError:
            since = None
        logins.append(Login(clean(words[0]), clean(words[1]), "", since))
    return tuple(logins)


def unavailable_activity(reason: Inapplicable | Unknown, own: OwnProcess) -> HostActivity:
    """Return an activity without a single reading: the host is not the engine's, or not known to be."""
    return HostActivity(own, reason, reason, reason, reason, reason, reason)


@frozen
class HostPaths:
    """Where a host is read."""

    proc: Path = PROC
    booted: Path = BOOTED
    lock: Path = LOCK
    run: Run = output_of


DEFAULT_PATHS = HostPaths()


class HostReader:
    """Reads one host, each command within `timeout_s`."""

    def __init__(
        self,
        quiet: QuiescenceSettings,
        timeout_s: float,
        paths: HostPaths = DEFAULT_PATHS,
        *,
        holds_lock: bool = False,
    ) -> None:
        """`holds_lock` says that the lock is held by the very run that asks, and so nobody else can hold it."""
        self._quiet = quiet
        self._timeout_s = timeout_s
        self._paths = paths
        self._holds_lock = holds_lock

    def own(self) -> OwnProcess:
        return read_own(self._paths.proc)

    async def take(self) -> HostActivity:
        """Return what goes on now; what cannot be read is unknown."""
        systemd = has_systemd(self._paths.booted)
        quiet, limit, run = self._quiet, self._timeout_s, self._paths.run
        processes, jobs, units, timers, logins, holder = await together(
            _result(asyncio.to_thread(read_processes, self._paths.proc)),
            _result(read_jobs(limit, run)) if systemd else _inapplicable(_NO_SYSTEMD),
            self._read_configured(systemd, "units", quiet.units, read_units),
            self._read_configured(systemd, "timers", quiet.timers, read_timers),
            _result(read_logins(limit, run, logind=systemd)),
            _inapplicable("This run holds the lock itself.")
            if self._holds_lock
            else _result(asyncio.to_thread(holder_of_lock, self._paths.lock)),
        )
        return HostActivity(self.own(), processes, jobs, units, timers, logins, holder)

    async def _read_configured(
        self,
        systemd: bool,  # noqa: FBT001 - one caller, a few lines above
        what: str,
        patterns: tuple[str, ...],
        read: Callable[[Sequence[str], float, Run], Awaitable[tuple[T, ...]]],
    ) -> Result[tuple[T, ...]] | Inapplicable:
        if not patterns:
            return Inapplicable(f"No {what} are configured.")
        if not systemd:
            # Asked for by name: to skip it would be to say that it is quiet.
            return Inapplicable(f"quiet.{what} is configured, but {_NO_SYSTEMD}", is_configured=True)
        return await _result(read(patterns, self._timeout_s, self._paths.run))


async def _result(value: Awaitable[T]) -> Result[T]:
    try:
        return await value
    except HostError as error:
        return unknown_from(error)


async def _inapplicable(reason: str) -> Inapplicable:
    return Inapplicable(reason)


def read_processes(proc: Path = PROC) -> tuple[Process, ...]:
    """Return every process that has a command line; kernel threads and zombies have none.

    Raises HostError when /proc is not there or hides the processes of others (mounted with hidepid).
    """
    try:
        boot_time = _boot_time(proc)
        # A user who may not see the first process may not see others either.
        (proc / "1" / "cmdline").read_bytes()
        numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdecimal())
    except (OSError, ValueError, StopIteration) as error:
        raise HostError(
            f"The processes of this host cannot be listed: {clean(str(error), 200)}.",
            "Run this as root; /proc may be mounted with hidepid.",
        ) from error
    processes = (_process(proc / str(number), number, boot_time) for number in numbers)
    return tuple(process for process in processes if process is not None)


def read_own(proc: Path = PROC) -> OwnProcess:
    """Return which process, login session and systemd unit this is, as its cgroup tells."""
    pid = os.getpid()
    try:
        cgroup = (proc / "self" / "cgroup").read_text("utf-8", "replace")
    except OSError:
        # Not told: then nothing is taken for our own but this process and its ancestors.
        return OwnProcess(pid, "", "")
    session, units = _SESSION.search(cgroup), _UNIT.findall(cgroup)
    return OwnProcess(pid, clean(session[1]) if session else "", clean(units[-1]) if units else "")


def _boot_time(proc: Path) -> datetime:
    lines = (proc / "stat").read_text().splitlines()
    return datetime.fromtimestamp(
        int(next(line for line in lines if line.startswith("btime ")).split()[1]), UTC
    )


def _process(folder: Path, number: int, boot_time: datetime) -> Process | None:
    try:
        line = (folder / "cmdline").read_bytes()
        # The name in parentheses may hold anything; fields are counted from behind it (proc(5)).
        fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It has ended since it was listed, or is another user's under a strict security module.
        return None
    if not line or len(fields) < 20:
        return None
    words = line.rstrip(b"\0").split(b"\0")[:WORDS]
    age = timedelta(seconds=int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    return Process(
        number,
        int(fields[1]),
        boot_time + age,
        _terminal(int(fields[4])),
        tuple(clean(word, 300) for word in words),
    )


def _terminal(device: int) -> str:
    major, minor = os.major(device), os.minor(device)
    if major in _PTS_MAJORS:
        return f"pts/{(major - _PTS_MAJORS.start) * 256 + minor}"
    return f"tty{minor}" if major == 4 and minor < 64 else ""

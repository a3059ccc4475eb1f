"""Looks at what goes on on this host, each part by its own door."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from console.errors import HostError
from console.host.activity import HostActivity, Inapplicable, Own
from console.host.lock_probe import LOCK, holder_of_lock
from console.host.logins import read_logins
from console.host.process import output_of
from console.host.processes import PROC, read_own, read_processes
from console.host.units import BOOTED, Run, has_systemd, read_jobs, read_timers, read_units
from console.parts import Part, Unknown, unknown_from
from console.settings import Quiet
from console.together import together

T = TypeVar("T")

_NO_SYSTEMD = "systemd does not run this machine."


def unlooked(reason: Inapplicable | Unknown, own: Own) -> HostActivity:
    """Return the activity of a host that is not the engine's, or not known to be."""
    return HostActivity(own, reason, reason, reason, reason, reason, reason)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a host is looked at."""

    proc: Path = PROC
    booted: Path = BOOTED
    lock: Path = LOCK
    run: Run = output_of


PLACES = Places()


class HostSurvey:
    """Looks at one host, each command within `timeout_s`."""

    def __init__(
        self, wanted: Quiet, timeout_s: float, places: Places = PLACES, *, holds_lock: bool = False
    ) -> None:
        """`holds_lock` says that the lock is held by the very run that asks, and so nobody else can hold it."""
        self._wanted = wanted
        self._timeout_s = timeout_s
        self._places = places
        self._holds_lock = holds_lock

    def own(self) -> Own:
        """Return this process among the others."""
        return read_own(self._places.proc)

    async def take(self) -> HostActivity:
        """Return what goes on now; what cannot be read is unknown."""
        systemd = has_systemd(self._places.booted)
        wanted, limit, run = self._wanted, self._timeout_s, self._places.run
        processes, jobs, units, timers, logins, holder = await together(
            _part(asyncio.to_thread(read_processes, self._places.proc)),
            _part(read_jobs(limit, run)) if systemd else _inapplicable(_NO_SYSTEMD),
            self._configured(systemd, "units", wanted.units, read_units),
            self._configured(systemd, "timers", wanted.timers, read_timers),
            _part(read_logins(limit, run, logind=systemd)),
            _inapplicable("This run holds the lock itself.")
            if self._holds_lock
            else _part(asyncio.to_thread(holder_of_lock, self._places.lock)),
        )
        return HostActivity(self.own(), processes, jobs, units, timers, logins, holder)

    async def _configured(
        self,
        systemd: bool,  # noqa: FBT001 - one caller, a few lines above
        what: str,
        patterns: tuple[str, ...],
        read: Callable[[Sequence[str], float, Run], Awaitable[tuple[T, ...]]],
    ) -> Part[tuple[T, ...]] | Inapplicable:
        if not patterns:
            return Inapplicable(f"No {what} are configured.")
        if not systemd:
            # Asked for by name: to pass over it would be to say that it is quiet.
            return Inapplicable(f"quiet.{what} is configured, but {_NO_SYSTEMD}", is_wanted=True)
        return await _part(read(patterns, self._timeout_s, self._places.run))


async def _part(answer: Awaitable[T]) -> Part[T]:
    try:
        return await answer
    except HostError as error:
        return unknown_from(error)


async def _inapplicable(reason: str) -> Inapplicable:
    return Inapplicable(reason)

"""Who is logged in at a terminal: logind tells, else utmp."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.errors import HostError
from console.host.activity import Login
from console.host.process import output_of
from console.host.units import Run
from console.text import clean


async def read_logins(timeout_s: float, run: Run = output_of, *, logind: bool = True) -> tuple[Login, ...]:
    """Return the sessions that have a terminal, this one among them.

    logind is asked first, where there is one, and utmp (`who`) when it does not answer. Raises HostError when
    neither tells.
    """
    if logind:
        try:
            return _from_logind(
                await run(("loginctl", "list-sessions", "--no-pager", "--output=json"), timeout_s)
            )
        except HostError:
            # utmp says less, but it is there without logind too.
            return _from_utmp(await run(("who",), timeout_s))
    return _from_utmp(await run(("who",), timeout_s))


def _from_logind(said: bytes) -> tuple[Login, ...]:
    try:
        rows: list[Mapping[str, Any]] = json.loads(said or b"[]")
        return tuple(
            Login(clean(row["user"]), clean(row["tty"]), clean(str(row["session"])), None)
            for row in rows
            if row.get("tty") and row.get("state", "active") != "closing"
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`loginctl list-sessions` did not answer with sessions.") from error


def _from_utmp(said: bytes) -> tuple[Login, ...]:
    # `who` in the C locale: user, terminal, date, time, perhaps (host). The time is local.
    logins = []
    for line in said.decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        try:
            since = datetime.strptime(f"{words[2]} {words[3]}", "%Y-%m-%d %H:%M").astimezone()
        except ValueError:
            since = None
        logins.append(Login(clean(words[0]), clean(words[1]), "", since))
    return tuple(logins)

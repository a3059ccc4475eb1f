"""Who is logged in at a terminal: logind tells, else utmp."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from console.errors import HostError
from console.host.activity import Login
from console.host.process import output_of
from console.host.properties import property_blocks
from console.host.units import Run
from console.text import clean


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
    said = await run(("loginctl", "list-sessions", "--no-pager", "--output=json"), timeout_s)
    try:
        rows: list[Mapping[str, Any]] = json.loads(said or b"[]")
        told = {str(row["session"]): row.get("state") for row in rows if row.get("tty")}
        logins = [
            Login(clean(row["user"]), clean(row["tty"]), clean(str(row["session"])), None)
            for row in rows
            if row.get("tty")
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HostError("`loginctl list-sessions` did not answer with sessions.") from error
    untold = [session for session, state in told.items() if state is None]
    if untold:
        told.update(await _states(untold, timeout_s, run))
    return tuple(each for each in logins if told.get(each.session) != "closing")


async def _states(sessions: Sequence[str], timeout_s: float, run: Run) -> Mapping[str, str]:
    """Return the states of sessions by their IDs, for systemd before 254, which does not list them."""
    # Each property by itself: loginctl of that age takes no list.
    asked = ("loginctl", "show-session", "--no-pager", "--property=Id", "--property=State", "--", *sessions)
    try:
        said = await run(asked, timeout_s)
    except HostError:
        # One of them has ended in between. Whose state is not known counts as somebody until the next look.
        return {}
    return {each["Id"]: each["State"] for each in property_blocks(said) if {"Id", "State"} <= each.keys()}


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

"""Since when a swarm has been recorded, in a few words."""

from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from console.durations import LOCAL, TimeFormat, clock_time

if TYPE_CHECKING:
    from console.monitor.values import Watching

NEVER = "not recorded: `vipconsole record`"
TODAY = timedelta(hours=20)
"""What is younger has its time, what is older its day."""


def recording_text(watching: "Watching | None", now: datetime, zone: tzinfo = LOCAL) -> str:
    """Return `recorded since 3 Jun`, or `since 03:12` for the last hours; `not recorded since …` once it has ended.

    Nothing where it never was.
    """
    if watching is None:
        return ""
    verb = "recorded" if watching.is_at_work else "not recorded"
    since = watching.since.astimezone(zone)
    if now - watching.since < TODAY:
        return f"{verb} since {clock_time(watching.since, TimeFormat.MINUTE, zone)}"
    return f"{verb} since {since.day} {since:%b}"

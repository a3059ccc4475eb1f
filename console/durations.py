"""Times and spans as people read and type them. The one place that makes text of a time or a span for them.

Everywhere it is the operator's own zone. Where times stand in a list, its header names the zone; a sentence that travels
alone names it itself. For programs a time is ISO 8601 with its offset.
"""

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from enum import StrEnum

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
"""Seconds of each unit."""
LONGEST_TYPED_S = 10 * 366 * 86_400.0
"""Nobody means more."""
LONGEST_KNOWN_S = 40 * 366 * 86_400.0
"""Longer than any swarm has been there, and shorter than since the time that stands where none is known."""
SPAN = r"^[0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d)$"
SPAN_MEANING = "must be a time with its unit, such as 30s, 15m or 1h"
_SPAN = re.compile(SPAN)


def seconds_of(text: str) -> float:
    """Return the seconds of a span. Raises ValueError, with a sentence's end, for what is none."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(SPAN_MEANING)
    unit = found[2]
    seconds = float(text.removesuffix(unit)) * UNITS_S[unit]
    if seconds > LONGEST_TYPED_S:
        raise ValueError("must be no longer than ten years")
    return seconds


def duration(seconds: float) -> str:
    """Return a span as a person says it, in its largest unit or two: `40 s`, `14 min`, `2 h 5 min`, `3 d`.

    A span of decades began at a time that nobody knows: `an unknown time`.
    """
    # NaN is neither longer nor shorter.
    if not seconds <= LONGEST_KNOWN_S:
        return "an unknown time"
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} d"


NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where the engine gives no time (Go's zero time). Not the year 1: times near it cannot be reckoned with."""
NOT_KNOWN = "time unknown"


def parse_time(text: str) -> datetime:
    """Return an aware time from ISO 8601. Raises ValueError for one without its zone, or that cannot be reckoned with."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None or not MINYEAR < at.year < MAXYEAR:
        raise ValueError("no time that a clock tells")
    return at


class TimeFormat(StrEnum):
    """How much of a time is told."""

    MINUTE = "%H:%M"
    SECOND = "%H:%M:%S"
    DAY_MINUTE = "%Y-%m-%d %H:%M"
    DAY_SECOND = "%Y-%m-%d %H:%M:%S"
    WEEKDAY_MINUTE = "%a %H:%M"
    WEEKDAY = "%a %d"
    DAY = "%m-%d"


class _Local(tzinfo):
    """The zone of this process: what TZ names, else that of the host. Unlike a fixed offset it knows of summer time."""

    def fromutc(self, dt: datetime) -> datetime:
        aware = dt.replace(tzinfo=UTC).astimezone()
        naive = aware.replace(tzinfo=None)
        # An hour that comes twice is told apart by `fold`.
        is_second = naive.astimezone().utcoffset() != aware.utcoffset()
        return naive.replace(tzinfo=self, fold=int(is_second))

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002 - the offset holds all that is asked for
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()


LOCAL: tzinfo = _Local()
"""The operator's own zone."""


def is_known(at: datetime) -> bool:
    """Whether this is a time, and not what stands where none is known."""
    # A day more: other clocks and zones move it.
    return at > NO_TIME + timedelta(days=1)


def clock_time(at: datetime, shape: TimeFormat = TimeFormat.MINUTE, zone: tzinfo = LOCAL) -> str:
    """Return a time in a zone, which is named elsewhere: `03:12`."""
    return at.astimezone(zone).strftime(shape) if is_known(at) else NOT_KNOWN


def zone_name(at: datetime, zone: tzinfo = LOCAL) -> str:
    """Return what a zone is called at a time: `CEST`, `UTC`, and `UTC-03` where it has no name of its own."""
    name = at.astimezone(zone).tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else name or "UTC"


def stamp(at: datetime, shape: TimeFormat = TimeFormat.DAY_SECOND, zone: tzinfo = LOCAL) -> str:
    """Return a time with its zone, for where it stands alone: `2026-06-12 03:12:05 CEST`."""
    return f"{clock_time(at, shape, zone)} {zone_name(at, zone)}" if is_known(at) else NOT_KNOWN


def moment(at: datetime, now: datetime, zone: tzinfo = LOCAL) -> str:
    """Return a time as a person says it at `now`: `03:12` today, `Tue 03:12` in the last days, else with its date."""
    if not is_known(at):
        return NOT_KNOWN
    days = (now.astimezone(zone).date() - at.astimezone(zone).date()).days
    if days == 0:
        return clock_time(at, TimeFormat.MINUTE, zone)
    return clock_time(at, TimeFormat.WEEKDAY_MINUTE if 0 < days < 7 else TimeFormat.DAY_MINUTE, zone)


def iso(at: datetime | None) -> str | None:
    """Return a time for programs, in ISO 8601 with its offset; None where it is not known."""
    return None if at is None or not is_known(at) else at.isoformat()

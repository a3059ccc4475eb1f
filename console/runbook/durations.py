"""Spans of time as a runbook writes them, always with a unit: `30s`, `15m`, `1.5h`."""

import re

from console.runbook.patterns import MEANINGS, SPAN

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
"""Seconds of each unit."""
LONGEST_S = 366 * 86_400.0
_SPAN = re.compile(SPAN)


def seconds_of(text: str) -> float:
    """Return the seconds of a span. Raises ValueError, with a sentence's end, for what is none."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(MEANINGS[SPAN])
    unit = found[2]
    seconds = float(text.removesuffix(unit)) * UNITS_S[unit]
    if seconds > LONGEST_S:
        raise ValueError("must be no longer than a year")
    return seconds

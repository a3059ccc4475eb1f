"""The table of causes. A new one is an entry in the table of its area, or a table of its own and a line here."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from types import MappingProxyType

from console.causes import addresses, images, networks, nodes
from console.causes.values import Cause, CauseMatch, ErrorSource

CAUSES: tuple[Cause, ...] = (
    *networks.PORT_CAUSES,
    *addresses.CAUSES,
    *networks.CAUSES,
    *images.CAUSES,
    *nodes.CAUSES,
    *addresses.ALLOCATOR_CAUSES,
)
"""Where two causes match at the same boundary of an error, the earlier one wins."""


LONGEST = 4096
"""A longer error is not parsed: somebody made it long on purpose."""
_BOUNDARIES = 32
_QUOTED_OR_BOUNDARY = re.compile(r'"(?:[^"\\]|\\.)*"|(: |\bdesc = )', re.DOTALL)

_CompiledCause = tuple[Cause, re.Pattern[str]]


def cause_of(error: str, place: ErrorSource = ErrorSource.TASK) -> CauseMatch | None:
    """Return the cause of an error as a task or the allocator reports it; None where the table has none."""
    # containerd adds the class of an error, mostly `unknown`, behind its cause.
    text = error.strip().removesuffix(": unknown")
    if not text or len(text) > LONGEST:
        return None
    starts = tuple(_starts(text))
    # Fallbacks are looked for in the order of the table, wherever it stands.
    exact = (
        (start, compiled_cause) for start in starts for compiled_cause in _table(place, is_fallback=False)
    )
    fallback = (
        (start, compiled_cause) for compiled_cause in _table(place, is_fallback=True) for start in starts
    )
    for start, (cause, pattern) in chain(exact, fallback):
        match = pattern.fullmatch(text, start)
        if match is not None:
            return CauseMatch(cause, _names(match), start == 0)
    return None


def _starts(text: str) -> Iterator[int]:
    """Yield where a cause may begin. Nothing counts after a quote that is never closed."""
    yield 0
    count = 0
    end = len(text) if text.count('"') % 2 == 0 else text.rindex('"')
    for boundary in _QUOTED_OR_BOUNDARY.finditer(text, 0, end):
        if boundary[1] is not None:
            count += 1
            if count > _BOUNDARIES:
                return
            yield boundary.end()


def _names(match: re.Match[str]) -> Mapping[str, str]:
    return MappingProxyType({key: value for key, value in match.groupdict().items() if value})


@cache
def _table(place: ErrorSource, *, is_fallback: bool) -> tuple[_CompiledCause, ...]:
    # Most looks need none of them, and to compile them takes longer than to take a look.
    return tuple(
        (cause, re.compile(pattern, re.IGNORECASE | re.DOTALL))
        for cause in CAUSES
        if cause.place is place and cause.is_fallback is is_fallback
        for pattern in cause.patterns
    )

"""What a network's points belong to, and which of them are kept. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from console.addresses.accounting import NetworkAccount
from console.addresses.evidence import Allocator
from console.addresses.forecast import Point
from console.addresses.leaks import Evidence
from console.swarm.values import Engine

STEPS = (
    (timedelta(minutes=10), timedelta(seconds=10)),
    (timedelta(hours=2), timedelta(minutes=1)),
    (timedelta(days=1), timedelta(minutes=10)),
    (timedelta(days=60), timedelta(hours=2)),
)
"""Up to such an age, one point in each such span is kept; older ones are not."""

CHANGING, STANDING = timedelta(seconds=10), timedelta(minutes=1)
"""At least so long between two points where the use changed, and where it did not."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that can be compared with each other."""

    cluster_id: str
    network_id: str
    key: str
    """Changes when the points begin anew: another capacity, another allocator, or another way of knowing what is used."""


def series_of(account: NetworkAccount, engine: Engine, allocator: Allocator | None) -> Series | None:
    """Return what a network's use now belongs to, or None where its use is not known well enough to be kept."""
    if account.missing or not account.capacity or allocator is None:
        return None
    basis = "holders"
    if engine.counts_addresses:
        if not account.free_is_exact:
            return None
        basis = "engine"
    elif any(each.leak.evidence is Evidence.CENSUS for each in account.subnets):
        # What a census finds makes the use that is known of jump, and not the use.
        basis = "|".join(str(each.leak.as_of) for each in account.subnets)
    parts = (
        account.capacity,
        allocator.leader_id,
        allocator.daemon_began,
        account.network.created,
        basis,
    )
    key = sha256(repr(parts).encode()).hexdigest()[:16]
    return Series(engine.cluster_id, account.network.id, key)


def thinned(points: Iterable[Point], now: datetime) -> tuple[Point, ...]:
    """Return the points that are kept: of each span the newest, and of the future none."""
    kept: dict[tuple[timedelta, int], Point] = {}
    for each in sorted(points, key=lambda each: each.at):
        span = span_of(now - each.at)
        if span is not None:
            kept[span, int(each.at.timestamp() // span.total_seconds())] = each
    return tuple(sorted(kept.values(), key=lambda each: each.at))


def span_of(age: timedelta) -> timedelta | None:
    """Return how long a span is in which one point of such an age is kept; None where none is."""
    if age < timedelta(0):
        return None
    return next((span for oldest, span in STEPS if age <= oldest), None)


def added(points: tuple[Point, ...], used: int, at: datetime) -> tuple[Point, ...]:
    """Return points with one more; the very same where the last one says it all.

    What stays the same is two points, of which the later one moves: a use holds until the next point.
    """
    at = at.astimezone(UTC)
    if not points:
        return (Point(at, used),)
    last = points[-1]
    is_same = last.used == used
    if at - last.at < (STANDING if is_same else CHANGING):
        return points
    if is_same and len(points) > 1 and points[-2].used == used:
        return (*points[:-1], Point(at, used))
    return thinned((*points, Point(at, used)), at)

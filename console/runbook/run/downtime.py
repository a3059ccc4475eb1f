"""How long a run took services down, from what the acts of its steps returned. Pure.

A time that was not measured is named, never taken for zero.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from console.durations import parse_time
from console.errors import DAMAGE
from console.frozen import frozen
from console.runbook.language.values import Effect
from console.runbook.run.view import ActSpan, StepView

DOWNTIME = "downtime"
"""The output that holds a row for each service: `name`, `from` and `to`."""


@frozen
class Interval:
    """When one service was down."""

    name: str
    began_at: datetime
    ended_at: datetime | None
    """None where it was not seen running as before since."""
    is_seen_later: bool = False
    """Whether only the verification saw that it had ended: it was shorter, by an unknown time."""

    @property
    def took_s(self) -> float:
        """How long that was, as far as it was measured."""
        return 0.0 if self.ended_at is None else (self.ended_at - self.began_at).total_seconds()


@frozen
class OutageSpan:
    """One act or undo that takes services down."""

    step: str
    span: ActSpan
    intervals: tuple[Interval, ...]

    @property
    def is_measured(self) -> bool:
        """Whether it returned how long each service was down."""
        return self.span.has_succeeded and DOWNTIME in self.span.outputs

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"undo of {self.step}" if self.span.is_undo else self.step


@frozen
class Downtime:
    """All outages of a run."""

    spans: tuple[OutageSpan, ...]

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All that were measured. A service that one act left down was down until a later one brought it back."""
        intervals: list[Interval] = []
        open_intervals: dict[str, Interval] = {}
        for interval in (interval for span in self.spans for interval in span.intervals):
            earlier = open_intervals.pop(interval.name, None)
            began_at = interval.began_at if earlier is None else min(earlier.began_at, interval.began_at)
            whole = replace(interval, began_at=began_at)
            if whole.ended_at is None:
                open_intervals[whole.name] = whole
            else:
                intervals.append(whole)
        return (*intervals, *open_intervals.values())

    @property
    def still_down(self) -> tuple[Interval, ...]:
        """The services that no act has brought back, as far as the run has seen."""
        return tuple(interval for interval in self.intervals if interval.ended_at is None)

    @property
    def seen_later(self) -> Mapping[str, datetime]:
        """The services that only a verification saw running again, and when: they were down for their time at most."""
        return {
            interval.name: interval.ended_at
            for interval in self.intervals
            if interval.is_seen_later and interval.ended_at is not None
        }

    @property
    def unmeasured_spans(self) -> tuple[OutageSpan, ...]:
        """Acts of which it is not known how long services were down."""
        return tuple(span for span in self.spans if not span.is_measured)

    @property
    def by_service(self) -> tuple[tuple[str, float], ...]:
        """Each service with the seconds that it was down in all, the worst first."""
        totals: dict[str, float] = {}
        for interval in self.intervals:
            if interval.ended_at is not None:
                totals[interval.name] = totals.get(interval.name, 0.0) + interval.took_s
        return tuple(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    @property
    def whole(self) -> tuple[tuple[datetime, datetime], ...]:
        """The times in which at least one service was down, as far as they were measured."""
        return tuple(merge_intervals(self.intervals))

    @property
    def whole_s(self) -> float:
        """How long at least one service was down, as far as it was measured."""
        return sum((end - start).total_seconds() for start, end in self.whole)

    @property
    def is_exact(self) -> bool:
        """Whether all of it was measured."""
        return not (self.has_gaps or self.seen_later)

    @property
    def has_gaps(self) -> bool:
        """Whether there was more downtime than was measured."""
        return bool(self.unmeasured_spans or self.still_down)

    @property
    def bound(self) -> str:
        """What stands before a time of the whole: nothing where all of it was measured."""
        if self.has_gaps:
            return "about " if self.seen_later else "at least "
        return "at most " if self.seen_later else ""

    def bound_of(self, service: str) -> str:
        """Return what stands before the time of a service."""
        return "at most " if service in self.seen_later else ""


def downtime_of(steps: Iterable[StepView]) -> Downtime:
    """Return the outages of a run, in order."""
    spans = (
        OutageSpan(step.id, span, tuple(_intervals(span)))
        for step in steps
        for span in step.act_spans
        if step.head.effect is Effect.OUTAGE
    )
    return Downtime(tuple(sorted(spans, key=lambda span: span.span.began_at)))


def merge_intervals(intervals: Iterable[Interval]) -> list[tuple[datetime, datetime]]:
    """Return the times in which at least one service was down, as far as they were measured."""
    times: list[tuple[datetime, datetime]] = []
    for interval in sorted(intervals, key=lambda interval: interval.began_at):
        if interval.ended_at is None:
            continue
        if times and interval.began_at <= times[-1][1]:
            times[-1] = (times[-1][0], max(times[-1][1], interval.ended_at))
        else:
            times.append((interval.began_at, interval.ended_at))
    return times


def _intervals(span: ActSpan) -> Iterator[Interval]:
    rows: Any = span.outputs.get(DOWNTIME)
    for row in rows if isinstance(rows, list | tuple) else ():
        # What an action puts into its outputs has no schema, and another version wrote it.
        with suppress(*DAMAGE):
            yield _interval(span, row)


def _interval(span: ActSpan, row: Any) -> Interval:
    name, began_at = str(row["name"]), parse_time(str(row["from"]))
    if row["to"] is None:
        running_at = span.running_at.get(name)
        return Interval(name, began_at, running_at, is_seen_later=running_at is not None)
    return Interval(name, began_at, parse_time(str(row["to"])))

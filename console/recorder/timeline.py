"""What happened to a swarm, in one list by time, with the times in which nobody watched. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from console.frozen import frozen
from console.recorder.leaks import AFTER, BEFORE, after_leak
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from console.text import listed, plural

SHORTEST_GAP = timedelta(minutes=2)
"""A recorder notes once in a minute that it watches: what is shorter may be no gap."""
STILL_WATCHING = timedelta(minutes=5)
"""So long after its last note it may still be at work."""
SAME_TIME = timedelta(minutes=2)
"""What was done to a stack within so long stands in one line."""
MARGIN = max(BEFORE, AFTER)
"""So much before the time that is shown, and after it, tells what a leak came after."""
RECORDER = "recorder"
"""The subject of what a recorder says about itself."""
_ANYWHERE = (EventKind.RESTART, EventKind.WATCHING)
"""These concern every network."""


@frozen
class WatchGap:
    """A time in which nobody watched."""

    since: datetime
    until: datetime
    is_open: bool = False
    """Whether nobody watches now either."""


@frozen
class TimelineEvent:
    """An event, and what it came after."""

    event: RecordedEvent
    after: str = ""
    """`stack app was removed`; of leaks only, and empty where it is not known."""


@frozen
class Timeline:
    """What happened from `since` to `until`."""

    since: datetime
    until: datetime
    events: tuple[TimelineEvent, ...]
    """Oldest first."""
    gaps: tuple[WatchGap, ...]
    watched_since: datetime | None
    """When the swarm was first watched, at whatever time; None where it never was."""


@frozen
class TimelineLine:
    """A line of a list: an event, some of the same kind that belong together, or a gap."""

    at: datetime
    kind: EventKind | None
    """None for a gap."""
    sentence: str
    """Of a gap why nobody watched, where that is known."""
    event: RecordedEvent | None = None
    """The first one."""
    until: datetime | None = None
    """The end of a gap."""


def build_timeline(
    events: Sequence[RecordedEvent],
    spans: Sequence[WatchSpan],
    since: datetime,
    until: datetime,
    network: str = "",
) -> Timeline:
    """Return what happened, to a network only where one is named: with what its leaks came after, and restarts.

    `events` may begin and end `MARGIN` before and after the time.
    """
    ordered = sorted(events, key=lambda event: event.at)
    shown = [event for event in ordered if since <= event.at <= until]
    if network:
        shown = list(_about(network, shown))
    return Timeline(
        since,
        until,
        tuple(
            TimelineEvent(event, after_leak(event, ordered) if event.kind is EventKind.LEAK else "")
            for event in shown
        ),
        tuple(_gaps(spans, since, until)),
        min((span.began for span in spans), default=None),
    )


def timeline_lines(timeline: Timeline) -> tuple[TimelineLine, ...]:
    """Return a line for each event and each gap, oldest first. What was done to a stack at one time is one line.

    What the recorder says about a gap stands in the line of the gap.
    """
    reasons = {gap: _why(gap, timeline.events) for gap in timeline.gaps}
    spoken = [item for item in reasons.values() if item is not None]
    events = [item for item in timeline.events if item not in spoken]
    lines = [*_event_lines(events), *(_gap_line(gap, item) for gap, item in reasons.items())]
    return tuple(sorted(lines, key=lambda line: line.at))


def _why(gap: WatchGap, events: Iterable[TimelineEvent]) -> TimelineEvent | None:
    """Return the event in which the recorder says why nobody watched."""
    return next(
        (
            item
            for item in events
            if (item.event.kind, item.event.subject) == (EventKind.WATCHING, RECORDER)
            and abs(item.event.at - gap.until) <= SHORTEST_GAP
        ),
        None,
    )


def _about(network: str, events: Sequence[RecordedEvent]) -> Iterator[RecordedEvent]:
    leaks = [event for event in events if event.network == network and event.kind is EventKind.LEAK]
    for event in events:
        if event.network == network or event.kind in _ANYWHERE or any(_led_to(event, leak) for leak in leaks):
            yield event


def _led_to(event: RecordedEvent, leak: RecordedEvent) -> bool:
    if event.kind not in (EventKind.DEPLOY, EventKind.REMOVAL):
        return False
    is_same = event.stack == leak.stack if leak.stack else event.subject == leak.subject
    return is_same and leak.at - BEFORE <= event.at <= leak.at + AFTER


def _gaps(spans: Sequence[WatchSpan], since: datetime, until: datetime) -> Iterator[WatchGap]:
    watched_until = since
    for span in sorted(spans, key=lambda span: span.began):
        if span.began >= until:
            break
        if span.began - watched_until > SHORTEST_GAP:
            yield WatchGap(watched_until, span.began)
        watched_until = max(watched_until, span.ended)
    if until - watched_until > STILL_WATCHING:
        yield WatchGap(watched_until, until, is_open=True)


def _gap_line(gap: WatchGap, reason: TimelineEvent | None) -> TimelineLine:
    why = "" if reason is None else reason.event.sentence.rpartition(": ")[2].removesuffix(".")
    return TimelineLine(gap.since, None, why, until=gap.until)


def _event_lines(events: Iterable[TimelineEvent]) -> Iterator[TimelineLine]:
    for group in _groups(events):
        first = group[0]
        event = first.event
        sentence = event.sentence if len(group) == 1 else _together([item.event for item in group])
        if first.after:
            # That a network was removed under the task is part of what it came after.
            sentence = f"{sentence.partition(': network ')[0].removesuffix('.')}, after {first.after}."
        yield TimelineLine(event.at, event.kind, sentence, event)


def _groups(events: Iterable[TimelineEvent]) -> list[list[TimelineEvent]]:
    """Return deploys and removals of one stack that follow each other closely together, all else alone."""
    groups: list[list[TimelineEvent]] = []
    latest: dict[tuple[EventKind, str], list[TimelineEvent]] = {}
    for item in events:
        event = item.event
        key = (event.kind, event.stack)
        group = latest.get(key)
        if group is not None and event.at - group[-1].event.at <= SAME_TIME:
            group.append(item)
            continue
        groups.append([item])
        if event.stack and event.kind in (EventKind.DEPLOY, EventKind.REMOVAL):
            latest[key] = groups[-1]
    return groups


def _together(events: Sequence[RecordedEvent]) -> str:
    kind, stack = events[0].kind, events[0].stack
    services = list(dict.fromkeys(event.subject for event in events if not event.network))
    networks = {event.subject for event in events if event.network}
    parts = [
        plural(len(names), noun) for names, noun in ((services, "service"), (networks, "network")) if names
    ]
    are = "was" if len(services) + len(networks) == 1 else "were"
    if kind is EventKind.REMOVAL:
        return f"{' and '.join(parts)} of stack {stack} {are} removed."
    verb = "created" if all(" was created" in event.sentence for event in events) else "created or updated"
    return f"{' and '.join(parts)} of stack {stack} {are} {verb}: {listed(services)}."

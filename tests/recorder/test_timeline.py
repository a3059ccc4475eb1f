"""What happened, in one list by time, with the times in which nobody watched."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from console.recorder.derive import leak_event
from console.recorder.timeline import Timeline, build_timeline, timeline_lines
from console.recorder.values import EventKind, RecordedEvent, WatchSpan
from tests.support.swarms import NOW, entry

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
BEGIN = NOW - 12 * HOUR
WATCHED = (WatchSpan(BEGIN - HOUR, NOW),)


def event(
    kind: EventKind, subject: str, before: timedelta, stack: str = "", network: str = ""
) -> RecordedEvent:
    verb = {EventKind.REMOVAL: "removed", EventKind.DEPLOY: "created"}.get(kind, "seen")
    noun = "Network" if network else "Service"
    return RecordedEvent(
        NOW - before, kind, subject, f"{noun} {subject} was {verb}.", network=network, stack=stack
    )


def timeline(
    events: Sequence[RecordedEvent] = (), spans: Sequence[WatchSpan] = WATCHED, network: str = ""
) -> Timeline:
    return build_timeline(events, spans, BEGIN, NOW, network)


def sentences(found: Timeline) -> list[str]:
    return [line.sentence for line in timeline_lines(found)]


REMOVALS = (
    event(EventKind.REMOVAL, "ghost_app", HOUR, "ghost"),
    event(EventKind.REMOVAL, "ghost_db", HOUR, "ghost"),
    event(EventKind.REMOVAL, "ghost_internal", HOUR - SECOND, "ghost", "ghost_internal"),
)
LEAK = leak_event(entry("proxy", "10.0.1.7", ended_at=NOW - HOUR + 3 * SECOND), "proxy")


def test_what_was_done_to_a_stack_at_one_time_is_one_line_and_the_leak_says_what_it_came_after() -> None:
    assert sentences(timeline([LEAK, *REMOVALS])) == [
        "2 services and 1 network of stack ghost were removed.",
        "ghost_app.1 leaked 10.0.1.7 on proxy, after stack ghost was removed.",
    ]


def test_deploys_of_a_stack_name_their_services_and_those_long_after_stand_alone() -> None:
    deploys = [event(EventKind.DEPLOY, f"shop_{number}", HOUR, "shop") for number in range(6)]
    later = event(EventKind.DEPLOY, "shop_0", HOUR - 10 * MINUTE, "shop")
    alone = event(EventKind.DEPLOY, "web", HOUR)
    assert sentences(timeline([*deploys, alone, later])) == [
        "6 services of stack shop were created: shop_0, shop_1, shop_2, shop_3 and 2 more.",
        "Service web was created.",
        "Service shop_0 was created.",
    ]


def test_of_a_network_it_tells_its_own_what_led_to_its_leaks_and_restarts() -> None:
    events = [
        *REMOVALS,
        LEAK,
        event(EventKind.RESTART, "dockerd", 2 * HOUR),
        event(EventKind.REMOVAL, "wiki_app", HOUR, "wiki"),
        event(EventKind.FINDING, "nearly-full", HOUR, network="other"),
        event(EventKind.FINDING, "nearly-full", MINUTE, network="proxy"),
        event(EventKind.DEPLOY, "ghost_app", 5 * HOUR, "ghost"),
    ]
    found = timeline(events, network="proxy")
    assert [item.event.subject for item in found.events] == [
        "dockerd", "ghost_app", "ghost_db", "ghost_internal", "ghost_app", "nearly-full",
    ]  # fmt: skip
    assert [item.after for item in found.events if item.after] == ["stack ghost was removed"]


def test_only_the_time_that_is_asked_for_is_told_but_what_was_before_explains_it() -> None:
    removal = replace(REMOVALS[0], at=BEGIN - SECOND)
    leak = replace(LEAK, at=BEGIN + SECOND)
    (item,) = timeline([removal, leak]).events
    assert (item.event, item.after) == (leak, "service ghost_app was removed")


def test_times_in_which_nobody_watched_are_told() -> None:
    spans = (
        WatchSpan(BEGIN + HOUR, BEGIN + 2 * HOUR),
        # Killed, and started again within a minute: no gap.
        WatchSpan(BEGIN + 2 * HOUR + MINUTE, BEGIN + 3 * HOUR),
        WatchSpan(BEGIN + 4 * HOUR, NOW - HOUR),
    )
    found = timeline((), spans)
    assert [(gap.since - BEGIN, gap.until - BEGIN, gap.is_open) for gap in found.gaps] == [
        (timedelta(0), HOUR, False),
        (3 * HOUR, 4 * HOUR, False),
        (11 * HOUR, 12 * HOUR, True),
    ]
    assert found.watched_since == BEGIN + HOUR
    assert timeline().gaps == ()
    assert timeline((), (WatchSpan(BEGIN, NOW - 2 * MINUTE),)).gaps == ()
    (whole,) = timeline((), ()).gaps
    assert (whole.since, whole.until, whole.is_open) == (BEGIN, NOW, True)


def test_why_nobody_watched_stands_in_the_line_of_the_gap() -> None:
    spans = (WatchSpan(BEGIN - HOUR, NOW - 3 * HOUR), WatchSpan(NOW - 2 * HOUR, NOW))
    said = RecordedEvent(
        NOW - 2 * HOUR,
        EventKind.WATCHING,
        "recorder",
        "Nothing was recorded for 60 min, since 2026-06-12 03:12:05 UTC: no recorder was at work.",
    )
    (line,) = timeline_lines(timeline([said], spans))
    assert (line.kind, line.at, line.until) == (None, NOW - 3 * HOUR, NOW - 2 * HOUR)
    assert line.sentence == "no recorder was at work"
    assert len(timeline_lines(timeline([said]))) == 1

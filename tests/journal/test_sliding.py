"""The summary of what was logged lately, while time goes on."""

from datetime import datetime, timedelta

from console.journal.summary import SlidingSummariser, Summary, summarise
from console.journal.values import Batch, JournalEntry, JournalGap
from tests.journal.lines import VIP_LINE
from tests.support.swarms import NOW

STARTING = 'time="2026-06-12T02:00:00.000000000Z" level=info msg="Starting up"'
ODD = 'time="2026-06-12T02:00:00.000000000Z" level=error msg="something odd"'


def entry(message: str, at: datetime) -> JournalEntry:
    return JournalEntry(f"c{at.timestamp()}", at, "b", "stdout", "docker.service", "dockerd", 1, message)


def logged(*lines: tuple[str, float], now_s: float, window_s: float | None = 3600) -> Summary:
    """Return the summary at `now_s` of lines that came one by one, at their seconds."""
    summariser = SlidingSummariser(window_s)
    for message, at_s in lines:
        at = NOW + timedelta(seconds=at_s)
        summariser.add(Batch((entry(message, at),)), at)
    return summariser.summary({}, NOW + timedelta(seconds=now_s))


def test_within_the_window_it_is_the_same_as_a_summary_of_all() -> None:
    lines = [(VIP_LINE, 0.0), (ODD, 70.0), (VIP_LINE, 600.0), (STARTING, 900.0), (VIP_LINE, 1000.0)]
    whole = summarise(
        [Batch(tuple(entry(text, NOW + timedelta(seconds=at)) for text, at in lines))], {}, 3600
    )
    assert logged(*lines, now_s=1000) == whole


def test_what_is_older_than_the_window_is_forgotten() -> None:
    found = logged((VIP_LINE, 0), (ODD, 10), (VIP_LINE, 3000), now_s=3700)
    assert [(each.signature.id, each.count) for each in found.findings] == [("vip-create", 1)]
    assert (found.error_patterns, found.entries, found.window_s) == ((), 1, 3600)


def test_without_a_window_nothing_is() -> None:
    found = logged((VIP_LINE, 0), (VIP_LINE, 90_000), now_s=900_000, window_s=None)
    assert found.findings[0].count == 2


def test_that_the_allocator_began_anew_is_remembered() -> None:
    found = logged((STARTING, 0), (VIP_LINE, 9000), now_s=9000)
    assert [each.signature.id for each in found.findings] == ["vip-create"]
    assert found.rebuilt_at == NOW


def test_a_gap_is_forgotten_too() -> None:
    summariser = SlidingSummariser(3600)
    summariser.add(Batch((), (JournalGap("It is lost."),)), NOW)
    assert not summariser.summary({}, NOW + timedelta(seconds=3000)).is_complete
    assert summariser.summary({}, NOW + timedelta(seconds=4000)).is_complete


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    summariser = SlidingSummariser(3600)
    summariser.add(Batch((entry(VIP_LINE, NOW + timedelta(hours=5)),)), NOW)
    summariser.add(Batch((entry(VIP_LINE, NOW - timedelta(seconds=1)),)), NOW + timedelta(seconds=1))
    assert summariser.summary({}, NOW + timedelta(seconds=2)).findings[0].count == 2
    assert summariser.summary({}, NOW + timedelta(seconds=3700)).findings == ()

"""Charts of use as lines of cells."""

from datetime import UTC, timedelta

import pytest

from console.addresses.forecast import Trend
from console.addresses.leaks import LeakEntry
from console.addresses.use_history import UseSource
from screens.present.chart import SPANS, Chart, draw_chart, legend_spans, sparkline, watched_text
from screens.present.text import ASCII, BAD, PLAIN, UNICODE, Glyphs, text_of
from tests.support.swarms import NOW, entry
from tests.support.use import growing, points_between

DAY, HOUR = SPANS[0], timedelta(hours=1)
WIDTH, HEIGHT = 64, 12


def source(trend: Trend | None, *entries: LeakEntry, capacity: int = 253) -> UseSource:
    return UseSource(trend, entries, capacity, NOW)


def drawn(shown: UseSource, glyphs: Glyphs = UNICODE, span: timedelta = DAY) -> Chart:
    return draw_chart(shown, span, (WIDTH, HEIGHT), glyphs, UTC)


def lines(shown: UseSource, glyphs: Glyphs = UNICODE, span: timedelta = DAY) -> list[str]:
    return [text_of(line).rstrip() for line in drawn(shown, glyphs, span).lines]


def test_a_network_that_fills() -> None:
    leaks = entry("id-proxy", "10.0.1.9", ended_at=NOW - 5 * HOUR)
    trend = growing(205, 245, 8)
    assert lines(source(trend, leaks)) == [
        "253 ─────────────────────────────────────────────── full ~06:48",
        "                                                         ░░░░░░░",
        "                                             ▁▂▂▃▅▆▇░░░░░░░░░░░░",
        "                                     ▁▂▃▅▅▆▇████████░░░░░░░░░░░░",
        "                            ▁▁▂▃▅▆▇▇████████████████░░░░░░░░░░░░",
        "218                 ▁▂▃▃▅▆▇█████████████████████████░░░░░░░░░░░░",
        "            ▁▂▃▅▆▆▇█████████████████████████████████░░░░░░░░░░░░",
        "    ▂▂▃▅▆▇██████████████████████████████████████████░░░░░░░░░░░░",
        "    ████████████████████████████████████████████████░░░░░░░░░░░░",
        "190 ████████████████████████████████████████████████░░░░░░░░░░░░",
        "                                          ▲",
        "            06:00       12:00       18:00           now",
    ]


def test_a_terminal_without_unicode_shows_the_same() -> None:
    shown = source(growing(205, 245, 8), entry("id-proxy", "10.0.1.9", ended_at=NOW - 5 * HOUR))
    text = lines(shown, ASCII)
    assert "".join(text).isascii()
    assert text[0].endswith("full ~06:48")
    assert text[1].endswith("///")
    assert "#" in text[4]
    assert text[10].strip() == "^"


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("width", [20, 60, 80, 160, 200])
@pytest.mark.parametrize("height", [5, 9, 20, 50])
def test_at_every_size_it_is_as_large_as_it_should_be(span: timedelta, width: int, height: int) -> None:
    for trend in (growing(205, 245, 8), growing(9, 9, 240), None):
        shown = draw_chart(source(trend), span, (width, height), UNICODE, UTC).lines
        assert len(shown) == max(5, height)
        assert {len(text_of(line)) for line in shown} == {width}


def test_a_gap_is_a_mark_and_no_line() -> None:
    points = (*points_between(7, 7, NOW - DAY, NOW - 16 * HOUR), *points_between(7, 7, NOW - 8 * HOUR))
    chart = drawn(source(Trend(points)))
    bottom = text_of(chart.lines[-3])[4:]
    assert bottom.strip("?").startswith("▁") or "█" in bottom
    assert 18 <= bottom.count("?") <= 20
    assert text_of(legend_spans(chart.history, UNICODE)) == "? not watched  "
    assert watched_text(chart.history, UTC) == "Watched with gaps: 8 h."


def test_since_when_it_is_watched_is_told() -> None:
    assert watched_text(drawn(source(None)).history, UTC) == "Not watched in this time."
    young = drawn(source(growing(7, 9, 9, span=3 * HOUR))).history
    assert watched_text(young, UTC) == "Watched since Thu 23:00."
    old = drawn(source(growing(7, 9, 9, span=3 * DAY))).history
    assert watched_text(old, UTC) == "Watched all the time."


def test_a_network_that_is_nearly_empty_is_drawn_as_high_as_it_needs() -> None:
    text = lines(source(growing(20, 60, 65_473), capacity=65_533))
    assert text[0].startswith("   90 of 65533")
    assert any("▅" in line or "▃" in line for line in text)


def test_what_is_full_is_told_and_stands_out() -> None:
    chart = drawn(source(growing(233, 253, 0)))
    assert " FULL " in text_of(chart.lines[0])
    assert (text_of(chart.lines[1][-20:])).strip()
    tones = {tone for text, tone in chart.lines[-3] if text == "█"}
    assert BAD in tones
    assert legend_spans(chart.history, UNICODE)[:2] == (("red", BAD), (" full  ", PLAIN))


def test_the_legend_tells_of_red_only_where_something_is_red() -> None:
    assert "red" not in text_of(legend_spans(drawn(source(growing(100, 180, 0))).history, UNICODE))
    will_be_full = drawn(source(growing(205, 245, 8)))
    assert any(tone == BAD for line in will_be_full.lines[1:-2] for _, tone in line)
    assert text_of(legend_spans(will_be_full.history, UNICODE)) == "red full  ░ forecast  "


def test_days_have_dates_and_hours_have_none() -> None:
    assert "06:00" in lines(source(growing(1, 9, 9)))[-1]
    assert "Tue 09" in lines(source(growing(1, 9, 9)), span=SPANS[1])[-1]
    assert "05-25" in lines(source(growing(1, 9, 9)), span=SPANS[2])[-1]


def test_a_short_line_rises_with_the_use() -> None:
    assert sparkline(source(growing(100, 180, 9)), 8, UNICODE) == "▁▁▂▃▅▆▇█"
    assert sparkline(source(growing(100, 180, 9)), 8, ASCII).isascii()


def test_a_short_line_is_flat_where_nothing_happens() -> None:
    assert sparkline(source(growing(100, 100, 9)), 8, UNICODE) == "▁" * 8
    # One address more or less is no rise.
    assert set(sparkline(source(growing(100, 101, 9)), 8, UNICODE)) <= {"▁", "▂"}


def test_a_short_line_has_gaps_and_nothing_where_nothing_is_known() -> None:
    points = (*points_between(7, 7, NOW - DAY, NOW - 16 * HOUR), *points_between(7, 7, NOW - 8 * HOUR))
    assert sparkline(source(Trend(points)), 12, UNICODE) == "▁▁▁▁▁   ▁▁▁▁"
    assert sparkline(source(None), 12, UNICODE) == ""

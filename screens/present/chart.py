"""The use of a network over time as lines of cells: a chart with axes, leaks and the forecast, and a line of one cell's height.

Drawn by hand: plotting libraries give text with colours in it, know no gap that is a mark of its own, and the axes, the marks
below them and the limit would be as many lines with one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.leaks import LeakEntry
from console.addresses.outlook import Outlook
from console.addresses.use_history import (
    RECENT,
    UseHistory,
    UseSource,
    all_points,
    build_history,
    recent_span,
)
from console.durations import TimeFormat, clock_time, duration, moment
from console.frozen import frozen
from screens.present.text import ASCII, BAD, DIM, PLAIN, STRONG, UNKNOWN, WARN, Glyphs, Span, Spans

SPANS = (timedelta(hours=24), timedelta(days=7), timedelta(days=60))
"""The times that a chart can show."""
CURRENT = timedelta(minutes=3)
"""A last point that is younger is as good as now: a chart changes only when there is a new one."""
EIGHTHS = 8
SPARK_ROOM = 0.05
"""A line of one cell's height rises by all of it only where the use changed by this share of the capacity."""
LEAST_ROWS = 2
LABEL_GAP = 7
"""Columns from one label of the time axis to the next, at least."""
TICKS = (
    timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3), timedelta(hours=6),
    timedelta(hours=12), timedelta(days=1), timedelta(days=2), timedelta(days=7), timedelta(days=14),
)  # fmt: skip
FAR_BELOW = 4
"""Where less than this part of the capacity is used, the chart is as high as the use needs."""


@frozen
class ChartGlyphs:
    """What a chart is drawn with."""

    levels: str
    """From an empty cell to a full one."""
    spark: str
    """The same in one line, which is never empty."""
    ahead: str
    leak: str
    limit: str
    unwatched: str = "?"


BLOCKS = ChartGlyphs(" ▁▂▃▄▅▆▇█", "▁▁▂▃▄▅▆▇█", "░", "▲", "─")
PLAIN_BLOCKS = ChartGlyphs(" ...:::##", "__..-:=+#", "/", "^", "-")


def chart_glyphs(glyphs: Glyphs) -> ChartGlyphs:
    """Return what charts are drawn with on a terminal that has these glyphs."""
    return PLAIN_BLOCKS if glyphs is ASCII else BLOCKS


def source_of(
    account: NetworkAccount, trend: Trend | None, entries: tuple[LeakEntry, ...], now: datetime
) -> UseSource:
    """Return what the chart of a network is made of; as long as points come, it ends at the last one."""
    points = all_points(trend)
    is_current = bool(points) and now - points[-1].at < CURRENT
    return UseSource(trend, entries, account.capacity, points[-1].at if is_current else now)


@frozen
class Chart:
    """A chart that is drawn."""

    history: UseHistory
    lines: tuple[Spans, ...]


def draw_chart(
    source: UseSource, span: timedelta, size: tuple[int, int], glyphs: Glyphs, zone: tzinfo
) -> Chart:
    """Return a chart of so many columns and lines: the limit, the use, the leaks, the times."""
    width, height = size
    label_width = len(str(source.capacity))
    room = max(8, width - label_width - 1)
    history = build_history(source, span, room)
    drawn, rows = chart_glyphs(glyphs), max(LEAST_ROWS, height - 3)
    low, high = _scale(history)
    lines = [_limit_line(history, high, label_width, drawn, zone)]
    heights = [_height(column.used, low, high, rows) for column in history.columns]
    ahead = [_height(use, low, high, rows) for use in history.ahead]
    for row in reversed(range(rows)):
        label = low if row == 0 else _middle(low, high, rows) if row == rows // 2 else None
        text = "" if label is None else str(label)
        lines.append(
            (
                (f"{text:>{label_width}} ", DIM),
                *_row(history, heights, row, drawn),
                *_ahead_row(history, ahead, row, drawn),
            )
        )
    marks = "".join(drawn.leak if column.leaked else " " for column in history.columns)
    marks += " " * len(history.ahead)
    lines += [((" " * (label_width + 1), PLAIN), (marks, BAD)), _time_line(history, label_width + 1, zone)]
    return Chart(history, tuple(lines))


def outlook_tone(outlook: Outlook) -> str:
    """Return the tone of how the use of a network goes on."""
    if not outlook.is_known:
        return UNKNOWN
    if not outlook.is_warning:
        return PLAIN
    return WARN if outlook.full_in_hours else BAD


def sparkline(source: UseSource, width: int, glyphs: Glyphs, longest: timedelta = RECENT) -> str:
    """Return the last day of a network's use, or what there is of it, in one line; nothing where nothing is known."""
    span = recent_span(source.trend, source.now, longest)
    trend = source.trend
    # Without a forecast: its words stand beside the line.
    past = None if trend is None else Trend(trend.points, trend.earlier)
    history = build_history(replace(source, trend=past, entries=()), span, width)
    if not history.known:
        return ""
    drawn = chart_glyphs(glyphs)
    low, highest = min(history.known), max(history.known)
    high = max(highest, low + max(EIGHTHS // 2, round(source.capacity * SPARK_ROOM)))
    return "".join(
        " " if column.used is None else drawn.spark[round((column.used - low) / (high - low) * EIGHTHS)]
        for column in history.columns
    )


def span_name(span: timedelta) -> str:
    """Return what a time is called: `24 h`, `7 d`."""
    hours = span / timedelta(hours=1)
    return f"{hours:g} h" if hours <= 48 else f"{hours / 24:g} d"


def legend_spans(history: UseHistory, glyphs: Glyphs) -> Spans:
    """Return what the signs of a chart mean, as far as they are in it."""
    drawn = chart_glyphs(glyphs)
    parts: list[Span] = []
    uses = (*(column.used or 0 for column in history.columns), *history.ahead)
    if any(use >= history.capacity for use in uses):
        # No cell stands for it: without colours, each would seem to be full.
        parts += [("red", BAD), (" full  ", PLAIN)]
    if history.leaked:
        parts += [(drawn.leak, BAD), (f" {history.leaked} leaked  ", PLAIN)]
    if history.ahead:
        parts += [(drawn.ahead, WARN), (" forecast  ", DIM)]
    if any(column.used is None for column in history.columns):
        parts += [(drawn.unwatched, UNKNOWN), (" not watched  ", DIM)]
    return tuple(parts)


def watched_text(history: UseHistory, zone: tzinfo) -> str:
    """Return since when a chart is known, and how much of that is a gap."""
    if history.watched_since is None:
        return "Not watched in this time."
    gaps = f"gaps: {duration(history.unwatched.total_seconds())}" if history.unwatched else ""
    if history.watched_since == history.begin:
        return f"Watched with {gaps}." if gaps else "Watched all the time."
    since = f"Watched since {moment(history.watched_since, history.now, zone)}"
    return f"{since}; {gaps}." if gaps else f"{since}."


def _scale(history: UseHistory) -> tuple[int, int]:
    """Return the use at the bottom and at the top of a chart."""
    known = (*history.known, *history.ahead)
    capacity = max(1, history.capacity)
    if not known:
        return 0, capacity
    top = capacity
    if max(known) * FAR_BELOW < capacity:
        top = min(capacity, -(-max(8, round(max(known) * 1.3)) // 10) * 10)
    if min(known) * 2 < top:
        return 0, top
    margin = max(4, (top - min(known)) // 4)
    return max(0, (min(known) - margin) // 10 * 10), top


def _middle(low: int, high: int, rows: int) -> int | None:
    return round(low + (high - low) * (rows // 2) / rows) if rows >= 2 * LEAST_ROWS else None


def _height(use: int | None, low: int, high: int, rows: int) -> int | None:
    """Return how many eighths of a cell a use is high: at least one, and all of them only at the top."""
    if use is None:
        return None
    cells = round((use - low) / max(1, high - low) * rows * EIGHTHS)
    most = rows * EIGHTHS - (use < high)
    return max(1, min(cells, most))


def _row(history: UseHistory, heights: Sequence[int | None], row: int, drawn: ChartGlyphs) -> Iterator[Span]:
    for column, height in zip(history.columns, heights, strict=True):
        if height is None:
            yield (drawn.unwatched if row == 0 else " ", DIM)
        else:
            level = max(0, min(EIGHTHS, height - row * EIGHTHS))
            is_full = column.used is not None and column.used >= history.capacity
            # The edge tells the use, what is below only fills: so it is dim.
            is_edge = height <= (row + 1) * EIGHTHS
            yield (drawn.levels[level], BAD if is_full else PLAIN if is_edge else DIM)


def _ahead_row(
    history: UseHistory, heights: Sequence[int | None], row: int, drawn: ChartGlyphs
) -> Iterator[Span]:
    for use, height in zip(history.ahead, heights, strict=True):
        is_drawn = row == 0 or (height or 0) - row * EIGHTHS >= EIGHTHS // 2
        yield (drawn.ahead if is_drawn else " ", BAD if use >= history.capacity else WARN)


def _limit_line(history: UseHistory, high: int, label_width: int, drawn: ChartGlyphs, zone: tzinfo) -> Spans:
    """Return the line over the use: the limit, and where it will be reached."""
    width = len(history.columns) + len(history.ahead)
    if high < history.capacity:
        return ((f"{high:>{label_width}} ", DIM), (f"{f'of {history.capacity}':{width}}"[:width], DIM))
    if history.full_at is None or history.full_at > history.end:
        return ((f"{history.capacity:>{label_width}} ", STRONG), (drawn.limit * width, DIM))
    is_full = history.full_at <= history.now
    label = " FULL " if is_full else f" full {_moment_ahead(history.full_at, history.now, zone)} "
    place = int((history.full_at - history.begin) / history.step)
    before = max(0, min(place - len(label) // 2, width - len(label)))
    return (
        (f"{history.capacity:>{label_width}} ", STRONG),
        (drawn.limit * before, DIM),
        (label[:width], BAD),
        (drawn.limit * (width - before - len(label)), DIM),
    )


def _moment_ahead(at: datetime, now: datetime, zone: tzinfo) -> str:
    days = at - now
    if days < timedelta(hours=20):
        return f"~{clock_time(at, TimeFormat.MINUTE, zone)}"
    return f"~{clock_time(at, TimeFormat.WEEKDAY if days < timedelta(days=7) else TimeFormat.DAY, zone)}"


def _time_line(history: UseHistory, indent: int, zone: tzinfo) -> Spans:
    """Return the times below the columns."""
    past, width = len(history.columns), len(history.columns) + len(history.ahead)
    cells = [" "] * width
    now_place = min(past, width - len("now"))
    for at, text in _ticks(history, zone):
        place = int((at - history.begin) / history.step)
        end = place + len(text)
        is_free = end < now_place or place > now_place + len("now")
        if place >= 0 and end <= width and is_free:
            cells[place:end] = text
    now_text = "".join(cells[:now_place]), "".join(cells[now_place + len("now") :])
    return ((" " * indent, PLAIN), (now_text[0], DIM), ("now", STRONG), (now_text[1], DIM))


def _ticks(history: UseHistory, zone: tzinfo) -> Iterator[tuple[datetime, str]]:
    least = history.step * LABEL_GAP
    every = next((tick for tick in TICKS if tick >= least), timedelta(days=28))
    shape = (
        TimeFormat.MINUTE
        if every < timedelta(days=1)
        else TimeFormat.WEEKDAY
        if history.end - history.begin < timedelta(days=10)
        else TimeFormat.DAY
    )
    at = history.begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while at.astimezone(UTC) < history.end:
        if at.astimezone(UTC) >= history.begin:
            yield at.astimezone(UTC), clock_time(at, shape, zone)
        at += every

"""The use of networks over time as text: a chart of one, a line for each of all."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.addresses.leaks import LeakEntry
from console.addresses.outlook import Outlook
from console.addresses.use_history import UseSource
from console.diagnosis.values import Assessment, Severity
from console.durations import LOCAL, moment, zone_name
from console.frozen import frozen
from console.recorder.leaks import StackLeaks, leaks_by_stack
from console.text import listed
from screens.output.history_data import UseRecord
from screens.output.rows import SEVERITY_STYLES, STYLES, styled
from screens.present.addresses import share_of
from screens.present.chart import (
    chart_glyphs,
    draw_chart,
    legend_spans,
    outlook_tone,
    span_name,
    sparkline,
    watched_text,
)
from screens.present.findings import severities
from screens.present.text import (
    BAD,
    MARKS,
    Glyphs,
    Spans,
    bar,
    typed_here,
)

HEIGHT, LEAST_HEIGHT = 18, 8
"""Lines of a chart."""
AROUND = 5
"""Lines around it, the shell's prompt among them."""
LEAK_LINES = STACK_LINES = 5
ROWS = 12
"""Networks that are always listed; beyond them only those that are not steady."""
SPARK, BAR = 24, 8
ROOM_FOR_BAR = 100
LEAST_NAME, LEAST_WORDS, LEAST_STACK = 7, 20, 18
GAP = 2


def worst_first(records: Sequence[UseRecord]) -> list[UseRecord]:
    """Return networks in the order in which they will be full, those that will not be by how full they are."""
    return sorted(
        records,
        key=lambda record: (
            record.outlook.full_in_hours,
            not record.outlook.is_warning,
            -share_of(record.account),
        ),
    )


def render_network(
    record: UseRecord, assessment: Assessment, span: timedelta, height: int | None, glyphs: Glyphs
) -> RenderableType:
    """Return the chart of a network and what leaked there as something to print, as high as the terminal has room for.

    Without a height, all leaks and stacks are listed.
    """
    stacks = leaks_by_stack(record.leaks)
    # The heading, a line for the stacks that are not listed, and one above.
    table = 3 + min(len(stacks), STACK_LINES) if stacks else 0
    room = HEIGHT if height is None else max(LEAST_HEIGHT, min(HEIGHT, height - AROUND - table))
    chart = _NetworkChart(record, assessment.severity, span, room, glyphs, is_whole=height is None)
    parts: list[RenderableType] = [chart]
    if stacks:
        parts += [
            "",
            *_stack_table(stacks, None if height is None else STACK_LINES, record.source.now, glyphs),
        ]
    return Padding(Group(*parts), (0, 1), expand=False)


@frozen
class _NetworkChart:
    """Drawn when the width is known."""

    record: UseRecord
    severity: Severity
    span: timedelta
    height: int
    glyphs: Glyphs
    is_whole: bool

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        source, account = self.record.source, self.record.account
        leaks = tuple(entry for entry in source.entries if entry.ended_at >= source.now - self.span)
        leak_lines = min(LEAK_LINES, len(leaks)) if self.height >= HEIGHT else 0
        chart = draw_chart(source, self.span, (options.max_width, self.height), self.glyphs, LOCAL)
        yield Text.assemble(
            (f"{MARKS[self.severity]} {account.network.name}  ", "bold"),
            f"{account.used_at_least} of {account.capacity} in use  ",
            (self.record.outlook.sentence, STYLES[outlook_tone(self.record.outlook)]),
        )
        for line in chart.lines:
            yield _line(line)
        yield Text.assemble(
            _line(legend_spans(chart.history, self.glyphs)),
            (f"{watched_text(chart.history, LOCAL)} Last {span_name(self.span)}, times in ", "dim"),
            (f"{zone_name(source.now)}.", "dim"),
        )
        yield from _leak_lines(leaks, len(leaks) if self.is_whole else leak_lines, source, self.glyphs)


@frozen
class _StackTable:
    """Which stacks leaked most. Drawn when the width is known: figures are never cut, names are; the least important goes."""

    stacks: Sequence[StackLeaks]
    now: datetime
    glyphs: Glyphs

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        rows = [
            (
                f"stack {stack.name}" if stack.is_stack else stack.name,
                str(stack.addresses),
                moment(stack.last.at, self.now),
                str(stack.times),
                _after(stack),
            )
            for stack in self.stacks
        ]
        headings = ("LEAKED BY", "LEAKED", "LAST", "TIMES", "AFTER")
        widths = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
        widths[-1] = min(widths[-1], LEAST_WORDS)
        count = next(
            count
            for count in range(len(headings), 0, -1)
            if count == 1
            or sum(widths[1:count]) + GAP * (count - 1) + min(widths[0], LEAST_STACK) <= options.max_width
        )
        room = options.max_width - sum(widths[1:count]) - GAP * (count - 1)
        widths[0] = min(widths[0], max(LEAST_NAME, room))
        if count == len(headings):
            longest = max(len(row[-1]) for row in rows)
            widths[-1] += min(longest - widths[-1], room - widths[0]) if longest > widths[-1] else 0
        table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
        for heading, width in zip(headings[:count], widths, strict=False):
            table.add_column(heading, width=width, no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(
                *(
                    Text(_cut(cell, width, self.glyphs), style=STYLES[BAD] if place == 1 else "")
                    for place, (cell, width) in enumerate(zip(row[:count], widths, strict=False))
                )
            )
        yield table


def _stack_table(
    stacks: Sequence[StackLeaks], most: int | None, now: datetime, glyphs: Glyphs
) -> Iterator[RenderableType]:
    shown = stacks if most is None else stacks[:most]
    yield _StackTable(shown, now, glyphs)
    if len(shown) < len(stacks):
        yield Text(f"  and {len(stacks) - len(shown)} more (--all lists all)", style="dim")


def _cut(cell: str, width: int, glyphs: Glyphs) -> str:
    return cell if len(cell) <= width else f"{cell[: max(1, width - len(glyphs.more))]}{glyphs.more}"


def _after(stack: StackLeaks) -> str:
    after = stack.last.after
    if stack.is_stack and after == f"stack {stack.name} was removed":
        return "its removal"
    if stack.is_stack and after.startswith(f"network {stack.name}_"):
        return "its network's removal"
    return after or "not recorded"


def _leak_lines(
    leaks: Sequence[LeakEntry], count: int, source: UseSource, glyphs: Glyphs
) -> Iterator[RenderableType]:
    for entry in leaks[:count]:
        owner = f"stack {entry.stack}" if entry.stack else entry.task_name
        yield Text.assemble(
            (f"{chart_glyphs(glyphs).leak} ", STYLES[BAD]),
            f"{moment(entry.ended_at, source.now)}  {listed([str(address) for address in entry.addresses])} leaked when "
            f"{owner} was removed",
        )
    if count and len(leaks) > count:
        yield Text(f"  and {len(leaks) - count} more before (--all lists all)", style="dim")


def _line(parts: Spans) -> Text:
    line = styled(parts)
    line.no_wrap, line.overflow = True, "crop"
    return line


def render_networks(
    records: Sequence[UseRecord],
    assessment: Assessment,
    span: timedelta,
    glyphs: Glyphs,
    *,
    everything: bool,
) -> RenderableType:
    """Return a line for each network as something to print, the worst first; what is steady is counted."""
    ordered = worst_first(records)
    shown = [
        record
        for place, record in enumerate(ordered)
        if everything or place < ROWS or not _is_dull(record.outlook)
    ]
    parts: list[RenderableType] = [_UseTable(shown, severities(assessment.findings), span, glyphs)]
    hidden = len(ordered) - len(shown)
    if hidden:
        verb = "is" if hidden == 1 else "are"
        parts.append(Text(f"  {glyphs.more} {hidden} more {verb} steady (--all shows them)", style="dim"))
    longest = f"Last {span_name(span)}, or as long as a console watched; the newest use is at the right."
    parts += ["", Text(typed_here(f"{longest} A chart: `vipconsole history NETWORK`"), style="dim")]
    return Padding(Group(*parts), (0, 1), expand=False)


def _is_dull(outlook: Outlook) -> bool:
    return not outlook.is_warning and not outlook.rate and outlook.is_known


@frozen
class _UseTable:
    """Drawn when the width is known: figures and words are never cut, names are."""

    records: Sequence[UseRecord]
    worst: Mapping[str, Severity]
    span: timedelta
    glyphs: Glyphs

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        is_wide = options.max_width >= ROOM_FOR_BAR
        usages = [f"{record.account.used_at_least}/{record.account.capacity}" for record in self.records]
        used_width = max(map(len, usages), default=0)
        words = max((len(record.outlook.sentence) for record in self.records), default=0)
        names = max((len(record.account.network.name) for record in self.records), default=0)
        spark = max(0, min(SPARK, options.max_width - min(names, 24) - used_width - words - 7))
        least_words = min(words, LEAST_WORDS)
        room = options.max_width - used_width - spark - least_words - 7 - (BAR + 1 if is_wide else 0)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("")
        table.add_column(
            "NETWORK", no_wrap=True, overflow="ellipsis", min_width=7, max_width=max(LEAST_NAME, room)
        )
        table.add_column("IN USE", no_wrap=True, min_width=used_width)
        if spark:
            table.add_column("TREND", no_wrap=True, min_width=spark)
        table.add_column("FORECAST", min_width=least_words)
        for record, usage in zip(self.records, usages, strict=True):
            bar_text = f"{bar(share_of(record.account), BAR, self.glyphs)} " if is_wide else ""
            severity = self.worst.get(record.account.network.name, Severity.OK)
            cells = [
                Text(MARKS[severity], style=SEVERITY_STYLES[severity]),
                Text(record.account.network.name),
                Text(f"{bar_text}{usage:>{used_width}}"),
            ]
            if spark:
                cells.append(Text(sparkline(record.source, spark, self.glyphs, self.span) or "?"))
            cells.append(Text(record.outlook.sentence, style=STYLES[outlook_tone(record.outlook)]))
            table.add_row(*cells)
        yield table

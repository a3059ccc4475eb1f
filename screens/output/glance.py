"""A snapshot as text that an operator reads in two seconds: the verdict, the fullest networks, the findings."""

from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.diagnosis.findings.networks import percent
from console.diagnosis.values import Assessment, Finding, Severity, Snapshot
from console.errors import Unknown
from console.text import duration
from screens.present.addresses import FIGURES, SubnetLine, share_of, subnet_lines
from screens.present.findings import severities
from screens.present.header import role_of
from screens.present.text import MARKS, STYLES, Glyphs, bar, typed_here

ROWS = 6
"""Rows that are always shown; beyond them only networks with a problem."""
LOW_USE = 0.05
"""Below this share of use a network without findings may be left out of the table."""
BAR_WIDTH = 8
WIDE_ENOUGH_FOR_BARS = 72
NAME_AT_LEAST = 12
HEADINGS = ("", "NETWORK", "SUBNET", "IN USE", *FIGURES)


def render_glance(
    snapshot: Snapshot,
    assessment: Assessment,
    now: datetime,
    glyphs: Glyphs,
    *,
    everything: bool,
) -> RenderableType:
    """Return a snapshot as something to print: verdict, table, findings, and a line on where and when it was taken.

    `everything` shows every network; else those that are nearly empty and have no finding are counted in one line.
    """
    style = STYLES[assessment.severity]
    headline = Text.assemble((assessment.severity.upper(), style), "  ", (assessment.headline, "bold"))
    parts: list[RenderableType] = [headline]
    if assessment.accounts:
        parts += ["", _ResponsiveTable(assessment, glyphs, everything)]
    if assessment.findings:
        parts += ["", *(_finding(finding) for finding in assessment.findings)]
    parts += ["", Text(_footer(snapshot, now), style="dim")]
    return Padding(Group(*parts), (0, 1), expand=False)


@dataclass(frozen=True, slots=True)
class _ResponsiveTable:
    """The table of networks, drawn when the width is known: on a narrow terminal the bars give way."""

    assessment: Assessment
    glyphs: Glyphs
    everything: bool

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        bars = BAR_WIDTH if options.max_width >= WIDE_ENOUGH_FOR_BARS else 0
        yield _build_table(self.assessment, self.glyphs, bars, everything=self.everything)


def _build_table(assessment: Assessment, glyphs: Glyphs, bars: int, *, everything: bool) -> RenderableType:
    worst = severities(assessment.findings)
    accounts = [
        account
        for place, account in enumerate(assessment.accounts)
        if everything or place < ROWS or worst.get(account.network.name) or share_of(account) >= LOW_USE
    ]
    lines = [
        line
        for account in accounts
        for line in subnet_lines(account, worst.get(account.network.name, Severity.OK), glyphs)
    ]
    rows = [
        (_cells(line, glyphs, bars), "" if line.severity is Severity.OK else STYLES[line.severity])
        for line in lines
    ]
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    hidden = () if bars else ("SUBNET",)
    for place, heading in enumerate(HEADINGS):
        if heading in hidden:
            continue
        # Figures are never cut; where room is short, names are.
        widest = max(len(heading), *(len(cells[place]) for cells, _ in rows))
        table.add_column(
            heading,
            justify="right" if heading in FIGURES else "left",
            no_wrap=heading != "NETWORK",
            overflow="ellipsis",
            min_width=min(widest, NAME_AT_LEAST) if heading == "NETWORK" else widest,
        )
    for cells, style in rows:
        visible_cells = [cell for cell, heading in zip(cells, HEADINGS, strict=True) if heading not in hidden]
        table.add_row(*map(Text, visible_cells), style=style)
    hidden_count = len(assessment.accounts) - len(accounts)
    if not hidden_count:
        return table
    more = f"  {glyphs.more} {hidden_count} more, all under {percent(LOW_USE)} (--all shows them)"
    return Group(table, Text(more, style="dim"))


def _cells(line: SubnetLine, glyphs: Glyphs, bars: int) -> tuple[str, ...]:
    usage = line.usage if line.share is None else f"{bar(line.share, bars, glyphs)} {line.usage}".strip()
    return (MARKS[line.severity], line.name, line.subnet, usage, *line.figures)


def _finding(finding: Finding) -> RenderableType:
    word = "note" if finding.severity is Severity.OK else finding.severity.value
    style = "dim" if finding.severity is Severity.OK else STYLES[finding.severity]
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8)
    grid.add_column(overflow="fold")
    grid.add_row(Text(word, style=style), Text(finding.sentence))
    if finding.hint:
        grid.add_row("", Text(typed_here(finding.hint), style="dim"))
    return grid


def _footer(snapshot: Snapshot, now: datetime) -> str:
    age = duration((now - snapshot.taken_at).total_seconds())
    when = f"read {age} ago, took {snapshot.took_s:.1f} s"
    engine = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return f"{snapshot.host}  {when}"
    return f"{engine.name}  engine {engine.version}  {role_of(snapshot.swarm)}  {when}"

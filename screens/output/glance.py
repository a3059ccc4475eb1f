"""A snapshot as text that an operator reads in two seconds: the verdict, the fullest networks, the findings."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.addresses.accounting import NetworkAccount
from console.diagnosis.findings.networks import percent
from console.diagnosis.values import Assessment, Finding, Severity, Snapshot
from console.durations import duration, stamp
from console.errors import Unknown
from console.frozen import frozen
from console.text import plural
from screens.output.rows import SEVERITY_STYLES
from screens.present.addresses import FIGURES, SubnetLine, share_of, subnet_lines
from screens.present.findings import severities
from screens.present.header import role_of
from screens.present.text import MARKS, Glyphs, bar, typed_here

ROWS = 6
"""Rows that are always shown; beyond them only networks with a problem."""
LOW_USE = 0.05
"""Below this share of use a network without findings may be left out of the table."""
BAR_WIDTH = 8
WIDE_ENOUGH_FOR_BARS = 72
NAME_AT_LEAST = 12
HEADINGS = ("", "NETWORK", "SUBNET", "IN USE", *FIGURES)


@frozen
class Detail:
    """How much is shown."""

    rows: int | None = ROWS
    """Networks without a problem, up to this row of the table; None shows all networks."""
    keeps_used: bool = True
    """Whether a network without a problem is shown beyond these rows if it is not nearly empty."""
    note_hints: bool = True
    notes: bool = True
    hints: int | None = None
    """Problems that say what to do, from the worst on; None: all."""
    is_brief: bool = False
    """Whether the other problems are told by their first sentence."""
    has_time: bool = False
    """Whether the first line begins with the time."""
    recording: str = ""
    """Since when the swarm has been recorded, in words."""


EVERYTHING = Detail(rows=None)
USUAL = Detail()
SHORTER = (
    Detail(ROWS, keeps_used=False),
    Detail(3, keeps_used=False),
    Detail(3, keeps_used=False, note_hints=False),
    Detail(1, keeps_used=False, note_hints=False),
    Detail(1, keeps_used=False, note_hints=False, notes=False),
    Detail(1, keeps_used=False, note_hints=False, notes=False, hints=1),
    Detail(1, keeps_used=False, note_hints=False, notes=False, hints=1, is_brief=True),
)
"""What is left out first where the lines of a terminal are too few: networks that are well, then notes, then what to do
about all but the worst problem; never a problem."""


def render_verdict(assessment: Assessment, at: datetime | None = None) -> Text:
    """Return the first line as something to print: a time if one is given, the severity, and the sentence that matters."""
    time = "" if at is None else f"{stamp(at)}  "
    style = SEVERITY_STYLES[assessment.severity]
    return Text.assemble(time, (assessment.severity.upper(), style), "  ", (assessment.headline, "bold"))


def render_glance(
    snapshot: Snapshot,
    assessment: Assessment,
    now: datetime,
    glyphs: Glyphs,
    detail: Detail = USUAL,
) -> RenderableType:
    """Return a snapshot as something to print: verdict, table, findings, and a line on where and when it was taken.

    Networks that are not shown are counted in one line.
    """
    parts: list[RenderableType] = [render_verdict(assessment, now if detail.has_time else None)]
    if assessment.accounts:
        parts += ["", _ResponsiveTable(assessment, glyphs, detail)]
    if assessment.findings:
        parts += ["", *_findings(assessment, detail)]
    footer = "  ".join(filter(None, (_footer(snapshot, now), detail.recording)))
    parts += ["", Text(footer, style="dim")]
    return Padding(Group(*parts), (0, 1), expand=False)


@frozen
class _ResponsiveTable:
    """The table of networks, drawn when the width is known: on a narrow terminal the bars give way."""

    assessment: Assessment
    glyphs: Glyphs
    detail: Detail

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        bars = BAR_WIDTH if options.max_width >= WIDE_ENOUGH_FOR_BARS else 0
        yield _build_table(self.assessment, self.glyphs, bars, self.detail)


def _build_table(assessment: Assessment, glyphs: Glyphs, bars: int, detail: Detail) -> RenderableType:
    worst = severities(assessment.findings)
    accounts: list[NetworkAccount] = []
    hidden_accounts: list[NetworkAccount] = []
    for place, account in enumerate(assessment.accounts):
        is_shown = (
            detail.rows is None
            or place < detail.rows
            or account.network.name in worst
            or (detail.keeps_used and share_of(account) >= LOW_USE)
        )
        (accounts if is_shown else hidden_accounts).append(account)
    lines = [
        line
        for account in accounts
        for line in subnet_lines(account, worst.get(account.network.name, Severity.OK), glyphs)
    ]
    rows = [
        (_cells(line, glyphs, bars), "" if line.severity is Severity.OK else SEVERITY_STYLES[line.severity])
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
    if not hidden_accounts:
        return table
    # A network without IPv4 has no share.
    fullest = max((share_of(account) for account in hidden_accounts if account.capacity), default=0.0)
    use = f"under {percent(LOW_USE)}" if fullest < LOW_USE else f"well, at most {percent(fullest)} in use"
    more = f"  {glyphs.more} {len(hidden_accounts)} more, all {use} (--all shows them)"
    return Group(table, Text(more, style="dim"))


def _cells(line: SubnetLine, glyphs: Glyphs, bars: int) -> tuple[str, ...]:
    usage = line.usage if line.share is None else f"{bar(line.share, bars, glyphs)} {line.usage}".strip()
    return (MARKS[line.severity], line.name, line.subnet, usage, *line.figures)


def _findings(assessment: Assessment, detail: Detail) -> Iterator[RenderableType]:
    notes = [finding for finding in assessment.findings if finding.severity is Severity.OK]
    for place, finding in enumerate(assessment.findings):
        if finding.severity is Severity.OK:
            if detail.notes:
                yield _finding(finding, finding.hint if detail.note_hints else "")
        else:
            is_hinted = detail.hints is None or place < detail.hints
            yield _finding(
                finding, finding.hint if is_hinted else "", is_brief=detail.is_brief and not is_hinted
            )
    if notes and not detail.notes:
        yield Text(f"{plural(len(notes), 'note')} (--all shows {'it' if len(notes) == 1 else 'them'})", "dim")


def _finding(finding: Finding, hint: str, *, is_brief: bool = False) -> RenderableType:
    first, dot, _ = finding.sentence.partition(". ")
    sentence = f"{first}." if is_brief and dot else finding.sentence
    word = "note" if finding.severity is Severity.OK else finding.severity.value
    style = "dim" if finding.severity is Severity.OK else SEVERITY_STYLES[finding.severity]
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8)
    # A word that is longer than a line is a path or a command, and the operator needs all of it.
    grid.add_column(overflow="fold")
    grid.add_row(Text(word, style=style), Text(sentence))
    if hint:
        grid.add_row("", Text(typed_here(hint), style="dim"))
    return grid


def _footer(snapshot: Snapshot, now: datetime) -> str:
    age = duration((now - snapshot.taken_at).total_seconds())
    when = f"read {age} ago, took {snapshot.took_s:.1f} s"
    engine = snapshot.swarm.engine
    if isinstance(engine, Unknown):
        return f"{snapshot.host}  {when}"
    return f"{engine.name}  engine {engine.version}  {role_of(snapshot.swarm)}  {when}"

"""All overlays: the network of interest, then the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult

from console.addresses.forecast import Trend
from console.diagnosis.values import Severity
from console.errors import Unknown
from console.monitor.values import AssessedSnapshot, MonitorState
from console.text import duration, plural
from screens.present.addresses import FIGURES, SubnetLine, subnet_lines
from screens.present.findings import MARK_TONES, severities
from screens.present.text import BAD, DIM, MARKS, PLAIN, STRONG, UNKNOWN, WARN, Glyphs, Row, Span, Spans, bar
from screens.tui.environment import ConsoleEnvironment
from screens.tui.panes.lists import MonitorPane, title_with_failure
from screens.tui.widgets.line_view import LineView

NAME_AT_LEAST, NAME_AT_MOST = 10, 40
NAME_ENOUGH = 20
"""From here on a bar is worth more than the rest of a name."""
BAR_AT_LEAST, BAR_ENOUGH, BAR_AT_MOST = 6, 10, 24
TREND_AT_LEAST = 12
GAP = 2


@dataclass(frozen=True, slots=True)
class OverlayLine:
    """A line of the table: a subnet, and how the use of its network develops."""

    figures: SubnetLine
    place: int
    """Among the subnets of its network, from 0."""
    trend: str


class Heading(LineView):
    """The line above a table."""

    DEFAULT_CSS = "Heading { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._parts: Spans = ()

    def show(self, parts: Spans) -> None:
        """Replace the heading."""
        self._parts = parts
        self.renew()

    def parts_at(self, y: int) -> Spans:
        """Return the heading, whatever the line."""
        del y
        return self._parts


class Overlays(MonitorPane):
    """A row for each subnet of each overlay."""

    NUMBER, NAME = 1, "Overlays"
    _has_trends = False

    def __init__(self, environment: ConsoleEnvironment) -> None:
        super().__init__(environment)
        self._heading = Heading()
        self._lines: list[OverlayLine] = []

    def compose(self) -> ComposeResult:
        """Lay out the title and the heading over the rows."""
        yield self.title
        yield self._heading
        yield self.rows

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """The snapshot and the trends."""
        return monitor_state.snapshot.value, monitor_state.snapshot.failure, monitor_state.trends

    @property
    def current(self) -> OverlayLine | None:
        """The line under the cursor."""
        row = self.rows.current
        return row.value if row is not None and isinstance(row.value, OverlayLine) else None

    def renew(self) -> None:
        """Show the table, or why there is no snapshot."""
        snapshot = self.monitor_state.snapshot
        if snapshot.value is None:
            self._heading.show(())
            self.show_unknown(snapshot)
            return
        interest = self.environment.settings.network
        self._lines = overlay_lines(
            snapshot.value,
            self.monitor_state.trends,
            self.environment.glyphs,
            self.filter_text,
            interest=interest,
        )
        self._lay_out()

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._lay_out()
        super().on_resize()

    def on_row_view_highlighted(self) -> None:
        """Show how the use of the network under the cursor develops."""
        if self.monitor_state.snapshot.value is not None:
            self.title.show(self._title())

    def _lay_out(self) -> None:
        snapshot = self.monitor_state.snapshot.value
        width = self.rows.scrollable_content_region.width
        if snapshot is None or width <= 0:
            return
        columns = columns_for(self._lines, width)
        self._has_trends = bool(columns.trend)
        self._heading.show(heading(columns) if self._lines else ())
        networks = snapshot.snapshot.swarm.networks
        empty = (
            f"The networks are unknown. {networks.reason} {networks.hint}".rstrip()
            if isinstance(networks, Unknown)
            else "No overlay networks."
        )
        self.show(
            [overlay_row(line, columns, self.environment.glyphs) for line in self._lines],
            self._title(),
            empty,
        )

    def _title(self) -> Spans:
        snapshot = self.monitor_state.snapshot.value
        if snapshot is None:
            return ()
        everything = len(snapshot.assessment.accounts)
        networks = len({line.figures.network_id for line in self._lines})
        count: Span = (f"{everything}, worst first{self._behind()}", DIM)
        if self.filter_text:
            count = (f"{networks} of {everything} match {self.filter_text}", UNKNOWN)
        current = self.current
        trend: tuple[Span, ...] = ()
        if current is not None and current.trend and not self._has_trends:
            trend = ((f"; {current.figures.name}: ", PLAIN), (current.trend, STRONG))
        return title_with_failure(self.monitor_state.snapshot, count, *trend)

    def _behind(self) -> str:
        """Return that the worst come after the network of interest, if another network is worse than that one."""
        first = next((line.figures for line in self._lines), None)
        if first is None or first.name != self.environment.settings.network:
            return ""
        is_outranked = any(line.figures.severity.rank > first.severity.rank for line in self._lines)
        return f" after {first.name}" if is_outranked else ""


def overlay_lines(
    snapshot: AssessedSnapshot,
    trends: Mapping[str, Trend],
    glyphs: Glyphs,
    filter_text: str = "",
    interest: str = "",
) -> list[OverlayLine]:
    """Return the lines of all overlays whose name or subnet contains the filter.

    The network of interest stands first, so that it is always found at the same place; then the worst.
    """
    assessment = snapshot.assessment
    worst = severities(assessment.findings)
    accounts = sorted(
        assessment.accounts,
        key=lambda account: (
            account.network.name != interest,
            -worst.get(account.network.name, Severity.OK).rank,
        ),
    )  # a stable sort: among equals the fullest stay first
    lines = []
    for account in accounts:
        of_network = subnet_lines(account, worst.get(account.network.name, Severity.OK), glyphs)
        if filter_text in " ".join((account.network.name, *(line.subnet for line in of_network))).lower():
            trend = trend_word(trends.get(account.network.id))
            lines += [
                OverlayLine(line, place, "" if place else trend) for place, line in enumerate(of_network)
            ]
    return lines


def trend_word(trend: Trend | None) -> str:
    """Return how the use of a network develops, as a short text; nothing if its history is too short."""
    if trend is None:
        return ""
    if trend.full_in_hours is not None:
        return f"full in {duration(trend.full_in_hours * 3600)}"
    if trend.remaining_removals is not None:
        return f"full after ~{plural(trend.remaining_removals, 'leaking removal')}"
    if trend.per_hour is None:
        return ""
    return f"{trend.per_hour:+.0f} per hour" if abs(trend.per_hour) >= 1 else "steady"


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide each column is. A column of no width is not there."""

    name: int
    subnet: int
    bar: int
    usage: int
    figures: tuple[int, ...]
    trend: int


def columns_for(lines: Sequence[OverlayLine], width: int) -> Columns:
    """Return the columns that suit lines and a width: figures are never cut, bars and names share the rest."""
    figure_lines = [line.figures for line in lines]
    figures = tuple(
        max((len(heading), *(cell_len(line.figures[place]) for line in figure_lines)), default=0)
        for place, heading in enumerate(FIGURES)
    )
    usage = max((len(line.usage) for line in figure_lines), default=0)
    subnet = max((len("SUBNET"), *(len(line.subnet) for line in figure_lines)), default=0)
    names = max((len("NETWORK"), *(cell_len(line.name) for line in figure_lines)), default=0)
    trend = max((cell_len(line.trend) for line in lines), default=0)
    # Mark, and the gaps around the figures, which are always there.
    room = width - 2 - usage - sum(figures) - GAP * len(figures)
    if room - subnet - GAP < NAME_AT_LEAST + BAR_AT_LEAST + GAP:
        subnet = 0
    else:
        room -= subnet + GAP
    if trend and room - trend - GAP >= min(names, NAME_AT_MOST) + BAR_AT_LEAST + GAP + 1:
        trend = max(trend, TREND_AT_LEAST)
        room -= trend + GAP
    else:
        trend = 0
    enough = min(names, NAME_ENOUGH)
    bar_width = min(BAR_ENOUGH, max(BAR_AT_LEAST, room - enough - GAP - 1))
    name = max(NAME_AT_LEAST, min(names, NAME_AT_MOST, room - bar_width - GAP - 1))
    bars = min(BAR_AT_MOST, room - name - GAP - 1)
    if bars < BAR_AT_LEAST:
        bars, name = 0, min(NAME_AT_MOST, max(NAME_AT_LEAST, room - GAP))
    return Columns(name, subnet, bars, usage, figures, trend)


def heading(columns: Columns) -> Spans:
    """Return the line above the table."""
    cells = [f"  {'NETWORK':{columns.name}}"]
    if columns.subnet:
        cells.append(f"{'SUBNET':{columns.subnet}}")
    cells.append(f"{'IN USE':{columns.usage + (columns.bar + 1 if columns.bar else 0)}}")
    cells += [f"{name:>{wide}}" for name, wide in zip(FIGURES, columns.figures, strict=True)]
    if columns.trend:
        cells.append("TREND")
    return (((" " * GAP).join(cells), DIM),)


def overlay_row(line: OverlayLine, columns: Columns, glyphs: Glyphs) -> Row:
    """Return a line of the table as a row."""
    own = line.figures
    tone = MARK_TONES[own.severity]
    gap: Span = (" " * GAP, PLAIN)
    parts: list[Span] = [
        (f"{MARKS[own.severity]} ", tone),
        (_fit(own.name, columns.name, glyphs.more), tone if own.severity.rank else STRONG),
        gap,
    ]
    if columns.subnet:
        parts += [(f"{own.subnet:{columns.subnet}}", PLAIN), gap]
    if columns.bar:
        bar_text = " " * columns.bar if own.share is None else bar(own.share, columns.bar, glyphs)
        parts += [(bar_text, tone), (" ", PLAIN)]
    parts.append((f"{own.usage:>{columns.usage}}", STRONG))
    for name, figure, wide in zip(FIGURES, own.figures, columns.figures, strict=True):
        parts += [gap, (f"{figure:>{wide}}", _figure_tone(name, figure, own))]
    if columns.trend:
        parts += [gap, (line.trend, WARN if line.trend.startswith("full") else DIM)]
    return Row((own.network_id, line.place), tuple(parts), line, own.severity)


def _figure_tone(name: str, figure: str, line: SubnetLine) -> str:
    if name == "FREE":
        return BAD if line.is_full else STRONG
    if name == "LEAK" and line.has_leaked:
        return BAD
    return UNKNOWN if figure == "?" else PLAIN


def _fit(text: str, width: int, more: str) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - cell_len(more)) + more

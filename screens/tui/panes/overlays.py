"""All overlays: the network of interest, then the worst first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.outlook import Outlook, outlook_of
from console.diagnosis.values import Severity
from console.errors import Unknown
from console.frozen import frozen
from console.monitor.values import MonitorState
from screens.present.addresses import FIGURES, SubnetLine, subnet_lines
from screens.present.chart import outlook_tone, source_of, sparkline
from screens.present.findings import MARK_TONES, severities
from screens.present.recording import recording_text
from screens.present.text import BAD, DIM, MARKS, PLAIN, STRONG, UNKNOWN, Glyphs, Row, Span, Spans, bar
from screens.tui.environment import ConsoleEnvironment
from screens.tui.panes.lists import MonitorPane, title_with_failure
from screens.tui.panes.overlay_orders import WORST_FIRST, sorted_accounts
from screens.tui.widgets.heading import Heading, SortMixin
from screens.tui.widgets.row_view import MARGIN

NAME_AT_LEAST, NAME_AT_MOST = 10, 40
NAME_ENOUGH = 20
"""With less of a name there is no bar beside a drawn use."""
BAR_SHORTEST, BAR_AT_LEAST, BAR_AT_MOST = 4, 6, 24
"""A subnet gives way to a bar, and the rest of a bar to a name."""
TREND_FROM = 100
"""Columns of the terminal from which the use of the last day is drawn."""
SPARK, SHORT_SPARK = 12, 8
MARK_WIDTH = GAP = 2
UNLIMITED = 10_000
TrendOf: TypeAlias = Callable[[NetworkAccount], tuple[Outlook | None, str]]
"""Tells how the use of a network goes on, and draws it."""
FiguresOf: TypeAlias = Callable[[NetworkAccount, Severity], list[SubnetLine]]
"""Gives the lines of a network whose worst finding is of a severity."""


@frozen
class OverlayLine:
    """A line of the table: a subnet, and how the use of its network develops."""

    figures: SubnetLine
    place: int
    """Among the subnets of its network, from 0."""
    outlook: Outlook | None = None
    """None from its second subnet on."""
    spark: str = ""
    """The use of the last day, drawn; empty where nothing is known of it."""

    def words(self, *, has_rate: bool) -> str:
        """Return how its use goes on, with the rate or without; why that is unknown has no room in a column."""
        if self.outlook is None:
            return ""
        if not self.outlook.is_known:
            return "unknown"
        return self.outlook.sentence if has_rate else self.outlook.text


class Overlays(MonitorPane, SortMixin):
    """A row for each subnet of each overlay."""

    NUMBER, NAME = 1, "Overlays"
    _has_trends = False

    def __init__(self, environment: ConsoleEnvironment) -> None:
        super().__init__(environment)
        self._heading = Heading(environment.glyphs)
        self.sorting = WORST_FIRST
        self._lines: list[OverlayLine] = []
        self._figures: dict[str, tuple[NetworkAccount, Severity, list[SubnetLine]]] = {}
        """The lines of each network by its ID, and what they were made of."""
        self._sparks: dict[str, tuple[Trend | None, str]] = {}
        """The drawn use by network ID, and what it was drawn from."""

    def compose(self) -> ComposeResult:
        """Lay out the title and the heading over the rows."""
        yield self.title
        yield self._heading
        yield self.rows

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """The snapshot, the trends, and since when they have been recorded."""
        return (
            monitor_state.snapshot.value,
            monitor_state.snapshot.failure,
            monitor_state.trends,
            monitor_state.watching,
        )

    @property
    def current(self) -> OverlayLine | None:
        """The line under the cursor."""
        row = self.rows.current
        return row.value if row is not None and isinstance(row.value, OverlayLine) else None

    @property
    def wanted_width(self) -> int:
        """How many columns it takes until every name is whole."""
        return MARGIN + width_for(self._lines)

    @property
    def most_width(self) -> int:
        """How many columns it takes until the trends stand beside them."""
        columns = columns_for(self._lines, UNLIMITED, has_trend=self._shows_trend)
        return self.wanted_width + sum(width + GAP for width in (columns.spark, columns.trend) if width)

    def wanted_height(self, width: int) -> int:
        """Return in how many lines everything is whole: a line for each subnet, and the heading."""
        return len(self._lines) + 2 if self._lines else super().wanted_height(width)

    def renew(self) -> None:
        """Show the table, or why there is no snapshot."""
        snapshot = self.monitor_state.snapshot
        if snapshot.value is None:
            self._lines = []
            self._heading.show("", self.sorting)
            self.show_unknown(snapshot)
            return
        assessment, trends = snapshot.value.assessment, self.monitor_state.trends
        there = {account.network.id for account in assessment.accounts}
        for drawn in (self._figures, self._sparks):
            for network_id in drawn.keys() - there:
                del drawn[network_id]
        self._lines = overlay_lines(
            sorted_accounts(assessment, trends, self.environment.settings.network, self.sorting),
            severities(assessment.findings),
            self._trend_of,
            self._figures_of,
            self.filter_text,
        )
        self._lay_out()

    def draw(self) -> None:
        """Show the table in its present order."""
        self.renew()

    @property
    def _shows_trend(self) -> bool:
        return self.app.size.width >= TREND_FROM

    def _trend_of(self, account: NetworkAccount) -> tuple[Outlook | None, str]:
        """Return how the use of a network goes on, and its drawn use, drawn again only when there is a new point."""
        snapshot = self.monitor_state.snapshot.value
        if not account.capacity or snapshot is None:
            # Without IPv4 it is never full.
            return None, ""
        network_id = account.network.id
        trend = self.monitor_state.trends.get(network_id)
        outlook = outlook_of(trend, account.free_at_most)
        if not self._shows_trend:
            return outlook, ""
        kept = self._sparks.get(network_id)
        if kept is None or kept[0] is not trend:
            source = source_of(account, trend, (), snapshot.snapshot.now)
            kept = self._sparks[network_id] = (trend, sparkline(source, SPARK, self.environment.glyphs))
        return outlook, kept[1]

    def _figures_of(self, account: NetworkAccount, severity: Severity) -> list[SubnetLine]:
        """Return the lines of a network, made again only when it has changed."""
        kept = self._figures.get(account.network.id)
        if kept is None or kept[0] is not account or kept[1] is not severity:
            kept = account, severity, subnet_lines(account, severity, self.environment.glyphs)
            self._figures[account.network.id] = kept
        return kept[2]

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        if self.monitor_state.snapshot.value is not None:
            self.renew()
        super().on_resize()

    def on_row_view_highlighted(self) -> None:
        """Show how the use of the network under the cursor develops."""
        if self._lines and self.monitor_state.snapshot.value is not None:
            self.title.show(self._title())

    def _lay_out(self) -> None:
        snapshot = self.monitor_state.snapshot.value
        width = self.rows.row_width
        if snapshot is None or width <= 0:
            return
        columns = columns_for(self._lines, width, has_trend=self._shows_trend)
        self._has_trends = bool(columns.trend)
        self._heading.show(heading(columns) if self._lines else "", self.sorting)
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
        order = self.sorting.order
        by = f", by {order.name}" if order is not None else ""
        count: Span = (f"{everything}{by or f', worst first{self._behind()}'}", DIM)
        if self.filter_text:
            count = (f"{networks} of {everything} match {self.filter_text}{by}", UNKNOWN)
        current = self.current
        trend: tuple[Span, ...] = ()
        if current is not None and current.outlook is not None and not self._has_trends:
            is_short = self.size.width < TREND_FROM
            words = current.outlook.text if is_short else current.outlook.sentence
            trend = ((f"; {current.figures.name}: ", PLAIN), (words, STRONG))
        parts = (count, *trend)
        recorded = recording_text(self.monitor_state.watching, snapshot.snapshot.now, self.environment.zone)
        if recorded:
            # The usual order may go for it; what the operator chose stays.
            shorter: Span = (str(everything), DIM) if count[0].startswith(f"{everything}, worst") else count
            longer = ((*first, (f"; {recorded}", DIM)) for first in (parts, (shorter, *trend)))
            parts = next((note for note in longer if self.title.has_room_for(note, self.size.width)), parts)
        return title_with_failure(self.monitor_state.snapshot, *parts)

    def _behind(self) -> str:
        """Return that the worst come after the network of interest, if another network is worse than that one."""
        first = next((line.figures for line in self._lines), None)
        if first is None or first.name != self.environment.settings.network:
            return ""
        is_outranked = any(line.figures.severity.rank > first.severity.rank for line in self._lines)
        return f" after {first.name}" if is_outranked else ""


def overlay_lines(
    accounts: Iterable[NetworkAccount],
    worst: Mapping[str, Severity],
    trend_of: TrendOf,
    figures_of: FiguresOf,
    filter_text: str = "",
) -> list[OverlayLine]:
    """Return the lines of the overlays whose name or subnet contains the filter."""
    lines = []
    for account in accounts:
        of_network = figures_of(account, worst.get(account.network.name, Severity.OK))
        if filter_text in " ".join((account.network.name, *(line.subnet for line in of_network))).lower():
            outlook, spark = trend_of(account)
            first, *others = of_network
            lines += [
                OverlayLine(first, 0, outlook, spark),
                *(OverlayLine(line, place) for place, line in enumerate(others, start=1)),
            ]
    return lines


@frozen
class Columns:
    """How wide each column is. A column of no width is not there."""

    name: int
    subnet: int
    bar: int
    usage: int
    figures: tuple[int, ...]
    spark: int
    """The drawn use."""
    trend: int
    """The words behind it."""
    has_rate: bool
    """Whether the words tell the rate too."""


def width_for(lines: Sequence[OverlayLine]) -> int:
    """Return how many columns lines take with whole names and the shortest bar, without their trends."""
    columns = columns_for(lines, UNLIMITED)
    widths = (columns.name, columns.subnet, BAR_AT_LEAST + 1 + columns.usage, *columns.figures)
    return MARK_WIDTH + sum(widths) + GAP * (len(widths) - 1)


def columns_for(lines: Sequence[OverlayLine], width: int, *, has_trend: bool = False) -> Columns:
    """Return the columns that suit lines and a width: figures are never cut, bars and names share the rest.

    The drawn use takes the room of bar and subnet where it has to, never that of a name.
    """
    figure_lines = [line.figures for line in lines]
    figures = tuple(
        max((len(heading), *(cell_len(line.figures[place]) for line in figure_lines)), default=0)
        for place, heading in enumerate(FIGURES)
    )
    usage = max((len(line.usage) for line in figure_lines), default=0)
    subnet = max((len("SUBNET"), *(len(line.subnet) for line in figure_lines)), default=0)
    names = max((len("NETWORK"), *(cell_len(line.name) for line in figure_lines)), default=0)
    # Mark, and the gaps around the figures, which are always there.
    room = width - MARK_WIDTH - usage - sum(figures) - GAP * len(figures)
    whole_name, enough = min(names, NAME_AT_MOST), min(names, NAME_ENOUGH)
    spark = _spark_width(lines, room - enough - 2 * GAP) if has_trend else 0
    room -= spark + GAP if spark else 0
    words_room = room - whole_name - BAR_AT_LEAST - 2 * GAP - 1
    # When it is full is worth more than the subnet, which the network's page shows.
    trend, has_rate = _words_width(lines, words_room) if spark else (0, False)
    room -= trend + GAP if trend else 0
    least = (whole_name + 1 if spark else NAME_AT_LEAST) + BAR_AT_LEAST + GAP
    if room - subnet - GAP < least:
        subnet = 0
    else:
        room -= subnet + GAP
    # A name that is cut is another network's name: bars grow when all names are whole.
    name = max(NAME_AT_LEAST, min(names, room - BAR_SHORTEST - GAP - 1))
    bars = min(BAR_AT_MOST, room - name - GAP - 1)
    if bars < BAR_SHORTEST or (spark and name < enough):
        bars, name = 0, min(names, max(NAME_AT_LEAST, room - GAP))
    return Columns(name, subnet, bars, usage, figures, spark, trend, has_rate)


def _spark_width(lines: Sequence[OverlayLine], room: int) -> int:
    """Return how wide the drawn use is."""
    if not any(line.spark for line in lines):
        return 0
    return next((wide for wide in (SPARK, SHORT_SPARK) if wide <= room), 0)


def _words_width(lines: Sequence[OverlayLine], room: int) -> tuple[int, bool]:
    """Return how wide the words are, and whether they tell the rate too; 0 where there is no room for them."""
    for has_rate in (True, False):
        wide = max((cell_len(line.words(has_rate=has_rate)) for line in lines), default=0)
        if wide <= room:
            return wide, has_rate
    return 0, False


def heading(columns: Columns) -> str:
    """Return the line above the table."""
    cells = [f"  {'NETWORK':{columns.name}}"]
    if columns.subnet:
        cells.append(f"{'SUBNET':{columns.subnet}}")
    cells.append(f"{'IN USE':{columns.usage + (columns.bar + 1 if columns.bar else 0)}}")
    cells += [f"{name:>{wide}}" for name, wide in zip(FIGURES, columns.figures, strict=True)]
    if columns.spark or columns.trend:
        cells.append("TREND")
    return (" " * GAP).join(cells)


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
        # A bar is a large patch of colour: only one that is critical has any.
        parts += [(bar_text, tone if own.severity is Severity.CRITICAL else PLAIN), (" ", PLAIN)]
    parts.append((f"{own.usage:>{columns.usage}}", STRONG))
    for name, figure, wide in zip(FIGURES, own.figures, columns.figures, strict=True):
        parts += [gap, (f"{figure:>{wide}}", _figure_tone(name, figure, own))]
    trend_tone = outlook_tone(line.outlook) if line.outlook and line.outlook.is_warning else DIM
    if columns.spark:
        # The newest is at the right.
        drawn = line.spark[-columns.spark :] or ("?" if line.outlook else "")
        parts += [gap, (f"{drawn:{columns.spark}}", trend_tone)]
    if columns.trend:
        parts += [gap, (line.words(has_rate=columns.has_rate), trend_tone)]
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

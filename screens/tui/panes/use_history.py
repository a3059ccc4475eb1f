"""The use of a network over time: a chart of a day, a week or two months, with the leaks and the forecast."""

from datetime import datetime
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from console.addresses.accounting import NetworkAccount
from console.addresses.forecast import Trend
from console.addresses.leaks import LeakEntry
from console.addresses.outlook import network_outlook
from console.addresses.use_history import UseSource
from screens.present.chart import (
    SPANS,
    Chart,
    draw_chart,
    legend_spans,
    outlook_tone,
    source_of,
    span_name,
    watched_text,
)
from screens.present.text import DIM, PLAIN, RESTING, Span, Spans, text_of
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView, truncate
from screens.tui.widgets.pane import Pane

KEYS: tuple[Command, ...] = (Command("next_span", "t", "Time of the chart: 24 h, 7 d, 60 d", "time"),)
BESIDE_CHART = 2
"""Lines above and below the chart."""


class ChartView(LineView, CommandMixin, can_focus=True):
    """The chart, under the times that it can show."""

    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, environment: ConsoleEnvironment, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._environment = environment
        self._source: UseSource | None = None
        self._span_place = 0
        self._chart: Chart | None = None
        self._places: list[tuple[int, int]] = []

    @property
    def text(self) -> str:
        """What is shown, as text."""
        height = self.scrollable_content_region.height
        return "\n".join(text_of(self.parts_at(y)).rstrip() for y in range(height))

    def show(self, source: UseSource) -> None:
        """Draw the use of a network; where there is no new point, nothing happens."""
        before = self._source
        is_same = before is not None and before.trend is source.trend
        if is_same and before is not None and (before.entries, before.now) == (source.entries, source.now):
            return
        self._source = source
        self._draw()

    def parts_at(self, y: int) -> Spans:
        """Return the times, a line of the chart, or what its signs mean."""
        chart, (width, height) = self._chart, self.scrollable_content_region.size
        if chart is None:
            return ()
        if y == 0:
            return truncate(self._times(), width, self._environment.glyphs.more)
        if y == height - 1:
            watched: Span = (watched_text(chart.history, self._environment.zone), DIM)
            legend = legend_spans(chart.history, self._environment.glyphs)
            return truncate((*legend, watched), width, self._environment.glyphs.more)
        return chart.lines[y - 1] if y - 1 < len(chart.lines) else ()

    def on_resize(self) -> None:
        """Draw it for the new size."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Show the time under the mouse."""
        for place, (begin, end) in enumerate(self._places):
            if event.y == 0 and begin <= event.x < end:
                self._choose(place)

    def action_next_span(self) -> None:
        """Show the next longer time, after the longest the shortest."""
        self._choose((self._span_place + 1) % len(SPANS))

    def _choose(self, place: int) -> None:
        self._span_place = place
        self._draw()

    def _times(self) -> Spans:
        """Return the times that can be shown, and remember where each stands."""
        parts: list[Span] = []
        self._places, column = [], 0
        for place, span in enumerate(SPANS):
            is_shown = place == self._span_place
            text = f"[{span_name(span)}]" if is_shown else f" {span_name(span)} "
            self._places.append((column, column + len(text)))
            column += len(text) + 1
            parts += [(text, RESTING if is_shown else DIM), (" ", PLAIN)]
        return tuple(parts)

    def _draw(self) -> None:
        width, height = self.scrollable_content_region.size
        if self._source is None or not width or not height:
            return
        environment, size = self._environment, (width - 1, height - BESIDE_CHART)
        span = SPANS[self._span_place]
        self._chart = draw_chart(self._source, span, size, environment.glyphs, environment.zone)
        self.renew()


class HistoryPane(Pane):
    """The chart, and in the title how the use goes on."""

    def __init__(
        self,
        number: int,
        name: str,
        environment: ConsoleEnvironment,
        *,
        id: str | None = None,  # noqa: A002 - Textual's own word
    ) -> None:
        self._chart = ChartView(environment, id="chart")
        super().__init__(number, name, self._chart, glyphs=environment.glyphs, id=id)

    @property
    def text(self) -> str:
        """The chart as text."""
        return self._chart.text

    def show(
        self, account: NetworkAccount, trend: Trend | None, entries: tuple[LeakEntry, ...], now: datetime
    ) -> None:
        """Show the use of a network and its forecast."""
        outlook = network_outlook(account, trend)
        self.title.show(((outlook.sentence, outlook_tone(outlook)),))
        self._chart.show(source_of(account, trend, entries, now))

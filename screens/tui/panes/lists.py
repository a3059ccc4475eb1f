"""The panes that are lists: what they have in common, and quiescence, findings, dockerd's log, the maintenance run."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import events
from textual.binding import BindingType
from textual.reactive import var

from console.durations import duration
from console.monitor.values import Feed, MonitorState
from console.text import plural
from screens.present.findings import finding_rows
from screens.present.text import BAD, DIM, PLAIN, STRONG, UNKNOWN, Paragraph, Row, Span, Spans
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, bindings
from screens.tui.widgets.fair import SharedLines
from screens.tui.widgets.line_view import truncate, wrap
from screens.tui.widgets.pane import Pane
from screens.tui.widgets.row_view import MARGIN
from screens.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from console.runbook.run.view import StoredRun

T = TypeVar("T")

HANG = 2
"""Behind the mark in front of a row."""


class PaneRows(Rows):
    """The rows of a pane, worst first, of which each can be opened.

    Keys go to one of several panes: the others show their top, and the cursor is visible again when keys go there.
    """

    KEYS = (
        Command(
            "choose",
            "enter",
            "Open the row under the cursor",
            footer="open",
            when=lambda rows: rows.count > 0,
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self) -> None:
        super().__init__(is_worst_first=True)

    @property
    def stays_at_top(self) -> bool:
        """Whether the first row stays visible when the rows change."""
        return not self.has_focus or super().stays_at_top

    def on_resize(self) -> None:
        """Fit the rows to the new size."""
        if not self.has_focus:
            self.show_top()

    def on_focus(self) -> None:
        """Show the cursor, after the mouse has placed it."""
        self.call_later(self._show_cursor)

    def _show_cursor(self) -> None:
        if self.has_focus:
            self.scroll_to_cursor()
            self.renew()

    def on_blur(self) -> None:
        """Show the worst again."""
        self.show_top()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Put the cursor where the mouse is."""
        index = self.scroll_offset.y + event.y
        if 0 <= index < self.count:
            self.go(index)

    def on_mouse_scroll_down(self) -> None:
        """Focus the pane that is scrolled."""
        self.focus(scroll_visible=False)

    def on_mouse_scroll_up(self) -> None:
        """Focus the pane that is scrolled."""
        self.focus(scroll_visible=False)


class MonitorPane(Pane):
    """A pane of rows over the newest monitor state; it shows those that match the filter."""

    NUMBER: ClassVar[int]
    NAME: ClassVar[str]

    monitor_state: var[MonitorState] = var(MonitorState())
    filter_text: var[str] = var("")
    """The filter, in lower case; empty for all rows."""

    def __init__(self, environment: ConsoleEnvironment) -> None:
        self.environment = environment
        self.rows = PaneRows()
        self._all_rows: list[Row] = []
        self._empty = ""
        self._note: Spans = ()
        self._wanted = 0
        super().__init__(
            self.NUMBER, self.NAME, self.rows, glyphs=environment.glyphs, id=type(self).__name__.lower()
        )

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """Return the parts of a monitor state that the pane depends on: it is renewed only when one of them changes."""
        raise NotImplementedError

    def renew(self) -> None:
        """Show the monitor state with the filter as they are now."""
        raise NotImplementedError

    def watch_monitor_state(self, before: MonitorState, now: MonitorState) -> None:
        """Renew the pane if a part that it depends on has changed."""
        if any(a is not b for a, b in zip(self.basis(before), self.basis(now), strict=True)):
            self.renew()

    def watch_filter_text(self) -> None:
        """Show the rows that match, from the top."""
        self.rows.reset_selection()
        self.renew()

    def on_mount(self) -> None:
        """Fill the pane from the state so far."""
        self.renew()

    def show(self, rows: list[Row], title: Spans, empty: str) -> None:
        """Show rows under a title, or a sentence where there is none."""
        before = self._all_rows, self._empty, self._note
        self._all_rows, self._empty = rows, "No row matches." if self.filter_text else empty
        self._note = title
        self._fit_rows()
        if before != (self._all_rows, self._empty, self._note):
            self.refresh_height()

    def refresh_height(self) -> None:
        """Lay the panes out again if this one wants more or fewer lines than before."""
        wanted = self.wanted_height(self.size.width)
        if wanted != self._wanted:
            self._wanted = wanted
            if isinstance(self.parent, SharedLines):
                self.parent.share_again()

    def wanted_height(self, width: int) -> int:
        """Return in how many lines of so many columns everything is whole; one where a word says that there is nothing."""
        row_width = max(1, width - MARGIN)
        if self._all_rows:
            return 1 + sum(len(row_lines(row.parts, row_width)) for row in self._all_rows)
        if not self._empty or self.title.has_room_for(self._empty_note, width):
            return 1
        return 1 + len(list(wrap(Paragraph(((self._empty, DIM),)), row_width)))

    @property
    def _empty_note(self) -> Spans:
        """The title of a pane that is nothing but a title."""
        gap = ((": ", DIM),) if self._note and self._empty else ()
        return (*self._note, *gap, (self._empty, DIM))

    def on_resize(self) -> None:
        """Fit the rows to the new size."""
        self._fit_rows()

    def _fit_rows(self) -> None:
        """Show a line of each row, and as many rows whole as there is room for, from the first on."""
        is_title_only = not self._all_rows and self.size.height == 1
        self.title.show(self._empty_note if is_title_only else self._note)
        width, height = self.rows.row_width, self.rows.scrollable_content_region.height
        room = height - len(self._all_rows)
        rows: list[Row] = []
        for row in self._all_rows:
            whole: Sequence[Spans] = row_lines(row.parts, max(1, width))
            if len(whole) - 1 > max(0, room):
                whole = self._cut(whole, max(0, room) + 1, width)
            room -= len(whole) - 1
            rows += [
                Row((row.key, place), parts, row.value, row.severity) for place, parts in enumerate(whole)
            ]
        self.rows.show(rows, self._empty)
        if self.has_class("-entered"):
            # The commands depend on the row under the cursor.
            self.refresh_bindings()

    def _cut(self, whole: Sequence[Spans], count: int, width: int) -> list[Spans]:
        """Return the first lines of a row; the last one says that there is more."""
        *lines, last = whole[:count]
        # Another word has no room there, so this is too long.
        rest = ((" ", PLAIN), *(part for part in whole[count] if part[0].strip()))
        return [*lines, truncate((*last, *rest), max(1, width), self.environment.glyphs.more)]

    def show_unknown(self, feed: Feed[T]) -> None:
        """Show why the feed has no value yet."""
        if feed.failure is None:
            self.show([], (), "Not read yet.")
        else:
            self.show([], (("unknown", UNKNOWN),), f"{feed.failure.reason} {feed.failure.hint}".rstrip())


@lru_cache(4096)
def row_lines(parts: Spans, width: int) -> tuple[Spans, ...]:
    """Return the lines of a row that is shown whole: the same few are wanted at each layout."""
    return tuple(wrap(Paragraph(parts, HANG), width))


def title_with_failure(feed: Feed[T], *parts: tuple[str, str]) -> Spans:
    """Return the text of a title, with a note if the feed's newest attempt failed."""
    if feed.failure is None:
        return parts
    gap = ((", ", PLAIN),) if parts else ()
    return (*parts, *gap, (f"not read: {feed.failure.reason}", UNKNOWN))


class RunPane(MonitorPane):
    """The steps of the maintenance run in one row."""

    NUMBER, NAME = 5, "Run"

    run: "var[StoredRun | None]" = var(None)

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """Nothing: the run does not come from the monitor."""
        del monitor_state
        return ()

    def watch_run(self) -> None:
        """Renew the pane: the run has changed."""
        self.renew()

    def renew(self) -> None:
        """Show the headline and the steps of the run."""
        run = self.run
        if run is None:
            self.show([], (), "No maintenance run yet.")
            return
        from screens.present.run import headline  # noqa: PLC0415 - there is a run
        from screens.present.run_step import steps_line  # noqa: PLC0415 - see above

        title = headline(run, self.environment.clock.now())
        self.show([Row("steps", steps_line(run.view, self.environment.glyphs), run)], title, "")


class JournalPane(MonitorPane):
    """A row for each kind of message of dockerd, the newest first."""

    NUMBER, NAME = 3, "dockerd"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """Dockerd's log."""
        return monitor_state.log.value, monitor_state.log.failure

    def renew(self) -> None:
        """Show the kinds of messages, and how complete the log is."""
        log = self.monitor_state.log
        if log.value is None:
            self.show_unknown(log)
            return
        from screens.present.journal import overview_empty, overview_rows  # noqa: PLC0415 - there is a log

        summary = log.value.summary
        rows = overview_rows(summary, self.environment.zone, self.filter_text)
        window = "all" if summary.window_s is None else f"last {duration(summary.window_s)}"
        title: list[Span] = [(window, DIM)]
        if not summary.is_complete:
            title.append((", incomplete", UNKNOWN))
        if summary.lost_addresses:
            title.append((f", {summary.lost_addresses} leaked", BAD))
        self.show(rows, title_with_failure(log, *title), overview_empty(summary))


class FindingsPane(MonitorPane):
    """A row for each finding."""

    NUMBER, NAME = 2, "Findings"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """The snapshot."""
        return monitor_state.snapshot.value, monitor_state.snapshot.failure

    def renew(self) -> None:
        """Show the findings, and how many are problems."""
        snapshot = self.monitor_state.snapshot
        if snapshot.value is None:
            self.show_unknown(snapshot)
            return
        assessment = snapshot.value.assessment
        rows = finding_rows(assessment, self.filter_text)
        urgent = sum(finding.severity.rank > 0 for finding in assessment.findings)
        notes = len(assessment.findings) - urgent
        title = ((plural(urgent, "problem"), STRONG), (f", {plural(notes, 'note')}" if notes else "", DIM))
        self.show(rows, title_with_failure(snapshot, *title), "No problems found.")


class QuietPane(MonitorPane):
    """A row for each check, those that block first."""

    NUMBER, NAME = 4, "Quiet?"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """The checks, and since when they are quiet."""
        return monitor_state.quiet.value, monitor_state.quiet.failure, monitor_state.quiet_since_s

    def renew(self) -> None:
        """Show the checks under the verdict."""
        quiet = self.monitor_state.quiet
        if quiet.value is None:
            self.show_unknown(quiet)
            return
        from screens.present.quiet import check_rows, verdict  # noqa: PLC0415 - there are checks

        title = verdict(quiet.value, self._since(), self.environment.clock.now())
        self.show(check_rows(quiet.value, self.filter_text), title_with_failure(quiet, *title), "No checks.")

    def _since(self) -> datetime | None:
        since_s = self.monitor_state.quiet_since_s
        if since_s is None:
            return None
        clock = self.environment.clock
        return clock.now() - timedelta(seconds=clock.monotonic() - since_s)

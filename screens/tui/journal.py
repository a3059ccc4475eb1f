"""dockerd's log: findings, their meaning, how certain it is, what to do, and the lines themselves."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from console.monitor.values import Line, Log, MonitorState
from screens.present import journal
from screens.present.help import Entry, journal_marks
from screens.present.text import (
    BAD,
    DIM,
    EMPTY,
    MATCH,
    PLAIN,
    STRONG,
    UNKNOWN,
    Paragraph,
    Span,
    paragraph,
    text_of,
)
from screens.tui.environment import ConsoleEnvironment, copy, save
from screens.tui.keys import Command, bindings
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.find_line import FindLine
from screens.tui.widgets.log_lines import LogLines
from screens.tui.widgets.pane import Pane, TextView, Title
from screens.tui.widgets.row_view import RowView
from screens.tui.widgets.rows import Rows

FINDINGS, MEANING, LINES = 1, 2, 3
LEVELS = ("all lines", "explained lines", "failures")
KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Filter findings and lines", "filter"),
    Command(
        "level",
        "v",
        "Show all lines, explained lines, or failures only",
        "view",
        brief="All, explained, failed lines",
    ),
    Command("next_failure(1)", "e", "Next failure", "error", brief="Next, previous failure"),
    Command("next_failure(-1)", "E", "Previous failure", brief="Next, previous failure"),
    Command("follow", "f", "Follow new lines", "follow", when=lambda screen: not screen.lines.is_following),
    Command("copy", "c", "Copy the line or the explanation", "copy", brief="Copy line or explanation"),
    Command("save", "s", "Save the shown lines to a file", "save", brief="Save the shown lines"),
    Command("back", "escape", "Back: leave the filter, the lines, the log", brief="Back: filter, lines, log"),
)


class JournalScreen(ConsoleScreen):
    """What dockerd logged, updated while it is open."""

    CSS_PATH = "journal.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, environment: ConsoleEnvironment, signature: str = "") -> None:
        super().__init__(environment)
        self.lines = LogLines(environment.zone, id="lines")
        self._findings = Rows(
            id="findings", empty="dockerd's log has not been read yet.", is_worst_first=True
        )
        self._meaning = TextView(id="meaning")
        self._find = FindLine("a text, in findings and lines")
        self._signature = signature
        self._log: Log | None = None
        self._filter_text = ""
        self._level = 0
        self._is_about_line = False

    @property
    def marks(self) -> tuple[Entry, ...]:
        """What the marks and columns of the page mean, for its help."""
        return journal_marks(self.environment.glyphs)

    def compose_body(self) -> Iterable[Widget]:
        """Lay out findings, their meaning, and the lines."""
        glyphs = self.environment.glyphs
        with Vertical(id="body"):
            with Vertical(id="explanation"):
                yield Pane(FINDINGS, "What dockerd logged", self._findings, glyphs=glyphs, id="pane1")
                yield Pane(MEANING, "What it means", self._meaning, glyphs=glyphs, id="pane2")
            yield Pane(LINES, "Lines", self.lines, glyphs=glyphs, id="pane3")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the findings."""
        self.action_pane(FINDINGS)

    # Content

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Show the newest lines and findings; where the log cannot be read, why."""
        feed = monitor_state.log
        if feed.value is None:
            if feed.failure is not None:
                self._findings.show([], "dockerd's log cannot be read.")
                paragraphs = [paragraph(feed.failure.reason, UNKNOWN)]
                paragraphs += [paragraph(feed.failure.hint, label="do  ")] if feed.failure.hint else []
                self._meaning.show(paragraphs)
            return
        is_other = feed.value is not self._log
        self._log = feed.value
        if is_other:
            self.lines.show(feed.value.lines)
        self._show()

    def _show(self) -> None:
        log = self._log
        if log is None:
            return
        rows = [
            row
            for row in journal.finding_rows(log.summary, self.environment.zone)
            if self._filter_text.lower() in text_of(row.parts).lower()
        ]
        empty = "No finding matches." if self._filter_text else "No failure was logged."
        self._findings.show(rows, empty)
        if self._signature:
            places = [place for place, row in enumerate(rows) if row.key == self._signature]
            self._findings.go(places[0] if places else 0)
            self._signature = ""
        self._explain()
        self._show_titles()

    def _explain(self) -> None:
        log, line, row = self._log, self.lines.current, self._findings.current
        if log is None:
            return
        paragraphs: list[Paragraph]
        if self._is_about_line and line is not None:
            paragraphs = list(journal.explain_line(line, self.environment.zone))
        elif row is not None:
            paragraphs = list(journal.explain(row.value, log.summary, self.environment.zone))
        else:
            paragraphs = [paragraph("No failure was logged.", DIM)]
        state = journal.state(log)
        self._meaning.show([*paragraphs, *([EMPTY, *state] if state else [])])

    def _show_titles(self) -> None:
        log, lines = self._log, self.lines
        if log is None:
            return
        feed = self.monitor_state.log
        findings_note: list[Span] = []
        if feed.failure is not None:
            findings_note.append((f"STALE: {feed.failure.reason} ", BAD))
        if not log.summary.is_complete:
            findings_note.append(("incomplete ", UNKNOWN))
        if self._filter_text:
            findings_note.append((f"/{self._filter_text} ", MATCH))
        if not self._findings.count:
            findings_note.append((self._findings.empty, DIM))
        self._title(FINDINGS).show(tuple(findings_note))
        # As high as what it shows; without any, its title says so.
        self.query_one("#pane1", Pane).styles.max_height = self._findings.count + 1
        self.set_class(not lines.count, "-no-lines")
        self._title(LINES).show(self._lines_note(log))
        self.refresh_bindings()

    def _lines_note(self, log: Log) -> tuple[Span, ...]:
        lines = self.lines
        lines_note: list[Span] = [("following", STRONG) if lines.is_following else ("paused", STRONG)]
        if lines.newer_count:
            lines_note.append((f", {lines.newer_count} newer (f follows)", PLAIN))
        if not lines.count:
            lines_note.append((", no line matches" if log.lines else ", no lines", DIM))
        if self._level:
            lines_note.append((f", {LEVELS[self._level]} only", MATCH))
        if self._filter_text:
            lines_note.append((f", /{self._filter_text}", MATCH))
        if log.dropped:
            lines_note.append((f", {log.dropped} older dropped", DIM))
        return tuple(lines_note)

    def _title(self, number: int) -> Title:
        return self.query_one(f"#pane{number}", Pane).title

    # Messages and actions

    def on_row_view_highlighted(self, event: RowView.Highlighted) -> None:
        """Explain what the cursor is on."""
        if event.rows is self._findings:
            self.lines.highlight(self._of_finding())
        self._explain()

    def on_descendant_focus(self) -> None:
        """Explain lines while keys go to them, else findings."""
        if self.focused in (self.lines, self._findings):
            self._is_about_line = self.focused is self.lines
            self._explain()

    def on_log_lines_follow_changed(self) -> None:
        """Show in the title whether the log follows new lines."""
        self._show_titles()

    def on_row_view_selected(self, event: RowView.Selected) -> None:
        """Go to the last line of a finding, with those around it; explain a line."""
        if event.rows is not self._findings:
            self.action_pane(MEANING)
            return
        belongs = self._of_finding()
        line = None if belongs is None else next(filter(belongs, reversed(self.lines.lines)), None)
        if line is None:
            self.notify("Its lines are too old and were dropped, or they are filtered out.", markup=False)
            return
        self.lines.go_to(line.number)
        self.action_pane(LINES)

    def _of_finding(self) -> journal.LinePredicate | None:
        row = self._findings.current
        return journal.lines_of(row.value) if row is not None else None

    def on_find_line_changed(self, event: FindLine.Changed) -> None:
        """Keep the findings and lines that contain the text."""
        self._filter_text = event.text
        self._findings.reset_selection()
        self._filter()

    def on_find_line_closed(self) -> None:
        """Return to the pane that had the keys before."""
        self.action_pane(LINES if self._is_about_line else FINDINGS)

    def _filter(self) -> None:
        filter_text, level = self._filter_text.lower(), self._level

        def keep(line: Line) -> bool:
            if level == 1 and line.meaning is None:
                return False
            if level == 2 and not journal.is_trouble(line):
                return False
            return filter_text in line.text.lower()

        self.lines.filter(keep if filter_text or level else None)
        self._show()

    def action_find(self) -> None:
        """Let the operator type a filter."""
        self._find.open()

    def action_level(self) -> None:
        """Show more or fewer lines."""
        self._level = (self._level + 1) % len(LEVELS)
        self._filter()

    def action_next_failure(self, direction: int) -> None:
        """Go to the next failure, or the one before."""
        if self.lines.go_next(journal.is_trouble, direction):
            self.action_pane(LINES)
        else:
            where = "below this line; E searches above" if direction > 0 else "above this line"
            self.notify(f"No failure {where}.", markup=False)

    def action_follow(self) -> None:
        """Go to the last line, and stay at the end as lines come."""
        self.lines.action_go_last()

    def action_copy(self) -> None:
        """Copy the line, or the explanation."""
        line = self.lines.current
        copy(self, line.text if self._is_about_line and line is not None else self._meaning.text)

    def action_save(self) -> None:
        """Save the lines that are shown."""
        lines = self.lines.lines
        if not lines:
            self.notify("Nothing to save here.", markup=False)
            return
        text = "".join(f"{line.text}\n" for line in lines)
        self.run_worker(
            save(self, "journal", text, self.environment.clock.now()),
            group="saving",
            description="saves lines",
        )

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if FINDINGS <= number <= LINES:
            self.pane_entered(number)
            self.query_one(f"#pane{number}", Pane).enter()

    def pane_entered(self, number: int) -> None:
        """Give room to the pane that has the keys."""
        for pane_number in (FINDINGS, MEANING, LINES):
            self.set_class(pane_number == number, f"-at{pane_number}")

    def action_back(self) -> None:
        """Drop the filter, else leave the lines, else close the screen."""
        if self._filter_text or self._level:
            self._level = 0
            self._find.clear()
            self._filter()
        elif self._is_about_line:
            self.action_pane(FINDINGS)
        else:
            self.app.pop_screen()

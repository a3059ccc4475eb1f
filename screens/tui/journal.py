"""dockerd's log: findings, their meaning, how certain it is, what to do, and the lines themselves."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from console.monitor.values import Line, Log, MonitorState
from screens.present import journal
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
    says,
    text_of,
)
from screens.tui.environment import ConsoleEnvironment, copy, save
from screens.tui.keys import Command, bindings
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.input_lines import FindLine
from screens.tui.widgets.log_lines import LogLines
from screens.tui.widgets.pane import Pane, Title, Words
from screens.tui.widgets.rows import Rows, RowView

FINDINGS, MEANING, LINES = 1, 2, 3
LEVELS = ("all lines", "explained lines", "failures")
KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Filter findings and lines", "filter"),
    Command("level", "v", "Show all lines, explained lines, or failures only", "view"),
    Command("next_failure(1)", "e", "Next failure", "error"),
    Command("next_failure(-1)", "E", "Previous failure"),
    Command("follow", "f", "Follow new lines", "follow", when=lambda screen: not screen.lines.is_following),
    Command("copy", "c", "Copy the line or the explanation", "copy"),
    Command("save", "s", "Save the shown lines to a file", "save"),
    Command("back", "escape", "Back: leave the filter, the lines, the log"),
)


class JournalScreen(ConsoleScreen):
    """What dockerd logged, updated while it is open."""

    CSS_PATH = "journal.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, around: ConsoleEnvironment, signature: str = "") -> None:
        super().__init__(around)
        self.lines = LogLines(around.zone, id="lines")
        self._findings = Rows(
            id="findings", empty="dockerd's log has not been read yet.", is_worst_first=True
        )
        self._meaning = Words(id="meaning")
        self._find = FindLine("a text, in findings and lines")
        self._wanted_signature = signature
        self._log: Log | None = None
        self._wanted = ""
        self._level = 0
        self._is_about_line = False

    def compose_body(self) -> Iterable[Widget]:
        """Lay out findings, their meaning, and the lines."""
        glyphs = self.around.glyphs
        with Vertical(id="body"):
            with Vertical(id="told"):
                yield Pane(FINDINGS, "What dockerd logged", self._findings, glyphs=glyphs, id="pane1")
                yield Pane(MEANING, "What it means", self._meaning, glyphs=glyphs, id="pane2")
            yield Pane(LINES, "Lines", self.lines, glyphs=glyphs, id="pane3")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the findings."""
        self.action_pane(FINDINGS)

    # What comes

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Show the newest of the log; where it cannot be read, why."""
        feed = monitor_state.log
        if feed.value is None:
            if feed.failure is not None:
                self._findings.show([], "dockerd's log cannot be read.")
                told = [says(feed.failure.reason, UNKNOWN)]
                told += [says(feed.failure.hint, label="do  ")] if feed.failure.hint else []
                self._meaning.say(told)
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
            for row in journal.finding_rows(log.summary, self.around.zone)
            if self._wanted.lower() in text_of(row.parts).lower()
        ]
        empty = "No finding matches." if self._wanted else "No failure was logged."
        self._findings.show(rows, empty)
        if self._wanted_signature:
            places = [place for place, each in enumerate(rows) if each.key == self._wanted_signature]
            self._findings.go(places[0] if places else 0)
            self._wanted_signature = ""
        self._explain()
        self._tell()

    def _explain(self) -> None:
        log, line, row = self._log, self.lines.current, self._findings.current
        if log is None:
            return
        told: list[Paragraph]
        if self._is_about_line and line is not None:
            told = list(journal.explain_line(line, self.around.zone))
        elif row is not None:
            told = list(journal.explain(row.value, log.summary, self.around.zone))
        else:
            told = [says("No failure was logged.", DIM)]
        state = journal.state(log)
        self._meaning.say([*told, *([EMPTY, *state] if state else [])])

    def _tell(self) -> None:
        log, lines = self._log, self.lines
        if log is None:
            return
        feed = self.monitor_state.log
        read: list[Span] = []
        if feed.failure is not None:
            read.append((f"STALE: {feed.failure.reason} ", BAD))
        if not log.summary.is_complete:
            read.append(("incomplete ", UNKNOWN))
        if self._wanted:
            read.append((f"/{self._wanted} ", MATCH))
        self._title(FINDINGS).say(tuple(read))
        said: list[Span] = [("following", STRONG) if lines.is_following else ("paused", STRONG)]
        if lines.unseen:
            said.append((f", {lines.unseen} newer (f follows)", PLAIN))
        if self._level:
            said.append((f", {LEVELS[self._level]} only", MATCH))
        if self._wanted:
            said.append((f", /{self._wanted}", MATCH))
        if log.dropped:
            said.append((f", {log.dropped} older dropped", DIM))
        self._title(LINES).say(tuple(said))
        self.refresh_bindings()

    def _title(self, number: int) -> Title:
        return self.query_one(f"#pane{number}", Pane).title

    # What is done

    def on_row_view_moved(self, event: RowView.Moved) -> None:
        """Explain what the cursor is on."""
        if event.rows is self._findings:
            self.lines.stress(self._of_finding())
        self._explain()

    def on_descendant_focus(self) -> None:
        """Explain lines while keys go to them, else findings."""
        if self.focused in (self.lines, self._findings):
            self._is_about_line = self.focused is self.lines
            self._explain()

    def on_log_lines_followed(self) -> None:
        """Tell whether the end is in sight."""
        self._tell()

    def on_row_view_chosen(self, event: RowView.Chosen) -> None:
        """Go to the last line of a finding, with those around it; explain a line."""
        if event.rows is not self._findings:
            self.action_pane(MEANING)
            return
        wanted = self._of_finding()
        found = None if wanted is None else next(filter(wanted, reversed(self.lines.lines)), None)
        if found is None:
            self.notify("Its lines are too old and were dropped, or they are filtered out.", markup=False)
            return
        self.lines.go_to(found.number)
        self.action_pane(LINES)

    def _of_finding(self) -> journal.Keep | None:
        row = self._findings.current
        return journal.lines_of(row.value) if row is not None else None

    def on_find_line_wanted(self, event: FindLine.Wanted) -> None:
        """Filter."""
        self._wanted = event.text
        self._findings.select_others()
        self._filter()

    def on_find_line_closed(self) -> None:
        """Go on where it was."""
        self.action_pane(LINES if self._is_about_line else FINDINGS)

    def _filter(self) -> None:
        wanted, level = self._wanted.lower(), self._level

        def keep(line: Line) -> bool:
            if level == 1 and line.meaning is None:
                return False
            if level == 2 and not journal.is_trouble(line):
                return False
            return wanted in line.text.lower()

        self.lines.filter(keep if wanted or level else None)
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
            said = "below this line; E searches above" if direction > 0 else "above this line"
            self.notify(f"No failure {said}.", markup=False)

    def action_follow(self) -> None:
        """Follow what comes."""
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
            save(self, "journal", text, self.around.clock.now()), group="saving", description="saves lines"
        )

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if FINDINGS <= number <= LINES:
            for each in (FINDINGS, MEANING, LINES):
                self.set_class(each == number, f"-at{each}")
            self.query_one(f"#pane{number}", Pane).enter()

    def action_back(self) -> None:
        """Go back by one step."""
        if self._wanted or self._level:
            self._level = 0
            self._find.clear()
            self._filter()
        elif self._is_about_line:
            self.action_pane(FINDINGS)
        else:
            self.app.pop_screen()

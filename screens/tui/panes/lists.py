"""The panes that are plain lists: quiescence, findings, dockerd's log, and the maintenance run."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from textual.reactive import var

from console.monitor.values import MonitorState
from console.runbook.run.view import RunView, StepState, StoredRun
from console.text import duration, plural
from screens.present.findings import finding_rows
from screens.present.journal import logged_empty, logged_rows
from screens.present.quiet import check_rows, verdict
from screens.present.run import ASCII_STATE_GLYPHS, STATE_GLYPHS, STATE_TONES, current_place, headline
from screens.present.run_step import because
from screens.present.text import ASCII, BAD, DIM, PLAIN, STRONG, UNKNOWN, Row, Span, Spans
from screens.tui.panes.base import MonitorPane, said_of


class RunPane(MonitorPane):
    """Its steps in one row."""

    NUMBER, NAME = 5, "Run"

    run: var[StoredRun | None] = var(None)

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """It depends on nothing in the scene."""
        del monitor_state
        return ()

    def watch_run(self) -> None:
        """Show a run."""
        self.renew()

    def renew(self) -> None:
        """Show the run."""
        run = self.run
        if run is None:
            self.show([], (), "No maintenance run yet.")
            return
        letters = ASCII_STATE_GLYPHS if self.around.glyphs is ASCII else STATE_GLYPHS
        said = headline(run, self.around.clock.now())
        self.show([Row("steps", steps_line(run.view, letters), run)], said, "")


def steps_line(view: RunView, letters: Mapping[StepState, str]) -> Spans:
    """Return the steps side by side, the one that matters in words."""
    parts: list[Span] = []
    for place, step in enumerate(view.steps):
        tone = STATE_TONES.get(step.state, PLAIN)
        parts.append((f"{letters[step.state]} {step.id}", tone))
        why = because(view, step) if place == current_place(view) else ""
        if why:
            parts.append((f": {why}", PLAIN))
        parts.append(("  ", DIM))
    return tuple(parts)


class JournalPane(MonitorPane):
    """A row for each kind of thing that dockerd said, the newest first."""

    NUMBER, NAME = 3, "dockerd"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """It depends on dockerd's log."""
        return monitor_state.log.value, monitor_state.log.failure

    def renew(self) -> None:
        """Show what was logged."""
        log = self.monitor_state.log
        if log.value is None:
            self.show_awaited(log)
            return
        summary = log.value.summary
        rows = logged_rows(summary, self.around.zone, self.sought)
        window = "all" if summary.window_s is None else f"last {duration(summary.window_s)}"
        said: list[Span] = [(window, DIM)]
        if not summary.is_complete:
            said.append((", incomplete", UNKNOWN))
        if summary.lost_addresses:
            said.append((f", {summary.lost_addresses} leaked", BAD))
        self.show(rows, said_of(log, *said), logged_empty(summary))


class FindingsPane(MonitorPane):
    """A row for each finding."""

    NUMBER, NAME = 2, "Findings"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """It depends on the snapshot."""
        return monitor_state.snapshot.value, monitor_state.snapshot.failure

    def renew(self) -> None:
        """Show the findings."""
        snapshot = self.monitor_state.snapshot
        if snapshot.value is None:
            self.show_awaited(snapshot)
            return
        assessment = snapshot.value.assessment
        rows = finding_rows(assessment, self.sought)
        urgent = sum(finding.severity.rank > 0 for finding in assessment.findings)
        notes = len(assessment.findings) - urgent
        said = ((plural(urgent, "problem"), STRONG), (f", {plural(notes, 'note')}" if notes else "", DIM))
        self.show(rows, said_of(snapshot, *said), "No problems found.")


class QuietPane(MonitorPane):
    """A row for each check, those that block first."""

    NUMBER, NAME = 4, "Quiet?"

    def basis(self, monitor_state: MonitorState) -> tuple[object, ...]:
        """It depends on the checks."""
        return monitor_state.quiet.value, monitor_state.quiet.failure, monitor_state.quiet_since_s

    def renew(self) -> None:
        """Show the checks."""
        quiet = self.monitor_state.quiet
        if quiet.value is None:
            self.show_awaited(quiet)
            return
        said = verdict(quiet.value, self._since(), self.around.clock.now())
        self.show(check_rows(quiet.value, self.sought), said_of(quiet, *said), "No checks.")

    def _since(self) -> datetime | None:
        since_s = self.monitor_state.quiet_since_s
        if since_s is None:
            return None
        clock = self.around.clock
        return clock.now() - timedelta(seconds=clock.monotonic() - since_s)

"""The panes that are plain lists: quiescence, findings, dockerd's log, and the maintenance run."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from textual.reactive import var

from console.monitor.values import Scene
from console.runbook.run.view import RunView, StepState, Watched
from console.text import duration, plural
from screens.present.findings import finding_rows
from screens.present.journal import logged_empty, logged_rows
from screens.present.quiet import check_rows, verdict
from screens.present.run import ASCII_STATE_GLYPHS, STATE_GLYPHS, STATE_TONES, current_place, headline
from screens.present.run_step import because
from screens.present.text import ASCII, BAD, DIM, PLAIN, STRONG, UNKNOWN, Part, Parts, Row
from screens.tui.panes.base import ScenePane, said_of


class RunPane(ScenePane):
    """Its steps in one row."""

    NUMBER, NAME = 5, "Run"

    run: var[Watched | None] = var(None)

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It depends on nothing in the scene."""
        del scene
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


def steps_line(view: RunView, letters: Mapping[StepState, str]) -> Parts:
    """Return the steps side by side, the one that matters in words."""
    parts: list[Part] = []
    for place, step in enumerate(view.steps):
        tone = STATE_TONES.get(step.state, PLAIN)
        parts.append((f"{letters[step.state]} {step.id}", tone))
        why = because(view, step) if place == current_place(view) else ""
        if why:
            parts.append((f": {why}", PLAIN))
        parts.append(("  ", DIM))
    return tuple(parts)


class JournalPane(ScenePane):
    """A row for each kind of thing that dockerd said, the newest first."""

    NUMBER, NAME = 3, "dockerd"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It depends on dockerd's log."""
        return scene.log.value, scene.log.failed

    def renew(self) -> None:
        """Show what was logged."""
        log = self.scene.log
        if log.value is None:
            self.show_awaited(log)
            return
        summary = log.value.summary
        rows = logged_rows(summary, self.around.zone, self.sought)
        window = "all" if summary.window_s is None else f"last {duration(summary.window_s)}"
        said: list[Part] = [(window, DIM)]
        if not summary.is_complete:
            said.append((", incomplete", UNKNOWN))
        if summary.addresses_lost:
            said.append((f", {summary.addresses_lost} leaked", BAD))
        self.show(rows, said_of(log, *said), logged_empty(summary))


class FindingsPane(ScenePane):
    """A row for each finding."""

    NUMBER, NAME = 2, "Findings"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It depends on the snapshot."""
        return scene.look.value, scene.look.failed

    def renew(self) -> None:
        """Show the findings."""
        look = self.scene.look
        if look.value is None:
            self.show_awaited(look)
            return
        assessment = look.value.assessment
        rows = finding_rows(assessment, self.sought)
        urgent = sum(each.severity.rank > 0 for each in assessment.findings)
        notes = len(assessment.findings) - urgent
        said = ((plural(urgent, "problem"), STRONG), (f", {plural(notes, 'note')}" if notes else "", DIM))
        self.show(rows, said_of(look, *said), "No problems found.")


class QuietPane(ScenePane):
    """A row for each check, those that block first."""

    NUMBER, NAME = 4, "Quiet?"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It depends on the checks."""
        return scene.quiet.value, scene.quiet.failed, scene.quiet_since_s

    def renew(self) -> None:
        """Show the checks."""
        quiet = self.scene.quiet
        if quiet.value is None:
            self.show_awaited(quiet)
            return
        said = verdict(quiet.value, self._since(), self.around.clock.now())
        self.show(check_rows(quiet.value, self.sought), said_of(quiet, *said), "No checks.")

    def _since(self) -> datetime | None:
        since_s = self.scene.quiet_since_s
        if since_s is None:
            return None
        clock = self.around.clock
        return clock.now() - timedelta(seconds=clock.monotonic() - since_s)

"""The overview: overlays, findings, dockerd's log, quiet and the run, on one screen."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.reactive import var
from textual.widget import Widget

from console.monitor.values import MonitorState
from screens.tui.environment import ConsoleEnvironment, OpenJournal, OpenNetwork, OpenRun
from screens.tui.keys import Command, bindings
from screens.tui.panes.arrangement import OverviewPanes
from screens.tui.panes.lists import FindingsPane, JournalPane, MonitorPane, QuietPane, RunPane
from screens.tui.panes.no_engine import NoEngine
from screens.tui.panes.overlays import OverlayLine, Overlays
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.find_line import FindLine
from screens.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from console.runbook.run.view import StoredRun
    from screens.present.help import Entry

KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Filter rows", "filter", when=lambda screen: not screen.has_no_engine),
    Command("forget", "escape", "Clear the filter", "all", when=lambda screen: bool(screen.filter_text)),
    Command("app.show_why", "w", "Why services do not run", "why", also="page services"),
    Command("app.show_journal", "d", "dockerd's log, explained", "dockerd", also="page journal"),
)


class OverviewScreen(ConsoleScreen):
    """Everything on one screen, the worst first."""

    AUTO_FOCUS = ""
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    filter_text: var[str] = var("", bindings=True)
    """The filter, in lower case."""
    run: "var[StoredRun | None]" = var(None)
    """The maintenance run that is under way, or the last one."""

    def __init__(self, environment: ConsoleEnvironment, monitor_state: MonitorState) -> None:
        super().__init__(environment)
        self.set_reactive(ConsoleScreen.monitor_state, monitor_state)
        self._find = FindLine("a network, a service, a stack")
        self._no_engine = NoEngine(environment)

    @property
    def marks(self) -> "tuple[Entry, ...]":
        """What the marks and columns of the page mean, for its help."""
        from screens.present.help import overview_marks

        return overview_marks(self.environment.glyphs)

    def compose_body(self) -> Iterable[Widget]:
        """Lay out the panes."""
        with OverviewPanes(id="panes"):
            for pane in (Overlays, FindingsPane, JournalPane, QuietPane):
                yield pane(self.environment).data_bind(
                    OverviewScreen.monitor_state, OverviewScreen.filter_text
                )
            yield RunPane(self.environment).data_bind(OverviewScreen.run)
        yield self._no_engine

    def on_mount(self) -> None:
        """Follow the app's run, and begin at the overlays."""
        self.watch(self.app, "current_run", partial(setattr, self, "run"))
        self.panes[0].enter()

    @property
    def panes(self) -> list[Pane]:
        """The panes; none of them is there while no engine has answered."""
        return [] if self.has_no_engine else super().panes

    @property
    def has_no_engine(self) -> bool:
        """Whether there never was a snapshot, and it is known why."""
        snapshot = self.monitor_state.snapshot
        return snapshot.value is None and snapshot.failure is not None

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Show one block instead of the panes while no engine has answered; after that the panes stay."""
        was_without = self.has_class("-no-engine")
        self.set_class(self.has_no_engine, "-no-engine")
        if self.has_no_engine:
            self._no_engine.show(monitor_state.snapshot)
            if not was_without:
                self.call_after_refresh(self._no_engine.take_keys)
        elif was_without:
            self.panes[0].enter()
            self.refresh_bindings()

    @property
    def active_pane(self) -> MonitorPane | None:
        """The pane that keys go to."""
        return next(
            (monitor_pane for monitor_pane in self.query(MonitorPane) if monitor_pane.has_class("-entered")),
            None,
        )

    def on_row_view_highlighted(self) -> None:
        """Update the commands: they depend on the row."""
        self.refresh_bindings()

    def on_row_view_selected(self) -> None:
        """Open what the cursor is on: a network, a finding, dockerd's log, the checks."""
        from console.diagnosis.values import Finding
        from console.journal.summary import LogFinding
        from console.runbook.run.view import StoredRun
        from screens.present.findings import finding_paragraphs
        from screens.present.quiet import report_paragraphs
        from screens.tui.dialogs import TextDialog

        pane = self.active_pane
        row = pane.rows.current if pane is not None else None
        if pane is None or row is None:
            return
        match row.value:
            case OverlayLine(figures=line):
                self.post_message(OpenNetwork(line.network_id))
            case Finding() as finding:
                self.app.push_screen(TextDialog("Finding", finding_paragraphs(finding), self.environment))
            case LogFinding(signature=signature):
                self.post_message(OpenJournal(signature.id))
            case _ if isinstance(pane, QuietPane) and self.monitor_state.quiet.value is not None:
                self.app.push_screen(
                    TextDialog("Quiet?", report_paragraphs(self.monitor_state.quiet.value), self.environment)
                )
            case StoredRun():
                self.post_message(OpenRun())
            case _ if isinstance(pane, JournalPane):
                self.post_message(OpenJournal())
            case _:
                pass

    async def action_find(self) -> None:
        """Let the operator type a filter."""
        if not self._find.is_attached:
            # Few ever filter, and a line to type in takes long to make. Keys that follow wait for it.
            await self.mount(self._find, after=self._no_engine)
        self._find.open()

    def action_forget(self) -> None:
        """Clear the filter and hide its line."""
        self._find.clear()
        self._find.remove_class("-open")

    def on_find_line_changed(self, event: FindLine.Changed) -> None:
        """Show only the rows that contain the text."""
        self.filter_text = event.text.strip().lower()

    def on_find_line_closed(self) -> None:
        """Return the keys to the pane that had them."""
        pane = self.active_pane
        if pane is not None:
            pane.enter()

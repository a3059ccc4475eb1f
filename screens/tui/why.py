"""Why services do not run: those that do not first, and for each the verdict, the evidence, and what to do."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from console.diagnosis.values import Snapshot
from console.diagnosis.why.evidence import ServiceStatus, last_lines
from console.diagnosis.why.explain import ServiceExplanation, WhyAnswer, explain
from console.errors import UsageError
from console.journal.matching import LogEvent
from console.monitor.values import Log, MonitorState
from screens.present import why
from screens.present.help import Entry, why_marks
from screens.present.text import MATCH, PLAIN, UNKNOWN, Paragraph, paragraph
from screens.tui.environment import ConsoleEnvironment, OpenNetwork, copy
from screens.tui.keys import Command, bindings
from screens.tui.panes.services import ServicesPane
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.find_line import FindLine
from screens.tui.widgets.pane import Pane, TextView
from screens.tui.widgets.row_view import RowView

SERVICES, ANSWER = 1, 2
KEYS: tuple[Command, ...] = (
    Command("find", "slash", "Filter services and stacks", "filter"),
    Command(
        "copy_command", "c", "Copy the next command", "copy command", when=lambda screen: bool(screen.command)
    ),
    Command("copy_all", "C", "Copy the whole explanation"),
    Command(
        "network",
        "n",
        "Open the network that it waits for",
        "network",
        brief="The network that it waits for",
        when=lambda screen: bool(screen.network_id),
    ),
    Command(
        "back",
        "escape",
        "Back: leave the filter, the explanation, this screen",
        "back",
        brief="Back: filter, answer, page",
    ),
)


class WhyScreen(ConsoleScreen):
    """The explanations, renewed with each snapshot."""

    CSS_PATH = "why.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, environment: ConsoleEnvironment, service_id: str = "", stack: str = "") -> None:
        super().__init__(environment)
        self._pane = ServicesPane(SERVICES, "Services", environment.glyphs, id="pane1")
        self._services = self._pane.rows
        self._explanation = TextView(id="explanation")
        self._find = FindLine("a service or a stack", stack)
        self._service_id = service_id
        self._snapshot: Snapshot | None = None
        self._log: Log | None = None
        self._answer: WhyAnswer | None = None
        self._filter_text = stack
        self._is_explaining = False

    @property
    def marks(self) -> tuple[Entry, ...]:
        """What the marks and columns of the page mean, for its help."""
        return why_marks(self.environment.glyphs)

    def compose_body(self) -> Iterable[Widget]:
        """Lay out services and the explanation of one."""
        glyphs = self.environment.glyphs
        with Horizontal(id="body"):
            yield self._pane
            yield Pane(ANSWER, "Why", self._explanation, glyphs=glyphs, id="pane2")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the services, or at the explanation of a chosen one."""
        self.action_pane(ANSWER if self._service_id else SERVICES)

    def on_screen_resume(self) -> None:
        """Catch up with what came while another screen was above this one."""
        self.watch_monitor_state(self.monitor_state)

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Explain the newest snapshot, unless that is done already."""
        snapshot, log = monitor_state.snapshot.value, monitor_state.log.value
        if snapshot is None or not self.is_current:
            return
        if snapshot.snapshot is not self._snapshot or log is not self._log:
            self._snapshot, self._log = snapshot.snapshot, log
            if not self._is_explaining:
                self._is_explaining = True
                self._explain_newest()
        else:
            self._show()

    @work(group="explaining", description="explains the newest snapshot")
    async def _explain_newest(self) -> None:
        """Explain on a thread, because a large swarm takes noticeable time; one at a time, the newest next."""
        try:
            snapshot: Snapshot | None = None
            log: Log | None = None
            while self._snapshot is not None and (snapshot is not self._snapshot or log is not self._log):
                snapshot, log = self._snapshot, self._log
                try:
                    self._answer = await asyncio.to_thread(self._answer_to, snapshot, log)
                except UsageError as error:
                    self._explanation.show([paragraph(error.sentence, UNKNOWN)])
                else:
                    self._show()
        finally:
            self._is_explaining = False

    def _answer_to(self, snapshot: Snapshot, log: Log | None) -> WhyAnswer:
        events = (line.meaning for line in log.lines) if log is not None else ()
        lines = last_lines(event for event in events if isinstance(event, LogEvent))
        return explain(snapshot, self.environment.settings.thresholds, (), lines)

    def _show(self) -> None:
        answer = self._answer
        if answer is None:
            return
        self._pane.show(answer, self._filter_text.lower())
        rows = self._services.rows
        if self._service_id:
            places = [place for place, row in enumerate(rows) if row.key == self._service_id]
            if places:
                self._services.go(places[0])
            else:
                self.notify("This service was removed.", markup=False)
            self._service_id = ""
        tone = why.STANDING_TONES[answer.standing]
        filter_note = ((f"  /{self._filter_text}", MATCH),) if self._filter_text else ()
        self._pane.title.show(((answer.headline, tone or PLAIN), *filter_note))
        self._explain()

    def _explain(self) -> None:
        answer, service = self._answer, self.current_service
        if answer is None:
            return
        paragraphs: list[Paragraph] = []
        if service is not None:
            paragraphs += why.explanation(service, self.environment.where)
        paragraphs += [paragraph(note, UNKNOWN, label="note") for note in answer.notes if note]
        self._explanation.show(paragraphs)
        self.refresh_bindings()

    @property
    def current_service(self) -> ServiceExplanation | None:
        """The service under the cursor."""
        row = self._services.current
        return row.value if row is not None and isinstance(row.value, ServiceExplanation) else None

    @property
    def command(self) -> str:
        """The next command; nothing where there is none."""
        service = self.current_service
        return "" if service is None else why.command_of(service, self.environment.where)

    @property
    def network_id(self) -> str:
        """The fullest of its networks, where it waits for an address; nothing else."""
        service, snapshot = self.current_service, self.monitor_state.snapshot.value
        if service is None or snapshot is None or service.explanation.standing is ServiceStatus.RUNS:
            return ""
        if not service.explanation.is_address_problem:
            return ""
        own = [
            account
            for account in snapshot.assessment.accounts
            if account.network.id in service.service.network_ids
        ]
        return min(own, key=lambda account: account.free_at_most).network.id if own else ""

    def on_row_view_highlighted(self) -> None:
        """Show the explanation of the service under the cursor."""
        self._explain()

    def on_row_view_selected(self, event: RowView.Selected) -> None:
        """Focus the explanation."""
        del event
        self.action_pane(ANSWER)

    def on_find_line_changed(self, event: FindLine.Changed) -> None:
        """Keep the services whose name or stack contains the text."""
        self._filter_text = event.text
        self._services.reset_selection()
        self._show()

    def on_find_line_closed(self) -> None:
        """Return to the services."""
        self.action_pane(SERVICES)

    def action_find(self) -> None:
        """Let the operator type a filter."""
        self._find.open()

    def action_copy_command(self) -> None:
        """Copy the next command."""
        copy(self, self.command)

    def action_copy_all(self) -> None:
        """Copy the explanation."""
        copy(self, self._explanation.text)

    def action_network(self) -> None:
        """Open the network that it waits for."""
        self.post_message(OpenNetwork(self.network_id))

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if SERVICES <= number <= ANSWER:
            self.pane_entered(number)
            self.query_one(f"#pane{number}", Pane).enter()

    def pane_entered(self, number: int) -> None:
        """Give room to the pane that has the keys."""
        for pane_number in (SERVICES, ANSWER):
            self.set_class(pane_number == number, f"-at{pane_number}")

    def action_back(self) -> None:
        """Drop the filter, else leave the explanation, else close the screen."""
        if self._filter_text:
            self._find.clear()
        elif self.has_class("-at2") and not self.has_class("-wide"):
            self.action_pane(SERVICES)
        else:
            self.app.pop_screen()

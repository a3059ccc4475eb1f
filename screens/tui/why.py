"""Why services do not run: those that do not first, and for each the verdict, the evidence, and what to do."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from console.diagnosis.values import Snapshot
from console.diagnosis.why.evidence import ServiceStanding, last_lines
from console.diagnosis.why.explain import ServiceExplanation, WhyAnswer, explain
from console.errors import UsageError
from console.journal.matching import LogEvent
from console.monitor.values import Log, MonitorState
from screens.present import why
from screens.present.text import MATCH, PLAIN, UNKNOWN, Paragraph, says
from screens.tui.environment import ConsoleEnvironment, OpenNetwork, copy
from screens.tui.keys import Command, bindings
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.input_lines import FindLine
from screens.tui.widgets.pane import Pane, Words
from screens.tui.widgets.rows import Rows, RowView

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
        when=lambda screen: bool(screen.network_id),
    ),
    Command("back", "escape", "Back: leave the filter, the explanation, this screen", "back"),
)


class WhyScreen(ConsoleScreen):
    """The explanations, renewed with each snapshot."""

    CSS_PATH = "why.tcss"
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    def __init__(self, around: ConsoleEnvironment, service_id: str = "") -> None:
        super().__init__(around)
        self._services = Rows(id="services", empty="Not read yet.", is_worst_first=True)
        self._told = Words(id="told")
        self._find = FindLine("a service or a stack")
        self._service_id = service_id
        self._seen: Snapshot | None = None
        self._log: Log | None = None
        self._answer: WhyAnswer | None = None
        self._wanted = ""
        self._is_explaining = False

    def compose_body(self) -> Iterable[Widget]:
        """Lay out services and the explanation of one."""
        glyphs = self.around.glyphs
        with Horizontal(id="body"):
            yield Pane(SERVICES, "Services", self._services, glyphs=glyphs, id="pane1")
            yield Pane(ANSWER, "Why", self._told, glyphs=glyphs, id="pane2")
        yield self._find

    def on_mount(self) -> None:
        """Begin at the services, or at the answer where one was asked about."""
        self.action_pane(ANSWER if self._service_id else SERVICES)

    def on_screen_resume(self) -> None:
        """Catch up with what came while another screen was above this one."""
        self.watch_monitor_state(self.monitor_state)

    def watch_monitor_state(self, monitor_state: MonitorState) -> None:
        """Explain what was seen last."""
        snapshot, log = monitor_state.snapshot.value, monitor_state.log.value
        if snapshot is None or not self.is_current:
            return
        if snapshot.snapshot is not self._seen or log is not self._log:
            self._seen, self._log = snapshot.snapshot, log
            if not self._is_explaining:
                self._is_explaining = True
                self._explain_newest()
        else:
            self._show()

    @work(group="explaining", description="explains what was seen last")
    async def _explain_newest(self) -> None:
        """Explain on a thread, because a large swarm takes noticeable time; one at a time, the newest next."""
        try:
            seen: Snapshot | None = None
            log: Log | None = None
            while self._seen is not None and (seen is not self._seen or log is not self._log):
                seen, log = self._seen, self._log
                try:
                    self._answer = await asyncio.to_thread(self._answer_to, seen, log)
                except UsageError as error:
                    self._told.say([says(error.sentence, UNKNOWN)])
                else:
                    self._show()
        finally:
            self._is_explaining = False

    def _answer_to(self, seen: Snapshot, log: Log | None) -> WhyAnswer:
        events = (line.meaning for line in log.lines) if log is not None else ()
        lines = last_lines(event for event in events if isinstance(event, LogEvent))
        return explain(seen, self.around.settings.thresholds, (), lines)

    def _show(self) -> None:
        answer = self._answer
        if answer is None:
            return
        rows = why.service_rows(answer, self._wanted.lower())
        empty = "No service matches." if self._wanted else answer.headline
        self._services.show(rows, empty)
        if self._service_id:
            places = [place for place, each in enumerate(rows) if each.key == self._service_id]
            if places:
                self._services.go(places[0])
            else:
                self.notify("This service was removed.", markup=False)
            self._service_id = ""
        tone = why.STANDING_TONES[answer.standing]
        sought = ((f"  /{self._wanted}", MATCH),) if self._wanted else ()
        self.query_one("#pane1", Pane).title.say(((answer.headline, tone or PLAIN), *sought))
        self._explain()

    def _explain(self) -> None:
        answer, each = self._answer, self.explained
        if answer is None:
            return
        told: list[Paragraph] = []
        if each is not None:
            told += why.explanation(each, self.around.where)
        told += [says(note, UNKNOWN, label="note") for note in answer.notes if note]
        self._told.say(told)
        self.refresh_bindings()

    @property
    def explained(self) -> ServiceExplanation | None:
        """The service under the cursor."""
        row = self._services.current
        return row.value if row is not None and isinstance(row.value, ServiceExplanation) else None

    @property
    def command(self) -> str:
        """The next command; nothing where there is none."""
        each = self.explained
        return "" if each is None else why.command_of(each, self.around.where)

    @property
    def network_id(self) -> str:
        """The fullest of its networks, where it waits for an address; nothing else."""
        each, snapshot = self.explained, self.monitor_state.snapshot.value
        if each is None or snapshot is None or each.explanation.standing is ServiceStanding.RUNS:
            return ""
        if not each.explanation.is_address_problem:
            return ""
        own = [one for one in snapshot.assessment.accounts if one.network.id in each.service.network_ids]
        return min(own, key=lambda one: one.free_at_most).network.id if own else ""

    def on_row_view_moved(self) -> None:
        """Explain the service under the cursor."""
        self._explain()

    def on_row_view_chosen(self, event: RowView.Chosen) -> None:
        """Let its explanation be read."""
        del event
        self.action_pane(ANSWER)

    def on_find_line_wanted(self, event: FindLine.Wanted) -> None:
        """Filter."""
        self._wanted = event.text
        self._services.select_others()
        self._show()

    def on_find_line_closed(self) -> None:
        """Go on at the services."""
        self.action_pane(SERVICES)

    def action_find(self) -> None:
        """Let the operator type a filter."""
        self._find.open()

    def action_copy_command(self) -> None:
        """Copy the next command."""
        copy(self, self.command)

    def action_copy_all(self) -> None:
        """Copy the explanation."""
        copy(self, self._told.text)

    def action_network(self) -> None:
        """Open the network that it waits for."""
        self.post_message(OpenNetwork(self.network_id))

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number."""
        if SERVICES <= number <= ANSWER:
            for each in (SERVICES, ANSWER):
                self.set_class(each == number, f"-at{each}")
            self.query_one(f"#pane{number}", Pane).enter()

    def action_back(self) -> None:
        """Go back by one step."""
        if self._wanted:
            self._find.clear()
        elif self.has_class("-at2") and not self.has_class("-wide"):
            self.action_pane(SERVICES)
        else:
            self.app.pop_screen()

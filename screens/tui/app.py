"""The live console: follows monitor states, shows screens, acts on messages; what the first data does not need is loaded later."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from rich.console import RenderableType
from textual import events, work
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.binding import BindingType
from textual.filter import LineFilter
from textual.reactive import var
from textual.screen import Screen
from textual.scrollbar import ScrollBar
from textual.worker import WorkerFailed

from console.errors import Unknown, VipconsoleError
from console.frozen import frozen
from console.monitor.values import MonitorState
from console.settings import THEMES
from screens.present.text import paragraph
from screens.tui.collector import REST_S, GarbageCollector
from screens.tui.colours import PaletteProvider, textual_theme
from screens.tui.environment import (
    ConsoleEnvironment,
    MonitorSource,
    OpenJournal,
    OpenNetwork,
    OpenWhy,
    StateChanged,
)
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.later import load_later
from screens.tui.overview import OverviewScreen
from screens.tui.partial_update import PartialUpdate
from screens.tui.screen import ConsoleScreen
from screens.tui.widgets.line_view import AsciiScrollBar, LineView, Printable

if TYPE_CHECKING:
    from textual.command import Provider

    from console.runbook.run.decisions import DecisionRequest
    from console.runbook.run.view import StoredRun
    from screens.tui.widgets.answer_line import AnswerLine

Runs: TypeAlias = Callable[[], "AsyncGenerator[StoredRun | Unknown, None]"]
"""Gives the maintenance run that matters, and again whenever anything in it changes."""
Decide: TypeAlias = Callable[["DecisionRequest", Callable[[str], object]], Awaitable[None]]
"""Takes a decision, and reports what it waits for. Raises VipconsoleError with the reason if it is not accepted."""
QUIT_NOTE = "Quitting does not stop a running maintenance run."


@frozen
class OwnRun:
    """The run that a console was opened for: it opens there, and takes decisions about it."""

    name: str
    decide: Decide


def _is_above_overview(app: "ConsoleApp") -> bool:
    return sum(isinstance(screen, ConsoleScreen) for screen in app.screen_stack) > 1


KEYS: tuple[Command, ...] = (
    Command("show_overview", "o", "Overview", when=_is_above_overview, also="page networks overlays home"),
    Command("show_why", "w", "Why services do not run", also="page services"),
    Command("show_journal", "d", "dockerd's log, explained", also="page journal"),
    Command(
        "show_run",
        "r",
        "The maintenance run, or the runbook of one",
        also="page steps",
        brief="Maintenance run or runbook",
    ),
    Command("refresh_now", "ctrl+l", "Refresh now"),
    Command(
        "command_palette",
        "colon,ctrl+p",
        "Jump to a network, service, stack, page or command",
        "jump",
        brief="Jump to anything by name",
        is_in_palette=False,
    ),
    Command("back", "escape", "Back", footer="back", when=_is_above_overview),
    Command("help", "question_mark", "Help", footer="help"),
    Command("quit", "q", "Quit", footer="quit", about="A running maintenance run continues."),
    Command("ask_to_quit", "ctrl+c", "Ask before quitting", is_in_palette=False),
    Command(
        "suspend_process",
        "ctrl+z",
        "Back to the shell; `fg` returns here",
        brief="Shell; `fg` returns here",
        is_in_palette=False,
    ),
)


def _place_provider() -> "type[Provider]":
    from screens.tui.jump import PlaceProvider

    return PlaceProvider


class ConsoleApp(CommandMixin, App[int], inherit_bindings=False):
    """The console over a source of monitor states."""

    # The overview is the screen that Textual begins with: a blank one below it took a fifth of the time to the first data.
    CSS_PATH: ClassVar[Any] = ["app.tcss", "overview.tcss"]
    TITLE = "vipconsole"
    COMMANDS: ClassVar[Any] = {PaletteProvider, _place_provider}
    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)

    monitor_state: var[MonitorState] = var(MonitorState())
    current_run: "var[StoredRun | None]" = var(None)
    """The maintenance run that is under way, or the last one."""

    def __init__(
        self,
        source: MonitorSource,
        environment: ConsoleEnvironment,
        runs: Runs | None = None,
        own: OwnRun | None = None,
    ) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.environment = environment
        self._source = source
        self._runs = runs
        self._own = own
        self._visible_networks: tuple[str, ...] = ()
        self._is_drawn = asyncio.Event()
        """Set once the first data, or why there is none, is on the terminal."""
        self.on_whole: Callable[[], None] = lambda: None
        """Called when all that a key may need is loaded."""
        self.collector = GarbageCollector(environment.clock)
        for name in THEMES:
            self.register_theme(textual_theme(name))
        self.theme = environment.settings.theme
        self._printable = Printable(is_ascii=environment.is_ascii)
        self._scroll_bar = ScrollBar.renderer
        self.failure: BaseException | None = None
        """What ended the app, where that was a bug."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what every line passes on its way to the terminal, last of all that it can be printed."""
        return (*super().get_line_filters(), self._printable)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # Textual has no public way to choose how a repaint is sent.
        if isinstance(renderable, ChopsUpdate):
            renderable = PartialUpdate.of(renderable)
        super()._display(screen, renderable)

    def _handle_exception(self, error: Exception) -> None:
        # Textual's own way; it has no public one to learn what ended an app.
        self.failure = self.failure or (error.error if isinstance(error, WorkerFailed) else error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # Textual would print a traceback with the values of all variables, and some of them may be secrets.
        self._close_messages_no_wait()

    def watch_theme(self) -> None:
        """Draw everything that is open in the colours that were chosen."""
        for screen in self.screen_stack if self.is_running else ():
            for view in screen.query(LineView):
                view.notify_style_update()
                view.refresh()

    # Monitor states and runs

    def get_default_screen(self) -> Screen[Any]:
        """Return the overview, with what is known already."""
        newest = self._source.monitor_state
        if newest.snapshot.value is not None:
            # A failure comes as a change: the panes give way to it.
            self.set_reactive(ConsoleApp.monitor_state, newest)
        return OverviewScreen(self.environment, self.monitor_state)

    def on_mount(self) -> None:
        """Begin to follow the monitor."""
        # Textual draws the scroll bars of all widgets by one class, also those of its own palette.
        if self.environment.is_ascii:
            ScrollBar.renderer = AsciiScrollBar
        # Continued after a stop it has an empty terminal, and Textual draws again only at another size.
        self.app_resume_signal.subscribe(self, lambda _: self._redraw())
        self._watch_source()
        self.set_interval(REST_S, self.collector.rest)
        if self._own is not None:
            self.action_show_run()
            self._load_rest()

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody uses the console, and handle the event as every app does."""
        if isinstance(event, events.InputEvent):
            self.collector.note_use()
        await super().on_event(event)

    def on_unmount(self) -> None:
        """Leave Textual's scroll bars as they were."""
        ScrollBar.renderer = self._scroll_bar

    @work(group="monitor", description="takes monitor states from their source")
    async def _watch_source(self) -> None:
        async with aclosing(self._source.monitor_states()) as monitor_states:
            async for monitor_state in monitor_states:
                self.post_message(StateChanged(monitor_state))
                if monitor_state.has_news:
                    # Asking for the next state lets the monitor go on with what the first data does not need.
                    await self._is_drawn.wait()

    def _load_rest(self) -> None:
        """Load what a key may need, and begin to follow the runs; once."""
        if not self._is_drawn.is_set():
            self._is_drawn.set()
            self._finish_loading()

    @work(group="loading", description="loads what the first data did not need")
    async def _finish_loading(self) -> None:
        await asyncio.to_thread(load_later)
        self.on_whole()
        if self._runs is not None:
            self._watch_runs(self._runs)

    @work(group="runs", description="watches maintenance runs")
    async def _watch_runs(self, runs: Runs) -> None:
        async with aclosing(runs()) as stored_runs:
            async for stored_run in stored_runs:
                if isinstance(stored_run, Unknown):
                    message = (
                        f"The maintenance runs cannot be read. {stored_run.reason} {stored_run.hint}".rstrip()
                    )
                    self.notify(message, severity="warning", markup=False)
                else:
                    self.current_run = stored_run

    def on_state_changed(self, message: StateChanged) -> None:
        """Take the newest monitor state; all screens follow it."""
        self.monitor_state = message.monitor_state
        self._attend_visible_networks()
        if message.monitor_state.has_news and not self._is_drawn.is_set():
            self.screen.call_after_refresh(self._load_rest)

    def _attend_visible_networks(self) -> None:
        """Let the monitor inspect the networks that are on the screen in detail."""
        network_ids = tuple(
            screen.attended_network
            for screen in self.screen_stack
            if isinstance(screen, ConsoleScreen) and screen.attended_network
        )
        if network_ids != self._visible_networks:
            self._visible_networks = network_ids
            self._source.attend(*network_ids)

    # Which screen is shown

    def on_open_network(self, message: OpenNetwork) -> None:
        """Open the screen of the network, in place of another network's."""
        from screens.tui.network import NetworkScreen

        if isinstance(self.screen, NetworkScreen):
            self.pop_screen()
        self.push_screen(NetworkScreen(self.environment, message.network_id))
        self._attend_visible_networks()

    def on_open_journal(self, message: OpenJournal) -> None:
        """Show dockerd's log, beginning with a finding."""
        from screens.tui.journal import JournalScreen

        self.open(JournalScreen(self.environment, message.signature))

    def on_open_why(self, message: OpenWhy) -> None:
        """Show why a service, or those of a stack, do not run."""
        from screens.tui.why import WhyScreen

        self.open(WhyScreen(self.environment, message.service_id, message.stack))

    def on_open_run(self) -> None:
        """Open the screen of the current run."""
        self.action_show_run()

    def open(self, screen: ConsoleScreen) -> None:
        """Show a screen in place of an open one of its kind."""
        kinds = [type(open_screen) for open_screen in self.screen_stack]
        if type(screen) in kinds:
            for _ in kinds[kinds.index(type(screen)) :]:
                self.pop_screen()
        self.push_screen(screen)

    def action_show_overview(self) -> None:
        """Close all screens above the overview."""
        while _is_above_overview(self):
            self.pop_screen()

    async def action_back(self) -> None:
        """Close the screen on top, unless that is the overview."""
        if _is_above_overview(self):
            self.pop_screen()

    def action_show_journal(self) -> None:
        """Open dockerd's log at its worst finding."""
        self.on_open_journal(OpenJournal())

    def action_show_why(self) -> None:
        """Open the list of services, those that do not run first."""
        self.on_open_why(OpenWhy())

    def action_show_run(self) -> None:
        """Show the run as it changes; before any run, the runbook."""
        from screens.tui.runbook import RunbookScreen

        screen = RunbookScreen(self.environment, may_decide=self._own is not None)
        self.open(screen)
        screen.watch(self, "current_run", screen.take)

    # Decisions

    def on_answer_line_submitted(self, message: "AnswerLine.Submitted") -> None:
        """Take a decision about the run that this console was opened for."""
        if self._own is not None:
            self._decide(self._own.decide, message)

    @work(group="deciding", description="takes a decision")
    async def _decide(self, decide: Decide, message: "AnswerLine.Submitted") -> None:
        from screens.tui.runbook import RunbookScreen, why_not

        try:
            await decide(message.request, self._show_progress)
        except VipconsoleError as error:
            runbook_screens = [screen for screen in self.screen_stack if isinstance(screen, RunbookScreen)]
            for runbook_screen in runbook_screens:
                runbook_screen.refuse(error)
            if self.screen not in runbook_screens:
                self.notify(why_not(error), severity="error", markup=False)

    def _show_progress(self, sentence: str) -> None:
        self.notify(sentence, markup=False)

    def watch_current_run(self, before: "StoredRun | None", now: "StoredRun | None") -> None:
        """Notify the operator on another screen when their run asks something."""
        if self._own is None or now is None:
            return
        from screens.present.run import open_question
        from screens.tui.runbook import RunbookScreen

        question = open_question(now)
        if question is None or isinstance(self.screen, RunbookScreen):
            return
        if before is None or open_question(before) != question:
            self.bell()
            self.notify(
                f"The run asks about {question.step}. Press r to see it.", severity="warning", markup=False
            )

    # Actions

    def action_refresh_now(self) -> None:
        """Take a snapshot now, and redraw everything in case something else has written on the terminal."""
        self._source.wake()
        self._redraw()

    def _redraw(self) -> None:
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_help(self) -> None:
        """Show what can be done here, and what the marks mean."""
        from screens.tui.help import HelpDialog, sections_of

        self.push_screen(HelpDialog(sections_of(self.screen, self, self.environment), self.environment))

    def action_ask_to_quit(self) -> None:
        """Open the quit dialog, which says what happens to a run."""
        from screens.tui.dialogs import QuitDialog

        if not isinstance(self.screen, QuitDialog):
            note = QUIT_NOTE if self._own is None else quit_note(self._own.name, self.current_run)
            self.push_screen(QuitDialog([paragraph(note)], self.environment), self._quit)

    def _quit(self, is_meant: bool | None) -> None:  # noqa: FBT001 - a dialog's result
        if is_meant:
            self.exit(0)


def quit_note(name: str, run: "StoredRun | None") -> str:
    """Return what happens to a run when the operator quits."""
    from screens.present.run import open_question

    if run is not None and run.view.is_over:
        return f"The run is over. `vipconsole report {name}` shows what it did."
    again = f"`vipconsole attach {name}` shows it again."
    question = None if run is None else open_question(run)
    if question is not None:
        lapse = " Without an answer in time, the step is undone." if question.expires_at is not None else ""
        return f"The run waits for an answer, and keeps waiting after you quit.{lapse} {again}"
    return f"Quitting does not stop the run. {again}"

"""What all screens of the console have: the header, the line of keys, panes that numbers jump to."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import var
from textual.screen import Screen
from textual.widget import Widget

from console.monitor.values import MonitorState
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import Command, CommandMixin, bindings
from screens.tui.widgets.bars import Header, KeyLine
from screens.tui.widgets.pane import Pane

NARROW, MEDIUM, WIDE = 0, 76, 120
"""Columns from which a screen shows one pane at a time, several panes, all of them."""
LOW, TALL = 0, 22
"""Lines from which several panes have room above each other."""


def _goes_to_pane(number: int) -> Command:
    def is_there(screen: "ConsoleScreen") -> bool:
        return number <= len(screen.panes)

    return Command(f"pane({number})", str(number), f"Go to pane {number}", when=is_there, is_in_palette=False)


KEYS: tuple[Command, ...] = (
    *(_goes_to_pane(number) for number in range(1, 10)),
    Command("next_pane(1)", "tab", "Go to the next pane", is_in_palette=False),
    Command("next_pane(-1)", "shift+tab", "Go to the previous pane", is_in_palette=False),
)


class ConsoleScreen(CommandMixin, Screen[None], inherit_bindings=False):
    """A screen over the newest monitor state.

    Widgets bound to `monitor_state` by `data_bind` get each newer state; they report by posting messages.
    """

    KEYS = KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(KEYS)
    # Textual declares these two as variables of an instance.
    HORIZONTAL_BREAKPOINTS = [(NARROW, "-narrow"), (MEDIUM, "-medium"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(LOW, "-low"), (TALL, "-tall")]  # noqa: RUF012

    monitor_state: var[MonitorState] = var(MonitorState())

    def __init__(self, environment: ConsoleEnvironment) -> None:
        super().__init__()
        self.environment = environment

    def compose(self) -> ComposeResult:
        """Lay out the header, what the screen is about, and its keys."""
        yield Header(self.environment).data_bind(ConsoleScreen.monitor_state)
        yield from self.compose_body()
        yield KeyLine(is_ascii=self.environment.is_ascii)

    def compose_body(self) -> Iterable[Widget]:
        """Yield the widgets between the header and the keys."""
        return ()

    def on_mount(self) -> None:
        """Follow the monitor state of the app."""
        self.watch(self.app, "monitor_state", self._take)

    def _take(self, monitor_state: MonitorState) -> None:
        self.monitor_state = monitor_state

    @property
    def panes(self) -> list[Pane]:
        """The panes that numbers jump to, in their order."""
        return list(self.walk_children(Pane))

    def action_pane(self, number: int) -> None:
        """Go to a pane by its number, from 1."""
        panes = self.panes
        if number <= len(panes):
            panes[number - 1].enter()

    def action_next_pane(self, by: int) -> None:
        """Go to the next pane, or to the one before."""
        panes = self.panes
        at = next((place for place, pane in enumerate(panes) if pane.has_class("-entered")), -by)
        if panes:
            panes[(at + by) % len(panes)].enter()

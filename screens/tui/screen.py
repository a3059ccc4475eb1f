"""What all screens of the console have: the header in the first two lines, the line of keys, panes that numbers jump to."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import var
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from console.monitor.values import MonitorState
from screens.present.header import Age, Freshness, age_of, headline, identity
from screens.present.text import CURSOR, DIM, PLAIN, STRONG, Span, Spans
from screens.tui.environment import ConsoleEnvironment
from screens.tui.keys import ASCII_KEY_NAMES, KEY_NAMES, Command, CommandMixin, bindings
from screens.tui.widgets.line_view import LineView, between, length, truncate
from screens.tui.widgets.pane import Pane, Title

if TYPE_CHECKING:
    from screens.present.help import Entry

SIMULATED: Span = (" SIMULATED ", CURSOR)
"""Instead of the program's name in the demo."""
EVERY_S = 1.0
"""How often the age of the snapshot is checked. Only what looks different is sent to the terminal."""


class Header(LineView):
    """Which engine this is, whether what is shown is so now, and the one sentence that matters."""

    DEFAULT_CSS = "Header { height: 2; dock: top; }"

    monitor_state: var[MonitorState] = var(MonitorState())

    def __init__(self, environment: ConsoleEnvironment) -> None:
        super().__init__()
        self._environment = environment
        self._is_live_until_s = 0.0

    @property
    def age(self) -> Age:
        """How old what is shown is now."""
        clock = self._environment.clock
        return age_of(self.monitor_state, clock.now(), clock.monotonic())

    def on_mount(self) -> None:
        """Check the age every second."""
        self.set_interval(EVERY_S, self.tick)

    def tick(self) -> None:
        """Show the age where it may have changed."""
        if self._environment.clock.monotonic() > self._is_live_until_s:
            self._show_age()

    def _show_age(self) -> None:
        # A stale screen is dimmed as a whole.
        age = self.age
        self.screen.set_class(age.freshness is Freshness.STALE, "-stale")
        self._is_live_until_s = self._environment.clock.monotonic() + age.live_for_s
        self.renew()

    def watch_monitor_state(self) -> None:
        """Show the age and the headline of the newer state."""
        self._show_age()

    def parts_at(self, y: int) -> Spans:
        """Return one of the lines."""
        environment, age, width = self._environment, self.age, self.size.width
        if y == 0:
            left, right = identity(
                self.monitor_state, environment.host, age, environment.zone, may_decide=environment.may_decide
            )
            left = (SIMULATED, *left[1:]) if environment.is_simulated else left
            if length(left) + length(right) > width:
                # Where room is short the engine is worth more than the program's name; that it is a demo is worth more.
                left = (*left[:2], *left[3:]) if environment.is_simulated else left[1:]
            return between(left, right, width, environment.glyphs.more)
        return truncate(headline(self.monitor_state, age, environment.zone), width, environment.glyphs.more)


class KeyLine(LineView):
    """The commands that can be used now. Where there is no room for all, the app's own are kept: help and quit."""

    DEFAULT_CSS = "KeyLine { height: 1; dock: bottom; }"

    def __init__(self, *, is_ascii: bool) -> None:
        super().__init__()
        self._names = ASCII_KEY_NAMES if is_ascii else KEY_NAMES
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Repaint when the available commands change."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.renew())

    def parts_at(self, y: int) -> Spans:
        """Return the commands, and remember where each stands."""
        del y
        own: list[tuple[str, str, str]] = []
        shared: list[tuple[str, str, str]] = []
        actions = set[str]()
        # Where somebody writes, a letter is a letter.
        writing = isinstance(self.screen.focused, Input)
        for active in self.screen.active_bindings.values():
            binding = active.binding
            is_typed = writing and len(self._names.get(binding.key, binding.key)) == 1
            if binding.show and not is_typed and binding.action not in actions:
                actions.add(binding.action)
                # The palette gives way first: it is the same everywhere.
                is_shared = active.node is self.app and binding.action != "command_palette"
                group = shared if is_shared else own
                group.append((binding.key, self._names.get(binding.key, binding.key), binding.description))
        room = self.size.width - sum(len(name) + len(description) + 4 for _, name, description in shared)
        self._places = []
        parts: list[Span] = [(" ", PLAIN)]
        for key, name, description in (*_fitting(own, room), *shared):
            begin = length(tuple(parts))
            parts += [(name, STRONG), (f" {description}", DIM), ("   ", PLAIN)]
            self._places.append((begin, length(tuple(parts)) - 3, key))
        # The gap behind the last one must not be cut with a sign: nothing is missing.
        return tuple(parts[:-1])

    def on_click(self, event: events.Click) -> None:
        """Run the command under the mouse."""
        for begin, end, key in self._places:
            if begin <= event.x < end:
                self.app.simulate_key(key)


def _fitting(entries: list[tuple[str, str, str]], room: int) -> list[tuple[str, str, str]]:
    fitting = []
    for entry in entries:
        room -= len(entry[1]) + len(entry[2]) + 4
        if room < 0:
            break
        fitting.append(entry)
    return fitting


NARROW, MEDIUM, WIDE = 0, 76, 120
"""Columns from which a screen shows one pane at a time, several panes, all of them."""
LOW, TALL = 0, 22
"""Lines from which several panes have room above each other."""


PANES = "Next, previous pane"


def _goes_to_pane(number: int) -> Command:
    def is_there(screen: "ConsoleScreen") -> bool:
        return number <= len(screen.panes)

    return Command(f"pane({number})", str(number), f"Go to pane {number}", when=is_there, is_in_palette=False)


KEYS: tuple[Command, ...] = (
    *(_goes_to_pane(number) for number in range(1, 10)),
    Command("next_pane(1)", "tab", "Go to the next pane", is_in_palette=False, brief=PANES),
    Command("next_pane(-1)", "shift+tab", "Go to the previous pane", is_in_palette=False, brief=PANES),
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
        self._take_size_classes()
        yield Header(self.environment).data_bind(ConsoleScreen.monitor_state)
        yield from self.compose_body()
        yield KeyLine(is_ascii=self.environment.is_ascii)

    def _take_size_classes(self) -> None:
        # Textual gives them after the first layout, and then styles, lays out and draws everything once more.
        width, height = self.app.size
        for size, breakpoints in (
            (width, self.HORIZONTAL_BREAKPOINTS or []),
            (height, self.VERTICAL_BREAKPOINTS or []),
        ):
            reached = [(least, name) for least, name in breakpoints if size >= least]
            if reached:
                self.add_class(max(reached)[1])

    def compose_body(self) -> Iterable[Widget]:
        """Yield the widgets between the header and the keys."""
        return ()

    def on_mount(self) -> None:
        """Follow the monitor state of the app."""
        self.watch(self.app, "monitor_state", self._take)

    def _take(self, monitor_state: MonitorState) -> None:
        self.monitor_state = monitor_state

    @property
    def marks(self) -> "tuple[Entry, ...]":
        """What the marks and columns of the page mean, for its help."""
        from screens.present.help import common_marks  # noqa: PLC0415 - only help needs it

        return common_marks(self.environment.glyphs)

    @property
    def attended_network(self) -> str:
        """The network (ID) that the screen is about; empty where it is about none."""
        return ""

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
            self.action_pane((at + by) % len(panes) + 1)

    def on_title_clicked(self, event: Title.Clicked) -> None:
        """Go to the pane whose title was clicked, or to the next one where the click was on the way there."""
        if event.is_next:
            self.action_next_pane(1)
        else:
            self.action_pane(event.number)

    def on_descendant_focus(self) -> None:
        """Follow the keys to the pane that a click gave them."""
        pane = next((node for node in (self.focused or self).ancestors if isinstance(node, Pane)), None)
        if pane is not None:
            self.pane_entered(pane.number)

    def pane_entered(self, number: int) -> None:
        """Adapt the screen to the pane that has the keys now."""

"""The last line: what can be done here, by its keys."""

from textual import events
from textual.widgets import Input

from screens.keys import ASCII_KEY_NAMES, KEY_NAMES
from screens.views.parts import DIM, PLAIN, STRONG, Part, Parts, length
from screens.widgets.painted import Painted


class KeyLine(Painted):
    """The commands that can be used now. Where there is no room for all, the app's own are kept: help and quit."""

    DEFAULT_CSS = "KeyLine { height: 1; dock: bottom; }"

    def __init__(self, *, is_ascii: bool) -> None:
        super().__init__()
        self._names = ASCII_KEY_NAMES if is_ascii else KEY_NAMES
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow what can be done."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.renew())

    def parts_at(self, y: int) -> Parts:
        """Return the line."""
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
                group = shared if active.node is self.app else own
                group.append((binding.key, self._names.get(binding.key, binding.key), binding.description))
        room = self.size.width - sum(len(name) + len(said) + 4 for _, name, said in shared)
        self._places = []
        parts: list[Part] = [(" ", PLAIN)]
        for key, name, said in (*_fitting(own, room), *shared):
            begin = length(tuple(parts))
            parts += [(name, STRONG), (f" {said}", DIM), ("   ", PLAIN)]
            self._places.append((begin, length(tuple(parts)) - 3, key))
        return tuple(parts)

    def on_click(self, event: events.Click) -> None:
        """Do what is clicked on."""
        for begin, end, key in self._places:
            if begin <= event.x < end:
                self.app.simulate_key(key)


def _fitting(entries: list[tuple[str, str, str]], room: int) -> list[tuple[str, str, str]]:
    fitting = []
    for each in entries:
        room -= len(each[1]) + len(each[2]) + 4
        if room < 0:
            break
        fitting.append(each)
    return fitting

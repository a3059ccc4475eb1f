"""The first two lines of every screen."""

from textual.reactive import var

from console.monitor.values import Scene
from screens.surroundings import Surroundings
from screens.views.header import Age, Freshness, age_of, headline, identity
from screens.views.parts import Parts, between, fitted, length
from screens.widgets.painted import Painted

EVERY_S = 1.0
"""How often it is asked whether what is shown has become old. Only what looks different is sent to the terminal."""


class Header(Painted):
    """Which engine this is, whether what is shown is so now, and the one sentence that matters."""

    DEFAULT_CSS = "Header { height: 2; dock: top; }"

    scene: var[Scene] = var(Scene())

    def __init__(self, around: Surroundings) -> None:
        super().__init__()
        self._around = around

    @property
    def age(self) -> Age:
        """How old what is shown is now."""
        clock = self._around.clock
        return age_of(self.scene, clock.now(), clock.monotonic())

    def on_mount(self) -> None:
        """Look at the clock from time to time."""
        self.set_interval(EVERY_S, self.tick)

    def tick(self) -> None:
        """Show what has become of the age; a whole screen that is old looks old."""
        self.screen.set_class(self.age.freshness is Freshness.STALE, "-stale")
        self.renew()

    def watch_scene(self) -> None:
        """Show the newest."""
        self.tick()

    def parts_at(self, y: int) -> Parts:
        """Return one of the lines."""
        around, age, width = self._around, self.age, self.size.width
        if y == 0:
            left, right = identity(self.scene, around.host, age, around.zone, may_decide=around.may_decide)
            # Where room is short the engine is worth more than the program's name.
            left = left if length(left) + length(right) <= width else left[1:]
            return between(left, right, width, around.glyphs.more)
        return fitted(headline(self.scene, age, around.zone), width, around.glyphs.more)

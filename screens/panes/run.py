"""The maintenance run that is under way, or the last one."""

from collections.abc import Mapping

from textual.reactive import var

from console.monitor.values import Scene
from screens.output.glyphs import ASCII
from screens.panes.base import ScenePane
from screens.views.parts import DIM, PLAIN, Part, Parts, Row
from screens.views.run import ASCII_STATE_GLYPHS, STATE_GLYPHS, STATE_TONES, RunView, StepState, headline


class Run(ScenePane):
    """Its steps in one row."""

    NUMBER, NAME = 5, "Run"

    run: var[RunView | None] = var(None)

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It rests on nothing of the scene."""
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
        self.show([Row("steps", steps_line(run, letters), run)], said, "")


def steps_line(run: RunView, letters: Mapping[StepState, str]) -> Parts:
    """Return the steps side by side, the one that matters in words."""
    parts: list[Part] = []
    for place, step in enumerate(run.steps):
        tone = STATE_TONES.get(step.state, PLAIN)
        parts.append((f"{letters[step.state]} {step.id}", tone))
        if place == run.current and step.because:
            parts.append((f": {step.because}", PLAIN))
        parts.append(("  ", DIM))
    return tuple(parts)

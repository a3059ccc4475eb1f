"""What dockerd logged, each kind of thing once."""

from console.monitor.values import Scene
from console.text import duration
from screens.panes.base import ScenePane, said_of
from screens.views.logged import logged_empty, logged_rows
from screens.views.parts import BAD, DIM, UNKNOWN, Part


class Logged(ScenePane):
    """A row for each kind of thing that dockerd said, the newest first."""

    NUMBER, NAME = 3, "dockerd"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It rests on dockerd's log."""
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
            said.append((f", {summary.addresses_lost} lost", BAD))
        self.show(rows, said_of(log, *said), logged_empty(summary))

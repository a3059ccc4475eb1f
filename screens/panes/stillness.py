"""Whether the swarm and this host are quiet, and what keeps them from it."""

from datetime import datetime, timedelta

from console.monitor.values import Scene
from screens.panes.base import ScenePane, said_of
from screens.views.quiet import check_rows, verdict


class Stillness(ScenePane):
    """A row for each check, those that block first."""

    NUMBER, NAME = 4, "Quiet?"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It rests on the checks."""
        return scene.quiet.value, scene.quiet.failed, scene.quiet_since_s

    def renew(self) -> None:
        """Show the checks."""
        quiet = self.scene.quiet
        if quiet.value is None:
            self.show_awaited(quiet)
            return
        said = verdict(quiet.value, self._since(), self.around.clock.now())
        self.show(check_rows(quiet.value, self.sought), said_of(quiet, *said), "Nothing is checked.")

    def _since(self) -> datetime | None:
        since_s = self.scene.quiet_since_s
        if since_s is None:
            return None
        clock = self.around.clock
        return clock.now() - timedelta(seconds=clock.monotonic() - since_s)

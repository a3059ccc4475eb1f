"""What was found, the worst first."""

from console.monitor.values import Scene
from screens.panes.base import ScenePane, said_of
from screens.views.findings import finding_rows
from screens.views.parts import DIM, STRONG


class Findings(ScenePane):
    """A row for each finding."""

    NUMBER, NAME = 2, "Findings"

    def basis(self, scene: Scene) -> tuple[object, ...]:
        """It rests on the look."""
        return scene.look.value, scene.look.failed

    def renew(self) -> None:
        """Show the findings."""
        look = self.scene.look
        if look.value is None:
            self.show_awaited(look)
            return
        assessment = look.value.assessment
        rows = finding_rows(assessment, self.sought)
        urgent = sum(each.severity.rank > 0 for each in assessment.findings)
        notes = len(assessment.findings) - urgent
        said = ((f"{urgent}", STRONG), (f" and {notes} to note" if notes else "", DIM))
        self.show(rows, said_of(look, *said), "Nothing to worry about was found.")
